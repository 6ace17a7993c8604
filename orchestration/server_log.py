"""The log of a server that strangers reach: they can cause warnings without end, such as by requests that are not HTTP.

limit_warnings()  ->  uvicorn's log has each warning once a minute
"""

import logging
from collections.abc import Callable
from time import monotonic

PAUSE_S = 60.0


class RepeatedWarnings(logging.Filter):
    """Drops a warning that was logged less than a minute ago."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._now, self._last = now, dict[str, float]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged."""
        if record.levelno != logging.WARNING:
            return True
        now, text = self._now(), record.getMessage()
        if now - self._last.get(text, -PAUSE_S) < PAUSE_S:
            return False
        self._last[text] = now
        return True


def limit_warnings() -> None:
    """Log each warning of uvicorn once a minute, in this process."""
    logging.getLogger("uvicorn.error").addFilter(RepeatedWarnings())
