"""The state of a simulated system: one SQLite file, shared by any number of threads and processes."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from resources.sqlite_file import SqliteFile


class Store(SqliteFile):
    """A SQLite file with rows by column name and foreign keys; a killed process loses nothing, a power cut may."""

    def __init__(self, path: Path, schema: str, prepare: Callable[[sqlite3.Connection], None] | None = None) -> None:
        """Open or create the file.

        Args:
            path: The SQLite file.
            schema: `create … if not exists` statements.
            prepare: Called with each new connection, to register SQL functions.
        """

        def prepare_connection(connection: sqlite3.Connection) -> None:
            connection.row_factory = sqlite3.Row
            connection.execute("pragma foreign_keys = on")
            if prepare:
                prepare(connection)

        super().__init__(path, schema, synchronous="off", prepare=prepare_connection)
