"""One SQLite file that any number of threads and processes share: WAL, a busy timeout, short transactions."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

BUSY_S = 60.0

Prepare = Callable[[sqlite3.Connection], None]


class SqliteFile:
    """A SQLite file; each thread has its own connection, since opening one costs as much as a query."""

    def __init__(
        self,
        path: Path,
        schema: str,
        *,
        synchronous: Literal["off", "normal", "full"] = "normal",
        busy_s: float = BUSY_S,
        prepare: Prepare | None = None,
    ) -> None:
        """Open or create the file.

        Args:
            path: The file; its folder is created if missing.
            schema: Statements that can be repeated (`create … if not exists`), separated by semicolons.
            synchronous: What a power cut may cost: `full` nothing, `normal` the last transactions, `off` the file. A
                killed process never loses anything.
            busy_s: Seconds to wait for another writer.
            prepare: Called with each new connection.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._synchronous, self._busy_s, self._prepare = synchronous, busy_s, prepare
        self._local = threading.local()
        with self.write() as connection:
            for statement in filter(str.strip, schema.split(";")):
                connection.execute(statement)

    @property
    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection, in autocommit mode outside `read` and `write`."""
        if not hasattr(self._local, "connection"):
            self._local.connection = self._open()
        connection: sqlite3.Connection = self._local.connection
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=self._busy_s, cached_statements=512)
        connection.execute(f"pragma synchronous = {self._synchronous}")  # first: switching to WAL may wait for the disk
        connection.execute("pragma journal_mode = wal")
        if self._prepare:
            self._prepare(connection)
        return connection

    def close(self) -> None:
        """Close this thread's connection."""
        if hasattr(self._local, "connection"):
            self._local.connection.close()
            del self._local.connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Run several queries on one consistent snapshot; joins a transaction of the same thread."""
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        connection.execute("begin")
        try:
            yield connection
        finally:
            connection.execute("rollback")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run one write transaction, rolled back when the block raises; joins a transaction of the same thread.

        Raises:
            sqlite3.OperationalError: Another writer held the file for longer than the busy timeout.
        """
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        connection.execute("begin immediate")  # an upgrade from reading to writing later could fail
        try:
            yield connection
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")
