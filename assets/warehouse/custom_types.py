"""Types of custom fields in staging, by what NetSuite's metadata catalogue told of them.

netsuite_fields (kind of each custom field)  ->  typed()  ->  the same statement, its custom fields cast

A field whose kind was never told stays text. So does one that holds a value which its type cannot show: a cast that
fails would blank the field in every target.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import duckdb

from assets.netsuite.extract.custom_field_types import read_kinds
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
class Typed:
    """A statement with its custom fields cast.

    Attributes:
        statement: What to run.
        unfit: Custom fields that hold a value which their type cannot show, and so stay text.
    """

    statement: Statement
    unfit: tuple[str, ...] = ()


def custom_kinds(con: duckdb.DuckDBPyConnection, of: Statement) -> dict[str, str]:
    """The kinds of the custom fields that a staging table shows and that are not simply text."""
    kinds = read_kinds(con, of.name.removeprefix(PREFIX))
    if not kinds:
        return {}
    shown = {row[0] for row in con.execute(f"describe {of.text}").fetchall()}
    return {name: kind for name, kind in sorted(kinds.items()) if name in shown and kind in CASTS}


def typed(con: duckdb.DuckDBPyConnection, of: Statement, kinds: Mapping[str, str]) -> Typed:
    """Cast the custom fields of these kinds."""
    unfit = _unfit(con, record_type_of(of.name.removeprefix(PREFIX)), kinds) if kinds else ()
    casts = [f"{_cast(name, kind)} as {quoted(name)}" for name, kind in kinds.items() if name not in unfit]
    if not casts:
        return Typed(of, unfit)
    return Typed(replace(of, text=f"select * replace ({', '.join(casts)}) from (\n{of.text}\n)"), unfit)


def _cast(name: str, kind: str) -> str:
    return CASTS[kind].format(quoted(name))


def _unfit(con: duckdb.DuckDBPyConnection, record_type: RecordType, kinds: Mapping[str, str]) -> tuple[str, ...]:
    unfit = set[str]()
    for table in record_type.raw_tables:
        there = [name for name in kinds if name in columns_of(con, table)]
        if there:
            lost = (f"count({quoted(name)}) > count({_cast(name, kinds[name])})" for name in there)
            told = con.execute(f"select {', '.join(lost)} from {quoted(table)}").fetchall()[0]
            unfit |= {name for name, is_lost in zip(there, told, strict=True) if is_lost}
    return tuple(sorted(unfit))
