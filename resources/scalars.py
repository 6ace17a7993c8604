"""Scalars of other systems' responses in whatever type they arrive: a number as text, a flag as `1`, `"T"`, `"true"`.

`None` means that the value is absent, blank or of no readable form; what that means is decided where the value is used.
"""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

TRUE_WORDS = frozenset({"1", "true", "t", "yes", "y", "on"})
FALSE_WORDS = frozenset({"0", "false", "f", "no", "n", "off"})
MAX_DIGITS = 18  # of a whole number: ids and counts fit, and so does every 64-bit column


def as_flag(value: Any) -> bool | None:
    """Return a boolean, number or word as a flag."""
    if isinstance(value, bool):
        return value
    word = (as_text(value) or "").strip().lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def as_whole(value: Any) -> int | None:
    """Return a whole number, also from text and from `5.0`."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 10**MAX_DIGITS else None
    text = str(value).strip() if isinstance(value, int | str) else ""
    whole, _, rest = text.partition(".")
    digits = whole.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > MAX_DIGITS or rest.strip("0"):
        return None
    return int(whole)


def as_number(value: Any) -> float | None:
    """Return a finite number, also from text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_text(value: Any) -> str | None:
    """Return text or a number as text; blank text, a flag and a container are None."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**MAX_DIGITS:
        return str(int(value))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def required_text(value: Any) -> str:
    """Return text that is not blank; ValueError if it is blank or of another type."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("not a text")
    return value


def as_moment(text: str) -> datetime | None:
    """Return the UTC time of an HTTP date in any of its forms, or of ISO 8601; without a zone it is UTC."""
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(text.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
