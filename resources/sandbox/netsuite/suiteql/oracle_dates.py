"""Oracle's date formats and the session's time zone.

Times are text "YYYY-MM-DD HH:MM:SS": UTC for an instant, local time for Oracle's DATE and TIMESTAMP.
Source: netsuite.md §5.7; `HH` is the 12-hour clock in Oracle.
"""

import calendar
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from resources.sandbox.netsuite.store.values import utc_text

STANDARD = "YYYY-MM-DD HH24:MI:SS"
DAY = "YYYY-MM-DD"
PACIFIC = "America/Los_Angeles"

_WRITERS: Mapping[str, Callable[[datetime], str]] = {
    "YYYY": lambda moment: f"{moment.year:04}",
    "YY": lambda moment: f"{moment.year % 100:02}",
    "RR": lambda moment: f"{moment.year % 100:02}",
    "MONTH": lambda moment: f"{moment:%B}".upper().ljust(9),
    "MON": lambda moment: f"{moment:%b}".upper(),
    "MM": lambda moment: f"{moment.month:02}",
    "DAY": lambda moment: f"{moment:%A}".upper().ljust(9),
    "DY": lambda moment: f"{moment:%a}".upper(),
    "DDD": lambda moment: f"{moment:%j}",
    "DD": lambda moment: f"{moment.day:02}",
    "D": lambda moment: f"{moment.isoweekday() % 7 + 1}",
    "HH24": lambda moment: f"{moment.hour:02}",
    "HH12": lambda moment: f"{moment:%I}",
    "HH": lambda moment: f"{moment:%I}",
    "MI": lambda moment: f"{moment.minute:02}",
    "SSSSS": lambda moment: f"{moment.hour * 3600 + moment.minute * 60 + moment.second:05}",
    "SS": lambda moment: f"{moment.second:02}",
    "FF": lambda _: "000000",
    "AM": lambda moment: f"{moment:%p}",
    "PM": lambda moment: f"{moment:%p}",
    "IW": lambda moment: f"{moment.isocalendar().week:02}",
    "Q": lambda moment: f"{(moment.month + 2) // 3}",
}
_READERS = {
    "YYYY": r"(?P<year>\d{4})",
    "MM": r"(?P<month>\d{1,2})",
    "MON": r"(?P<mon>[A-Za-z]{3})",
    "DD": r"(?P<day>\d{1,2})",
    "HH24": r"(?P<hour>\d{1,2})",
    "HH12": r"(?P<hour12>\d{1,2})",
    "HH": r"(?P<hour12>\d{1,2})",
    "MI": r"(?P<minute>\d{1,2})",
    "SS": r"(?P<second>\d{1,2})",
    "FF": r"\d{1,9}",
    "AM": r"(?P<half>[AaPp][Mm])",
    "PM": r"(?P<half>[AaPp][Mm])",
    "TZH": r"(?P<zone_hour>[+-]?\d{1,2})",
    "TZM": r"(?P<zone_minute>\d{2})",
    "TZR": r"(?P<region>[A-Za-z_/+\-0-9:]+)",
}
_MONTHS = [name.upper() for name in calendar.month_abbr[1:]]
_ELEMENT = re.compile(
    r"YYYY|YY|RR|MONTH|MON|MM|DAY|DY|DDD|DD|D|HH24|HH12|HH|MI|SSSSS|SS|FF\d?|AM|PM|IW|Q|TZH|TZM|TZR"
    r'|"[^"]*"|[^A-Z"]',
    re.IGNORECASE,
)
_PREFERENCE = re.compile(r"MONTH|Month|MON|Mon|YYYY|DD|MM|D|M")


@lru_cache(maxsize=256)
def _elements(pattern: str) -> tuple[str, ...]:
    found = tuple(_ELEMENT.findall(pattern))
    if "".join(found) != pattern:
        raise ValueError(f"date format not recognized: {pattern}")
    return found


def _element(text: str) -> str:
    return "FF" if text[:2].upper() == "FF" else text.upper()


