"""Seal the ledger: chain the rows that were added since the last checkpoint, and sign the next one.

ledger  ->  seal(), in the caller's transaction  ->  sync_chain, sync_checkpoints

Killed before the commit, nothing is sealed, and the next run seals it.
"""

from collections.abc import Mapping
from datetime import datetime

import duckdb

from assets.delivery.chain.checkpoints import ChainError, Checkpoint, add_checkpoint, last_checkpoint, require_key
from assets.delivery.chain.covered import CHAIN, ENDED, KINDS, rows_query
from assets.delivery.chain.entries import add_rows, append_entries
from assets.delivery.chain.mirrors import missing_events
from assets.delivery.ledger.events import record_event
from assets.delivery.ledger.sequence import last_position
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.spec.switches import Override
from resources.signing import Signer

STARTED = tuple(kind for kind in KINDS if kind != ENDED)
_ENDED = f"""
select * from ({{rows}}) as row where not exists (
    select 1 from {CHAIN} as entry where entry.kind = '{ENDED}' and entry.place = row.place
    and entry.workflow = row.workflow and entry.record = row.record
)
"""


def seal(
    con: duckdb.DuckDBPyConnection,
    signer: Signer,
    moment: datetime,
    switches: Mapping[str, Override] | None = None,
    restart: Mapping[str, str] | None = None,
) -> Checkpoint | None:
    """Chain what is new and sign it.

    Args:
        con: An open writer section.
        signer: The keys.
        moment: When, UTC.
        switches: The overrides of workflows, which are recorded when the chain begins.
        restart: Statements of a restart with a new key; see `restart`.

    Returns:
        The new checkpoint; None if nothing is new.

    Raises:
        ChainError: The chain cannot be continued.
    """
    ensure_ledger(con)
    last = last_checkpoint(con)
    if restart is None:
        require_key(last, signer)
    _require_end(con, last)
    if last is None:
        record_event(con, *missing_events(con, moment, switches or {}))
    through = last_position(con)
    number, head = chain_rows(con, last)
    return close(con, signer, moment, last, (number, head), through, restart)


def chain_rows(
    con: duckdb.DuckDBPyConnection, last: Checkpoint | None, end: tuple[int, str] | None = None
) -> tuple[int, str]:
    """Append an entry for each row that has none yet, after `end` or the last checkpoint; return the new end."""
    facts = last.facts if last else {}
    since, started = int(facts.get("through", -1)), rows_query(STARTED)
    ended = _ENDED.format(rows=rows_query((ENDED,)))
    chained = f"select 1 from {CHAIN} as entry where entry.number > {int(facts.get('last', 0))}"
    fresh = (
        f"select * from ({started}) as row where place > {since} and not exists ({chained} and entry.kind = row.kind"
        " and entry.workflow = row.workflow and entry.place = row.place and entry.record = row.record)"
    )
    add_rows(con, f"{fresh} union all {ended}")
    number, head = end or (int(facts.get("last", 0)), str(facts.get("head", "")))
    return append_entries(con, number, head)


def close(
    con: duckdb.DuckDBPyConnection,
    signer: Signer,
    moment: datetime,
    last: Checkpoint | None,
    end: tuple[int, str],
    through: int,
    more: Mapping[str, str] | None = None,
) -> Checkpoint | None:
    """Sign the entries after the last checkpoint; nothing if there are none."""
    first = int(last.facts["last"]) + 1 if last else 1
    if end[0] < first:
        return None
    facts = {"first": first, "last": end[0], "head": end[1], "through": through}
    return add_checkpoint(con, signer, moment, last, {**facts, **(more or {})})


def _require_end(con: duckdb.DuckDBPyConnection, last: Checkpoint | None) -> None:
    """Raise ChainError if the chain does not end where its last checkpoint says."""
    rows = con.execute(f"select number, link from {CHAIN} order by number desc limit 1").fetchall()
    found = tuple(rows[0]) if rows else (0, "")
    facts = last.facts if last else {}
    expected = (facts.get("last", 0), facts.get("head", ""))
    if found != expected:
        raise ChainError(
            f"the ledger's chain ends with entry {found[0]}, and its last checkpoint with {expected[0]}; nothing is"
            " added to it: `millpond ledger verify`"
        )
