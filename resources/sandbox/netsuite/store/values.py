"""Conversion of Python values to SQLite and back, by the kind of column."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from resources.sandbox.netsuite.store.table import Kind

MIDNIGHT = " 00:00:00"


def utc_text(moment: datetime) -> str:
    """Return a time as stored in the tables, in whole seconds of UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _text(value: Any) -> str | None:
    return str(value) or None  # Oracle treats an empty string as null


def _bool(value: Any) -> str:
    return "T" if value in {True, "T", "true"} else "F"


def _date(value: Any) -> str:
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}{MIDNIGHT}"
    return str(value)[:10] + MIDNIGHT


def _timestamp(value: Any) -> str:
    if not isinstance(value, datetime):
        value = datetime.fromisoformat(str(value))
    return utc_text(value if value.tzinfo else value.replace(tzinfo=UTC))


TO_SQLITE: Mapping[Kind, Callable[[Any], Any]] = {
    "int": int,
    "number": float,
    "text": _text,
    "bool": _bool,
    "date": _date,
    "timestamp": _timestamp,
}

FROM_SQLITE: Mapping[Kind, Callable[[Any], Any]] = {
    "int": int,
    "number": float,
    "text": str,
    "bool": lambda value: value == "T",
    "date": lambda value: date.fromisoformat(value[:10]),
    "timestamp": lambda value: datetime.fromisoformat(value).replace(tzinfo=UTC),
}