def to_char(local: str, pattern: str) -> str:
    """Format a local time as TO_CHAR does."""
    moment = datetime.fromisoformat(local)
    parts = []
    for each in _elements(pattern):
        writer = _WRITERS.get(_element(each))
        parts.append(_cased(each, writer(moment)) if writer else each.strip('"'))
    return "".join(parts)


def _cased(element: str, written: str) -> str:
    """Apply the case of a format element: `Mon` gives Jan, `mon` jan, `MON` JAN."""
    if not element.isalpha() or element.isupper():
        return written
    return written.lower() if element.islower() else written.title()


@lru_cache(maxsize=256)
def _reader(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_READERS.get(_element(each)) or _separator(each) for each in _elements(pattern)))


def _separator(element: str) -> str:
    """Return the pattern of a separator; Oracle accepts any punctuation for any other."""
    return re.escape(element.strip('"')) if element[0] == '"' or element[0].isalnum() else r"[\W]"


def _read(text: str, pattern: str) -> tuple[datetime, dict[str, str]]:
    match = _reader(pattern).fullmatch(text.strip())
    if not match:
        raise ValueError(f"date does not match format {pattern}")
    found = {name: value for name, value in match.groupdict().items() if value is not None}
    month = _MONTHS.index(found["mon"].upper()) + 1 if "mon" in found else int(found.get("month", 1))
    moment = datetime(  # noqa: DTZ001 - local time
        int(found["year"]),
        month,
        int(found.get("day", 1)),
        _hour(found),
        int(found.get("minute", 0)),
        int(found.get("second", 0)),
    )
    return moment, found


def _hour(found: Mapping[str, str]) -> int:
    if "hour12" not in found:
        return int(found.get("hour", 0))
    hour = int(found["hour12"])
    if not 1 <= hour <= 12:  # noqa: PLR2004
        raise ValueError("hour must be between 1 and 12")
    return hour % 12 + (12 if found.get("half", "AM").upper() == "PM" else 0)


def to_date(text: str, pattern: str) -> str:
    """Parse text as TO_DATE and TO_TIMESTAMP do; return a local time."""
    return str(_read(text, pattern)[0])


def to_timestamp_tz(text: str, pattern: str, zone: str) -> str:
    """Parse text as TO_TIMESTAMP_TZ does; return UTC. The default time zone is the session's."""
    moment, found = _read(text, pattern)
    if "region" in found:
        return to_utc(str(moment), found["region"])
    if "zone_hour" not in found:
        return to_utc(str(moment), zone)
    sign = -1 if found["zone_hour"].startswith("-") else 1
    shift = timedelta(hours=abs(int(found["zone_hour"])), minutes=int(found.get("zone_minute", 0)))
    return utc_text(moment.replace(tzinfo=timezone(sign * shift)))


@lru_cache(maxsize=4096)
def _shift(ten_minutes: str, zone: str) -> timedelta:
    moment = datetime.fromisoformat(f"{ten_minutes}0:00").replace(tzinfo=UTC)
    return moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()


def to_local(utc: str, zone: str) -> str:
    """Convert UTC to local time; offsets change at multiples of ten minutes, so lookups are cached."""
    return str(datetime.fromisoformat(utc) + _shift(utc[:15], zone))


def to_utc(local: str, zone: str, ambiguous: str = "standard") -> str:
    """Convert local time to UTC; in the repeated hour of a clock change, by default to its second occurrence."""
    fold = 1 if ambiguous == "standard" else 0
    return utc_text(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold))


def format_preferred_date(local: str, preference: str) -> str:
    """Format a date by the user's preference, such as M/D/YYYY, without its time."""
    moment = datetime.fromisoformat(local)
    written = {
        "MONTH": f"{moment:%B}",
        "Month": f"{moment:%B}",
        "MON": f"{moment:%b}",
        "Mon": f"{moment:%b}",
        "YYYY": f"{moment.year:04}",
        "DD": f"{moment.day:02}",
        "MM": f"{moment.month:02}",
        "D": str(moment.day),
        "M": str(moment.month),
    }
    return _PREFERENCE.sub(lambda found: written[found[0]], preference)
