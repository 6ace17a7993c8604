"""Writes what was read into the pond: one transaction, unchanged rows untouched, deletions guarded.

Batch (frame, deletions, scope)  ->  load(con, batch)  ->  raw_netsuite__* and Counts

MERGE with a row-hash guard; no keys or conflict clauses, so that the same text runs on DuckLake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from assets.netsuite.reading import ROW_HASH
from assets.netsuite.things import Thing
from assets.netsuite.watermarks import naive
from resources.errors import ContractError
from resources.warehouse import columns_of, describe_table, insert_frame, literal, quoted

TABLE = "_table"  # which raw table a row belongs to
OWN_COLUMNS = {
    ROW_HASH: ("varchar", "fingerprint of the values; equal means unchanged"),
    "_extracted_at": ("timestamp", "when this version was written here, UTC"),
    "_run_id": ("varchar", "the run that wrote this version"),
    "_deleted_at": ("timestamp", "when NetSuite deleted the record, or when it was found missing, UTC"),
}


@dataclass(frozen=True)
class Guard:
    """When so many live rows vanish at once, it is taken for a lost permission and not for deletions."""

    share: float
    rows: int


@dataclass(frozen=True)
class Scope:
    """Which live rows must be in what was read; those that are not have vanished.

    Attributes:
        seen: Keys that NetSuite shows now.
        parents: Only rows of these parents are looked at; None: every row.
        visible: NetSuite showed at least one row of the table.
    """

    seen: Sequence[str]
    parents: Sequence[str] | None
    visible: bool


@dataclass(frozen=True)
class Batch:
    """What was read of one thing.

    Attributes:
        thing: Of what.
        key: Name of the key column.
        columns: Every column that the raw tables shall have, with its comment.
        frame: The rows: columns as read, `_row_hash`, and `_table`, the raw table of each row.
        deleted: Records that NetSuite calls deleted: key, deleted_at (UTC, naive).
        scope: Where absence means deletion; None: nowhere.
        description: Comment of the raw tables.
    """

    thing: Thing
    key: str
    columns: Mapping[str, str]
    frame: pl.DataFrame
    deleted: pl.DataFrame
    scope: Scope | None
    description: str


@dataclass(frozen=True)
class Counts:
    """What a load did; inserted + updated + unchanged is the number of rows read."""

    inserted: int
    updated: int
    unchanged: int
    moved: int  # between the tables of the stages; counted as updated too
    deleted: int
    rows: Mapping[str, int]


def load(con: duckdb.DuckDBPyConnection, batch: Batch, guard: Guard, *, now: datetime, run_id: str) -> Counts:
    """Bring the raw tables of one thing up to date, in the caller's transaction.

    Raises:
        ContractError: More rows vanished than the guard allows; leaving the writer section undoes everything.
    """
    tables = batch.thing.raw_tables
    for table in tables:
        _prepare(con, batch, table)
    _stage(con, "incoming", batch.frame)
    _stage(con, "gone", batch.deleted)
    _remember(con, batch)
    _find_vanished(con, batch, guard, now)
    inserted, updated, unchanged, moved = _compare(con, batch.key)
    if moved:
        _move(con, batch)
    for table in tables:
        _merge(con, batch, table, now, run_id)
    deleted = sum(_delete(con, batch, table, now, run_id) for table in tables)
    live = {table: _count(con, f"select count(*) from {quoted(table)} where _deleted_at is null") for table in tables}
    return Counts(inserted, updated, unchanged, moved, deleted, live)


def _prepare(con: duckdb.DuckDBPyConnection, batch: Batch, table: str) -> None:
    """Create the table, or add the columns that it lacks, and describe it when anything was new."""
    wanted = {**dict.fromkeys(batch.columns, "varchar"), **{name: kind for name, (kind, _) in OWN_COLUMNS.items()}}
    there = columns_of(con, table)
    if not there:
        listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in wanted.items())
        con.execute(f"create table {quoted(table)} ({listed})")
    missing = wanted.keys() - there.keys()
    for name in wanted if there else ():
        if name in missing:
            con.execute(f"alter table {quoted(table)} add column {quoted(name)} {wanted[name]}")
    if missing:
        comments = {**batch.columns, **{name: comment for name, (_, comment) in OWN_COLUMNS.items()}}
        described = [(name, text or f"{name} as NetSuite sends it") for name, text in comments.items()]
        describe_table(con, table, batch.description, described)


def _stage(con: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame) -> None:
    """A temporary table of exactly this frame."""
    kinds = {pl.String: "varchar", pl.Datetime: "timestamp"}
    listed = ", ".join(f"{quoted(column)} {kinds[kind.base_type()]}" for column, kind in frame.schema.items())
    con.execute(f"create or replace temp table {quoted(name)} ({listed})")
    insert_frame(con, name, frame)


def _remember(con: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Table `before`: key, parent, hash, deletion and table of every row as it was."""
    key, parent = quoted(batch.key), batch.thing.parent.rpartition(".")[2]
    shown = quoted(parent) if parent else "null::varchar"
    parts = (
        f"select {key} as key, {shown} as parent, {ROW_HASH}, _deleted_at, {literal(table)} as {TABLE}"
        f" from {quoted(table)}"
        for table in batch.thing.raw_tables
    )
    con.execute("create or replace temp table before as " + " union all ".join(parts))


