"""Definition of one SuiteQL table, and its SQLite schema.

Values in SQLite: `timestamp` is UTC text "YYYY-MM-DD HH:MM:SS", `date` is the same at midnight, `bool` is 'T' or 'F'.
Text order is then time order, an index on `lastmodifieddate` works, and most values need no conversion.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["int", "number", "text", "bool", "date", "timestamp"]

SQLITE_TYPES: Mapping[Kind, str] = {
    "int": "integer",
    "number": "real",
    "text": "text",
    "bool": "text",
    "date": "text",
    "timestamp": "text",
}


@dataclass(frozen=True)
class Column:
    """One column; `refers` is the table of its display value in BUILTIN.DF."""

    name: str
    kind: Kind
    refers: str = ""


@dataclass(frozen=True)
class Table:
    """One SuiteQL table.

    Attributes:
        name: SuiteQL name, lower case.
        columns: By name.
        key: The primary key.
        display: The column that BUILTIN.DF returns for a reference to this table.
        record: The REST record type; empty if REST has none.
        sequence: Name of the id sequence; all entities share one.
        owned_by: The column with the id of the owner; children are deleted with their owner.
        owner: The owner's table.
        indexed: Columns with an index of their own.
    """

    name: str
    columns: Mapping[str, Column]
    key: str = "id"
    display: str = "name"
    record: str = ""
    sequence: str = ""
    owned_by: str = ""
    owner: str = "customer"
    indexed: tuple[str, ...] = field(default=())


def define_table(
    name: str,
    *,
    ints: str = "",
    numbers: str = "",
    texts: str = "",
    bools: str = "",
    dates: str = "",
    timestamps: str = "",
    refers: Mapping[str, str] | None = None,
    key: str = "id",
    display: str = "name",
    record: str = "",
    sequence: str = "",
    owned_by: str = "",
    owner: str = "customer",
    indexed: tuple[str, ...] = (),
) -> Table:
    """Define a table by lists of column names; a column in `refers` is an id of another table."""
    targets = refers or {}
    names: list[tuple[Kind, str]] = [
        *(("int", each) for each in (key, *ints.split(), *targets) if each not in texts.split()),
        *(("number", each) for each in numbers.split()),
        *(("text", each) for each in texts.split()),
        *(("bool", each) for each in bools.split()),
        *(("date", each) for each in dates.split()),
        *(("timestamp", each) for each in timestamps.split()),
    ]
    columns = {each: Column(each, kind, targets.get(each, "")) for kind, each in names}
    return Table(name, columns, key, display, record, sequence or name, owned_by, owner, indexed)


def create_sql(table: Table) -> str:
    """Return the statements that create a table and its indexes."""
    columns = ", ".join(
        f'"{each.name}" {SQLITE_TYPES[each.kind]}{" primary key" if each.name == table.key else ""}'
        for each in table.columns.values()
    )
    indexed = {*table.indexed, table.owned_by, *({"lastmodifieddate"} & table.columns.keys())} - {""}
    indexes = "".join(
        f'create index if not exists "{table.name}_{each}" on "{table.name}" ("{each}");' for each in sorted(indexed)
    )
    return f'create table if not exists "{table.name}" ({columns});{indexes}'
