"""Time as an argument, so that a day of rate limits takes seconds in a test.

Clients, sandbox and engine take one `Clock`. With the sandbox it is the sandbox's `SharedClock`: every process that
opens the same folder sees the same time.
"""

import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from resources.sqlite_file import SqliteFile

SCHEMA = """
create table if not exists clock (
    one integer primary key, wall real, began real, factor real, ahead real, jumps integer
)
"""


class Clock(Protocol):
    """The current time, and waiting."""

    def now(self) -> datetime:
        """Return the aware time in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after this many seconds of this clock."""
        ...


class Reading(NamedTuple):
    """A reading of a clock that cannot be set; the difference of two readings of one origin is the time between."""

    origin: str
    seconds: float


@runtime_checkable
class SteadyClock(Protocol):
    """A clock that also counts seconds, whatever it is set to."""

    def steady(self) -> Reading:
        """Return the seconds since its origin, which is another one after a restart and on another machine."""
        ...


def steady(clock: Clock) -> Reading:
    """Return a steady reading; of a clock without one, its time."""
    return clock.steady() if isinstance(clock, SteadyClock) else Reading("time", clock.now().timestamp())


def _boot() -> str:
    """Return an id of the machine's last start; where there is none, of this process."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid.uuid4())


_BOOT = _boot()
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # counts while the machine sleeps, where it exists


def utc_now(clock: Clock) -> datetime:
    """Return the clock's time as naive UTC, as the warehouse's timestamps are."""
    return clock.now().replace(tzinfo=None)


class WallClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def steady(self) -> Reading:
        """Return the seconds since the machine's last start."""
        return Reading(_BOOT, time.clock_gettime(_SINCE_BOOT))

    def sleep(self, seconds: float) -> None:
        """Wait."""
        if seconds > 0:
            time.sleep(seconds)


class SharedClock:
    """A clock in a SQLite file, shared by every process that opens it.

    It runs `factor` times as fast as wall time. With `jumps` a sleep does not wait: it advances the clock, for every
    process at once, to the moment at which the sleep would end.
    """

    def __init__(self, path: Path, *, start: datetime | None = None, factor: float = 1.0, jumps: bool = False) -> None:
        self._file = SqliteFile(path, SCHEMA, synchronous="off")
        wall = time.time()
        began = start.timestamp() if start else wall
        self._file.connection.execute(
            "insert into clock values (1, ?, ?, ?, 0, ?) on conflict do nothing", (wall, began, factor, int(jumps))
        )

    def _read(self) -> tuple[float, float, bool]:
        rows = self._file.connection.execute("select wall, began, factor, ahead, jumps from clock").fetchall()
        wall, began, factor, ahead, jumps = rows[0]
        return began + (time.time() - wall) * factor + ahead, factor, bool(jumps)

    @property
    def jumps(self) -> bool:
        """True if a sleep advances the clock instead of waiting."""
        return self._read()[2]

    def follow_wall(self) -> None:
        """Show the machine's time from now on, and let sleeps wait: for clients that sign with that time."""
        wall = time.time()
        self._file.connection.execute(
            "update clock set wall = ?, began = ?, factor = 1, ahead = 0, jumps = 0", (wall, wall)
        )

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.fromtimestamp(self._read()[0], UTC)

    def steady(self) -> Reading:
        """Return its time: it is never set back."""
        return Reading(str(self._file.path), self._read()[0])

    def sleep(self, seconds: float) -> None:
        """Wait, or advance the clock; two parallel sleeps of one second advance it by one second."""
        if seconds <= 0:
            return
        seen, factor, jumps = self._read()
        if not jumps:
            time.sleep(seconds / factor)
            return
        self.advance_to(datetime.fromtimestamp(seen + seconds, UTC))

    def advance(self, seconds: float) -> None:
        """Advance the clock by this many seconds."""
        self.advance_to(self.now() + timedelta(seconds=seconds))

    def advance_to(self, moment: datetime) -> None:
        """Advance the clock to a moment; never set it back."""
        with self._file.write() as connection:
            seen, _, _ = self._read()
            connection.execute("update clock set ahead = ahead + ?", (max(0.0, moment.timestamp() - seen),))
