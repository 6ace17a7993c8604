"""A warehouse in memory: the same sections and transactions, without a disk, many times as fast for small tables.

MemoryWarehouse(folder)  ->  .writer(), .transactions(), .publish() as of a file; .before_commit: a place to die
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path

import duckdb

from resources.failpoints import reach
from resources.warehouse.connection import connect
from resources.warehouse.warehouse import Warehouse

LOCK_TIMEOUT_S = 60.0
DATABASE = "warehouse"
SETTINGS = ("memory_limit", "temp_directory")


class MemoryWarehouse(Warehouse):
    """A warehouse in memory; only its locks are files.

    Attributes:
        before_commit: What happens before a transaction is committed.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._root = connect()
        self._root.execute("set threads = 1")
        self._root.execute("pragma disable_optimizer")  # a fifth of a run: hundreds of statements on tiny tables
        self._name, self._names = DATABASE, count(2)
        self._root.execute(f"attach ':memory:' as {self._name}")
        self._root.execute("use warehouse")
        self._root.execute("set TimeZone = 'UTC'")
        self._alone = threading.Lock()
        self.before_commit: Callable[[], None] = lambda: None

    def exists(self) -> bool:
        """Return True."""
        return True

    @contextmanager
    def writer(self, *, transaction: bool = True, tuned: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run one transaction; roll it back if the block raises."""
        with self._exclusive() as con:
            try:
                with _transaction(con, self.before_commit) if transaction else nullcontext():
                    yield con
            finally:
                for setting in SETTINGS if tuned else ():
                    con.execute(f"reset global {setting}")
                if tuned:
                    con.execute("set global threads = 1")

    @contextmanager
    def transactions(self) -> Iterator[Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]]:
        """Run several transactions, one after the other."""
        with self._exclusive() as con:

            @contextmanager
            def transaction() -> Iterator[duckdb.DuckDBPyConnection]:
                with _transaction(con, self.before_commit):
                    yield con

            yield transaction

    @contextmanager
    def _exclusive(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if not self._alone.acquire(timeout=LOCK_TIMEOUT_S):
            raise TimeoutError("the warehouse in memory has been in use for a minute: nested sections wait")
        try:
            yield self._root
        finally:
            self._alone.release()

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Do nothing: it stays open."""
        yield

    def publish(self) -> int:
        """Pass the points of a publication; readers of a file do not exist."""
        for point in ("publish_begins", "publish_copied", "publish_done"):
            reach(point)
        return 0

    def compact(self) -> tuple[int, int]:
        """Return that nothing was freed."""
        return 0, 0

    def back_up(self) -> None:
        """Copy what was committed."""
        with self._alone:
            self._root.execute("detach database if exists backup")
            self._root.execute("attach ':memory:' as backup")
            self._root.execute(f"copy from database {self._name} to backup")

    def put_back(self) -> None:
        """Let the copy take its place, as a file that was put back does; the copy stays."""
        with self._alone:
            former, self._name = self._name, f"{DATABASE}_{next(self._names)}"
            self._root.execute(f"attach ':memory:' as {self._name}")
            self._root.execute(f"copy from database backup to {self._name}")
            self._root.execute(f"use {self._name}")
            self._root.execute(f"detach database {former}")

    def close(self) -> None:
        """Forget everything."""
        self._root.close()


@contextmanager
def _transaction(con: duckdb.DuckDBPyConnection, before_commit: Callable[[], None]) -> Iterator[None]:
    con.execute("begin")
    try:
        yield
        before_commit()
    except BaseException:
        con.execute("rollback")
        raise
    con.execute("commit")
