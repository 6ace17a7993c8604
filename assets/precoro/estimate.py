"""Estimate how long a number of calls takes under Precoro's limits."""

import math

from resources.precoro.connect import SPACING_S, WINDOWS
from resources.precoro.pages import PER_PAGE

_HOUR = next(window for window in WINDOWS if window.name == "hour")
_DAY = next(window for window in WINDOWS if window.name == "day")


def seconds_for(
    calls: int, spacing_s: float = SPACING_S, *, left: int = _DAY.calls, existing: int | None = None
) -> float:
    """Return the seconds from the first call to the last, with the daily, hourly and spacing limits.

    Args:
        calls: Calls to send.
        spacing_s: Seconds between two calls.
        left: Calls left today.
        existing: Options that exist now; each further day begins by reading them and those added, unless None.
    """
    days, remaining, room, added = 0, max(0, calls), left, 0
    while remaining > room:
        remaining, added, days = remaining - room, added + room, days + 1
        reads = 0 if existing is None else 1 + math.ceil((existing + added) / PER_PAGE)
        room = max(1, _DAY.calls - reads)
    hours, last = divmod(max(0, remaining - 1), _HOUR.calls)
    return days * _DAY.seconds + hours * _HOUR.seconds + last * spacing_s
