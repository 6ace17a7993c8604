"""A time limit of a whole conversation with a receiver, of which the time-out of a socket limits each read only.

TimeLimit  ->  watch(socket)  ->  after its time every read and write of the connection fails at once
"""

import socket
from contextlib import ExitStack, suppress
from threading import Timer
from types import TracebackType
from typing import Any, Self

MAX_S = 60.0  # a notice is a few kilobytes


class TimeLimit:
    """The time limit of one notice; at the end of the block it ends as well."""

    def __init__(self) -> None:
        self._copies: list[socket.socket] = []
        self._timer = Timer(MAX_S, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Begin."""
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the connections alone."""
        self._timer.cancel()
        with ExitStack() as stack:
            for each in self._copies:
                stack.callback(each.close)

    def watch(self, connection: socket.socket) -> None:
        """Limit a connection; TLS, which takes the socket over, keeps the connection."""
        self._copies.append(connection.dup())

    def trace(self, event: str, details: dict[str, Any]) -> None:
        """Watch each connection that httpx opens: its extension `trace`."""
        if event == "connection.connect_tcp.complete":
            self.watch(details["return_value"].get_extra_info("socket"))

    def _end(self) -> None:
        for each in self._copies:
            with suppress(OSError):  # it is closed already
                each.shutdown(socket.SHUT_RDWR)
