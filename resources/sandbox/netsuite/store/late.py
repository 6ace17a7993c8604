"""Writes that carry their time stamp already and are not visible yet: what a long transaction does to a reader.

write  ->  late?  ->  late_writes (SQLite, beside the records)  ->  settle(now)  ->  the tables

Writes to one record, and to the children of one record, keep their order, as its lock would make them.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable
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

# applies one write: its kind and its content
Apply = Callable[[sqlite3.Connection, str, dict[str, Any]], None]


class Late:
    """The writes of one account that nobody sees yet."""

    def __init__(self, store: Store, marker: Path) -> None:
        """Look after the late writes of one store.

        Args:
            store: The records.
            marker: A file that is there while a write is late, so that an account without any pays nothing.
        """
        self._store = store
        self._marker = marker

    @property
    def is_waiting(self) -> bool:
        """Whether any write is late."""
        return self._marker.exists()

    def keep(
        self,
        connection: sqlite3.Connection,
        place: str,
        writes: Iterable[tuple[str, dict[str, Any]]],
        *,
        now: datetime,
        switches: NetSuiteSwitches,
    ) -> bool:
        """Keep writes to one place for later, if they are late; False: write them now."""
        visible_at = self._visible_at(connection, place, now, switches)
        if visible_at is None:
            return False
        self._marker.touch()
        connection.executemany(
            "insert into late_writes (visible_at, place, kind, content) values (?, ?, ?, ?)",
            ((visible_at, place, kind, json.dumps(content)) for kind, content in writes),
        )
        return True

    def holds(self, connection: sqlite3.Connection, place: str) -> bool:
        """Whether a write to this place is still to come."""
        return self._waits_for(connection, place) is not None

    def _waits_for(self, connection: sqlite3.Connection, place: str) -> str | None:
        if not self.is_waiting:
            return None
        found = connection.execute("select max(visible_at) from late_writes where place = ?", (place,)).fetchone()
        return None if found[0] is None else str(found[0])

    def _visible_at(
        self, connection: sqlite3.Connection, place: str, now: datetime, switches: NetSuiteSwitches
    ) -> str | None:
        before = self._waits_for(connection, place)
        if not switches.late_share:
            return before
        draw = connection.execute(
            "insert into late_draws values (1, 1) on conflict do update set count = count + 1 returning count"
        ).fetchall()
        random = Random(f"{switches.late_seed}:{draw[0][0]}")
        if random.random() >= switches.late_share:
            return before
        own = utc_text(now + timedelta(seconds=random.uniform(0.5, 1) * switches.late_s))
        return max(own, before or own)

    def settle(self, now: datetime, apply: Apply) -> None:
        """Make visible what is due."""
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
