"""Writes what was read into the warehouse: one transaction, unchanged rows untouched, deletions guarded.

Batch (spools, deletions, scope)  ->  load(con, batch)  ->  raw_netsuite__* and Counts

Rows that are new, changed, back again or moved to another stage are deleted and inserted, all others stay as they are.
No keys or conflict clauses, so that the same text runs on DuckLake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import polars as pl

from assets.netsuite.extract.spool import PLACE, ROW_HASH, TABLE, TOLD, Spool, relation
from assets.netsuite.extract.watermarks import naive
from assets.netsuite.record_types import RecordType
from resources.errors import ContractError
from resources.warehouse.backend import literal
from resources.warehouse.tables import columns_of, describe_table, has_table, insert_frame, quoted

OWN_COLUMNS = {
    ROW_HASH: ("varchar", "fingerprint of the values; equal means unchanged"),
    "_extracted_at": ("timestamp", "when this version was written here, UTC; later for each load of the table"),
    "_run_id": ("varchar", "the run that wrote this version"),
    "_deleted_at": ("timestamp", "when NetSuite deleted the record, or when it was found missing, UTC"),
}
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Guard:
    """When so many live rows vanish at once, it is taken for a lost permission and not for deletions."""

    share: float
    rows: int


@dataclass(frozen=True)
class Scope:
    """Which live rows must be in what was read; those that are not have vanished.

    Attributes:
        seen: Holds the keys that NetSuite shows now.
        parents: Only rows of these parents are looked at; None: every row.
        visible: NetSuite showed at least one row of the table.
    """

    seen: Sequence[Spool]
    parents: Sequence[str] | None
    visible: bool


@dataclass(frozen=True)
class Batch:
    """What was read of one thing.

    Attributes:
        thing: Of what.
        key: Name of the key column.
        columns: Every column that the raw tables shall have, with its comment.
        spools: The rows; of a row that is in several the last one counts.
        deleted: Records that NetSuite calls deleted: key, deleted_at (UTC, naive).
        scope: Where absence means deletion; None: nowhere.
        description: Comment of the raw tables.
        began_after: The latest stamp of the raw tables when reading began: what has a later one was written by another
            run meanwhile, may be newer, and stays. None: there was none.
    """

    record_type: RecordType
    key: str
    columns: Mapping[str, str]
    spools: Sequence[Spool]
    deleted: pl.DataFrame
    scope: Scope | None
    description: str
    began_after: datetime | None = None

    @property
    def filled(self) -> list[Spool]:
        """The spools that hold rows."""
        return [spool for spool in self.spools if spool.rows]


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
    tables = batch.record_type.raw_tables
    for table in tables:
        _prepare(con, batch, table)
    con.execute("create or replace temp table gone (key varchar, deleted_at timestamp)")
    insert_frame(con, "gone", batch.deleted)
    _incoming(con, batch)
    _before(con, batch)
    _find_vanished(con, batch, guard, now)
    latest = latest_stamp(con, tables)
    # later than that of any load before, even when the clock was put back: what changed since a moment is asked for by
    # this stamp (see assets/warehouse/incremental.py)
    at = naive(now) if latest is None else max(naive(now), latest + _TICK)
    stamp = {"now": at, "run": run_id}
    read, inserted, updated, moved = _compare(con)
    if inserted or updated:
        _write(con, batch, stamp)
    deleted = sum(_delete(con, batch, table, stamp) for table in tables)
    live = {table: count(con, f"select count(*) from {quoted(table)} where _deleted_at is null") for table in tables}
    return Counts(inserted, updated, read - inserted - updated, moved, deleted, live)


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


def _incoming(con: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """View `incoming`: the rows read, with their key, hash and table; one row a key."""
    spools = batch.filled
    if not spools:
        own = [quoted(name) for name in (batch.key, ROW_HASH, TABLE)]
        nothing = ", ".join(f"null::varchar as {name}" for name in own)
        con.execute(f"create or replace temp view incoming as select {nothing} limit 0")
        return
    text = relation(spools, f"* exclude ({TOLD})")
    if len(spools) > 1:
        text += f" qualify row_number() over (partition by {quoted(batch.key)} order by {PLACE} desc) = 1"
    con.execute(f"create or replace temp view incoming as select * exclude ({PLACE}) from ({text})")


def _before(con: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """View `before`: key, parent, hash, deletion and table of every row as it is in the warehouse."""
    key, parent = quoted(batch.key), batch.record_type.parent.rpartition(".")[2]
    shown = quoted(parent) if parent else "null::varchar"
    parts = (
        f"select {key} as key, {shown} as parent, {ROW_HASH}, _deleted_at, _extracted_at, {literal(table)} as {TABLE}"
        f" from {quoted(table)}"
        for table in batch.record_type.raw_tables
    )
    con.execute("create or replace temp view before as " + " union all ".join(parts))
    # what is new, changed, deleted before or of another table: to be written; the origin is null for what is new
    con.execute(
        f"""
        create or replace temp table writing as
        select i.{key} as key, i.{TABLE} as destination, b.{TABLE} as origin
        from incoming as i
        left join before as b on b.key = i.{key}
        where b.key is null
            or (
                b._extracted_at <= coalesce(?, b._extracted_at)
                and (
                    b.{ROW_HASH} is distinct from i.{ROW_HASH}
                    or b._deleted_at is not null
                    or b.{TABLE} <> i.{TABLE}
                )
            )
        """,
        [batch.began_after],
    )


def _find_vanished(con: duckdb.DuckDBPyConnection, batch: Batch, guard: Guard, now: datetime) -> None:
    """Add the live rows of the scope that NetSuite no longer shows to `gone`."""
    if batch.scope is None:
        return
    seen = [spool for spool in batch.scope.seen if spool.rows]
    missing = "from before where _deleted_at is null"
    if seen:
        missing += f" and key not in ({relation(seen, quoted(batch.key))})"
    if batch.scope.parents is not None:
        con.execute("create or replace temp table parents (key varchar)")
        insert_frame(con, "parents", pl.DataFrame({"key": batch.scope.parents}, schema={"key": pl.String}))
        missing += " and parent in (select key from parents)"
    vanished = count(con, f"select count(*) {missing}")
    live = count(con, "select count(*) from before where _deleted_at is null")
    too_many = vanished >= guard.rows and vanished > guard.share * live
    if vanished and guard.share < 1 and (too_many or not batch.scope.visible):
        reason = (
            f"{vanished} of {live} live rows would vanish; a permission may have been lost. Nothing was changed."
            " When they really were deleted, reconcile once with the guard's share set to 1"
        )
        raise ContractError("netsuite", f"load {batch.record_type.name}", reason)
    con.execute(f"insert into gone (key, deleted_at) select key, ? {missing}", [naive(now)])


def latest_stamp(con: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> datetime | None:
    """When the newest rows of some raw tables were written; None when there are none."""
    there = [table for table in tables if has_table(con, table)]
    if not there:
        return None
    parts = " union all ".join(f"select max(_extracted_at) as latest from {quoted(table)}" for table in there)
    found: datetime | None = con.execute(f"select max(latest) from ({parts})").fetchall()[0][0]
    return found


def _compare(con: duckdb.DuckDBPyConnection) -> tuple[int, int, int, int]:
    """How many rows came, are new, are changed, and change their table."""
    read = count(con, "select count(*) from incoming")
    rows = con.execute(
        "select count(*) filter (origin is null), count(origin), count(*) filter (origin <> destination) from writing"
    ).fetchall()
    return (read, *rows[0])


def _write(con: duckdb.DuckDBPyConnection, batch: Batch, stamp: dict[str, object]) -> None:
    """Put the rows of `writing` in place of what was there; columns that were not read keep their values."""
    key, tables = quoted(batch.key), batch.record_type.raw_tables
    names = [row[0] for row in con.execute("describe incoming").fetchall() if row[0] != TABLE]
    origins = {row[0] for row in con.execute("select distinct origin from writing where origin is not null").fetchall()}
    kept = _keep_others(con, key, sorted(origins), {*names, *OWN_COLUMNS}) if origins else []
    for table in origins:
        con.execute(f"delete from {quoted(table)} where {key} in (select key from writing where origin = ?)", [table])
    listed = ", ".join(map(quoted, names))
    others = "".join(f", kept.{quoted(name)}" for name in kept)
    joined = f"left join kept on kept.key = i.{key}" if kept else ""
    chosen = f"and i.{key} in (select key from writing)"
    if not origins and count(con, "select (select count(*) from writing) = (select count(*) from incoming)"):
        chosen = ""  # all are new, as in a first load
    for table in tables:
        con.execute(
            f"insert into {quoted(table)} ({listed}{''.join(f', {quoted(name)}' for name in kept)},"
            f" _extracted_at, _run_id)"
            f" select {', '.join(f'i.{quoted(name)}' for name in names)}{others}, $now, $run"
            f" from incoming as i {joined} where i.{TABLE} = {literal(table)} {chosen}",
            stamp,
        )


def _keep_others(con: duckdb.DuckDBPyConnection, key: str, origins: Sequence[str], read: set[str]) -> list[str]:
    """Table `kept`: what the rows of `writing` have in columns that were not read; the names of these columns."""
    kept = dict.fromkeys(name for table in origins for name in columns_of(con, table) if name not in read)
    if kept:
        parts = []
        for table in origins:
            there = columns_of(con, table)
            listed = ", ".join(quoted(name) if name in there else f"null as {quoted(name)}" for name in kept)
            written = f"{key} in (select key from writing where origin = {literal(table)})"
            parts.append(f"select {key} as key, {listed} from {quoted(table)} where {written}")
        con.execute("create or replace temp table kept as " + " union all ".join(parts))
    return list(kept)


def _delete(con: duckdb.DuckDBPyConnection, batch: Batch, table: str, stamp: dict[str, object]) -> int:
    """Mark rows as deleted, unless they were just read."""
    key = quoted(batch.key)
    if not count(con, "select count(*) from gone"):
        return 0
    rows = con.execute(
        f"""
        update {quoted(table)} as t
        set _deleted_at = g.deleted_at, _extracted_at = $now, _run_id = $run
        from (select key, min(deleted_at) as deleted_at from gone group by key) as g
        where t.{key} = g.key
            and t._deleted_at is null
            and t._extracted_at <= $before
            and t.{key} not in (select {key} from incoming)
        """,
        {**stamp, "before": batch.began_after or stamp["now"]},
    ).fetchall()
    return int(rows[0][0])  # DuckLake knows no `returning` here; how many there were both tell


def count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    """One number."""
    return int(con.execute(query).fetchall()[0][0])
