"""Tables of a few rows, for certificates and read-outs."""

from collections.abc import Mapping
from typing import Any

import duckdb

TYPES = {
    "exported": "boolean",
    "rate": "double",
    "modified_at": "timestamp",
    "created_at": "timestamp",
} | dict.fromkeys(("is_inactive", "is_deleted", "is_missing"), "boolean")


def table(
    con: duckdb.DuckDBPyConnection, name: str, *rows: Mapping[str, Any], types: Mapping[str, str] = TYPES
) -> None:
    """Create a table of these rows."""
    names = list(rows[0])
    columns = ", ".join(f'"{each}" {types.get(each, "varchar")}' for each in names)
    con.execute(f'create or replace table "{name}" ({columns})')
    for row in rows:
        con.execute(f'insert into "{name}" values ({", ".join("?" * len(names))})', list(row.values()))
