"""HTTP for strangers: a connection that waits for its client is closed after a while, and first where places end.

uvicorn  ->  RequestTimeoutProtocol  ->  a request whose headers came in time

With `limit_concurrency` a new connection takes the place of the one that has waited longest for its client: for a
request, for the rest of its body, or for an answer to be read. So idle connections, however many, keep no one out.
"""

import asyncio
from asyncio import TimerHandle
from http import HTTPStatus

from uvicorn.protocols.http.h11_impl import H11Protocol

from orchestration.web.pages import EVERYWHERE

HEADERS_TIMEOUT_S = 10.0  # of each request of a connection
READING_TIMEOUT_S = 30.0  # in which a client reads nothing of an answer
_HEADERS = {"Content-Type": "text/plain; charset=utf-8", "Connection": "close", **EVERYWHERE}


class RequestTimeoutProtocol(H11Protocol):
    """Closes a connection that does not send its next request, or does not read its answers."""

    _waiting: TimerHandle | None = None
    _reading: TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own type
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._since = self.loop.time()
        # uvicorn would keep the waiting ones, and answer requests of the others without our headers
        most, self.limit_concurrency = self.limit_concurrency, None
        if most is not None and len(self.connections) > most and not self._make_room():
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again")
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Wait no longer once the headers are complete."""
        super().data_received(data)
        self._expect_headers()

    def on_response_complete(self) -> None:
        """Start to wait for the next request, and for the client to read the answer."""
        super().on_response_complete()
        self._since = self.loop.time()
        self._expect_headers()
        self._expect_reading()

    def pause_writing(self) -> None:
        """Start to wait for the client to read."""
        super().pause_writing()
        self._since = self.loop.time()
        self._expect_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        self._stop_waiting()
        if self._reading:
            self._reading.cancel()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, with the headers of every page."""
        self._answer(HTTPStatus.BAD_REQUEST, msg)

    def _answer(self, status: HTTPStatus, text: str) -> None:
        """Answer in place of the application, unless it has begun to, and close the connection."""
        if not self._is_silent and self.cycle.response_started:
            self.transport.abort()
            return
        headers = {**_HEADERS, "Content-Length": str(len(text))}
        lines = [f"HTTP/1.1 {status} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        self.transport.write("\r\n".join([*lines, "", text]).encode("ascii"))
        self.transport.close()

    @property
    def _is_silent(self) -> bool:
        """True before the first request is complete, and after a response."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def _is_own(self) -> bool:
        """True until the connection is a web socket's."""
        return self.transport.get_protocol() is self

    @property
    def _is_up_to_client(self) -> bool:
        """True if it is the client's turn: to send a request or the rest of one, or to read."""
        return self._is_silent or self.cycle.more_body or self.flow.write_paused

    def _make_room(self) -> bool:
        """Close the connection that has waited longest for its client; return whether there was one."""
        others = (each for each in self.connections if each is not self)
        waiting = [each for each in others if isinstance(each, RequestTimeoutProtocol) and each._is_up_to_client]  # noqa: SLF001 - of its own class
        if not waiting:
            return False
        longest = min(waiting, key=lambda each: each._since)  # noqa: SLF001 - of its own class
        self.connections.discard(longest)  # at once, as others may come before it is lost
        longest.transport.abort()
        return True

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
        if self._is_silent and self._is_own and not self.transport.is_closing():
            self.transport.close()

    def _expect_reading(self, unread: int | None = None) -> None:
        """Abort the connection if its client has read nothing since the last look; `close` would wait for it."""
        left = self.transport.get_write_buffer_size() if self._is_own else 0
        if left and left == unread:
            self.transport.abort()
        elif left and (self._reading is None or unread is not None):
            self._reading = self.loop.call_later(READING_TIMEOUT_S, self._expect_reading, left)
        elif not left:
            self._reading = None
