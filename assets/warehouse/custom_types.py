"""Cast custom fields in staging to the types that NetSuite's metadata catalog lists.

netsuite_fields (type of each custom field)  ->  cast_custom_fields()  ->  the same statement, with casts

A field of unknown type stays text. So does a field with a value that its type cannot hold: a failed cast would clear
the field in every target.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import duckdb

from assets.netsuite.extract.custom_field_types import read_field_types
from assets.netsuite.record_types import RecordType, record_type_of
from resources.warehouse.tables import columns_of, quoted
from sql import Statement

PREFIX = "stg_netsuite__"
# ids of lists and records stay text: they are keys
CASTS: Mapping[str, str] = MappingProxyType(
    {
        "boolean": "case {} when 'T' then true when 'F' then false end",
        "integer": "try_cast({} as bigint)",
        "number": "try_cast({} as double)",
        "date": "try_cast({} as date)",
        "date-time": "try_cast({} as timestamp)",
        "references": r"string_split_regex({}, ',\s*')",  # "1, 3, 4", netsuite.md §5.4
    }
)


@dataclass(frozen=True)
class CastStatement:
    """A statement whose custom fields are cast, and the fields that stay text because a value does not fit."""

    statement: Statement
    uncast: tuple[str, ...] = ()


def custom_field_types(con: duckdb.DuckDBPyConnection, definition: Statement) -> dict[str, str]:
    """Return the types of a staging table's custom fields that are not simply text."""
    types = read_field_types(con, definition.name.removeprefix(PREFIX))
    if not types:
        return {}
    selected = {row[0] for row in con.execute(f"describe {definition.text}").fetchall()}
    return {name: kind for name, kind in sorted(types.items()) if name in selected and kind in CASTS}


def cast_custom_fields(
    con: duckdb.DuckDBPyConnection, definition: Statement, types: Mapping[str, str]
) -> CastStatement:
    """Add casts for custom fields of these types."""
    uncast = _uncastable(con, record_type_of(definition.name.removeprefix(PREFIX)), types) if types else ()
    casts = [f"{_cast(name, kind)} as {quoted(name)}" for name, kind in types.items() if name not in uncast]
    if not casts:
        return CastStatement(definition, uncast)
    text = f"select * replace ({', '.join(casts)}) from (\n{definition.text}\n)"
    return CastStatement(replace(definition, text=text), uncast)


def _cast(name: str, kind: str) -> str:
    return CASTS[kind].format(quoted(name))


def _uncastable(con: duckdb.DuckDBPyConnection, record_type: RecordType, types: Mapping[str, str]) -> tuple[str, ...]:
    """Return the fields with a value in a raw table that a cast would lose."""
    uncastable = set[str]()
    for table in record_type.raw_tables:
        present = [name for name in types if name in columns_of(con, table)]
        if present:
            lost = (f"count({quoted(name)}) > count({_cast(name, types[name])})" for name in present)
            row = con.execute(f"select {', '.join(lost)} from {quoted(table)}").fetchall()[0]
            uncastable |= {name for name, is_lost in zip(present, row, strict=True) if is_lost}
    return tuple(sorted(uncastable))
