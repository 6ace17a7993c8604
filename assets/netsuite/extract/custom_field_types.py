"""Types of custom fields, kept in the warehouse so that they outlive the role's access to the metadata catalog.

metadata catalog  ->  write_field_types()  ->  netsuite_fields  ->  read_field_types(): query formats, staging types
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb

from assets.netsuite.extract.watermarks import naive_utc
from assets.netsuite.record_types import RecordType
from resources.warehouse.tables import columns_of, ensure_table, has_table, quoted
from sql import statement


def read_field_types(con: duckdb.DuckDBPyConnection, record_type: str) -> dict[str, str]:
    """Return the last known type of each custom field of a record type."""
    if not has_table(con, "netsuite_fields"):
        return {}
    return dict(con.execute("select field, kind from netsuite_fields where record_type = ?", [record_type]).fetchall())


def write_field_types(
    con: duckdb.DuckDBPyConnection, record_type: str, field_types: Mapping[str, str], now: datetime, run_id: str
) -> None:
    """Write new and changed types, in the caller's transaction."""
    known = read_field_types(con, record_type)
    changed = {name: kind for name, kind in field_types.items() if known.get(name) != kind}
    if changed:
        ensure_table(con, statement("ledger", "netsuite_fields"))
        con.executemany(
            "delete from netsuite_fields where record_type = ? and field = ?", [[record_type, name] for name in changed]
        )
        con.executemany(
            "insert into netsuite_fields (record_type, field, kind, seen_at, run_id) values (?, ?, ?, ?, ?)",
            [[record_type, name, kind, naive_utc(now), run_id] for name, kind in changed.items()],
        )


def columns_with_values(
    con: duckdb.DuckDBPyConnection, record_type: RecordType, names: Sequence[str]
) -> frozenset[str]:
    """Return those columns of the raw tables in which at least one row has a value."""
    filled = set[str]()
    for table in record_type.raw_tables if names else ():
        present = [name for name in names if name in columns_of(con, table)]
        if present:
            listed = ", ".join(f"count({quoted(name)})" for name in present)
            counts = con.execute(f"select {listed} from {quoted(table)}").fetchall()[0]
            filled |= {name for name, count in zip(present, counts, strict=True) if count}
    return frozenset(filled)
