"""Rewrite chained rows for a reason that is recorded: retention, a rename, the erasing of personal values.

with rewriting(con, signer, event): …  ->  marks in the chain: pruned or erased, and a checkpoint

Only rows that were as signed before are marked: what was changed earlier stays a finding, as does a public column that
the block changes. Checkpoints of which every row is pruned lose their entries; their statements stay, and with them the
digest of each day.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import duckdb
import polars as pl

from assets.delivery.chain.checkpoints import Checkpoint, last_checkpoint, read_checkpoints, require_key
from assets.delivery.chain.covered import CHAIN, COLLAPSED, ERASED, EVENT, MARK_LEAF, PRUNED, checked_query
from assets.delivery.chain.entries import add_salts, append_entries
from assets.delivery.chain.seal import chain_rows, close, seal
from assets.delivery.ledger.events import Event, record_event
from assets.delivery.ledger.sequence import last_position
from resources.signing import Signer
from resources.warehouse.tables import insert_frame

IS_AS_SIGNED = "is_there and copy = 1 and not is_pruned and now = leaf and is_left_as_signed"
# an entry that nothing can be checked without: of a row that is there, or a mark on an entry that is there
_NEEDED = f"""
(entry.kind in ('{EVENT}', '{COLLAPSED}')
or (entry.kind in ('{PRUNED}', '{ERASED}') and try_cast(entry.record as bigint) in (select number from {CHAIN}))
or (entry.kind not in ('{PRUNED}', '{ERASED}') and entry.number not in
    (select try_cast(record as bigint) from {CHAIN} where kind = '{PRUNED}')))
"""


def require_rewritable(con: duckdb.DuckDBPyConnection, signer: Signer) -> None:
    """Raise ChainError if the key that chained rows need is not set, or the chain was changed."""
    require_key(last_checkpoint(con), signer)


@contextmanager
def rewriting(con: duckdb.DuckDBPyConnection, signer: Signer, event: Event) -> Iterator[None]:
    """Change chained rows in the block, in the caller's transaction, and mark each one that changed.

    The event is the reason; it is recorded if a row changed, or if it names a workflow.

    Raises:
        ChainError: The chain cannot be continued; nothing was changed yet.
    """
    if last_checkpoint(con) is None:
        yield
        return
    seal(con, signer, event.at)
    con.execute(
        "create or replace temp table _signed as select number, private_hash, erased_hashes"
        f" from ({checked_query(con)}) where number is not null and {IS_AS_SIGNED}"
    )
    yield
    last = last_checkpoint(con)
    if last is not None:
        _mark(con, signer, last, event)
    con.execute("drop table _signed")


def _mark(con: duckdb.DuckDBPyConnection, signer: Signer, last: Checkpoint, event: Event) -> None:
    """Append the event, the marks, and a checkpoint over both."""
    end: tuple[int, str] | None = None
    if event.workflow:  # a rename, which the comparison has to know
        record_event(con, event)
        end = chain_rows(con, last)
    _find_changed(con)
    counts = dict(con.execute("select mark, count(*) from _changed group by mark").fetchall())
    if counts and not event.workflow:
        record_event(con, replace(event, details={**event.details, **counts}))
        end = chain_rows(con, last, end)
    _renew_salts(con)
    con.execute(
        "create or replace temp table _entries as select number as n, mark as kind, '' as workflow, 0::bigint as place,"
        f" number::varchar as record, '' as salt, hashes, {MARK_LEAF} as leaf from (select *, case when mark ="
        f" '{ERASED}' then [former_hash, sha256(coalesce(salt, '') || private)] end as hashes, mark as kind,"
        " number::varchar as record from _changed left join _salts on n = number)"
    )
    through = last_position(con)
    end = append_entries(con, *(end or (int(last.facts["last"]), str(last.facts["head"]))))
    end = _collapse(con, end)
    close(con, signer, event.at, last, end, through)
    for name in ("_changed", "_salts"):
        con.execute(f"drop table {name}")


def _find_changed(con: duckdb.DuckDBPyConnection) -> None:
    """Make `_changed`: the entries whose rows were as signed before and are not any more, with the mark of each."""
    con.execute(
        "create or replace temp table _changed as select signed.number, row.private, row.is_blank,"
        " coalesce(signed.erased_hashes[1], signed.private_hash) as former_hash,"
        f" case when coalesce(row.is_there, false) then '{ERASED}' else '{PRUNED}' end as mark"
        f" from _signed as signed left join ({checked_query(con)}) as row on row.number = signed.number"
        f" where not coalesce({IS_AS_SIGNED}, false)"
    )


def _renew_salts(con: duckdb.DuckDBPyConnection) -> None:
    """Replace the salts of these entries: nothing can be looked up with the former ones any more."""
    kept = con.execute(f"select number from _changed where mark = '{ERASED}' and not is_blank").fetchall()
    add_salts(con, (row[0] for row in kept))
    con.execute(
        f"update {CHAIN} set salt = coalesce((select salt from _salts where n = number), '')"
        " where number in (select number from _changed)"
    )


def _collapse(con: duckdb.DuckDBPyConnection, end: tuple[int, str]) -> tuple[int, str]:
    """Delete the entries of checkpoints that nothing needs any more, and append a mark for each."""
    known = [(each.number, each.facts.get("first"), each.facts.get("last")) for each in read_checkpoints(con)][:-1]
    ranges = pl.DataFrame(known, {"checkpoint": pl.Int64, "first": pl.Int64, "last": pl.Int64}, orient="row")
    con.execute("create or replace temp table _ranges (checkpoint bigint, first bigint, last bigint)")
    insert_frame(con, "_ranges", ranges)
    con.execute(
        "create or replace temp table _collapsed as select checkpoint, first, last from (select _ranges.*,"
        f" {_NEEDED} as is_needed from {CHAIN} as entry asof join _ranges on entry.number >= _ranges.first"
        " where entry.number <= _ranges.last) group by all having not bool_or(is_needed)"
    )
    con.execute(f"delete from {CHAIN} where exists (select 1 from _collapsed where number between first and last)")
    con.execute(
        "create or replace temp table _entries as select checkpoint as n, kind, '' as workflow, 0::bigint as place,"
        f" record, '' as salt, hashes, {MARK_LEAF} as leaf from (select checkpoint, '{COLLAPSED}' as kind,"
        " checkpoint::varchar as record, null::varchar[] as hashes from _collapsed)"
    )
    for name in ("_ranges", "_collapsed"):
        con.execute(f"drop table {name}")
    return append_entries(con, *end)
