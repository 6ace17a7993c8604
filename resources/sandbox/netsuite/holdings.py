"""The stand-in's records, and how people (the generator, a test) change them behind the API's back.

insert / update / delete  ->  netsuite.sqlite  ->  SuiteQL and the record API only ever read it
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from resources.clock import Clock
from resources.sandbox.netsuite.functions import add_functions
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.netsuite.tables import INTERNAL, RECORD_TYPE_IDS, TABLES, Table, schema
from resources.sandbox.netsuite.values import FROM_SQLITE, TO_SQLITE, utc_text
from resources.sandbox.store import Store
from resources.sandbox.switches import SwitchBoard

_SEQUENCES = "create table if not exists id_sequence (name text primary key, last integer not null)"
_CUSTOM_FIELDS = (
    "insert into customfield (internalid, scriptid, name, fieldtype, fieldvaluetype, recordtype, isinactive)"
    " values (?, ?, ?, 'ENTITY', ?, ?, 'F') on conflict do nothing"
)


class Holdings:
    """Tables of records in one SQLite file."""

    def __init__(self, path: Path, *, clock: Clock, switches: SwitchBoard) -> None:
        self._clock = clock
        self._switches = switches
        self._store = Store(path, f"{schema()};{_SEQUENCES}", add_functions)
        with self._store.write() as connection:
            connection.executemany(_CUSTOM_FIELDS, _custom_fields())

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add records; a missing id is allotted, missing dates are now.

        Args:
            table: SuiteQL name of the table.
            rows: Values by column: str, int, float, bool, date, aware datetime or None.

        Raises:
            ValueError: A column does not exist.
        """
        described = TABLES[table]
        now = self._clock.now()
        defaults = {name: now for name in ("datecreated", "lastmodifieddate") if name in described.columns}
        with self._store.write() as connection:
            ids = _Sequence(connection, described)
            complete = ({**defaults, **row, described.key: ids.take(row.get(described.key))} for row in rows)
            for names, alike in groupby(complete, key=tuple):
                _insert_alike(connection, described, names, alike)
            ids.keep()

    def update(self, table: str, key: int, **changes: Any) -> None:
        """Change one record and move its lastmodifieddate, as an edit in NetSuite does.

        Raises:
            KeyError: No record has that key.
            ValueError: A column does not exist.
        """
        described = TABLES[table]
        switches = self._load()
        stays = table == "customer" and "searchstage" in changes and not switches.conversion_moves_date
        if "lastmodifieddate" in described.columns and not stays:
            changes = {"lastmodifieddate": self._clock.now(), **changes}
        values = _converted(described, changes)
        assignments = ", ".join(f'"{name}" = ?' for name in changes)
        with self._store.write() as connection:
            sql = f'update "{table}" set {assignments} where "{described.key}" = ?'
            if not connection.execute(sql, (*values, key)).rowcount:
                raise KeyError(f"{table} has no {key}")
            self._move_parent(connection, described, key, switches)

    def _move_parent(self, connection: sqlite3.Connection, table: Table, key: int, switches: NetSuiteSwitches) -> None:
        """An edited child moves its customer's date, in accounts that do so."""
        addresses = {"customeraddressbook", "customeraddressbookentityaddress"}
        moves = (table.name in addresses and switches.address_moves_parent) or (
            table.name == "customersubsidiaryrelationship" and switches.relationship_moves_parent
        )
        if moves:
            parent = f'select "{table.owned_by}" from "{table.name}" where "{table.key}" = ?'
            sql = f"update customer set lastmodifieddate = ? where id = ({parent})"
            connection.execute(sql, (utc_text(self._clock.now()), key))

    def delete(self, record_type: str, table: str, key: int) -> None:
        """Remove one record with its child rows, and note it in deletedrecord.

        Args:
            record_type: As NetSuite names it: customer, lead, prospect, job …; empty leaves no note, as for child rows.
            table: SuiteQL name of the table.
            key: The record's key.

        Raises:
            KeyError: No record has that key.
        """
        described = TABLES[table]
        with self._store.write() as connection:
            sql = f'delete from "{table}" where "{described.key}" = ? returning "{described.display}"'
            gone = connection.execute(sql, (key,)).fetchall()
            if not gone:
                raise KeyError(f"{table} has no {key}")
            if table == "customer":
                _delete_children(connection, key)
            if record_type:
                self._note_deletion(record_type, key, gone[0][0])

    def _note_deletion(self, record_type: str, key: int, name: str | None) -> None:
        note = {
            "recordid": key,
            "recordtypeid": RECORD_TYPE_IDS.get(record_type),
            "name": name,
            "type": self._spelled(record_type),
            "context": "User Interface",
            "deleteddate": self._clock.now(),
            **dict.fromkeys(("iscustomlist", "iscustomrecord", "iscustomtransaction"), False),
        }
        self.insert("deletedrecord", [note])

    def _spelled(self, record_type: str) -> str:
        switches = self._load()
        if switches.deleted_type_custjob and record_type in {"customer", "lead", "prospect", "job"}:
            record_type = "custjob"
        spellings = {"lower": record_type.lower(), "upper": record_type.upper(), "title": record_type.title()}
        return spellings.get(switches.deleted_type_case, record_type)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every record of a table as Python values, by key."""
        described = TABLES[table]
        columns = [each for each in described.columns.values() if (table, each.name) not in INTERNAL]
        names = ", ".join(f'"{each.name}"' for each in columns)
        readers = [FROM_SQLITE[each.kind] for each in columns]
        with self._store.read() as connection:
            found = connection.execute(f'select {names} from "{table}" order by "{described.key}"').fetchall()
        return [
            {
                column.name: None if value is None else reader(value)
                for column, reader, value in zip(columns, readers, row, strict=True)
            }
            for row in found
        ]

    def next_id(self, table: str) -> int:
        """The id that the next record of this table gets; ids of deleted records are never given again."""
        with self._store.read() as connection:
            return _Sequence(connection, TABLES[table]).take(None)

    def _load(self) -> NetSuiteSwitches:
        return self._switches.load("netsuite", NetSuiteSwitches)


class _Sequence:
    """Ids of one sequence; never given twice, not even after a deletion."""

    def __init__(self, connection: sqlite3.Connection, table: Table) -> None:
        self._connection = connection
        self._name = table.sequence
        found = connection.execute("select last from id_sequence where name = ?", (self._name,)).fetchone()
        self._last: int = found[0] if found else 0

    def take(self, given: Any) -> int:
        number = self._last + 1 if given is None else int(given)
        self._last = max(self._last, number)
        return number

    def keep(self) -> None:
        self._connection.execute("insert or replace into id_sequence values (?, ?)", (self._name, self._last))


def _insert_alike(
    connection: sqlite3.Connection, table: Table, names: tuple[str, ...], rows: Iterator[Mapping[str, Any]]
) -> None:
    """Insert rows that have the same columns, without keeping them in memory."""
    _check(table, names)
    converters = [(name, TO_SQLITE[table.columns[name].kind]) for name in names]
    converted = (
        [None if (value := row[name]) is None else convert(value) for name, convert in converters] for row in rows
    )
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("?" for _ in names)
    connection.executemany(f'insert into "{table.name}" ({columns}) values ({marks})', converted)


def _converted(table: Table, values: Mapping[str, Any]) -> list[Any]:
    _check(table, values)
    return [None if value is None else TO_SQLITE[table.columns[name].kind](value) for name, value in values.items()]


def _check(table: Table, names: Iterable[str]) -> None:
    unknown = set(names) - table.columns.keys()
    if unknown:
        raise ValueError(f"{table.name} has no column {sorted(unknown)}")


def _delete_children(connection: sqlite3.Connection, key: int) -> None:
    addresses = "select addressbookaddress from customeraddressbook where entity = ?"
    connection.execute(
        f"delete from customeraddressbookentityaddress where recordowner = ? or nkey in ({addresses})",
        (key, key),
    )
    connection.execute("delete from customeraddressbook where entity = ?", (key,))
    connection.execute("delete from customersubsidiaryrelationship where entity = ?", (key,))


def _custom_fields() -> Iterator[tuple[int, str, str, str, str]]:
    """One row of `customfield` for each custentity_ column."""
    scripts = [
        (column.name, column.kind, table.name)
        for table in TABLES.values()
        for column in table.columns.values()
        if column.name.startswith("custentity_")
    ]
    for number, (name, kind, table) in enumerate(scripts, start=1):
        label = name.removeprefix("custentity_").replace("_", " ").title()
        yield number, name, label, {"bool": "Check Box", "int": "List/Record"}.get(kind, "Free-Form Text"), table
