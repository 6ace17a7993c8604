"""Custom fields of the account beside the built-in ones, declared by the switch `custom_fields`.

"customer.custentity_renewal:date"  ->  a column of the table, a row of `customfield`, a property of the metadata
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from resources.sandbox.netsuite.store.table import SQLITE_TYPES, Column, Kind, Table
from resources.sandbox.netsuite.store.tables import TABLES

# kind in the switch -> kind of the column, and NetSuite's name in `customfield.fieldvaluetype`
KINDS: Mapping[str, tuple[Kind, str]] = {
    "text": ("text", "Free-Form Text"),
    "bool": ("bool", "Check Box"),
    "int": ("int", "Integer Number"),
    "number": ("number", "Decimal Number"),
    "date": ("date", "Date"),
    "timestamp": ("timestamp", "Date/Time"),
    "list": ("int", "List/Record"),
    "multi": ("text", "Multiple Select"),  # ids separated by comma and space, such as "1, 3, 4" (netsuite.md §5.4)
}
_FIELD = (
    "insert into customfield (internalid, scriptid, name, fieldtype, fieldvaluetype, recordtype, isinactive)"
    " select coalesce(max(internalid), 0) + 1, ?, ?, 'ENTITY', ?, ?, 'F' from customfield"
)


@dataclass(frozen=True)
class CustomField:
    """One custom field."""

    table: str
    name: str
    kind: str

    @property
    def column(self) -> Column:
        """The field's column."""
        return Column(self.name, KINDS[self.kind][0])


@lru_cache(maxsize=64)
def custom_fields(declared: tuple[str, ...]) -> tuple[CustomField, ...]:
    """Parse the switch.

    Raises:
        ValueError: An entry is not `table.name:kind` of a known table and kind.
    """
    fields = []
    for entry in declared:
        column, _, kind = entry.partition(":")
        table, _, name = column.partition(".")
        if table not in TABLES or kind not in KINDS or not name:
            raise ValueError(f"custom_fields takes table.name:kind, kind one of {sorted(KINDS)}; not {entry!r}")
        fields.append(CustomField(table, name, kind))
    return tuple(fields)


def with_custom_fields(table: Table, declared: tuple[str, ...]) -> Table:
    """Return a table with the account's custom fields."""
    if not declared:
        return table
    columns = {each.name: each.column for each in custom_fields(declared) if each.table == table.name}
    return replace(table, columns={**table.columns, **columns}) if columns else table


def custom_field_kind(table: str, name: str, declared: tuple[str, ...]) -> str:
    """Return the kind of a custom field; empty for a built-in one."""
    return next((each.kind for each in custom_fields(declared) if (each.table, each.name) == (table, name)), "")


def add_columns(connection: sqlite3.Connection, fields: Iterable[CustomField]) -> None:
    """Add the columns of some fields unless they exist."""
    for each in fields:
        existing = {row[1] for row in connection.execute(f'pragma table_info("{each.table}")')}
        if each.name not in existing:
            connection.execute(f'alter table "{each.table}" add column "{each.name}" {SQLITE_TYPES[each.column.kind]}')
            label = each.name.removeprefix("custentity").strip("_").replace("_", " ").title()
            connection.execute(_FIELD, (each.name, label or each.name, KINDS[each.kind][1], each.table))
