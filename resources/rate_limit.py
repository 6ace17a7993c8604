"""A call budget over all processes: never more calls than the other system allows.

acquire(account)  ->  room in every window? record the call and return  :  wait on the clock and check again
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from resources.clock import Clock, steady
from resources.errors import QuotaExhaustedError
from resources.sqlite_file import SqliteFile

SCHEMA = """
create table if not exists calls (account text not null, at real not null, identity text);
create index if not exists calls_by_time on calls (account, at);
create index if not exists calls_by_identity on calls (account, identity, at);
create table if not exists timeline (origin text primary key, ahead real not null)
"""

# longer than an hourly limit can last, much shorter than a daily one
PATIENCE_S = 3700.0
# a call may arrive a little later than it was recorded, the one before it at once
SLACK_S = 0.5  # added to each window for the travel time of a call


@dataclass(frozen=True)
class Window:
    """At most `calls` in any `seconds`; a sliding window also obeys limits per calendar hour or day."""

    name: str
    calls: int
    seconds: float


class CallLog(Protocol):
    """Storage of calls: SQL in SQLite's dialect over the table `calls (account, at, identity)` with its `rowid`."""

    def transaction(self) -> AbstractContextManager[Callable[..., Any]]:
        """Yield `execute(statement, values)` to one writer at a time, over all threads and processes."""
        ...

    def now(self, execute: Callable[..., Any], clock: Clock) -> float:
        """Return the time that all processes with this log agree on, in seconds since 1970."""
        ...


class SqliteLog:
    """One file, for the processes of one machine."""

    def __init__(self, path: Path) -> None:
        """Open or create it."""
        self._file = SqliteFile(path, SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[Callable[..., Any]]:
        """Lock the file before reading, so that check and record are one step."""
        with self._file.write() as connection:
            yield connection.execute

    def now(self, execute: Callable[..., Any], clock: Clock) -> float:
        """Return the clock's time, counted on since the machine started: setting it has no effect."""
        reading = steady(clock)
        values = (reading.origin, clock.now().timestamp() - reading.seconds)
        execute("insert or ignore into timeline values (?, ?)", values)
        return reading.seconds + float(execute("select ahead from timeline where origin = ?", values[:1]).fetchone()[0])


class CallBudget:
    """A log of calls and the windows that limit them."""

    def __init__(
        self,
        log: Path | CallLog,
        windows: Sequence[Window],
        clock: Clock,
        *,
        system: str = "budget",
        identical_get_s: float | None = None,
        identical_per_hour: int | None = None,
        spacing_s: float = 0.0,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Open or create the log.

        Args:
            log: The SQLite file, or another log, shared by every process that calls the same accounts.
            windows: Limits of each account.
            clock: Time, and waiting.
            system: Name of the system in error texts.
            identical_get_s: Seconds before a call with the same identity may be repeated.
            identical_per_hour: Maximum calls with the same identity per hour.
            spacing_s: Seconds between any two calls of an account.
            patience_s: Longest single wait; a longer one raises instead.
        """
        self._log = SqliteLog(log) if isinstance(log, Path) else log
        self._windows = tuple(windows)
        self._clock = clock
        self._system = system
        self._identical = [
            Window("identical", calls, seconds)
            for calls, seconds in ((1, identical_get_s), (identical_per_hour, 3600.0 if identical_per_hour else None))
            if calls and seconds
        ]
        self._spacing_s = spacing_s
        self._patience_s = patience_s
        self._kept_s = max((each.seconds for each in (*self._windows, *self._identical)), default=0.0) + SLACK_S

    def acquire(self, account: str, *, identity: str | None = None) -> int:
        """Wait until every window has room for one more call, and record it; calls of one `identity` are identical.

        Returns:
            The call's number, for `answered` and `release`.

        Raises:
            QuotaExhaustedError: The wait would be longer than the patience; the text says until when.
        """
        while True:
            with self._log.transaction() as execute:
                now = self._now(execute, account)
                ready, name = self._ready_at(execute, account, identity)
                if ready <= now:
                    call = execute(
                        "insert into calls (account, at, identity) values (?, ?, ?) returning rowid",
                        (account, now, identity),
                    ).fetchall()
                    execute("delete from calls where account = ? and at < ?", (account, now - self._kept_s))
                    return int(call[0][0])
            if ready - now > self._patience_s:
                moment = self._clock.now() + timedelta(seconds=math.ceil(ready - now))
                reason = f"the {name} quota is used up; continues at {moment:%Y-%m-%d %H:%M:%S} UTC"
                raise QuotaExhaustedError(self._system, "call budget", reason, until=moment)
            self._clock.sleep(max(ready - now, 0.001))  # a shorter wait may be lost in rounding

    def answered(self, call: int) -> None:
        """Count a call from now on: it arrived before its response, after an unknown travel time."""
        with self._log.transaction() as execute:
            execute("update calls set at = ? where rowid = ?", (self._log.now(execute, self._clock), call))

    def release(self, call: int) -> None:
        """Remove a call that never reached the other system."""
        with self._log.transaction() as execute:
            execute("delete from calls where rowid = ?", (call,))

    def room_at(self, account: str, calls: int) -> datetime:
        """Return when every window has room for so many calls."""
        with self._log.transaction() as execute:
            now = self._now(execute, account)
            moments = [now]
            for window in self._windows:
                at = _nth_latest(execute, "account = ?", (account,), max(1, window.calls - calls + 1))
                moments += [] if at is None else [at + window.seconds + SLACK_S]
        return self._clock.now() + timedelta(seconds=math.ceil(max(moments) - now))

    def _now(self, execute: Callable[..., Any], account: str) -> float:
        """Return the time; calls that appear to be later were made before the clock was set back, and count as of now.

        So no window is exceeded, and none stays closed for longer than it lasts.
        """
        now = self._log.now(execute, self._clock)
        execute("update calls set at = ? where account = ? and at > ?", (now, account, now))
        return now

    def _ready_at(self, execute: Callable[..., Any], account: str, identity: str | None) -> tuple[float, str]:
        """Return when every window has room, and the window that has it last."""
        moments = [(0.0, "")]
        latest = _nth_latest(execute, "account = ?", (account,), 1)
        if latest is not None:
            moments.append((latest + self._spacing_s, "spacing"))
        for window in self._windows:
            at = _nth_latest(execute, "account = ?", (account,), window.calls)
            if at is not None:
                moments.append((at + window.seconds + SLACK_S, window.name))
        for window in self._identical if identity is not None else ():
            at = _nth_latest(execute, "account = ? and identity = ?", (account, identity), window.calls)
            if at is not None:
                moments.append((at + window.seconds + SLACK_S, window.name))
        return max(moments)

    def remaining(self, account: str) -> dict[str, int]:
        """Return the calls that each window currently has left."""
        with self._log.transaction() as execute:
            now = self._now(execute, account)
            statement = "select count(*) from calls where account = ? and at > ?"
            return {
                window.name: max(
                    0, window.calls - execute(statement, (account, now - window.seconds - SLACK_S)).fetchone()[0]
                )
                for window in self._windows
            }


def _nth_latest(execute: Callable[..., Any], where: str, values: tuple[str | None, ...], nth: int) -> float | None:
    statement = f"select at from calls where {where} order by at desc limit 1 offset ?"
    row = execute(statement, (*values, nth - 1)).fetchone()
    return float(row[0]) if row else None
