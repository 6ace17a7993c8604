"""Kinds of custom fields, kept in the warehouse: what the metadata catalogue told stays known when it is out of sight.

metadata catalogue  ->  write_kinds()  ->  netsuite_fields  ->  read_kinds(): formats of the query, types in staging
"""

from collections.abc import Mapping
from datetime import datetime

import duckdb

from assets.netsuite.extract.watermarks import naive
from assets.netsuite.record_types import RecordType
from resources.warehouse.tables import columns_of, ensure_table, has_table, quoted
from sql import statement


def read_kinds(con: duckdb.DuckDBPyConnection, record_type: str) -> dict[str, str]:
    """The kind of each custom field of a thing that was ever told."""
    if not has_table(con, "netsuite_fields"):
        return {}
    return dict(con.execute("select field, kind from netsuite_fields where thing = ?", [record_type]).fetchall())


def write_kinds(
    con: duckdb.DuckDBPyConnection, record_type: str, kinds: Mapping[str, str], now: datetime, run_id: str
) -> None:
    """Keep kinds that are new or other than before, in the caller's transaction."""
    known = read_kinds(con, record_type)
    new = [(record_type, name, kind, naive(now), run_id) for name, kind in kinds.items() if known.get(name) != kind]
    if new:
        ensure_table(con, statement("ledger", "netsuite_fields"))
        con.executemany("delete from netsuite_fields where thing = ? and field = ?", [each[:2] for each in new])
        con.executemany("insert into netsuite_fields (thing, field, kind, told_at, run_id) values (?, ?, ?, ?, ?)", new)


def held_columns(con: duckdb.DuckDBPyConnection, record_type: RecordType, names: list[str]) -> frozenset[str]:
    """Those of the columns in which some row of the warehouse has a value."""
    held = set[str]()
    for table in record_type.raw_tables if names else ():
        there = [name for name in names if name in columns_of(con, table)]
        if there:
            counts = con.execute(f"select {', '.join(f'count({quoted(each)})' for each in there)} from {quoted(table)}")
            held |= {name for name, count in zip(there, counts.fetchall()[0], strict=True) if count}
    return frozenset(held)
