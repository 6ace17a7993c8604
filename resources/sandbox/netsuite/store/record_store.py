"""The account's records, and edits to them as people make them in NetSuite's screens.

insert / update / delete  ->  now, or late (late_writes.py)  ->  netsuite.sqlite; SuiteQL only reads it
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from resources.clock import Clock
from resources.sandbox.netsuite.store.custom_fields import add_columns, custom_fields, with_custom_fields
from resources.sandbox.netsuite.store.late_writes import SCHEMA, LateWrites
from resources.sandbox.netsuite.store.table import SQLITE_TYPES, Table
from resources.sandbox.netsuite.store.tables import INTERNAL, TABLES, schema
from resources.sandbox.netsuite.store.values import FROM_SQLITE, utc_text
from resources.sandbox.netsuite.store.writes import (
    Sequence,
    apply_write,
    delete_row,
    deleted_type,
    insert_rows,
    lock_name,
    owner_table,
    to_sqlite,
    touches_owner,
    update_row,
)
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.netsuite.user_event import UserEvent
from resources.sandbox.store import Store
from resources.sandbox.switches import SwitchBoard

# the second name of each is that of custom records
CREATED, MODIFIED = ("datecreated", "created", "createddate"), ("lastmodifieddate", "lastmodified")
UNCHECKED = ("isinactive", "inactive", "isperson", "iselimination")  # standard check boxes, which are never blank
# columns that refer to a customer, by table
MOVED_BY_MERGE = {"job": ("customer", "parent"), "contact": ("company",), "customer": ("parent",)}
_SEQUENCES = "create table if not exists id_sequence (name text primary key, last integer not null)"
_CUSTOM_FIELDS = (
    "insert into customfield (internalid, scriptid, name, fieldtype, fieldvaluetype, recordtype, isinactive)"
    " values (?, ?, ?, 'ENTITY', ?, ?, 'F') on conflict do nothing"
)


class RecordStore:
    """The record tables of one account in one SQLite file."""

    def __init__(
        self, path: Path, *, clock: Clock, switches: SwitchBoard, add_functions: Callable[[sqlite3.Connection], None]
    ) -> None:
        """Open or create the file; `add_functions` registers SuiteQL's functions with each new connection."""
        self._clock = clock
        self._switches = switches
        self.store = Store(path, f"{schema()};{_SEQUENCES};{SCHEMA}", add_functions)
        self._added_fields: tuple[str, ...] = ()
        self._loaded = NetSuiteSwitches(), NetSuiteSwitches()
        self._late_writes = LateWrites(self.store, path.with_name(f"{path.stem}_late"))
        self.user_event = UserEvent(path.parent)
        with self.store.write() as connection:
            _add_missing_columns(connection)
            connection.executemany(_CUSTOM_FIELDS, _custom_field_rows())

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add records; a missing id is assigned, missing dates are now, missing standard check boxes are not checked.

        Args:
            table: SuiteQL name of the table.
            rows: Values by column: str, int, float, bool, date, aware datetime or None.

        Raises:
            ValueError: A column does not exist.
        """
        now, switches = self._clock.now(), self.load_switches()
        definition = with_custom_fields(TABLES[table], switches.custom_fields)
        self.apply_late_writes()
        plain = dict.fromkeys((*CREATED, *MODIFIED), now) | dict.fromkeys(UNCHECKED, False)
        defaults: dict[str, Any] = {name: value for name, value in plain.items() if name in definition.columns}
        with self.store.write() as connection:
            ids = Sequence(connection, definition)
            complete: Iterator[Mapping[str, Any]] = (
                {**defaults, **row, definition.key: ids.take(row.get(definition.key))} for row in rows
            )
            if switches.late_share:
                is_late = partial(self._defer_insert, connection, definition, switches)
                complete = (row for row in complete if not is_late(row))
            inserted: list[int] = []
            if self.user_event.is_deployed(table):
                complete = _collect_keys(complete, definition.key, inserted)
            for names, group in groupby(complete, key=tuple):
                insert_rows(connection, definition, names, group)
            ids.save()
        self._run_user_event(table, inserted, "create")

    def _defer_insert(
        self, connection: sqlite3.Connection, table: Table, switches: NetSuiteSwitches, row: Mapping[str, Any]
    ) -> bool:
        lock = f"{owner_table(table)}:{row.get(table.owned_by) or row[table.key]}"
        content = {"table": table.name, "row": dict(zip(row, to_sqlite(table, row), strict=True))}
        return self._late_writes.defer(connection, lock, "insert", content, now=self._clock.now(), switches=switches)

    def update(self, table: str, key: int, *, moves_date: bool = True, **changes: Any) -> None:
        """Change one record and move its lastmodifieddate, as a save in NetSuite does.

        Args:
            table: SuiteQL name of the table.
            key: The record's key.
            moves_date: False: the record changes without a save, so neither its date nor its owner's moves.
            **changes: Values by column.

        Raises:
            KeyError: No record has that key.
            ValueError: A column does not exist.
        """
        now, switches = self._clock.now(), self.load_switches()
        definition = with_custom_fields(TABLES[table], switches.custom_fields)
        self.apply_late_writes()
        is_conversion = table == "customer" and "searchstage" in changes
        if moves_date and not (is_conversion and not switches.conversion_moves_date):
            changes = {**{name: now for name in MODIFIED if name in definition.columns}, **changes}
        values = dict(zip(changes, to_sqlite(definition, changes), strict=True))
        owner_moved_at = utc_text(now) if moves_date and touches_owner(definition, switches) else ""
        content: dict[str, Any] = {"table": table, "key": key, "values": values, "moved": owner_moved_at}
        with self.store.write() as connection:
            lock = lock_name(connection, definition, key)
            is_late = self._late_writes.defer(connection, lock, "update", content, now=now, switches=switches)
            if not is_late and not update_row(connection, **content):
                raise KeyError(f"{table} has no {key}")
        self._run_user_event(table, [key], "edit")

    def delete(self, record_type: str, table: str, key: int) -> None:
        """Delete one record with its children, and add it to deletedrecord.

        Args:
            record_type: NetSuite's name: customer, lead, prospect, job …; if empty, as for children, deletedrecord
                stays unchanged.
            table: SuiteQL name of the table.
            key: The record's key.

        Raises:
            KeyError: No record has that key.
        """
        now, switches = self._clock.now(), self.load_switches()
        self.apply_late_writes()
        content: dict[str, Any] = {
            "table": table,
            "key": key,
            "record_type": record_type,
            "spelled": deleted_type(record_type, switches),
            "at": utc_text(now),
        }
        with self.store.write() as connection:
            lock = lock_name(connection, TABLES[table], key)
            is_late = self._late_writes.defer(connection, lock, "delete", content, now=now, switches=switches)
            if not is_late and not delete_row(connection, **content):
                raise KeyError(f"{table} has no {key}")
        self._run_user_event(table, [key], "delete")

    def merge(self, loser: int, survivor: int) -> list[tuple[str, int]]:
        """Merge two customers: what belonged to the loser moves to the survivor, and the loser is deleted.

        Returns:
            Table and key of each record that moved.

        Raises:
            KeyError: One of them does not exist.
        """
        switches = self.load_switches()
        self.apply_late_writes()
        with self.store.read() as connection:
            moved = {
                (table, row[0], name)
                for table, names in MOVED_BY_MERGE.items()
                for name in names
                for row in connection.execute(f'select "id" from "{table}" where "{name}" = ?', (loser,))
            }
            stages = connection.execute("select searchstage from customer where id = ?", (loser,)).fetchall()
        if not stages:
            raise KeyError(f"customer has no {loser}")
        for table, key, name in sorted(moved):
            self.update(table, key, moves_date=switches.merge_moves_dates, **{name: survivor})
        self.update("customer", survivor, moves_date=switches.merge_moves_dates)
        self.delete(str(stages[0][0]).lower() if switches.merge_notes_loser else "", "customer", loser)
        return sorted({(table, key) for table, key, _ in moved})

    def _run_user_event(self, table: str, keys: Iterable[int], event: str) -> None:
        """Run the user event script on saved records; a customer's record type is its stage."""
        if not self.user_event.is_deployed(table):
            return
        for key in keys:
            record_type = table
            if table == "customer":
                with self.store.read() as connection:
                    found = connection.execute("select searchstage from customer where id = ?", (key,)).fetchall()
                record_type = str(found[0][0]).lower() if found else record_type
            self.user_event.after_submit(record_type, key, event)

    def apply_late_writes(self) -> None:
        """Apply the late writes that are due."""
        if self._late_writes.is_pending:
            self._late_writes.apply_due(self._clock.now(), apply_write)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return all records of a table as Python values, in the order of their keys."""
        definition = with_custom_fields(TABLES[table], self.load_switches().custom_fields)
        columns = [each for each in definition.columns.values() if (table, each.name) not in INTERNAL]
        names = ", ".join(f'"{each.name}"' for each in columns)
        readers = [FROM_SQLITE[each.kind] for each in columns]
        self.apply_late_writes()
        with self.store.read() as connection:
            found = connection.execute(f'select {names} from "{table}" order by "{definition.key}"').fetchall()
        return [
            {
                column.name: None if value is None else reader(value)
                for column, reader, value in zip(columns, readers, row, strict=True)
            }
            for row in found
        ]

    def next_id(self, table: str) -> int:
        """Return the id of the next record of this table; ids of deleted records are never reused."""
        with self.store.read() as connection:
            return Sequence(connection, TABLES[table]).take(None)

    def load_switches(self) -> NetSuiteSwitches:
        """Return the current switches, with tuples for lists because translations are cached by them."""
        loaded = self._switches.load("netsuite", NetSuiteSwitches)
        if loaded is not self._loaded[0]:
            hashable = replace(
                loaded,
                hidden_tables=tuple(loaded.hidden_tables),
                hidden_columns=tuple(loaded.hidden_columns),
                empty_tables=tuple(loaded.empty_tables),
                hidden_records=tuple(loaded.hidden_records),
                failing_rows=tuple(loaded.failing_rows),
                blank_columns=tuple(loaded.blank_columns),
                custom_fields=tuple(loaded.custom_fields),
            )
            self._loaded = loaded, hashable
        switches = self._loaded[1]
        if switches.custom_fields != self._added_fields:
            with self.store.write() as connection:
                add_columns(connection, custom_fields(switches.custom_fields))
            self._added_fields = switches.custom_fields
        return switches


def _collect_keys(rows: Iterable[Mapping[str, Any]], key: str, keys: list[int]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows and append their keys to `keys`."""
    for row in rows:
        keys.append(row[key])
        yield row


def _add_missing_columns(connection: sqlite3.Connection) -> None:
    """Add the columns that a folder of an earlier version lacks; SQLite would read their quoted names as text."""
    for table in TABLES.values():
        existing = {row[1] for row in connection.execute(f'pragma table_info("{table.name}")')}
        for name in table.columns.keys() - existing:
            kind = SQLITE_TYPES[table.columns[name].kind]
            connection.execute(f'alter table "{table.name}" add column "{name}" {kind}')


def _custom_field_rows() -> Iterator[tuple[int, str, str, str, str]]:
    """Yield a row of `customfield` for each custentity_ column."""
    columns = [
        (column.name, column.kind, table.name)
        for table in TABLES.values()
        for column in table.columns.values()
        if column.name.startswith("custentity_")
    ]
    for number, (name, kind, table) in enumerate(columns, start=1):
        label = name.removeprefix("custentity_").replace("_", " ").title()
        yield number, name, label, {"bool": "Check Box", "int": "List/Record"}.get(kind, "Free-Form Text"), table
