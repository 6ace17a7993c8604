"""Logs and tracebacks of this process, without the secrets of its settings.

install()  ->  every log record and every uncaught error;  for what Dagster stores see `dagster_storage.py`
"""

import logging
import sys
import threading
import traceback
from typing import Any

from orchestration.configuration.secret_settings import know_secrets, redact


def install() -> None:
    """Redact every log record and uncaught error of this process from now on; repeating it reads the secrets again."""
    know_secrets()
    if getattr(logging.getLogRecordFactory(), "redacts", False):
        return
    made = logging.getLogRecordFactory()

    def record_of(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = made(*args, **kwargs)
        shown = redact(record.getMessage()) if record.args or isinstance(record.msg, str) else record.msg
        if shown != record.msg:
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = redact("".join(traceback.format_exception(*record.exc_info))).rstrip("\n")
        return record

    setattr(record_of, "redacts", True)  # noqa: B010 - functions have no such attribute for mypy
    logging.setLogRecordFactory(record_of)
    sys.excepthook = _print_uncaught
    threading.excepthook = lambda given: _print_uncaught(given.exc_type, given.exc_value, given.exc_traceback)


def _print_uncaught(kind: type[BaseException], error: BaseException | None, frames: Any) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, frames))))
