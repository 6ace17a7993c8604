"""Cast custom fields in staging to the types that NetSuite's metadata catalog lists, and numbers to one that is exact.

netsuite_fields (type of each custom field)  ->  cast_custom_fields()  ->  the same statement, with casts

A field of unknown type stays text. So does a field with a value that its type cannot hold: a failed cast would clear
the field in every target. A number with a fraction or more digits than its type keeps gives the field a wider type;
so it is with the numbers among NetSuite's own fields. Mappings type both kinds of fields value by value: one record's
number changes the texts and quotients of no other record.
"""

import re
from collections.abc import Mapping, Sequence
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
        "decimal": "try_cast({} as decimal(38, 18))",
        "date": "try_cast({} as date)",
        "date-time": "try_cast({} as timestamp)",
        "references": r"string_split_regex({}, ',\s*')",  # "1, 3, 4", netsuite.md §5.4
    }
)
# types that are tried in turn, until one holds every value
WIDER: Mapping[str, Sequence[str]] = MappingProxyType(
    {"integer": ("integer", "number", "decimal"), "number": ("number", "decimal")}
)
_DECIMAL = "DECIMAL(38,18)"
# types of a column by that of its field, if one value does not fit
_WIDENED: Mapping[str, Sequence[str]] = MappingProxyType({"integer": ("DOUBLE", _DECIMAL), "number": (_DECIMAL,)})
_DIGITS = r"[+-]?(\d+(\.\d{{0,18}})?|\.\d{{1,18}})"
_NUMBER = (
    "(regexp_full_match(trim({0}), '" + _DIGITS + r"([eE][+-]?\d+)?') and abs(try_cast({0} as double)) < 1e19"
    " and try_cast({0} as decimal(38, 18)) = try_cast(try_cast({0} as double)::varchar as decimal(38, 18)))"
)
# whether a cast keeps every digit; for the other types, whether there is a value
KEEPS: Mapping[str, str] = MappingProxyType(
    {
        "integer": r"regexp_full_match(trim({0}), '[+-]?\d+(\.0*)?') and try_cast({0} as bigint) is not null",
        "number": _NUMBER,
        "decimal": "(regexp_full_match(trim({0}), '" + _DIGITS + "') and try_cast({0} as decimal(38, 18)) is not null)"
        " or " + _NUMBER,
    }
)
# a number in a field that stays text, because no type holds all of its values, is not in scientific notation either
PLAIN = (
    r"case when not regexp_full_match(trim({0}), '[+-]?[\d.]+[eE][+-]?\d+') or try_cast({0} as double) is null then {0}"
    " else rtrim(rtrim(case when " + _NUMBER + " then try_cast({0} as decimal(38, 18))::varchar"
    " else format('{{:.40f}}', try_cast({0} as double)) end, '0'), '.') end"
)


_DOUBLE = re.compile(r"try_cast\((?P<column>\w+) as double\)")  # a number of NetSuite's own, in a staging file


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
    """Add casts for custom fields of these types, and widen the type of numbers that would lose digits."""
    definition = replace(definition, text=_DOUBLE.sub(lambda found: _exact(con, definition, found), definition.text))
    chosen = _castable(con, record_type_of(definition.name.removeprefix(PREFIX)), types) if types else {}
    casts = [f"{_cast(name, chosen[name] or kind)} as {quoted(name)}" for name, kind in types.items() if chosen[name]]
    plain = [name for name, kind in types.items() if not chosen[name] and kind in WIDER]
    casts += [f"{PLAIN.format(quoted(name))} as {quoted(name)}" for name in plain]
    uncast = tuple(sorted(name for name in types if not chosen[name]))
    if not casts:
        return CastStatement(definition, uncast)
    text = f"select * replace ({', '.join(casts)}) from (\n{definition.text}\n)"
    return CastStatement(replace(definition, text=text), uncast)


def _exact(con: duckdb.DuckDBPyConnection, definition: Statement, found: re.Match[str]) -> str:
    """Return the cast of a number of NetSuite's own: to a decimal if it keeps digits that a double would lose."""
    tables = record_type_of(definition.name.removeprefix(PREFIX)).raw_tables
    name, double, decimal = quoted(found["column"]), found[0], CASTS["decimal"].format(found["column"])
    numbers = " union all ".join(f"select {name} from {quoted(table)} where {double} is not null" for table in tables)
    changed = f"{decimal} is not null and not ({_NUMBER.format(name)})"
    query = f"select count_if({changed}) > 0 and count({decimal}) = count(*) from ({numbers})"
    return decimal if con.execute(query).fetchall()[0][0] else double


def fields_by_value(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, Sequence[str]]:
    """Return the columns of a staging table that one value made text, or a wider number: the types to try by value."""
    types, known = read_field_types(con, table.removeprefix(PREFIX)), columns_of(con, table)
    types = {**{name: "number" for name, kind in known.items() if kind == _DECIMAL}, **types}
    return {
        name: WIDER.get(kind, (kind,))
        for name, kind in sorted(types.items())
        if kind in CASTS and (known.get(name) == "VARCHAR" or (kind in WIDER and known.get(name) in _WIDENED[kind]))
    }


def kind_of_value(name: str, kinds: Sequence[str]) -> str:
    """Return SQL for the first of these types that holds a column's value, the first one of a blank; null if none."""
    text = _text(name)
    branches = [f"when coalesce(trim({text}), '') = '' then '{kinds[0]}'"]
    branches += [f"when {_keeps(text, kind)} then '{kind}'" for kind in kinds]
    return f"case {' '.join(branches)} end"


def as_kind(name: str, kind: str) -> str:
    """Return SQL for a column's value as a type; null if it is blank, or cannot be cast."""
    return f"case when trim({_text(name)}) <> '' then {CASTS[kind].format(_text(name))} end"


def _text(name: str) -> str:
    return f"cast({quoted(name)} as varchar)"


def _cast(name: str, kind: str) -> str:
    return CASTS[kind].format(quoted(name))


def _castable(
    con: duckdb.DuckDBPyConnection, record_type: RecordType, types: Mapping[str, str]
) -> dict[str, str | None]:
    """Return for each field the first type that keeps every value of the raw tables; None: no type does."""
    tried = [(name, kind) for name, declared in types.items() for kind in WIDER.get(declared, (declared,))]
    losing = set[tuple[str, str]]()
    for table in record_type.raw_tables:
        present = [each for each in tried if each[0] in columns_of(con, table)]
        if present:
            lost = ", ".join(
                f"count(nullif({quoted(name)}, '')) > count_if({_keeps(quoted(name), kind)})" for name, kind in present
            )
            row = con.execute(f"select {lost} from {quoted(table)}").fetchall()[0]
            losing |= {each for each, is_lost in zip(present, row, strict=True) if is_lost}
    return {
        name: next((kind for kind in WIDER.get(declared, (declared,)) if (name, kind) not in losing), None)
        for name, declared in types.items()
    }


def _keeps(text: str, kind: str) -> str:
    return KEEPS[kind].format(text) if kind in KEEPS else f"{CASTS[kind].format(text)} is not null"
