"""The raw tables: their definition, and the queries that an extraction needs before it reads or loads."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import duckdb

from assets.netsuite.extract.reading_log import READING
from assets.netsuite.extract.spool import ROW_HASH, Spool, spool_query
from assets.netsuite.extract.watermarks import Watermark, naive_utc
from assets.netsuite.record_types import RecordType
from assets.netsuite.suiteql_file import Query
from resources.netsuite.client import TIMESTAMP
from resources.warehouse.tables import columns_of, describe_table, has_table, quoted

EVIDENCE, ABSENT = "_deletion_evidence", "absent"
OWN_COLUMNS = {
    ROW_HASH: ("varchar", "hash of the values; equal if unchanged"),
    "_extracted_at": ("timestamp", "when this version was written to the warehouse, UTC; later with each load"),
    "_run_id": ("varchar", "run that wrote this version"),
    "_deleted_at": ("timestamp", "when NetSuite deleted the record, or when it was found missing, UTC"),
    READING: ("bigint", "reading of netsuite_reads that last showed these values, or that the record is gone"),
    EVIDENCE: (
        "varchar",
        (
            "why the row counts as gone: note (deletedrecord), notified (change notification), parent (its parent was"
            " read without it) or absent (only no longer shown); null if it is shown, or was marked in an early version"
        ),
    ),
}


def ensure_raw_table(con: duckdb.DuckDBPyConnection, table: str, query: Query) -> None:
    """Create a raw table, or add the columns that it lacks, and write comments if anything is new."""
    columns = dict.fromkeys(query.names, "varchar") | {name: kind for name, (kind, _) in OWN_COLUMNS.items()}
    present = columns_of(con, table)
    missing = [name for name in columns if name not in present]
    if not present:
        listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
        con.execute(f"create table {quoted(table)} ({listed})")
    for name in missing if present else ():
        con.execute(f"alter table {quoted(table)} add column {quoted(name)} {columns[name]}")
    if missing:
        describe_table(con, table, query.statement.description, raw_comments(query).items())


def ensure_own_columns(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Add the columns that a raw table of an early version lacks until it is extracted again."""
    present = columns_of(con, table)
    for name, (kind, _) in OWN_COLUMNS.items():
        if present and name not in present:
            con.execute(f"alter table {quoted(table)} add column {quoted(name)} {kind}")


def raw_comments(query: Query) -> dict[str, str]:
    """Return the comments of a raw table's columns."""
    comments = {each.name: each.comment or f"{each.name} as NetSuite sends it" for each in query.columns}
    return comments | {name: comment for name, (_, comment) in OWN_COLUMNS.items()}


def changed_parents(con: duckdb.DuckDBPyConnection, parent_type: RecordType, watermark: Watermark) -> list[str]:
    """Return the ids of records whose children may have changed since the children were last read.

    These were written after that, or carry a timestamp of about that time: a second save within one second leaves no
    other trace. NetSuite does not report changes of the children themselves.
    """
    stamped = (watermark.watermark_at - timedelta(seconds=watermark.overlap_s)).strftime(TIMESTAMP)
    ids: set[str] = set()
    for table in parent_type.raw_tables:
        if has_table(con, table):
            query = (
                f"select id from {quoted(table)}"
                " where (_extracted_at >= ? or lastmodifieddate >= ?) and _deleted_at is null"
            )
            ids.update(row[0] for row in con.execute(query, [naive_utc(watermark.began_at), stamped]).fetchall())
    return sorted(ids, key=int)


def live_keys(con: duckdb.DuckDBPyConnection, record_type: RecordType, keys: Sequence[str]) -> set[str]:
    """Return those keys that are in the warehouse and not deleted."""
    query = f"select key from ({_live(con, record_type)}) where key in (select unnest(?::varchar[]))"
    return {row[0] for row in con.execute(query, [list(keys)]).fetchall()}


def absent_keys(con: duckdb.DuckDBPyConnection, record_type: RecordType) -> dict[str, datetime]:
    """Return the keys whose rows are only absent, each with the time when it was last written."""
    tables = [table for table in record_type.raw_tables if EVIDENCE in columns_of(con, table)]
    key = quoted(record_type.query.key)
    parts = [
        f"select {key}, _extracted_at from {quoted(table)} where {EVIDENCE} = '{ABSENT}' and _deleted_at is not null"
        for table in tables
    ]
    return dict(con.execute(" union all ".join(parts)).fetchall()) if parts else {}


def vanished_rows(
    con: duckdb.DuckDBPyConnection, record_type: RecordType, seen: Sequence[Spool], parents: Sequence[str] | None
) -> list[tuple[str, str | None, datetime]]:
    """Return key, parent and time of writing of the live and the absent rows that are not among those seen.

    With `parents`, only rows of these parents were looked for.
    """
    key, parent = quoted(record_type.query.key), record_type.parent.rpartition(".")[2]
    column = quoted(parent) if parent else "null::varchar"
    tables = [table for table in record_type.raw_tables if has_table(con, table)]
    if not tables:
        return []
    rows = " union all ".join(
        f"select {key} as key, {column} as parent, _extracted_at from {quoted(table)} where _deleted_at is null"
        + (f" or {EVIDENCE} = '{ABSENT}'" if EVIDENCE in columns_of(con, table) else "")
        for table in tables
    )
    query = f"select key, parent, _extracted_at from ({rows}) where true"
    spools = [spool for spool in seen if spool.rows]
    if spools:
        query += f" and key not in ({spool_query(spools, key)})"
    if parents is not None:
        query += " and list_contains(?, parent)"
    found = con.execute(f"{query} order by try_cast(key as bigint)", [] if parents is None else [list(parents)])
    return found.fetchall()


def missing_keys(
    con: duckdb.DuckDBPyConnection, record_type: RecordType, ids: Spool, spools: Sequence[Spool]
) -> list[str]:
    """Return the keys that NetSuite lists in `ids` but that are neither live in the warehouse nor in the spools."""
    if not ids.rows:
        return []
    key = quoted(record_type.query.key)
    query = f"{spool_query([ids], key)} except ({_live(con, record_type)})"
    for spool in spools:
        if spool.rows:
            query += f" except {spool_query([spool], key)}"
    return sorted((row[0] for row in con.execute(query).fetchall()), key=int)


def latest_extracted_at(con: duckdb.DuckDBPyConnection, record_type: RecordType) -> datetime | None:
    """Return when the newest rows of the raw tables were written; None without rows."""
    tables = [table for table in record_type.raw_tables if has_table(con, table)]
    if not tables:
        return None
    parts = " union all ".join(f"select max(_extracted_at) as latest from {quoted(table)}" for table in tables)
    latest: datetime | None = con.execute(f"select max(latest) from ({parts})").fetchall()[0][0]
    return latest


def _live(con: duckdb.DuckDBPyConnection, record_type: RecordType) -> str:
    key = quoted(record_type.query.key)
    tables = [table for table in record_type.raw_tables if has_table(con, table)]
    parts = [f"select {key} as key from {quoted(table)} where _deleted_at is null" for table in tables]
    return " union all ".join(parts) or "select null::varchar as key limit 0"
