"""Export the ledger for an auditor: rows, chain and checkpoints as files, with a manifest.

FOLDER/manifest.json, checkpoints, chain, attempts, decisions, decision_ends, events  (.csv or .parquet)

Rows are those of the days; the chain goes on to the newest checkpoint, so that later marks and the newest signature
count. Personal values stay here: the hash that the chain has of them stands for them, unless they are asked for.
In CSV, numbers and names that a spreadsheet would take for a formula begin with an apostrophe.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb

from assets.delivery.chain.checkpoints import ChainError, Checkpoint, read_checkpoints
from assets.delivery.chain.covered import ATTEMPT, CHAIN, CHECKPOINTS, DECISION, ENDED, EVENT, KINDS, joined_query
from resources.atomic_file import write_atomically
from resources.spreadsheet import cells_of
from resources.warehouse.tables import literal, quoted

FORMAT = 1
MANIFEST, CHAIN_FILE, CHECKPOINT_FILE = "manifest.json", "chain", "checkpoints"
FILES = {ATTEMPT: "attempts", DECISION: "decisions", ENDED: "decision_ends", EVENT: "events"}
NULL = r"\N"
FileFormat = Literal["csv", "parquet"]
OPTIONS: Mapping[FileFormat, str] = {
    "csv": f"format csv, header true, force_quote *, nullstr '{NULL}'",
    "parquet": "format parquet",
}


@dataclass(frozen=True)
class Export:
    """The days and the form of an export.

    Attributes:
        has_values: Whether personal values and their salts are exported.
    """

    since: date
    until: date
    file_format: FileFormat = "csv"
    has_values: bool = False


def export_ledger(con: duckdb.DuckDBPyConnection, export: Export, folder: Path, now: datetime) -> dict[str, Any]:
    """Write the files into a new folder, and return the manifest.

    Raises:
        ChainError: There is no checkpoint of these days, or the folder has files.
    """
    checkpoints = read_checkpoints(con)
    chosen = [each for each in checkpoints if export.since <= each.day <= export.until]
    if not chosen:
        days = f"; the ledger has {checkpoints[0].day} to {checkpoints[-1].day}" if checkpoints else ""
        raise ChainError(f"no checkpoint from {export.since} to {export.until}{days}")
    if folder.exists() and any(folder.iterdir()):
        raise ChainError(f"{folder}: has files; name a new folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    first, last = chosen[0], chosen[-1]
    entries = int(first.facts["first"]), int(last.facts["last"])
    files = {
        name: _write(con, query, folder / f"{name}.{export.file_format}", export.file_format)
        for name, query in _queries(con, export, first, entries)
    }
    manifest = {
        "format": FORMAT,
        "made_at": now.isoformat(" ", "seconds"),
        "from": first.day.isoformat(),
        "to": last.day.isoformat(),
        "file_format": export.file_format,
        "has_values": export.has_values,
        "first_checkpoint": first.number,
        "entries": list(entries),
        "files": files,
        "public_keys": list(dict.fromkeys(each.public_key for each in checkpoints if each.public_key)),
        "last_checkpoint": checkpoints[-1].document,
    }
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1), mode=0o600)
    return manifest


def _queries(
    con: duckdb.DuckDBPyConnection, export: Export, first: Checkpoint, entries: tuple[int, int]
) -> Iterator[tuple[str, str]]:
    # the one before gives the link that the first entry follows
    query = (
        "select number, day::varchar as day, statement, signature, handover from {} where number >= {} order by number"
    )
    yield CHECKPOINT_FILE, query.format(CHECKPOINTS, first.number - 1)
    query = "select number, kind, workflow, place, record, leaf, link, to_json(hashes)::varchar as hashes from {}"
    yield CHAIN_FILE, f"{query.format(CHAIN)} where number >= {entries[0]} order by number"
    joined = joined_query(con)
    for kind, name in FILES.items():
        rows = _rows_query(kind, joined, entries, has_values=export.has_values)
        yield name, cells_of(rows) if export.file_format == "csv" else rows


def _rows_query(kind: str, joined: str, entries: tuple[int, int], *, has_values: bool) -> str:
    columns = ", ".join(f"public[{place}] as {quoted(name)}" for place, name in enumerate(KINDS[kind].public, 1))
    values = ", if(erased is null, private, null) as private, if(erased is null, salt, null) as salt"
    return (
        f"select number, named as workflow, version as workflow_version, {columns}, coalesce(erased, private_hash) as"
        f" private_hash{values if has_values else ''} from ({joined}) where kind = {literal(kind)} and is_there"
        f" and copy = 1 and number between {entries[0]} and {entries[1]} order by number"
    )


def _write(con: duckdb.DuckDBPyConnection, query: str, file: Path, file_format: FileFormat) -> dict[str, Any]:
    rows = con.execute(f"copy ({query}) to {literal(str(file))} ({OPTIONS[file_format]})").fetchall()
    file.chmod(0o600)
    return {"rows": int(rows[0][0]), "sha256": file_hash(file)}


def file_hash(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
