"""Load what was read into the raw tables: one transaction, unchanged rows untouched, deletions guarded.

RawBatch (rows, deletions, coverage)  ->  load(con, batch)  ->  raw_netsuite__* and LoadCounts

Rows that are new, changed, restored or moved to another stage are deleted and inserted; all others stay as they are.
No keys or conflict clauses, so that the same SQL runs on DuckLake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

import duckdb
import polars as pl

from assets.netsuite.extract.deletions import NOTE, NOTIFIED
from assets.netsuite.extract.forgotten import returned_ids, withheld_query
from assets.netsuite.extract.never_blank import require_never_blank
from assets.netsuite.extract.raw_queries import ABSENT, EVIDENCE, OWN_COLUMNS, ensure_raw_table, latest_extracted_at
from assets.netsuite.extract.reading_log import READING
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.extract.spool import ROW_HASH, SEQUENCE, TABLE, TABLE_KNOWN, spool_query
from assets.netsuite.extract.strategy import Extracted
from assets.netsuite.extract.watermarks import naive_utc
from assets.netsuite.record_types import RecordType
from assets.netsuite.suiteql_file import Query
from resources.errors import ContractError
from resources.warehouse.forgotten import mark_returned
from resources.warehouse.tables import columns_of, insert_frame, literal, quoted

_TICK = timedelta(microseconds=1)
_READ = ("inserted", "updated", "unchanged", "moved", "unreported")
FEW_ROWS, FEW_BYTES = 2000, 2**22  # so many are read from their files once


@dataclass(frozen=True)
class RawBatch:
    """The rows that were read of one record type.

    Attributes:
        query: Its declared columns with comments, its key and its description.
        extracted: The rows, deletions, and rows whose absence is noticed.
        read_after: Latest `_extracted_at` of the raw tables when the read began. Rows written later came from another
            run, may be newer, and stay. None: there were no rows.
        reading: Number of this reading, written with each row that was read.
        reported_from: Date of change, as NetSuite sends it, from which changes were asked for: a row that changed and
            has an earlier one was not reported. Blank: not known.
    """

    record_type: RecordType
    query: Query
    extracted: Extracted
    read_after: datetime | None = None
    reading: int = 0
    reported_from: str = ""

    @property
    def key(self) -> str:
        """The key column, quoted."""
        return quoted(self.query.key)


@dataclass(frozen=True)
class LoadCounts:
    """Rows of a load.

    Attributes:
        moved: Rows that went to the raw table of another stage; counted as updated too.
        unreported: Rows that changed although their date of change did not; counted as updated too.
        rows: Live rows by raw table.
    """

    inserted: int
    updated: int
    unchanged: int
    moved: int
    unreported: int
    deleted: int
    rows: Mapping[str, int]

    @property
    def read(self) -> int:
        """Rows that were read."""
        return self.inserted + self.updated + self.unchanged


def load(
    con: duckdb.DuckDBPyConnection, batch: RawBatch, settings: ExtractionSettings, *, now: datetime, run_id: str
) -> LoadCounts:
    """Bring the raw tables of one record type up to date, in the caller's transaction.

    Raises:
        ContractError: More rows vanished than the settings allow, or a column that is never blank became so; roll back.
    """
    tables = batch.record_type.raw_tables
    for table in tables:
        ensure_raw_table(con, table, batch.query)
    con.execute(f"create or replace temp table deletions (key varchar, deleted_at timestamp, {EVIDENCE} varchar)")
    insert_frame(con, "deletions", batch.extracted.deleted)
    returned = _create_incoming(con, batch)
    _create_existing(con, batch)
    if is_read := any(spool.rows for spool in batch.extracted.spools):
        require_never_blank(con, batch.record_type.name, batch.query.key, tables)
        _find_changes(con, batch)
    _find_vanished(con, batch, settings, now)
    latest = latest_extracted_at(con, batch.record_type)
    # later than every load before, even if the clock was set back: staging selects changes by this timestamp
    at = naive_utc(now) if latest is None else max(naive_utc(now), latest + _TICK)
    stamp = {"now": at, "run": run_id, "reading": batch.reading}
    if returned:
        mark_returned(con, batch.record_type.name, returned, at, naive_utc(now))
    written = _write_read(con, batch, stamp, at) if is_read else dict.fromkeys(_READ, 0)
    deleted = sum(_mark_deleted(con, batch, table, stamp) for table in tables)
    live = {table: count(con, f"select count(*) from {quoted(table)} where _deleted_at is null") for table in tables}
    return LoadCounts(**written, deleted=deleted, rows=live)


def _write_read(
    con: duckdb.DuckDBPyConnection, batch: RawBatch, stamp: Mapping[str, object], at: datetime
) -> dict[str, int]:
    """Write the rows that were read; return their numbers."""
    read, inserted, updated, moved, unreported = con.execute(
        "select (select count(*) from incoming), count(*) filter (origin is null), count(origin),"
        " count(*) filter (origin <> destination), count(*) filter (is_unreported) from changes"
    ).fetchall()[0]
    if inserted or updated:
        _write(con, batch, stamp)
    if read > inserted + updated:
        _mark_read(con, batch, at)
    return dict(zip(_READ, (inserted, updated, read - inserted - updated, moved, unreported), strict=True))


def _create_incoming(con: duckdb.DuckDBPyConnection, batch: RawBatch) -> list[str]:
    """Create the view `incoming`: rows read, one per key, hashed and routed; return the forgotten ids sent anew."""
    spools = [spool for spool in batch.extracted.spools if spool.rows]
    if spools:
        query = spool_query(spools, f"* exclude ({TABLE_KNOWN})")
        if len(spools) > 1:
            query += f" qualify row_number() over (partition by {batch.key} order by {SEQUENCE} desc) = 1"
        query = f"select * exclude ({SEQUENCE}) from ({query})"
        if sum(each.rows for each in spools) <= FEW_ROWS and sum(each.bytes for each in spools) <= FEW_BYTES:
            con.execute(f"create or replace temp table few_rows as {query}")
            query = "select * from few_rows"
    else:
        nothing = ", ".join(f"null::varchar as {name}" for name in (batch.key, ROW_HASH, TABLE))
        query = f"select {nothing} limit 0"
    returned = returned_ids(con, batch.record_type, batch.query.key, query)
    withheld = withheld_query(con, batch.record_type, batch.query.key, query, returned)
    con.execute(f"create or replace temp view incoming as {withheld}")
    return returned


def _create_existing(con: duckdb.DuckDBPyConnection, batch: RawBatch) -> None:
    """Create the view `existing`: key, parent, dates, hash and table of every row of the raw tables."""
    key = batch.key
    parent, modified = (
        quoted(column) if column else "null::varchar"
        for column in (each.rpartition(".")[2] for each in (batch.record_type.parent, batch.record_type.modified))
    )
    parts = (
        f"select {key} as key, {parent} as parent, {modified} as modified, {ROW_HASH}, _deleted_at, _extracted_at,"
        f" {literal(table)} as {TABLE} from {quoted(table)}"
        for table in batch.record_type.raw_tables
    )
    con.execute("create or replace temp view existing as " + " union all ".join(parts))


def _find_changes(con: duckdb.DuckDBPyConnection, batch: RawBatch) -> None:
    """Create the table `changes`: keys to write, with their table before (null: new) and after; was it reported?"""
    names = [row[0] for row in con.execute("describe incoming").fetchall()]
    date = batch.record_type.modified.rpartition(".")[2]
    modified = f"i.{quoted(date)}" if date in names else "null"
    con.execute(
        f"""
        create or replace temp table changes as
        select
            i.{batch.key} as key, i.{TABLE} as destination, e.{TABLE} as origin,
            coalesce(
                e._deleted_at is null and e.{ROW_HASH} <> i.{ROW_HASH} and e.modified = {modified}
                and {modified} < ?,
                false
            ) as is_unreported
        from incoming as i
        left join existing as e on e.key = i.{batch.key}
        where e.key is null
            or (
                e._extracted_at <= coalesce(?, e._extracted_at)
                and (
                    e.{ROW_HASH} is distinct from i.{ROW_HASH}
                    or e._deleted_at is not null
                    or e.{TABLE} <> i.{TABLE}
                )
            )
        """,
        [batch.reported_from, batch.read_after],
    )


def _find_vanished(
    con: duckdb.DuckDBPyConnection, batch: RawBatch, settings: ExtractionSettings, now: datetime
) -> None:
    """Add the covered live rows that NetSuite no longer shows to `deletions`, as absent, unless a note says more.

    Raises:
        ContractError: They are so many that the role may have lost a permission.
    """
    coverage = batch.extracted.coverage
    if coverage is None:
        return
    seen = [spool for spool in coverage.seen if spool.rows]
    missing = "from existing where _deleted_at is null"
    if seen:
        missing += f" and key not in ({spool_query(seen, batch.key)})"
    if coverage.parents is not None:
        con.execute("create or replace temp table parents (key varchar)")
        insert_frame(con, "parents", pl.DataFrame({"key": coverage.parents}, schema={"key": pl.String}))
        missing += " and parent in (select key from parents)"
    missing += f" and key not in (select key from deletions where {EVIDENCE} in ('{NOTE}', '{NOTIFIED}'))"
    vanished = count(con, f"select count(*) {missing}")
    live = count(con, "select count(*) from existing where _deleted_at is null")
    too_many = vanished >= settings.vanish_rows and vanished > settings.vanish_share * live
    if vanished and settings.vanish_share < 1 and (too_many or not coverage.visible):
        reason = (
            f"{vanished} of {live} live rows would vanish; the role may have lost a permission. Nothing was changed."
            " If they really were deleted, run once with MILLPOND_MAX_MISSING_PERCENT=100"
        )
        raise ContractError("netsuite", f"load {batch.record_type.name}", reason)
    con.execute(f"insert into deletions select key, ?, '{ABSENT}' {missing}", [naive_utc(now)])


def _write(con: duckdb.DuckDBPyConnection, batch: RawBatch, stamp: Mapping[str, object]) -> None:
    """Replace the rows of `changes`; columns that were not read keep their values."""
    key, tables = batch.key, batch.record_type.raw_tables
    names = [row[0] for row in con.execute("describe incoming").fetchall() if row[0] != TABLE]
    origins = {row[0] for row in con.execute("select distinct origin from changes where origin is not null").fetchall()}
    kept = _keep_unread_columns(con, key, sorted(origins), {*names, *OWN_COLUMNS}) if origins else []
    for table in origins:
        con.execute(f"delete from {quoted(table)} where {key} in (select key from changes where origin = ?)", [table])
    columns = ", ".join(map(quoted, (*names, *kept, "_extracted_at", "_run_id", READING)))
    values = ", ".join([*(f"i.{quoted(name)}" for name in names), *(f"kept.{quoted(name)}" for name in kept)])
    joined = f"left join kept on kept.key = i.{key}" if kept else ""
    changed = f"and i.{key} in (select key from changes)"
    if not origins and count(con, "select (select count(*) from changes) = (select count(*) from incoming)"):
        changed = ""  # all rows are new, as in a first load
    for table in tables:
        con.execute(
            f"insert into {quoted(table)} ({columns}) select {values}, $now, $run, $reading"
            f" from incoming as i {joined} where i.{TABLE} = {literal(table)} {changed}",
            stamp,
        )


def _mark_read(con: duckdb.DuckDBPyConnection, batch: RawBatch, written_at: datetime) -> None:
    """Write the number of this reading to the rows that were read and have not changed."""
    for table in batch.record_type.raw_tables:
        con.execute(
            f"update {quoted(table)} set {READING} = $reading where {batch.key} in (select {batch.key} from incoming)"
            f" and _extracted_at <= $read_after and {READING} is distinct from $reading",
            {"reading": batch.reading, "read_after": batch.read_after or written_at},
        )


def _keep_unread_columns(con: duckdb.DuckDBPyConnection, key: str, origins: Sequence[str], read: set[str]) -> list[str]:
    """Create the table `kept`: values of the rows of `changes` in columns that were not read; return their names."""
    columns = {table: [name for name in columns_of(con, table) if name not in read] for table in origins}
    kept = list(dict.fromkeys(chain.from_iterable(columns.values())))
    if kept:
        parts = (
            f"select {', '.join([f'{key} as key', *map(quoted, names)])} from {quoted(table)}"
            f" where {key} in (select key from changes where origin = {literal(table)})"
            for table, names in columns.items()
        )
        con.execute("create or replace temp table kept as " + " union all by name ".join(parts))
    return kept


def _mark_deleted(con: duckdb.DuckDBPyConnection, batch: RawBatch, table: str, stamp: Mapping[str, object]) -> int:
    """Mark the rows of `deletions` as gone, unless they were just read; return their number.

    Evidence of a deletion replaces absence, whether it is found in the same read or later.
    """
    if not count(con, "select count(*) from deletions"):
        return 0
    key = batch.key
    rows = con.execute(
        f"""
        update {quoted(table)} as t
        set _deleted_at = d.deleted_at, {EVIDENCE} = d.evidence, _extracted_at = $now, _run_id = $run,
            {READING} = $reading
        from (
            select
                key,
                coalesce(min(deleted_at), $now) as deleted_at,
                coalesce(min({EVIDENCE}) filter ({EVIDENCE} <> '{ABSENT}'), '{ABSENT}') as evidence
            from deletions
            group by key
        ) as d
        where t.{key} = d.key
            and (t._deleted_at is null or (t.{EVIDENCE} = '{ABSENT}' and d.evidence <> '{ABSENT}'))
            and t._extracted_at <= $read_after
            and t.{key} not in (select {key} from incoming)
        """,
        {**stamp, "read_after": batch.read_after or stamp["now"]},
    ).fetchall()
    return int(rows[0][0])  # DuckLake does not support `returning` here; both return the number of rows


def count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    """Return the number that a query selects."""
    return int(con.execute(query).fetchall()[0][0])
