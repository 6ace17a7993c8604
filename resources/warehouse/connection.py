"""DuckDB connections that install nothing from the network, kept for the next use: a new one costs 40 ms."""

import threading
from typing import Any

import duckdb

_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,  # a table's name that looks like an address would download an extension
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}


def connect() -> duckdb.DuckDBPyConnection:
    """Open a connection to a new database in memory."""
    return duckdb.connect(config=_CLOSED)


class IdleConnections:
    """Connections that a thread may take, use alone and give back, each with the state in which it was left."""

    def __init__(self) -> None:
        self._idle: list[tuple[duckdb.DuckDBPyConnection, Any]] = []
        self._lock = threading.Lock()

    def take(self) -> tuple[duckdb.DuckDBPyConnection, Any]:
        """Return the connection that was given back last, or a new one without a state."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return connect(), None

    def give_back(self, con: duckdb.DuckDBPyConnection, state: Any = None) -> None:
        """Keep a connection for the next thread."""
        with self._lock:
            self._idle.append((con, state))
