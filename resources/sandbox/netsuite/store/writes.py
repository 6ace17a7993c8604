"""SQL of single writes to the record tables, for immediate and late writes."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from resources.sandbox.netsuite.store.table import Table
from resources.sandbox.netsuite.store.tables import RECORD_TYPE_IDS, TABLES
from resources.sandbox.netsuite.store.values import TO_SQLITE
from resources.sandbox.netsuite.switches import NetSuiteSwitches


class Sequence:
    """The ids of one sequence; an id is never reused, not even after a deletion."""

    def __init__(self, connection: sqlite3.Connection, table: Table) -> None:
        self._connection = connection
        self._name = table.sequence
        found = connection.execute("select last from id_sequence where name = ?", (self._name,)).fetchone()
        self._last: int = found[0] if found else 0

    def take(self, given: Any) -> int:
        """Return the given id, or the next one."""
        number = self._last + 1 if given is None else int(given)
        self._last = max(self._last, number)
        return number

    def save(self) -> None:
        """Store the last id."""
        self._connection.execute("insert or replace into id_sequence values (?, ?)", (self._name, self._last))


def insert_rows(
    connection: sqlite3.Connection, table: Table, names: tuple[str, ...], rows: Iterator[Mapping[str, Any]]
) -> None:
    """Insert rows that have the same columns, without loading them into memory."""
    _check_columns(table, names)
    converters = [(name, TO_SQLITE[table.columns[name].kind]) for name in names]
    values = (
        [None if (value := row[name]) is None else convert(value) for name, convert in converters] for row in rows
    )
    connection.executemany(_insert_sql(table, names), values)


def _insert_sql(table: Table, names: Iterable[str]) -> str:
    columns = [f'"{name}"' for name in names]
    return f'insert into "{table.name}" ({", ".join(columns)}) values ({", ".join("?" for _ in columns)})'


def _insert_stored(connection: sqlite3.Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row whose values are SQLite's already."""
    connection.execute(_insert_sql(table, row), list(row.values()))


def to_sqlite(table: Table, values: Mapping[str, Any]) -> list[Any]:
    """Convert values by column to SQLite's.

    Raises:
        ValueError: A column does not exist.
    """
    _check_columns(table, values)
    return [None if value is None else TO_SQLITE[table.columns[name].kind](value) for name, value in values.items()]


def _check_columns(table: Table, names: Iterable[str]) -> None:
    unknown = set(names) - table.columns.keys()
    if unknown:
        raise ValueError(f"{table.name} has no column {sorted(unknown)}")


def owner_table(table: Table) -> str:
    """Return the table whose records' locks cover this table's rows."""
    return table.owner if table.owned_by else table.name


def lock_name(connection: sqlite3.Connection, table: Table, key: int) -> str:
    """Return the lock of a write to this row: the row itself, or the record that owns it."""
    if not table.owned_by:
        return f"{table.name}:{key}"
    sql = f'select "{table.owned_by}" from "{table.name}" where "{table.key}" = ?'
    found = connection.execute(sql, (key,)).fetchone()
    return f"{owner_table(table)}:{found[0] if found else key}"


def touches_owner(table: Table, switches: NetSuiteSwitches) -> bool:
    """Return whether an edit of a child moves its customer's date, as in some accounts."""
    addresses = {"customeraddressbook", "customeraddressbookentityaddress"}
    return (table.name in addresses and switches.address_moves_parent) or (
        table.name == "customersubsidiaryrelationship" and switches.relationship_moves_parent
    )


def deleted_type(record_type: str, switches: NetSuiteSwitches) -> str:
    """Return the type of a deleted record as this account spells it."""
    if switches.deleted_type_custjob and record_type in {"customer", "lead", "prospect", "job"}:
        record_type = "custjob"
    spellings = {"lower": record_type.lower(), "upper": record_type.upper(), "title": record_type.title()}
    return spellings.get(switches.deleted_type_case, record_type)


def apply_write(connection: sqlite3.Connection, kind: str, content: dict[str, Any]) -> None:
    """Apply a late write; a record deleted in the meantime stays deleted."""
    if kind == "insert":
        _insert_stored(connection, TABLES[content["table"]], content["row"])
    elif kind == "update":
        update_row(connection, **content)
    else:
        delete_row(connection, **content)


def update_row(connection: sqlite3.Connection, table: str, key: int, values: Mapping[str, Any], moved: str) -> bool:
    """Change one row, and its customer's date if `moved` is given; False if the row does not exist."""
    definition = TABLES[table]
    assignments = ", ".join(f'"{name}" = ?' for name in values)
    sql = f'update "{table}" set {assignments} where "{definition.key}" = ?'
    if assignments and not connection.execute(sql, (*values.values(), key)).rowcount:
        return False
    if moved:
        owner = f'select "{definition.owned_by}" from "{table}" where "{definition.key}" = ?'
        connection.execute(f"update customer set lastmodifieddate = ? where id = ({owner})", (moved, key))
    return True


def delete_row(connection: sqlite3.Connection, table: str, key: int, record_type: str, spelled: str, at: str) -> bool:
    """Delete one row with its children and add it to deletedrecord; False if the row does not exist."""
    definition = TABLES[table]
    sql = f'delete from "{table}" where "{definition.key}" = ? returning "{definition.display}"'
    deleted = connection.execute(sql, (key,)).fetchall()
    if not deleted:
        return False
    _delete_children(connection, table, key)
    if record_type:
        _add_deleted_record(connection, key, record_type, spelled, name=deleted[0][0], at=at)
    return True


def _add_deleted_record(
    connection: sqlite3.Connection, key: int, record_type: str, spelled: str, *, name: str | None, at: str
) -> None:
    ids = Sequence(connection, TABLES["deletedrecord"])
    row = {
        "deletionid": ids.take(None),
        "recordid": key,
        "recordtypeid": RECORD_TYPE_IDS.get(record_type),
        "name": name,
        "type": spelled,
        "context": "User Interface",
        "deleteddate": at,
        **dict.fromkeys(("iscustomlist", "iscustomrecord", "iscustomtransaction"), "F"),
    }
    _insert_stored(connection, TABLES["deletedrecord"], row)
    ids.save()


def _delete_children(connection: sqlite3.Connection, table: str, key: int) -> None:
    book = f"{table}addressbook"
    if book in TABLES:  # an address may reference its owner only through the address book
        addresses = f'select addressbookaddress from "{book}" where entity = ?'
        connection.execute(f'delete from "{book}entityaddress" where nkey in ({addresses})', (key,))
    for child in TABLES.values():
        if child.owned_by and child.owner == table:
            connection.execute(f'delete from "{child.name}" where "{child.owned_by}" = ?', (key,))
