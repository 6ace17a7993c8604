"""HTTP for servers that strangers reach: a connection that does not send its request is closed, and headers end.

uvicorn  ->  ImpatientProtocol  ->  a request whose headers came in time and are not endless
"""

import asyncio
import logging
from asyncio import TimerHandle
from collections.abc import Callable
from time import monotonic

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_TIMEOUT_S = 10.0  # of each request of a connection
LOG_PAUSE_S = 60.0


class OnceAMinute(logging.Filter):
    """Passes each warning of the server once a minute: anyone can cause them, as by a request that is no HTTP."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._now, self._last = now, dict[str, float]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged."""
        now, text = self._now(), record.getMessage()
        is_due = record.levelno != logging.WARNING or now - self._last.get(text, -LOG_PAUSE_S) >= LOG_PAUSE_S
        if is_due and record.levelno == logging.WARNING:
            self._last[text] = now
        return is_due


logging.getLogger("uvicorn.error").addFilter(OnceAMinute())


class ImpatientProtocol(H11Protocol):
    """Closes a connection that does not send its next request: idle ones would leave no place for others."""

    _waiting: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own type
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Wait no longer once the headers are complete."""
        super().data_received(data)
        self._expect_headers()

    def on_response_complete(self) -> None:
        """Start to wait for the next request."""
        super().on_response_complete()
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        self._stop_waiting()

    @property
    def _is_silent(self) -> bool:
        """True before the first request is complete, and after a response."""
        return self.cycle is None or self.cycle.response_complete

    def _expect_headers(self) -> None:
        if not self._is_silent:
            self._stop_waiting()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(HEADERS_TIMEOUT_S, self._close_if_silent)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting.cancel()
        self._waiting = None

    def _close_if_silent(self) -> None:
        self._waiting = None
        is_own = self.transport.get_protocol() is self  # else it is a web socket's by now
        if self._is_silent and is_own and not self.transport.is_closing():
            self.transport.close()
