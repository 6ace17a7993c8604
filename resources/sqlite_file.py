"""One SQLite file that any number of threads and processes share: WAL, a busy timeout, short transactions."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from resources.way_back import way_back

BUSY_S = 60.0

Prepare = Callable[[sqlite3.Connection], None]


class DamagedFileError(Exception):
    """A file of a home cannot be read; the text names it and the way back."""


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

        Raises:
            DamagedFileError: The file is not a SQLite file; a new one is never empty.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        if not path.exists():
            _create(path, schema, synchronous)
        elif not path.stat().st_size:
            raise DamagedFileError(f"{path}: damaged: it is empty; {way_back(path)}")
        self._synchronous, self._busy_s, self._prepare = synchronous, busy_s, prepare
        self._local = threading.local()
        with self.write() as connection:
            for statement in filter(str.strip, schema.split(";")):
                connection.execute(statement)

    @property
    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection, in autocommit mode outside `read` and `write`."""
        if not hasattr(self._local, "connection"):
            with self._named_errors():
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

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Name the file, and the way back, if it is damaged; a lock or a full disk is another matter."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:
                raise
            raise DamagedFileError(f"{self.path}: damaged: {error}; {way_back(self.path)}") from error

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
        with self._named_errors():
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
        with self._named_errors():
            connection.execute("begin immediate")  # an upgrade from reading to writing later could fail
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")


def _create(path: Path, schema: str, synchronous: str) -> None:
    """Create the file with its tables in one step, so that an empty file is always a damaged one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    partial.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(partial)) as connection:
            connection.execute(f"pragma synchronous = {synchronous}")
            connection.executescript(schema)
        with suppress(FileExistsError):  # another process was first
            os.link(partial, path)
    finally:
        partial.unlink(missing_ok=True)