def _find_vanished(con: duckdb.DuckDBPyConnection, batch: Batch, guard: Guard, now: datetime) -> None:
    """Add the live rows of the scope that NetSuite no longer shows to `gone`."""
    if batch.scope is None:
        return
    _stage(con, "seen", pl.DataFrame({"key": batch.scope.seen}, schema={"key": pl.String}))
    missing = "from before where _deleted_at is null and key not in (select key from seen)"
    if batch.scope.parents is not None:
        _stage(con, "parents", pl.DataFrame({"key": batch.scope.parents}, schema={"key": pl.String}))
        missing += " and parent in (select key from parents)"
    vanished = _count(con, f"select count(*) {missing}")
    live = _count(con, "select count(*) from before where _deleted_at is null")
    too_many = vanished >= guard.rows and vanished > guard.share * live
    if vanished and guard.share < 1 and (too_many or not batch.scope.visible):
        reason = (
            f"{vanished} of {live} live rows would vanish; a permission may have been lost. Nothing was changed."
            " When they really were deleted, reconcile once with the guard's share set to 1"
        )
        raise ContractError("netsuite", f"load {batch.thing.name}", reason)
    con.execute(f"insert into gone (key, deleted_at) select key, ? {missing}", [naive(now)])


def _compare(con: duckdb.DuckDBPyConnection, key: str) -> tuple[int, int, int, int]:
    """How many rows are new, changed, unchanged, and changed their table."""
    rows = con.execute(
        f"""
        with compared as (
            select
                b.key is null as is_new,
                coalesce(b.{TABLE} <> i.{TABLE}, false) as is_moved,
                b.{ROW_HASH} is distinct from i.{ROW_HASH} or b._deleted_at is not null as is_changed
            from incoming as i
            left join before as b on b.key = i.{quoted(key)}
        )
        select
            count(*) filter (is_new),
            count(*) filter (not is_new and (is_changed or is_moved)),
            count(*) filter (not is_new and not is_changed and not is_moved),
            count(*) filter (is_moved)
        from compared
        """
    ).fetchall()
    inserted, updated, unchanged, moved = rows[0]
    return inserted, updated, unchanged, moved


def _move(con: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Bring rows whose stage changed into their new table; an emptied hash makes the merge rewrite them."""
    key = quoted(batch.key)
    con.execute(
        f"create or replace temp table moving as select i.{key} as key, b.{TABLE} as origin, i.{TABLE} as destination"
        f" from incoming as i join before as b on b.key = i.{key} where b.{TABLE} <> i.{TABLE}"
    )
    pairs = con.execute("select distinct origin, destination from moving").fetchall()
    for origin, destination in pairs:
        chosen = f"{key} in (select key from moving where origin = ? and destination = ?)"
        con.execute(
            f"insert into {quoted(destination)} by name"
            f" select * replace ('' as {ROW_HASH}) from {quoted(origin)} where {chosen}",
            [origin, destination],
        )
    for origin in {origin for origin, _ in pairs}:
        con.execute(f"delete from {quoted(origin)} where {key} in (select key from moving where origin = ?)", [origin])


def _merge(con: duckdb.DuckDBPyConnection, batch: Batch, table: str, now: datetime, run_id: str) -> None:
    """Insert new rows, rewrite changed ones, bring deleted ones back; columns that were not read keep their values."""
    names = [quoted(name) for name in batch.frame.columns if name != TABLE]
    con.execute(
        f"""
        merge into {quoted(table)} as t
        using (select * from incoming where {TABLE} = {literal(table)}) as s
        on t.{quoted(batch.key)} = s.{quoted(batch.key)}
        when matched and (t.{ROW_HASH} is distinct from s.{ROW_HASH} or t._deleted_at is not null) then update set
            {", ".join(f"{name} = s.{name}" for name in names)},
            _extracted_at = $now, _run_id = $run, _deleted_at = null
        when not matched then insert ({", ".join(names)}, _extracted_at, _run_id)
            values ({", ".join(f"s.{name}" for name in names)}, $now, $run)
        """,
        {"now": naive(now), "run": run_id},
    )


def _delete(con: duckdb.DuckDBPyConnection, batch: Batch, table: str, now: datetime, run_id: str) -> int:
    """Mark rows as deleted, unless they were just read."""
    key = quoted(batch.key)
    rows = con.execute(
        f"""
        update {quoted(table)} as t
        set _deleted_at = g.deleted_at, _extracted_at = $now, _run_id = $run
        from (select key, min(deleted_at) as deleted_at from gone group by key) as g
        where t.{key} = g.key
            and t._deleted_at is null
            and t.{key} not in (select {key} from incoming)
        returning t.{key}
        """,
        {"now": naive(now), "run": run_id},
    ).fetchall()
    return len(rows)


def _count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(con.execute(query).fetchall()[0][0])
