"""Records as JSON of the REST record API (netsuite.md §2.3, §2.7)."""

import sqlite3
from typing import Any

from resources.sandbox.netsuite.record_types import field_name
from resources.sandbox.netsuite.store.table import Column, Table
from resources.sandbox.netsuite.store.tables import READABLE
from resources.sandbox.netsuite.suiteql.oracle_functions import display_value
from resources.sandbox.netsuite.suiteql.typed import Typed

_PATHS = {"entity": "customer"}


def record_path(table: str) -> str:
    """Return the REST record type of a table."""
    return READABLE[table].record or _PATHS.get(table, table)


def select_sql(table: Table, columns: list[Column]) -> str:
    """Return a SELECT of all fields, with the display value of each reference in `<field>:name`."""
    parts = [f'r."{table.key}" AS "id"']
    for each in columns:
        parts.append(f'r."{each.name}" AS "{each.name}"')
        if each.refers:
            display = display_value(Typed(f'r."{each.name}"', "int", refers=each.refers))
            parts.append(f'{display.sql} AS "{each.name}:name"')
    return f'SELECT {", ".join(parts)} FROM "{table.name}" AS r'


def record_json(row: sqlite3.Row, table: Table, columns: list[Column], base: str) -> dict[str, Any]:
    """Return one record as REST sends it; fields without a value are omitted."""
    link = f"{base}/{table.record}/{row['id']}"
    content: dict[str, Any] = {"links": [{"rel": "self", "href": link}], "id": str(row["id"])}
    for each in columns:
        value = row[each.name]
        if value is None:
            continue
        if each.refers:
            content[field_name(each.name)] = reference_json(each.refers, value, row[f"{each.name}:name"], base)
        else:
            content[field_name(each.name)] = _value(each, value)
    return content


def reference_json(table: str, key: int, display: str | None, base: str) -> dict[str, Any]:
    """Return a reference to another record."""
    links = [{"rel": "self", "href": f"{base}/{record_path(table)}/{key}"}]
    return {"links": links, "id": str(key), "refName": display or str(key)}


def _value(column: Column, value: Any) -> Any:
    """Convert a value: unlike in SuiteQL, dates are ISO 8601 and timestamps are UTC."""
    if column.kind == "bool":
        return value == "T"
    if column.kind == "date":
        return value[:10]
    if column.kind == "timestamp":
        return f"{value[:10]}T{value[11:]}Z"
    return value
