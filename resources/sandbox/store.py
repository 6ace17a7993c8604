"""A stand-in's memory: one SQLite file, used by any number of threads and processes."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Store:
    """Connections to one SQLite file; `read()` sees a snapshot, `write()` is one transaction at a time."""

    def __init__(self, path: Path, schema: str, prepare: Callable[[sqlite3.Connection], None] | None = None) -> None:
        """Open or create the file.

        Args:
            path: The SQLite file.
            schema: `create … if not exists` statements.
            prepare: Called with each new connection, for SQL functions.
        """
        self.path = path
        self._prepare = prepare
        self._local = threading.local()
        with self.write() as connection:
            for statement in filter(str.strip, schema.split(";")):
                connection.execute(statement)

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            connection = sqlite3.connect(self.path, isolation_level=None, timeout=60, cached_statements=512)
            connection.row_factory = sqlite3.Row
            # a power cut may cost the sandbox its last second; a killed process loses nothing. First, for going over
            # to WAL would wait for the disk
            connection.execute("pragma synchronous = off")
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma foreign_keys = on")
            if self._prepare:
                self._prepare(connection)
            self._local.connection = connection
        kept: sqlite3.Connection = self._local.connection
        return kept

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A consistent view for some queries."""
        connection = self._connection()
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
        """One transaction; rolled back when the block raises. Nested use joins the outer one."""
        connection = self._connection()
        if connection.in_transaction:
            yield connection
            return
        connection.execute("begin immediate")
        try:
            yield connection
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")
