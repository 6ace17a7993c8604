"""How long a number of calls takes under Precoro's limits; told before anything is sent."""

import math

from resources.precoro.connect import SPACING_S, WINDOWS
from resources.precoro.pages import PER_PAGE

_HOUR = next(window for window in WINDOWS if window.name == "hour")
_DAY = next(window for window in WINDOWS if window.name == "day")


def seconds_for(calls: int, spacing_s: float = SPACING_S, *, left: int = _DAY.calls, there: int | None = None) -> float:
    """Seconds from the first call to the last: a day's allowance, then an hour's, then one after the other.

    Args:
        calls: What is to be sent.
        spacing_s: Seconds between two calls.
        left: How many calls today still allows.
        there: Options that there are now; each further day begins by reading them, and what was added. None: it
            does not.
    """
    days, rest, room, added = 0, max(0, calls), left, 0
    while rest > room:
        rest, added, days = rest - room, added + room, days + 1
        reads = 0 if there is None else 1 + math.ceil((there + added) / PER_PAGE)
        room = max(1, _DAY.calls - reads)
    hours, last = divmod(max(0, rest - 1), _HOUR.calls)
    return days * _DAY.seconds + hours * _HOUR.seconds + last * spacing_s
