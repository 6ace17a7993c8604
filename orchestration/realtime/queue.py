"""The queue of change notifications: saved NetSuite records that a target connection still lacks, in a SQLite file.

webhook  ->  add()  ->  notifications.sqlite  ->  due()  ->  a real-time run  ->  mark_done() or mark_failed()

A notification names a record, nothing else, and a record has one however often it is saved. Each save gives it a later
number, so a save during a run is pending after that run.
"""

import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from resources.failpoints import reach
from resources.sqlite_file import SqliteFile

FILE = "notifications.sqlite"
BUSY_S = 5.0
MAX_ATTEMPTS = 8  # then the record is left to the next full run, which reads changes by itself
FIRST_RETRY_S, MAX_RETRY_S = 2.0, 900.0

SCHEMA = """
create table if not exists notification (
    source text, record_id text, number integer not null, is_deleted integer not null, first_at real not null,
    primary key (source, record_id)
) without rowid;
create table if not exists progress (
    source text, record_id text, connection text, number integer not null, is_done integer not null,
    attempts integer not null, next_at real not null, error text not null,
    primary key (source, record_id, connection)
) without rowid;
create table if not exists nonce (nonce text primary key, seen_at real not null) without rowid;
create table if not exists sequence (last_number integer not null);
insert into sequence select 0 where not exists (select 1 from sequence)
"""

Key = tuple[str, str]


@dataclass(frozen=True)
class Notification:
    """A saved record that one connection waits for."""

    source: str
    record_id: str
    number: int
    is_deleted: bool
    first_at: float
    attempts: int = 0

    @property
    def key(self) -> Key:
        """Source and NetSuite id."""
        return self.source, self.record_id


class NotificationQueue:
    """One account's change notifications; any number of processes may open it."""

    def __init__(self, folder: Path) -> None:
        """Open or create the file."""
        self.path = folder / FILE
        # a notification that was acknowledged survives a power cut
        self._file = SqliteFile(self.path, SCHEMA, synchronous="full", busy_s=BUSY_S)

    def add(self, source: str, record_id: str, *, is_deleted: bool, nonce: str, now: float, remember_s: float) -> bool:
        """Store a notification and its nonce in one transaction; return False if the nonce was seen before.

        A reported deletion stays reported, since posts may arrive in any order; the run asks NetSuite.
        """
        with self._file.write() as con:
            con.execute("delete from nonce where seen_at < ?", [now - remember_s])
            new = con.execute("insert into nonce values (?, ?) on conflict do nothing", [nonce, now]).rowcount == 1
            if not new:
                return False
            con.execute("update sequence set last_number = last_number + 1")
            con.execute(
                "insert into notification select ?, ?, last_number, ?, ? from sequence where true"
                " on conflict do update set number = excluded.number,"
                " is_deleted = max(is_deleted, excluded.is_deleted)",
                [source, record_id, int(is_deleted), now],
            )
        reach("notification_stored")
        return True

    def due(self, connections: Collection[str], now: float | None = None) -> dict[str, list[Notification]]:
        """Return each connection's notifications that may be tried now, oldest first."""
        moment = time.time() if now is None else now
        with self._file.read() as con:
            return {connection: _due(con, connection, moment) for connection in connections}

    def pending(self) -> int:
        """Return how many records some connection still waits for."""
        with self._file.read() as con:
            return int(con.execute("select count(*) from notification").fetchone()[0])

    def mark_done(self, connection: str, done: Sequence[Notification], connections: Collection[str]) -> None:
        """Mark notifications as done for one connection, and delete those that are done for all."""
        with self._file.write() as con:
            con.executemany(
                "insert into progress values (?, ?, ?, ?, 1, 0, 0, '') on conflict do update set number ="
                " excluded.number, is_done = 1, attempts = 0, next_at = 0, error = '' where number <= excluded.number",
                [(*each.key, connection, each.number) for each in done],
            )
            _delete_done(con, done, connections)
        reach("notifications_closed")

    def mark_failed(
        self, connection: str, failed: Sequence[Notification], connections: Collection[str], error: str, now: float
    ) -> list[Notification]:
        """Schedule a retry of each notification, with exponential backoff; return those given up after MAX_ATTEMPTS."""
        abandoned = [each for each in failed if each.attempts + 1 >= MAX_ATTEMPTS]
        with self._file.write() as con:
            for each in failed:
                delay_s = min(MAX_RETRY_S, FIRST_RETRY_S * 4**each.attempts)
                con.execute(
                    "insert into progress values (?, ?, ?, ?, 0, ?, ?, ?) on conflict do update set"
                    " number = excluded.number, is_done = 0, attempts = excluded.attempts,"
                    " next_at = excluded.next_at, error = excluded.error",
                    [*each.key, connection, each.number, each.attempts + 1, now + delay_s, error],
                )
            con.executemany(
                "update progress set is_done = 1 where source = ? and record_id = ? and connection = ? and number = ?",
                [(*each.key, connection, each.number) for each in abandoned],
            )
            _delete_done(con, abandoned, connections)
        return abandoned


def _due(con: sqlite3.Connection, connection: str, moment: float) -> list[Notification]:
    """A record that failed and was saved again is due at once: the save may be the fix.

    So is one whose retry is further away than any delay: the clock was set back.
    """
    rows = con.execute(
        "select notification.source, notification.record_id, notification.number, is_deleted, first_at,"
        " iif(progress.number = notification.number, coalesce(attempts, 0), 0)"
        " from notification left join progress on progress.source = notification.source"
        " and progress.record_id = notification.record_id and progress.connection = ?"
        " where progress.number is null or progress.number < notification.number or (is_done = 0"
        " and (next_at <= ? or next_at > ?))"
        " order by notification.number",
        [connection, moment, moment + MAX_RETRY_S],
    ).fetchall()
    return [Notification(row[0], row[1], row[2], bool(row[3]), row[4], row[5]) for row in rows]


def _delete_done(con: sqlite3.Connection, done: Sequence[Notification], connections: Collection[str]) -> None:
    marks = ", ".join("?" * len(connections))
    for each in done:
        con.execute(
            "delete from notification where source = ? and record_id = ? and number = ? and (select count(*)"
            " from progress where progress.source = notification.source"
            " and progress.record_id = notification.record_id and progress.number = notification.number"
            f" and is_done = 1 and connection in ({marks})) = ?",
            [*each.key, each.number, *connections, len(connections)],
        )
    con.execute(
        "delete from progress where not exists (select 1 from notification where notification.source = progress.source"
        " and notification.record_id = progress.record_id)"
    )
