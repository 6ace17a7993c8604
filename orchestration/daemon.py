"""Dagster's daemon with a log that can be read, as its own process: `python -m orchestration.daemon run …`.

Dagster logs two lines for each look of a sensor, every few seconds, and one a second while runs wait; a journal would
have nothing else. What happens is logged, and why nothing happens is logged when the reason changes.
"""

import logging
import re
import runpy

from orchestration.dagster_internals import DAEMON_MODULE

LOGGERS = tuple(
    f"dagster.daemon.{name}"
    for name in ("SensorDaemon", "SchedulerDaemon", "QueuedRunCoordinatorDaemon", "MonitoringDaemon")
)
_LOOK = re.compile(r"Checking for new runs for |Checking run |Collected \d+ runs for monitoring")
_NOTHING = re.compile(
    r"Sensor (?P<sensor>\S+) skipped: "
    r"|No run requests returned for (?P<silent>\S+), skipping"
    r"|\d+ runs are currently in progress(?P<queue>\.)"
)


class DaemonLog(logging.Filter):
    """Drops what daemons log although nothing happened."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, str] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged."""
        text = record.getMessage()
        if record.levelno > logging.INFO:
            return True
        found = _NOTHING.match(text)
        if not found:
            return not _LOOK.match(text)
        speaker = next(filter(None, found.groups()))
        is_new = self._last.get(speaker) != text
        self._last[speaker] = text
        return is_new


if __name__ == "__main__":
    shortened = DaemonLog()
    for name in LOGGERS:
        logging.getLogger(name).addFilter(shortened)
    runpy.run_module(DAEMON_MODULE, run_name="__main__", alter_sys=True)
