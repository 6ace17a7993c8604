"""Writes that already have their timestamp but are not visible yet, as in a long transaction.

write  ->  late?  ->  late_writes (SQLite, beside the records)  ->  apply_due(now)  ->  the tables

Writes to one record and to its children keep their order, as the record's lock would enforce.
"""

import json
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from resources.sandbox.netsuite.store.values import utc_text
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.store import Store

SCHEMA = """
create table if not exists late_writes (
    write_id integer primary key, visible_at text not null, place text not null, kind text not null,
    content text not null
);
create table if not exists late_draws (one integer primary key, count integer not null)
"""

# applies one write of a kind (insert, update, delete) with its content
Apply = Callable[[sqlite3.Connection, str, dict[str, Any]], None]


class LateWrites:
    """The invisible writes of one account."""

    def __init__(self, store: Store, marker: Path) -> None:
        """Manage the late writes of one store.

        Args:
            store: The records.
            marker: A file that exists while a write is late, so that an account without late writes has no overhead.
        """
        self._store = store
        self._marker = marker

    @property
    def is_pending(self) -> bool:
        """True while a write is late."""
        return self._marker.exists()

    def defer(
        self,
        connection: sqlite3.Connection,
        lock: str,
        kind: str,
        content: dict[str, Any],
        *,
        now: datetime,
        switches: NetSuiteSwitches,
    ) -> bool:
        """Store a write under a record's lock for later, if it is late; False means to apply it now."""
        visible_at = self._visible_at(connection, lock, now, switches)
        if visible_at is None:
            return False
        self._marker.touch()
        connection.execute(
            "insert into late_writes (visible_at, place, kind, content) values (?, ?, ?, ?)",
            (visible_at, lock, kind, json.dumps(content)),
        )
        return True

    def _locked_until(self, connection: sqlite3.Connection, lock: str) -> str | None:
        if not self.is_pending:
            return None
        found = connection.execute("select max(visible_at) from late_writes where place = ?", (lock,)).fetchone()
        return None if found[0] is None else str(found[0])

    def _visible_at(
        self, connection: sqlite3.Connection, lock: str, now: datetime, switches: NetSuiteSwitches
    ) -> str | None:
        locked_until = self._locked_until(connection, lock)
        if not switches.late_share:
            return locked_until
        draw = connection.execute(
            "insert into late_draws values (1, 1) on conflict do update set count = count + 1 returning count"
        ).fetchall()
        random = Random(f"{switches.late_seed}:{draw[0][0]}")
        if random.random() >= switches.late_share:
            return locked_until
        visible_at = utc_text(now + timedelta(seconds=random.uniform(0.5, 1) * switches.late_s))
        return max(visible_at, locked_until or visible_at)

    def apply_due(self, now: datetime, apply: Apply) -> None:
        """Apply the writes that are visible by now."""
        with self._store.read() as connection:
            if not connection.execute("select 1 from late_writes where visible_at <= ?", (utc_text(now),)).fetchone():
                return
        with self._store.write() as connection:
            due = connection.execute(
                "delete from late_writes where visible_at <= ? returning write_id, kind, content", (utc_text(now),)
            ).fetchall()
            for row in sorted(due, key=lambda row: int(row["write_id"])):
                apply(connection, row["kind"], json.loads(row["content"]))
            if not connection.execute("select 1 from late_writes").fetchone():
                self._marker.unlink(missing_ok=True)
