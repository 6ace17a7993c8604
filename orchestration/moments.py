"""Moments as people write them: a day, a minute or a second includes what happened within it."""

import re
from datetime import UTC, datetime, timedelta


def end_of(text: str) -> datetime:
    """Return the last instant of a day, minute or second; UTC unless the text has a zone.

    Raises:
        ValueError: The text is not a time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    clock = re.split(r"[Z+]|-(?=\d\d:)", text[len("2026-11-17") :])[0]
    spans = {0: timedelta(days=1), 1: timedelta(minutes=1), 2: timedelta(seconds=1)}
    return moment if "." in clock else moment + spans[min(clock.count(":"), 2)] - timedelta(microseconds=1)
