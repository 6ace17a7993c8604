"""A call budget that every process keeps to: never more calls than the other side allows.

acquire(account)  ->  room in every window? note the call, go on  :  wait on the clock and ask again
"""

import math
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from resources.clock import Clock
from resources.errors import QuotaExhaustedError

SCHEMA = """
create table if not exists calls (account text not null, at real not null, identity text);
create index if not exists calls_by_time on calls (account, at);
create index if not exists calls_by_identity on calls (account, identity, at)
"""

# longer than an hourly limit can last, much shorter than a daily one
PATIENCE_S = 3700.0
# a call may reach the other side a little later than it was noted here, the one before it at once
SLACK_S = 0.5


@dataclass(frozen=True)
class Window:
    """At most `calls` in any `seconds`; it slides, which keeps to limits by the full hour or day as well."""

    name: str
    calls: int
    seconds: float


class CallLog(Protocol):
    """Where calls are noted: SQL as SQLite has it, over the table `calls (account, at, identity)` with its `rowid`."""

    def transaction(self) -> AbstractContextManager[Callable[..., Any]]:
        """`execute(statement, values)` for one writer at a time, of all threads and processes."""
        ...


class SqliteLog:
    """One file, for the processes of one machine."""

    def __init__(self, path: Path) -> None:
        """Open or create it."""
        self._path, self._local = path, threading.local()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.transaction() as execute:
            for statement in SCHEMA.split(";"):
                execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[Callable[..., Any]]:
        """Begin at once, so that who reads also writes."""
        connection = self._connection()
        connection.execute("begin immediate")
        try:
            yield connection.execute
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")

    def _connection(self) -> sqlite3.Connection:
        """One connection a thread: opening one for each call would cost as much as the call."""
        if not hasattr(self._local, "connection"):
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=60)
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            self._local.connection = connection
        kept: sqlite3.Connection = self._local.connection
        return kept


class CallBudget:
    """A log of calls, from which everybody reads whether there is room for one more."""

    def __init__(
        self,
        log: Path | CallLog,
        windows: Sequence[Window],
        clock: Clock,
        *,
        system: str = "budget",
        identical_get_s: float | None = None,
        identical_an_hour: int | None = None,
        spacing_s: float = 0.0,
        patience_s: float = PATIENCE_S,
        slack_s: float = SLACK_S,
    ) -> None:
        """Open or create the log.

        Args:
            log: The SQLite file, or another log, shared by every process that calls the same accounts.
            windows: What the other side allows each account.
            clock: Time, and waiting.
            system: Whose calls these are, for error texts.
            identical_get_s: Seconds before a call with the same identity may be made again.
            identical_an_hour: How often the same identity may be called in an hour.
            spacing_s: Seconds between any two calls of an account.
            patience_s: Longest single wait; a longer one raises instead.
            slack_s: Added to each window for the time that a call travels.
        """
        self._log = SqliteLog(log) if isinstance(log, Path) else log
        self._windows = tuple(windows)
        self._clock = clock
        self._system = system
        self._identical = [
            Window("identical", calls, seconds)
            for calls, seconds in (
                (1, identical_get_s),
                (identical_an_hour, 3600.0 if identical_an_hour else None),
            )
            if calls and seconds
        ]
        self._spacing_s = spacing_s
        self._patience_s = patience_s
        self._slack_s = slack_s
        self._kept_s = max((each.seconds for each in (*self._windows, *self._identical)), default=0.0) + slack_s

    def acquire(self, account: str, *, identity: str | None = None) -> int:
        """Wait until there is room for one more call, and note it.

        Returns:
            The note's number, for `give_back`.

        Args:
            account: Whose allowance is used.
            identity: What makes two calls identical; None for calls that may be repeated at will.

        Raises:
            QuotaExhaustedError: The wait would be longer than the patience; the text says until when.
        """
        while True:
            with self._log.transaction() as execute:
                now = self._clock.now().timestamp()
                ready, name = self._ready_at(execute, account, identity)
                if ready <= now:
                    noted = execute(
                        "insert into calls (account, at, identity) values (?, ?, ?) returning rowid",
                        (account, now, identity),
                    ).fetchall()
                    execute("delete from calls where account = ? and at < ?", (account, now - self._kept_s))
                    return int(noted[0][0])
            if ready - now > self._patience_s:
                moment = datetime.fromtimestamp(math.ceil(ready), UTC)
                reason = f"the {name} allowance is used up; it goes on at {moment:%Y-%m-%d %H:%M:%S} UTC"
                raise QuotaExhaustedError(self._system, "call budget", reason)
            self._clock.sleep(max(ready - now, 0.001))  # a shorter nap may be lost in rounding

    def answered(self, number: int) -> None:
        """Count a call from now: it arrived before its answer, and how long it travelled nobody knows."""
        with self._log.transaction() as execute:
            execute("update calls set at = ? where rowid = ?", (self._clock.now().timestamp(), number))

    def give_back(self, number: int) -> None:
        """Forget a call that never reached the other side."""
        with self._log.transaction() as execute:
            execute("delete from calls where rowid = ?", (number,))

    def _ready_at(self, execute: Callable[..., Any], account: str, identity: str | None) -> tuple[float, str]:
        """The moment from which every window has room, and the window that has it last."""
        moments = [(0.0, "")]
        latest = _nth_latest(execute, "account = ?", (account,), 1)
        if latest is not None:
            moments.append((latest + self._spacing_s, "spacing"))
        for window in self._windows:
            at = _nth_latest(execute, "account = ?", (account,), window.calls)
            if at is not None:
                moments.append((at + window.seconds + self._slack_s, window.name))
        for window in self._identical if identity is not None else ():
            at = _nth_latest(execute, "account = ? and identity = ?", (account, identity), window.calls)
            if at is not None:
                moments.append((at + window.seconds + self._slack_s, window.name))
        return max(moments)

    def remaining(self, account: str) -> dict[str, int]:
        """How many calls each window would let through just now."""
        with self._log.transaction() as execute:
            now = self._clock.now().timestamp()
            statement = "select count(*) from calls where account = ? and at > ?"
            return {
                window.name: max(
                    0,
                    window.calls - execute(statement, (account, now - window.seconds - self._slack_s)).fetchone()[0],
                )
                for window in self._windows
            }


def _nth_latest(execute: Callable[..., Any], where: str, values: tuple[str | None, ...], nth: int) -> float | None:
    statement = f"select at from calls where {where} order by at desc limit 1 offset ?"
    row = execute(statement, (*values, nth - 1)).fetchone()
    return float(row[0]) if row else None
