"""NotificationQueue that records were saved, kept until each account has them: one small SQLite file beside the warehouse.

webhook  ->  keep()  ->  notifications.sqlite  ->  due()  ->  a targeted run  ->  done() or failed()

A change notification says which record to look at and nothing else. One record has one change notification, however often it was saved: a save that
comes while a run looks at the record gives the change notification a later number, and what the run had taken is an earlier one.
"""

import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from resources.failpoints import reach

FILE = "notifications.sqlite"
BUSY_S = 5.0
TRIES = 8  # then the record is left to the ordinary run, which reads what changed anyway
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 900.0

SCHEMA = """
create table if not exists notification (
    source text, record_id text, number integer not null, is_deleted integer not null, posts integer not null,
    first_at real not null, last_at real not null, primary key (source, record_id)
) without rowid;
create table if not exists progress (
    source text, record_id text, connection text, number integer not null, is_done integer not null, tries integer not null,
    next_at real not null, why text not null, primary key (source, record_id, connection)
) without rowid;
create table if not exists nonce (nonce text primary key, seen_at real not null) without rowid;
create table if not exists counter (name text primary key, last integer not null) without rowid;
insert into counter values ('number', 0), ('kept', 0), ('left', 0) on conflict do nothing;
"""

Key = tuple[str, str]


@dataclass(frozen=True)
class Notification:
    """One record that was saved, as one account still waits for it."""

    source: str
    record_id: str
    number: int
    is_deleted: bool
    first_at: float
    tries: int = 0

    @property
    def key(self) -> Key:
        """Source and NetSuite id."""
        return self.source, self.record_id


class NotificationQueue:
    """The change notifications of one home; any number of processes may hold it open."""

    def __init__(self, folder: Path) -> None:
        """Open or make the file."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        with self._open() as con:
            con.execute("pragma journal_mode = wal")
            con.executescript(SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        con = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_S)
        try:
            con.execute("pragma synchronous = full")  # what was answered with "kept" survives a power cut
            yield con
        finally:
            con.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._open() as con:
            con.execute("begin immediate")
            try:
                yield con
            except BaseException:
                con.execute("rollback")
                raise
            con.execute("commit")

    def keep(self, source: str, record_id: str, *, is_deleted: bool, nonce: str, now: float, remember_s: float) -> bool:
        """Keep one change notification and remember its nonce, in one transaction; false when the nonce was seen before.

        Whether a record is gone is asked of NetSuite; that somebody said so stays said, in whatever order posts come.
        """
        with self._write() as con:
            con.execute("delete from nonce where seen_at < ?", [now - remember_s])
            fresh = con.execute("insert into nonce values (?, ?) on conflict do nothing", [nonce, now]).rowcount == 1
            if not fresh:
                return False
            number = _count(con, "number")
            con.execute(
                "insert into notification values (?, ?, ?, ?, 1, ?, ?) on conflict do update set number = excluded.number,"
                " is_deleted = max(is_deleted, excluded.is_deleted), posts = posts + 1, last_at = excluded.last_at",
                [source, record_id, number, int(is_deleted), now, now],
            )
            _count(con, "kept")
        reach("hint_kept")
        return True

    def due(self, connections: Collection[str], now: float | None = None) -> dict[str, list[Notification]]:
        """The change notifications that each connection waits for and may try now, oldest first."""
        moment = time.time() if now is None else now
        with self._open() as con:
            return {connection: _due(con, connection, moment) for connection in connections}

    def waiting(self) -> int:
        """How many records have a change notification that some connection waits for."""
        with self._open() as con:
            return int(con.execute("select count(*) from notification").fetchone()[0])

    def counted(self) -> dict[str, int]:
        """How many posts were kept so far, and how many records were left to the ordinary run."""
        with self._open() as con:
            return dict(con.execute("select name, last from counter where name <> 'number'").fetchall())

    def done(self, connection: str, taken: Sequence[Notification], connections: Collection[str]) -> None:
        """One connection has these; a change notification that all connections have is forgotten."""
        with self._write() as con:
            con.executemany(
                "insert into progress values (?, ?, ?, ?, 1, 0, 0, '') on conflict do update set number ="
                " excluded.number, is_done = 1, tries = 0, next_at = 0, why = '' where number <= excluded.number",
                [(*notification.key, connection, notification.number) for notification in taken],
            )
            _forget(con, taken, connections)
        reach("hints_done")

    def failed(
        self, connection: str, taken: Sequence[Notification], connections: Collection[str], why: str, now: float
    ) -> list[Notification]:
        """One connection could not have these now: each is tried again by itself, later and later; returns those given up.

        Given up are change notifications that failed TRIES times.
        """
        given_up = [notification for notification in taken if notification.tries + 1 >= TRIES]
        with self._write() as con:
            for notification in taken:
                waits = min(LONGEST_WAIT_S, FIRST_WAIT_S * 4**notification.tries)
                con.execute(
                    "insert into progress values (?, ?, ?, ?, 0, ?, ?, ?) on conflict do update set"
                    " number = excluded.number, is_done = 0, tries = excluded.tries, next_at = excluded.next_at,"
                    " why = excluded.why",
                    [*notification.key, connection, notification.number, notification.tries + 1, now + waits, why],
                )
            for _ in given_up:
                _count(con, "left")
            con.executemany(
                "update progress set is_done = 1 where source = ? and record_id = ? and connection = ? and number = ?",
                [(*notification.key, connection, notification.number) for notification in given_up],
            )
            _forget(con, given_up, connections)
        return given_up

    def next_try(self, connections: Collection[str]) -> float | None:
        """When the first of the change notifications that wait after a failure may be tried; None when none does."""
        marks = ", ".join("?" * len(connections))
        with self._open() as con:
            rows = con.execute(
                "select min(next_at) from progress join notification using (source, record_id, number)"
                f" where is_done = 0 and connection in ({marks})",
                list(connections),
            ).fetchall()
        return rows[0][0] if rows and rows[0][0] is not None else None


def _count(con: sqlite3.Connection, name: str) -> int:
    return int(con.execute("update counter set last = last + 1 where name = ? returning last", [name]).fetchall()[0][0])


def _due(con: sqlite3.Connection, connection: str, moment: float) -> list[Notification]:
    """A later save of a record that failed is tried at once: it may be the mend."""
    rows = con.execute(
        "select notification.source, notification.record_id, notification.number, is_deleted, first_at,"
        " iif(progress.number = notification.number, coalesce(tries, 0), 0)"
        " from notification left join progress on progress.source = notification.source and progress.record_id = notification.record_id"
        " and progress.connection = ?"
        " where progress.number is null or progress.number < notification.number or (is_done = 0 and next_at <= ?)"
        " order by notification.number",
        [connection, moment],
    ).fetchall()
    return [Notification(row[0], row[1], row[2], bool(row[3]), row[4], row[5]) for row in rows]


def _forget(con: sqlite3.Connection, taken: Sequence[Notification], connections: Collection[str]) -> None:
    marks = ", ".join("?" * len(connections))
    for notification in taken:
        con.execute(
            "delete from notification where source = ? and record_id = ? and number = ? and (select count(*) from progress"
            " where progress.source = notification.source and progress.record_id = notification.record_id"
            f" and progress.number = notification.number and is_done = 1 and connection in ({marks})) = ?",
            [*notification.key, notification.number, *connections, len(connections)],
        )
    con.execute(
        "delete from progress where not exists (select 1 from notification where notification.source = progress.source"
        " and notification.record_id = progress.record_id)"
    )
