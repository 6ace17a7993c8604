"""The clock of a sandbox's folder, without the simulated systems: commands read it to compare times."""

from datetime import UTC, datetime
from pathlib import Path

from resources.clock import Clock, SharedClock

# its first moment: a Monday morning, because the weekly update runs on Mondays
START_TIME = datetime(2026, 11, 16, 6, 0, tzinfo=UTC)


def folder_clock(folder: Path, *, jumps: bool = True) -> Clock:
    """Open or create the clock; `jumps`, for a new one: a waiting client advances it instead of waiting."""
    return SharedClock(folder / "clock.sqlite", start=START_TIME, jumps=jumps)
