"""The last checkpoint, kept outside of the warehouse's file: a chain that was cut at its end is noticed.

seal  ->  keep()  ->  <warehouse>/ledger_checkpoint.json  ->  check_beside(), require_kept(); a restore: set_aside()
"""

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb

from assets.delivery.chain.checkpoints import ChainError, Checkpoint, checkpoint_of, read_checkpoints
from assets.delivery.chain.covered import CHAIN, EVENT
from assets.delivery.chain.findings import Findings
from assets.delivery.ledger.events import details_of
from resources.atomic_file import write_atomically
from resources.warehouse.tables import has_table

FILE = "ledger_checkpoint.json"


def keep(folder: Path, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint in a folder."""
    write_atomically(folder / FILE, json.dumps(checkpoint.document, indent=1), mode=0o600)


def read_kept(file: Path) -> Checkpoint | None:
    """Return the checkpoint of a file, or of an export's manifest; None if there is no file.

    Raises:
        ChainError: It is damaged.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return checkpoint_of(document.get("last_checkpoint", document))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ChainError(f"{file}: not a checkpoint of a ledger; remove the file if it is damaged") from error


def number_kept(folder: Path) -> int:
    """Return the number of the checkpoint that is kept in a folder; 0 if there is none, or it was damaged."""
    try:
        kept = read_kept(folder / FILE)
    except ChainError:
        return 0
    return kept.number if kept else 0


def set_aside(folder: Path, restore_id: str) -> None:
    """Move the checkpoint aside of a ledger that was left behind, whose warehouse was replaced in its place."""
    if (folder / FILE).exists():
        (folder / FILE).rename(folder / f"ledger_checkpoint.before-{restore_id}.json")


def check_beside(found: Findings, checkpoints: Sequence[Checkpoint], kept: Checkpoint) -> None:
    """Check that the checkpoint beside the warehouse's file is one of the chain; a restore moves it aside."""
    if problem := _missing(checkpoints, kept):
        found.add("cut", problem)


def check_kept(
    con: duckdb.DuckDBPyConnection, found: Findings, checkpoints: Sequence[Checkpoint], kept: Checkpoint
) -> None:
    """Check that a checkpoint that was kept elsewhere is one of the chain, or was left behind by a signed restore."""
    if problem := _missing(checkpoints, kept):
        if fork := _fork(con, kept):
            found.notices.append(f"{fork}: checkpoint {kept.number}, which was kept, belongs to what was left behind")
        else:
            found.add("cut", problem)


def require_kept(con: duckdb.DuckDBPyConnection, kept: Checkpoint | None, file: Path) -> None:
    """Raise ChainError if the chain lacks the checkpoint beside the file: sealing it again would hide that."""
    if kept and (problem := _missing(read_checkpoints(con), kept)):
        raise ChainError(f"{problem}; nothing is added to it: restore a backup, or move {file} away if you know why")


def _missing(checkpoints: Sequence[Checkpoint], kept: Checkpoint) -> str:
    same = [each for each in checkpoints if each.number == kept.number]
    if not same:
        last = checkpoints[-1].number if checkpoints else 0
        return f"the chain was cut: checkpoint {kept.number} was kept, and the chain ends with {last}"
    return "" if same[0].digest == kept.digest else f"checkpoint {kept.number} is not the one that was kept"


def _fork(con: duckdb.DuckDBPyConnection, kept: Checkpoint) -> str:
    """Return the restore that left a checkpoint behind; blank if there is none in the chain."""
    if not has_table(con, "sync_events") or not has_table(con, CHAIN):
        return ""
    query = (
        "select decided_at, details from sync_events where event = 'restored' and event_id in"
        f" (select record from {CHAIN} where kind = '{EVENT}') order by position desc"
    )
    for at, details in con.execute(query).fetchall():
        facts = details_of(details)
        left = [facts.get(name, 0) for name in ("kept", "left")]
        if all(isinstance(each, int) for each in left) and left[0] < kept.number <= left[1]:
            return f"a backup was restored on {at:%Y-%m-%d %H:%M} UTC"
    return ""
