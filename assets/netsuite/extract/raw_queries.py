"""What the warehouse's copies tell an extraction before it reads or loads."""

from collections.abc import Sequence
from datetime import timedelta

import duckdb

from assets.netsuite.extract.spool import Spool, relation
from assets.netsuite.extract.watermarks import Watermark, naive
from assets.netsuite.record_types import RecordType
from resources.netsuite.client import TIMESTAMP
from resources.warehouse.tables import has_table, quoted


def changed_parents(con: duckdb.DuckDBPyConnection, of: RecordType, mark: Watermark) -> list[str]:
    """Records whose children may have moved since they were last read; NetSuite does not tell of the children.

    Those that were written since, and those with a stamp of about that time: a second save in the same second leaves
    no other trace.
    """
    stamped = (mark.watermark_at - timedelta(seconds=mark.overlap_s)).strftime(TIMESTAMP)
    found: set[str] = set()
    for table in of.raw_tables:
        if has_table(con, table):
            query = (
                f"select id from {quoted(table)}"
                " where (_extracted_at >= ? or lastmodifieddate >= ?) and _deleted_at is null"
            )
            found.update(row[0] for row in con.execute(query, [naive(mark.began_at), stamped]).fetchall())
    return sorted(found, key=int)


def live_keys(con: duckdb.DuckDBPyConnection, record_type: RecordType, keys: Sequence[str]) -> set[str]:
    """Those of the keys that are in the warehouse and not deleted."""
    query = f"select key from ({_live(con, record_type)}) where key in (select unnest(?::varchar[]))"
    return {row[0] for row in con.execute(query, [list(keys)]).fetchall()}


def missed_keys(
    con: duckdb.DuckDBPyConnection, record_type: RecordType, key: str, ids: Spool, read: Sequence[Spool]
) -> list[str]:
    """Keys that NetSuite shows, that are not live in the warehouse and were not just read."""
    if not ids.rows:
        return []
    query = f"{relation([ids], quoted(key))} except ({_live(con, record_type)})"
    for spool in read:
        if spool.rows:
            query += f" except {relation([spool], quoted(key))}"
    return sorted((row[0] for row in con.execute(query).fetchall()), key=int)


def _live(con: duckdb.DuckDBPyConnection, record_type: RecordType) -> str:
    key = quoted(record_type.query.key)
    there = [table for table in record_type.raw_tables if has_table(con, table)]
    parts = [f"select {key} as key from {quoted(table)} where _deleted_at is null" for table in there]
    return " union all ".join(parts) or "select null::varchar as key limit 0"
