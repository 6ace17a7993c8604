"""Oracle functions that SQLite lacks, as SQLite functions (`ns_…`); a null argument gives null."""

import calendar
import math
import re
import sqlite3
import zlib
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from resources.sandbox.netsuite.suiteql import oracle_dates


def as_text(value: Any) -> str:
    """Return a value as Oracle converts it to text: numbers without a trailing .0."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def _instr(text: Any, part: Any, start: int = 1, nth: int = 1) -> int:
    position = start - 1
    for _ in range(nth):
        position = as_text(text).find(as_text(part), position) + 1
        if not position:
            return 0
    return position


def _pad(text: Any, length: int, fill: Any = " ") -> str | None:
    cut, missing = as_text(text)[:length], length - len(as_text(text))
    return (str(fill) * length)[: max(0, missing)] + cut if length > 0 else None


def _rpad(text: Any, length: int, fill: Any = " ") -> str | None:
    return (as_text(text) + str(fill) * length)[:length] if length > 0 else None


def _add_months(local: str, count: float) -> str:
    moment = datetime.fromisoformat(local)
    months = moment.year * 12 + moment.month - 1 + int(count)
    year, month = divmod(months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    at_end = moment.day == calendar.monthrange(moment.year, moment.month)[1]
    return str(moment.replace(year=year, month=month + 1, day=last if at_end else min(moment.day, last)))


def _months_between(later: str, earlier: str) -> float:
    a, b = datetime.fromisoformat(later), datetime.fromisoformat(earlier)
    whole = (a.year - b.year) * 12 + a.month - b.month
    if a.day == b.day:
        return whole
    seconds = (a.hour - b.hour) * 3600 + (a.minute - b.minute) * 60 + a.second - b.second
    return whole + (a.day - b.day + seconds / 86400) / 31


def _last_day(local: str) -> str:
    moment = datetime.fromisoformat(local)
    return str(moment.replace(day=calendar.monthrange(moment.year, moment.month)[1]))


def _trunc_date(local: str, unit: str = "DD") -> str:
    moment = datetime.fromisoformat(local).replace(hour=0, minute=0, second=0)
    if unit.upper() in {"MM", "MON", "MONTH"}:
        moment = moment.replace(day=1)
    elif unit.upper() in {"YYYY", "YEAR", "YY"}:
        moment = moment.replace(month=1, day=1)
    elif unit.upper() not in {"DD", "DDD", "J"}:
        raise ValueError(f"TRUNC: unit {unit}")
    return str(moment)


def _trunc(number: float, digits: int = 0) -> float | int:
    scaled: int = math.trunc(number * 10**digits)
    return scaled if not digits else float(scaled / 10**digits)


def _translate(text: Any, old: str, new: str) -> str | None:
    table = {ord(each): (new[index] if index < len(new) else None) for index, each in reversed([*enumerate(old)])}
    return as_text(text).translate(table) or None


def _regexp_substr(text: Any, pattern: str) -> str | None:
    found = re.search(pattern, as_text(text))
    return found[0] or None if found else None


def _regexp_instr(text: Any, pattern: str) -> int:
    found = re.search(pattern, as_text(text))
    return found.start() + 1 if found else 0


def _tz_offset(zone: str) -> str:
    return datetime.now(ZoneInfo(zone)).strftime("%z")


class _Median:
    """The MEDIAN aggregate."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def step(self, value: Any, /) -> None:
        """Add one value."""
        if value is not None:
            self._values.append(float(value))

    def finalize(self) -> float | None:
        """Return the median of the values."""
        return median(self._values) if self._values else None


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ns_local": oracle_dates.to_local,
    "ns_utc": oracle_dates.to_utc,
    "ns_to_date": oracle_dates.to_date,
    "ns_to_timestamp_tz": oracle_dates.to_timestamp_tz,
    "ns_to_char": oracle_dates.to_char,
    "ns_day": oracle_dates.format_preferred_date,
    "ns_text": as_text,
    "ns_lower": lambda text: as_text(text).lower(),
    "ns_upper": lambda text: as_text(text).upper(),
    "ns_instr": _instr,
    "ns_lpad": _pad,
    "ns_rpad": _rpad,
    "ns_add_months": _add_months,
    "ns_months_between": _months_between,
    "ns_last_day": _last_day,
    "ns_trunc_date": _trunc_date,
    "ns_trunc": _trunc,
    "ns_ceil": math.ceil,
    "ns_floor": math.floor,
    "ns_translate": _translate,
    "ns_ora_hash": lambda value: zlib.crc32(as_text(value).encode()),
    "ns_regexp_substr": _regexp_substr,
    "ns_regexp_instr": _regexp_instr,
    "ns_regexp_replace": lambda text, pattern, new: re.sub(pattern, new, as_text(text)),
    "ns_tz_offset": _tz_offset,
}


def _null_in_null_out(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def null_safe(*arguments: Any) -> Any:
        return None if None in arguments else function(*arguments)

    return null_safe


def add_functions(connection: sqlite3.Connection) -> None:
    """Register every function on a new connection."""
    for name, function in _FUNCTIONS.items():
        connection.create_function(name, -1, _null_in_null_out(function), deterministic=True)
    median_class: Any = _Median  # the stubs do not allow an aggregate with a null result
    connection.create_aggregate("ns_median", 1, median_class)
    # LIKE is case-sensitive in Oracle
    connection.execute("pragma case_sensitive_like = on")
    connection.execute("pragma mmap_size = 1073741824")
