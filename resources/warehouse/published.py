"""The published snapshot as a warehouse that can only be read: no lock, and no wait for a run that writes.

analyst.duckdb  ->  published_warehouse()  ->  the same queries as on the warehouse, as of the last publication
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import duckdb

from resources.warehouse.backend import Check
from resources.warehouse.tables import literal
from resources.warehouse.warehouse import Warehouse

Version = tuple[int, int, int]


class PublishedFile:
    """The file `analyst.duckdb`; it stays attached until another one replaces it."""

    is_shared = True  # no reader takes a lock
    min_memory_mb = 0
    fix = "a run publishes it again when it ends"

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, str(path)
        self._attached: dict[int, Version] = {}

    def attach(self, con: duckdb.DuckDBPyConnection) -> None:
        """Attach the file; it can only be read."""
        self._attached[id(con)] = self.version()
        con.execute(f"attach {literal(self.name)} as warehouse (read_only)")

    def is_alive(self, con: duckdb.DuckDBPyConnection) -> bool:
        """Return whether the connection shows the file that is published now."""
        return self.exists() and self._attached.get(id(con)) == self.version()

    def version(self) -> Version:
        """Return what differs between two publications."""
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def exists(self) -> bool:
        """Return whether anything was ever published."""
        return self._path.exists()

    def compact(self, con: duckdb.DuckDBPyConnection) -> tuple[int, int]:  # noqa: ARG002 - it is never written
        """Leave the file as it is; it is a copy."""
        size = self._path.stat().st_size
        return size, size

    def lock(self, name: str, timeout_s: float) -> AbstractContextManager[Check]:  # noqa: ARG002 - it is never written
        """Hold nothing."""
        return _nothing()


@contextmanager
def _nothing() -> Iterator[Check]:
    yield lambda: None


def published_warehouse(warehouse: Warehouse) -> Warehouse:
    """Return what a warehouse published last; nothing can be written to it."""
    return Warehouse(
        warehouse.folder,
        warehouse.encryption_key,
        backend=PublishedFile(warehouse.snapshot),
        hides_personal=warehouse.hides_personal,
    )
