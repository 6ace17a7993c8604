"""How long a number of calls takes under Precoro's limits; told before anything is sent."""

from resources.precoro.connect import SPACING_S, WINDOWS

_HOUR = next(window for window in WINDOWS if window.name == "hour")
_DAY = next(window for window in WINDOWS if window.name == "day")


def seconds_for(calls: int, spacing_s: float = SPACING_S) -> float:
    """Seconds from the first call to the last: a day's allowance, then an hour's, then one after the other."""
    days, rest = divmod(max(0, calls - 1), _DAY.calls)
    hours, rest = divmod(rest, _HOUR.calls)
    return days * _DAY.seconds + hours * _HOUR.seconds + rest * spacing_s
