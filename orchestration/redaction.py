"""Logs, warnings and tracebacks of this process, without the secrets of its settings.

install()  ->  every log record and every uncaught error;  for what Dagster stores see `dagster_storage.py`
"""

import logging
import sys
import threading
import traceback
import warnings
from typing import Any

from orchestration.configuration.secret_settings import know_secrets, redact


def install() -> None:
    """Redact every log record, warning and uncaught error from now on; repeating it reads the secrets again."""
    know_secrets()
    if getattr(logging.getLogRecordFactory(), "redacts", False):
        return
    made = logging.getLogRecordFactory()

    def record_of(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = made(*args, **kwargs)
        text = _text_of(record)
        if (shown := redact(text)) != record.msg and (record.args or shown != text):
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = redact("".join(traceback.format_exception(*record.exc_info))).rstrip("\n")
        return record

    setattr(record_of, "redacts", True)  # noqa: B010 - functions have no such attribute for mypy
    logging.setLogRecordFactory(record_of)
    sys.excepthook = _print_uncaught
    threading.excepthook = lambda given: _print_uncaught(given.exc_type, given.exc_value, given.exc_traceback)
    _redact_unraisable()
    shown_warning = warnings.formatwarning
    warnings.formatwarning = lambda *given, **more: redact(shown_warning(*given, **more))


def _redact_unraisable() -> None:
    """Redact errors of finalizers; a signal that ends the process there is for whoever handled it before."""
    handled = sys.unraisablehook

    def unraisable(given: "sys.UnraisableHookArgs") -> None:
        if isinstance(given.exc_value, KeyboardInterrupt):
            handled(given)
        else:
            _print_uncaught(given.exc_type, given.exc_value, given.exc_traceback)

    sys.unraisablehook = unraisable


def _text_of(record: logging.LogRecord) -> str:
    """Return the message; of a call whose arguments do not fit its format, both: it is no error of what was logged."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - whatever its arguments raise
        return f"{record.msg} {record.args}"


def _print_uncaught(kind: type[BaseException], error: BaseException | None, frames: Any) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, frames))))
