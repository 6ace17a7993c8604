"""Time as an argument, so that rate limits of a day can be lived through in seconds.

Clients, sandbox and engine take one `Clock`. With the sandbox it is the sandbox's `SharedClock`: every process
that opens the same folder sees the same time.
"""

import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What time it is, and waiting."""

    def now(self) -> datetime:
        """The time in UTC, aware."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return when this many seconds of this clock have passed."""
        ...


class WallClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Really wait."""
        if seconds > 0:
            time.sleep(seconds)


class SharedClock:
    """A clock kept in a SQLite file, shared by every process that opens it.

    It runs `factor` times as fast as the wall. With `jumps` a sleeper does not wait at all: the clock is put
    forward for everybody, at once, to the moment at which the sleeper wanted to wake.
    """

    def __init__(self, path: Path, *, start: datetime | None = None, factor: float = 1.0, jumps: bool = False) -> None:
        self._path = path
        self._local = threading.local()
        wall = time.time()
        began = start.timestamp() if start else wall
        connection = self._connection()
        connection.execute(
            "create table if not exists clock"
            " (one integer primary key, wall real, began real, factor real, ahead real, jumps integer)"
        )
        connection.execute(
            "insert into clock values (1, ?, ?, ?, 0, ?) on conflict do nothing", (wall, began, factor, int(jumps))
        )

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=30)
            connection.execute("pragma synchronous = off")
            connection.execute("pragma journal_mode = wal")
            self._local.connection = connection
        kept: sqlite3.Connection = self._local.connection
        return kept

    def _read(self) -> tuple[float, float, bool]:
        rows = self._connection().execute("select wall, began, factor, ahead, jumps from clock").fetchall()
        wall, began, factor, ahead, jumps = rows[0]
        return began + (time.time() - wall) * factor + ahead, factor, bool(jumps)

    @property
    def jumps(self) -> bool:
        """Whether a sleeper puts the clock forward instead of waiting."""
        return self._read()[2]

    def follow_wall(self) -> None:
        """From now on show the machine's time and make sleepers wait: for clients that sign with that time."""
        wall = time.time()
        self._connection().execute(
            "update clock set wall = ?, began = ?, factor = 1, ahead = 0, jumps = 0", (wall, wall)
        )

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.fromtimestamp(self._read()[0], UTC)

    def sleep(self, seconds: float) -> None:
        """Wait, or put the clock forward; two sleepers of one second move it by one second, not by two."""
        if seconds <= 0:
            return
        seen, factor, jumps = self._read()
        if not jumps:
            time.sleep(seconds / factor)
            return
        self.advance_to(datetime.fromtimestamp(seen + seconds, UTC))

    def advance(self, seconds: float) -> None:
        """Put the clock forward by this many seconds."""
        self.advance_to(self.now() + timedelta(seconds=seconds))

    def advance_to(self, moment: datetime) -> None:
        """Put the clock forward to a moment; never back."""
        connection = self._connection()
        connection.execute("begin immediate")
        seen, _, _ = self._read()
        connection.execute("update clock set ahead = ahead + ?", (max(0.0, moment.timestamp() - seen),))
        connection.execute("commit")
