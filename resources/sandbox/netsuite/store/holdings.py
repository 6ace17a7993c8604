"""The stand-in's records, and how people (the generator, a test) change them behind the API's back.

insert / update / delete  ->  now, or late (late.py)  ->  netsuite.sqlite  ->  SuiteQL and the record API only read it
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from resources.clock import Clock
from resources.sandbox.netsuite.store.custom_fields import custom_fields, ensure
from resources.sandbox.netsuite.store.custom_fields import described as own
from resources.sandbox.netsuite.store.late import SCHEMA, Late
from resources.sandbox.netsuite.store.tables import INTERNAL, SQLITE_TYPES, TABLES, Table, schema
from resources.sandbox.netsuite.store.values import FROM_SQLITE, utc_text
from resources.sandbox.netsuite.store.writes import (
    Sequence,
    apply,
    converted,
    delete_row,
    insert_alike,
    moves_parent,
    owner_table,
    place_of,
    spelled,
    update_row,
)
from resources.sandbox.netsuite.suiteql.functions import add_functions
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.netsuite.user_event import UserEvent
from resources.sandbox.store import Store
from resources.sandbox.switches import SwitchBoard

CREATED, CHANGED = (
    ("datecreated", "created", "createddate"),
    ("lastmodifieddate", "lastmodified"),
)  # of records, of custom records
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
        self._store = Store(path, f"{schema()};{_SEQUENCES};{SCHEMA}", add_functions)
        self._ensured: tuple[str, ...] = ()
        self._loaded = NetSuiteSwitches(), NetSuiteSwitches()
        self._late = Late(self._store, path.with_name(f"{path.stem}_late"))
        self.user_event = UserEvent(path.parent)
        with self._store.write() as connection:
            _add_missing(connection)
            connection.executemany(_CUSTOM_FIELDS, _custom_fields())

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add records; a missing id is allotted, missing dates are now.

        Args:
            table: SuiteQL name of the table.
            rows: Values by column: str, int, float, bool, date, aware datetime or None.

        Raises:
            ValueError: A column does not exist.
        """
        now, switches = self._clock.now(), self._load()
        described = own(TABLES[table], switches.custom_fields)
        self._settle()
        defaults = {name: now for name in (*CREATED, *CHANGED) if name in described.columns}
        with self._store.write() as connection:
            ids = Sequence(connection, described)
            complete: Iterator[Mapping[str, Any]] = (
                {**defaults, **row, described.key: ids.take(row.get(described.key))} for row in rows
            )
            if switches.late_share:
                complete = (row for row in complete if not self._kept_row(connection, described, row, switches))
            created: list[int] = []
            if self.user_event.is_deployed(table):
                complete = _noting(complete, described.key, created)
            for names, alike in groupby(complete, key=tuple):
                insert_alike(connection, described, names, alike)
            ids.keep()
        self._saved(table, created, "create")

    def _kept_row(
        self, connection: sqlite3.Connection, table: Table, row: Mapping[str, Any], switches: NetSuiteSwitches
    ) -> bool:
        owner = row.get(table.owned_by) or row[table.key]
        place = f"{owner_table(table)}:{owner}"
        write = "insert", {"table": table.name, "row": dict(zip(row, converted(table, row), strict=True))}
        return self._late.keep(connection, place, [write], now=self._clock.now(), switches=switches)

    def update(self, table: str, key: int, **changes: Any) -> None:
        """Change one record and move its lastmodifieddate, as an edit in NetSuite does.

        Raises:
            KeyError: No record has that key.
            ValueError: A column does not exist.
        """
        now, switches = self._clock.now(), self._load()
        described = own(TABLES[table], switches.custom_fields)
        self._settle()
        stays = table == "customer" and "searchstage" in changes and not switches.conversion_moves_date
        if not stays:
            changes = {**{name: now for name in CHANGED if name in described.columns}, **changes}
        values = dict(zip(changes, converted(described, changes), strict=True))
        moved = utc_text(now) if moves_parent(described, switches) else ""
        write: dict[str, Any] = {"table": table, "key": key, "values": values, "moved": moved}
        with self._store.write() as connection:
            place = place_of(connection, described, key)
            late = self._late.keep(connection, place, [("update", write)], now=now, switches=switches)
            if not late and not update_row(connection, **write):
                raise KeyError(f"{table} has no {key}")
        self._saved(table, [key], "edit")

    def delete(self, record_type: str, table: str, key: int) -> None:
        """Remove one record with its child rows, and note it in deletedrecord.

        Args:
            record_type: As NetSuite names it: customer, lead, prospect, job …; empty leaves no note, as for child rows.
            table: SuiteQL name of the table.
            key: The record's key.

        Raises:
            KeyError: No record has that key.
        """
        now, switches = self._clock.now(), self._load()
        self._settle()
        write: dict[str, Any] = {
            "table": table,
            "key": key,
            "record_type": record_type,
            "spelled": spelled(record_type, switches),
            "at": utc_text(now),
        }
        with self._store.write() as connection:
            place = place_of(connection, TABLES[table], key)
            late = self._late.keep(connection, place, [("delete", write)], now=now, switches=switches)
            if not late and not delete_row(connection, **write):
                raise KeyError(f"{table} has no {key}")
        self._saved(table, [key], "delete")

    def _saved(self, table: str, keys: Iterable[int], event: str) -> None:
        """Let the user event run, when it is deployed on these records; a customer's type is its stage."""
        if not self.user_event.is_deployed(table):
            return
        for key in keys:
            kind = table
            if table == "customer":
                with self._store.read() as connection:
                    found = connection.execute("select searchstage from customer where id = ?", (key,)).fetchall()
                kind = str(found[0][0]).lower() if found else kind
            self.user_event.after_submit(kind, key, event)

    def _settle(self) -> None:
        """Make visible what was late and is due."""
        if self._late.is_waiting:
            self._late.settle(self._clock.now(), apply)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every record of a table as Python values, by key."""
        described = own(TABLES[table], self._load().custom_fields)
        columns = [each for each in described.columns.values() if (table, each.name) not in INTERNAL]
        names = ", ".join(f'"{each.name}"' for each in columns)
        readers = [FROM_SQLITE[each.kind] for each in columns]
        self._settle()
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
            return Sequence(connection, TABLES[table]).take(None)

    def _load(self) -> NetSuiteSwitches:
        """The switches as they are now; lists become tuples, so that translations can be kept by them."""
        loaded = self._switches.load("netsuite", NetSuiteSwitches)
        if loaded is not self._loaded[0]:
            hashable = replace(
                loaded,
                hidden_tables=tuple(loaded.hidden_tables),
                hidden_columns=tuple(loaded.hidden_columns),
                emptied_tables=tuple(loaded.emptied_tables),
                custom_fields=tuple(loaded.custom_fields),
            )
            self._loaded = loaded, hashable
        switches = self._loaded[1]
        if switches.custom_fields != self._ensured:
            with self._store.write() as connection:
                ensure(connection, custom_fields(switches.custom_fields))
            self._ensured = switches.custom_fields
        return switches


def _noting(rows: Iterable[Mapping[str, Any]], key: str, noted: list[int]) -> Iterator[Mapping[str, Any]]:
    """The rows, their keys noted on the way."""
    for row in rows:
        noted.append(row[key])
        yield row


def _add_missing(connection: sqlite3.Connection) -> None:
    """Make the columns that a folder of an earlier version lacks; SQLite would take their names for texts."""
    for table in TABLES.values():
        there = {row[1] for row in connection.execute(f'pragma table_info("{table.name}")')}
        for name in table.columns.keys() - there:
            kind = SQLITE_TYPES[table.columns[name].kind]
            connection.execute(f'alter table "{table.name}" add column "{name}" {kind}')


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
