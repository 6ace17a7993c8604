"""How one row is written: the SQL behind `Holdings`, for a write that is done now and for one that was late."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from resources.sandbox.netsuite.store.tables import RECORD_TYPE_IDS, TABLES, Table
from resources.sandbox.netsuite.store.values import TO_SQLITE
from resources.sandbox.netsuite.switches import NetSuiteSwitches


class Sequence:
    """Ids of one sequence; never given twice, not even after a deletion."""

    def __init__(self, connection: sqlite3.Connection, table: Table) -> None:
        self._connection = connection
        self._name = table.sequence
        found = connection.execute("select last from id_sequence where name = ?", (self._name,)).fetchone()
        self._last: int = found[0] if found else 0

    def take(self, given: Any) -> int:
        """The given id, or the next one."""
        number = self._last + 1 if given is None else int(given)
        self._last = max(self._last, number)
        return number

    def keep(self) -> None:
        """Remember the last one."""
        self._connection.execute("insert or replace into id_sequence values (?, ?)", (self._name, self._last))


def insert_alike(
    connection: sqlite3.Connection,
    table: Table,
    names: tuple[str, ...],
    rows: Iterator[Mapping[str, Any]],
    *,
    as_kept: bool = False,
) -> None:
    """Insert rows that have the same columns, without keeping them in memory; `as_kept`: values are SQLite's."""
    values: Iterator[list[Any]]
    if as_kept:
        values = ([row[name] for name in names] for row in rows)
    else:
        _check(table, names)
        converters = [(name, TO_SQLITE[table.columns[name].kind]) for name in names]
        values = (
            [None if (value := row[name]) is None else convert(value) for name, convert in converters] for row in rows
        )
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("?" for _ in names)
    connection.executemany(f'insert into "{table.name}" ({columns}) values ({marks})', values)


def converted(table: Table, values: Mapping[str, Any]) -> list[Any]:
    """Values as SQLite has them."""
    _check(table, values)
    return [None if value is None else TO_SQLITE[table.columns[name].kind](value) for name, value in values.items()]


def _check(table: Table, names: Iterable[str]) -> None:
    unknown = set(names) - table.columns.keys()
    if unknown:
        raise ValueError(f"{table.name} has no column {sorted(unknown)}")


def owner_table(table: Table) -> str:
    """A child is locked together with its parent."""
    return table.owner if table.owned_by else table.name


def place_of(connection: sqlite3.Connection, table: Table, key: int) -> str:
    """What a write to this row locks: the row, or the customer that it belongs to."""
    if not table.owned_by:
        return f"{table.name}:{key}"
    sql = f'select "{table.owned_by}" from "{table.name}" where "{table.key}" = ?'
    found = connection.execute(sql, (key,)).fetchone()
    return f"{owner_table(table)}:{found[0] if found else key}"


def moves_parent(table: Table, switches: NetSuiteSwitches) -> bool:
    """Whether an edited child moves its customer's date, as it does in some accounts."""
    addresses = {"customeraddressbook", "customeraddressbookentityaddress"}
    return (table.name in addresses and switches.address_moves_parent) or (
        table.name == "customersubsidiaryrelationship" and switches.relationship_moves_parent
    )


def spelled(record_type: str, switches: NetSuiteSwitches) -> str:
    """How this account writes the type of a deleted record."""
    if switches.deleted_type_custjob and record_type in {"customer", "lead", "prospect", "job"}:
        record_type = "custjob"
    spellings = {"lower": record_type.lower(), "upper": record_type.upper(), "title": record_type.title()}
    return spellings.get(switches.deleted_type_case, record_type)


def apply(connection: sqlite3.Connection, kind: str, content: dict[str, Any]) -> None:
    """Do a write that was late; what is gone meanwhile stays gone."""
    if kind == "insert":
        table, row = TABLES[content["table"]], content["row"]
        insert_alike(connection, table, tuple(row), iter([row]), as_kept=True)
    elif kind == "update":
        update_row(connection, **content)
    else:
        delete_row(connection, **content)


def update_row(connection: sqlite3.Connection, table: str, key: int, values: Mapping[str, Any], moved: str) -> bool:
    """Change one row, and its customer's date when `moved` is given; False when it is not there."""
    described = TABLES[table]
    assignments = ", ".join(f'"{name}" = ?' for name in values)
    sql = f'update "{table}" set {assignments} where "{described.key}" = ?'
    if assignments and not connection.execute(sql, (*values.values(), key)).rowcount:
        return False
    if moved:
        parent = f'select "{described.owned_by}" from "{table}" where "{described.key}" = ?'
        connection.execute(f"update customer set lastmodifieddate = ? where id = ({parent})", (moved, key))
    return True


def delete_row(connection: sqlite3.Connection, table: str, key: int, record_type: str, spelled: str, at: str) -> bool:
    """Remove one row with its children and note it; False when it is not there."""
    described = TABLES[table]
    sql = f'delete from "{table}" where "{described.key}" = ? returning "{described.display}"'
    gone = connection.execute(sql, (key,)).fetchall()
    if not gone:
        return False
    _delete_children(connection, table, key)
    if record_type:
        _note_deletion(connection, key, record_type, spelled, name=gone[0][0], at=at)
    return True


def _note_deletion(
    connection: sqlite3.Connection, key: int, record_type: str, spelled: str, *, name: str | None, at: str
) -> None:
    ids = Sequence(connection, TABLES["deletedrecord"])
    note = {
        "deletionid": ids.take(None),
        "recordid": key,
        "recordtypeid": RECORD_TYPE_IDS.get(record_type),
        "name": name,
        "type": spelled,
        "context": "User Interface",
        "deleteddate": at,
        **dict.fromkeys(("iscustomlist", "iscustomrecord", "iscustomtransaction"), "F"),
    }
    insert_alike(connection, TABLES["deletedrecord"], tuple(note), iter([note]), as_kept=True)
    ids.keep()


def _delete_children(connection: sqlite3.Connection, table: str, key: int) -> None:
    book = f"{table}addressbook"
    if book in TABLES:  # an address may name its owner only by the book
        addresses = f'select addressbookaddress from "{book}" where entity = ?'
        connection.execute(f'delete from "{book}entityaddress" where nkey in ({addresses})', (key,))
    for child in TABLES.values():
        if child.owned_by and child.owner == table:
            connection.execute(f'delete from "{child.name}" where "{child.owned_by}" = ?', (key,))
