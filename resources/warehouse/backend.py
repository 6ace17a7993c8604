"""Storage of the warehouse, and the locks of its writers.

DuckDBFile   one DuckDB file on this machine; file locks
DuckLake     tables in an object store, for any number of machines; locks in its catalog (`ducklake.py`)
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import duckdb
from filelock import FileLock

from resources.atomic_file import fsync, replace_durably
from resources.warehouse.tables import literal
from resources.way_back import way_back

LOCK_POLL_S = 0.01

Check = Callable[[], None]


class Backend(Protocol):
    """One storage.

    Attributes:
        name: Its name in error texts.
        fix: How a person can repair it when it cannot be used.
        is_shared: Other machines may have it open: it stays attached, and readers take no lock.
        min_memory_mb: Memory that any write needs.
    """

    name: str
    fix: str
    is_shared: bool
    min_memory_mb: int

    def attach(self, con: duckdb.DuckDBPyConnection) -> None:
        """Attach it as the database `warehouse`."""
        ...

    def is_alive(self, con: duckdb.DuckDBPyConnection) -> bool:
        """Return whether a connection that stayed attached can still be used."""
        ...

    def exists(self) -> bool:
        """Return whether anything was ever written."""
        ...

    def compact(self, con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
        """Rewrite the attached, locked warehouse without its free space; return bytes before and after."""
        ...

    def lock(self, name: str, timeout_s: float) -> AbstractContextManager[Check]:
        """Hold the lock of this name; the check raises if it was lost meanwhile.

        Raises:
            TimeoutError: Another process held it for longer than `timeout_s`.
        """
        ...


def wal_of(file: Path) -> Path:
    """Return the write-ahead log that DuckDB keeps beside a file."""
    return file.with_name(file.name + ".wal")


class DuckDBFile:
    """One DuckDB file. DuckDB lets one process open it, so it is detached after each section."""

    is_shared = False
    min_memory_mb = 0
    fix = (
        "check that this user can write there, that the disk has space and that no other program has the file open"
        f" (analysts read analyst.duckdb); if the file is damaged, {way_back(Path('millpond.duckdb'))}"
    )

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, str(path)

    def attach(self, con: duckdb.DuckDBPyConnection) -> None:
        """Attach the file in the v1.5.0 format, which the 1.5 command line can read."""
        con.execute(f"attach {literal(self.name)} as warehouse (storage_version 'v1.5.0')")

    def is_alive(self, con: duckdb.DuckDBPyConnection) -> bool:  # noqa: ARG002 - it never stays attached
        """Return True."""
        return True

    def exists(self) -> bool:
        """Return whether the file exists."""
        return self._path.exists()

    def compact(self, con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
        """Copy the content to a new file and replace the old one: a DuckDB file does not shrink by itself.

        A crash leaves either file complete, and at most a partial copy that the next call removes.
        """
        fresh = self._path.with_name(f".{self._path.name}.new")
        for leftover in (fresh, wal_of(fresh)):
            leftover.unlink(missing_ok=True)
        con.execute("checkpoint warehouse")
        before = self._path.stat().st_size
        try:
            con.execute(f"attach {literal(str(fresh))} as fresh (storage_version 'v1.5.0')")
            con.execute("copy from database warehouse to fresh")
            con.execute("detach fresh")  # checkpoints, so the file is complete
            fsync(fresh)
            con.execute("use memory")
            con.execute("detach warehouse")
            if wal_of(self._path).exists():
                raise duckdb.IOException(f"{wal_of(self._path).name} is still in use; run again")
            replace_durably(fresh, self._path)
        finally:
            fresh.unlink(missing_ok=True)
        self.attach(con)
        con.execute("use warehouse")
        return before, self._path.stat().st_size

    @contextmanager
    def lock(self, name: str, timeout_s: float) -> Iterator[Check]:
        """Lock a file beside the warehouse, never the warehouse itself: closing that would drop DuckDB's own lock."""
        path = self._path.parent / f"{name}.lock"
        with FileLock(path, timeout_s, poll_interval=LOCK_POLL_S, fallback_to_soft=False, thread_local=False):
            yield lambda: None  # the kernel keeps it as long as this process lives
