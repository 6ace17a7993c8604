"""HTTP with a time limit for headers: a connection that does not send its next request is closed.

uvicorn  ->  RequestTimeoutProtocol  ->  a request whose headers came in time
"""

import asyncio
from asyncio import TimerHandle

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_TIMEOUT_S = 10.0  # of each request of a connection


class RequestTimeoutProtocol(H11Protocol):
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
