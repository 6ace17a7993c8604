"""The warehouse: written in short exclusive sections, published to analysts as one DuckDB file.

DuckDB lets one process open a file and rejects every other one meanwhile, readers included. So network and shaping
happen outside, and `with warehouse.writer() as con:` takes the lock, attaches, runs one transaction and detaches. A
backend stores the tables: a file, or a DuckLake that many machines share (`backend.py`).
"""

import stat
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import duckdb
import polars as pl

from resources.atomic_file import fsync, replace_durably
from resources.failpoints import reach
from resources.postgres import CatalogError
from resources.scratch import own_folder, remove_left
from resources.warehouse.backend import Backend, Check, DuckDBFile, wal_of
from resources.warehouse.connection import IdleConnections, connect
from resources.warehouse.kept_open import Opened, kept_open
from resources.warehouse.schema_version import mismatch, read_version, stamp
from resources.warehouse.snapshot import TableCopy, copy_checkpointed, copy_file, copy_tables
from resources.warehouse.spill import holds_much, limit_memory, remove_abandoned_spills
from resources.warehouse.tables import has_table, quoted, read_frame, replace_table

LOCK_TIMEOUT_S = 300.0
MEMORY_MB = 512
SHORT_S = 0.2  # a section this short cannot fill much memory

# errors of the storage, not of a query
_STORAGE_ERRORS = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.SerializationException,
    duckdb.TransactionException,  # a full disk at the commit
    CatalogError,
)

_thread = threading.local()
_idle = IdleConnections()


class WarehouseError(Exception):
    """The warehouse's storage cannot be used; the text names it and the fix."""


class _RollBackError(Exception):
    """Ends a transaction without a trace."""


class Warehouse:
    """Access to the warehouse, without knowledge of what its tables mean."""

    def __init__(
        self,
        folder: Path,
        encryption_key: str = "",
        copy: TableCopy | None = None,
        *,
        backend: Backend | None = None,
        hides_personal: bool = False,
        any_version: bool = False,
        memory_mb: int = MEMORY_MB,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
    ) -> None:
        """Use the warehouse of this folder; files are created on the first write.

        Args:
            folder: Holds `millpond.duckdb` (private), `analyst.duckdb` (published) and this machine's scratch files.
            encryption_key: Key that encrypts plans and before-images; blank keeps them readable.
            copy: Writes the published tables; by default the file is copied as it is.
            backend: Storage other than `millpond.duckdb`.
            hides_personal: No personal value leaves the warehouse.
            any_version: Open a warehouse of any schema version, to upgrade it.
            memory_mb: Megabytes that DuckDB may use in a section; beyond it DuckDB spills to disk.
            lock_timeout_s: Seconds that a section waits for another process.
        """
        self.folder = folder
        self.lock_timeout_s = lock_timeout_s
        self.encryption_key = encryption_key
        self.hides_personal = hides_personal
        self.file = folder / "millpond.duckdb"
        self.snapshot = folder / "analyst.duckdb"
        self.backend: Backend = backend or DuckDBFile(self.file)
        self._copy, self._is_version_known = copy, any_version
        self._limits = folder, max(memory_mb, self.backend.min_memory_mb)
        self._kept, self._queue = kept_open(self.file), f"{self.file.name}.queue"

    def exists(self) -> bool:
        """Return whether anything was ever written; WarehouseError if the storage does not answer."""
        with self._storage_errors():
            return self.backend.exists()

    def lock(self, name: str, timeout_s: float) -> AbstractContextManager[Check]:
        """Hold the lock of this name, over all processes that use this warehouse.

        Raises:
            TimeoutError: Another process held it for longer than `timeout_s`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.backend.lock(name, timeout_s)

    @contextmanager
    def writer(self, *, transaction: bool = True, tuned: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run one transaction on the warehouse, exclusive over all processes.

        Args:
            transaction: False to read, or for statements that cannot run in a transaction.
            tuned: The section changes DuckDB's settings, so its connection is not reused.

        Raises:
            RuntimeError: This thread is already in a section.
            TimeoutError: Another writer held the warehouse for longer than `lock_timeout_s`.
            WarehouseError: The storage cannot be opened, read or written, or has the schema of another version.
        """
        # readers of a shared warehouse take no lock: a transaction shows them one moment
        in_transaction = transaction or self.backend.is_shared
        with self._section(reads=not transaction, keep=not tuned) as (con, check):
            if in_transaction:
                con.execute("begin")
            is_versioned = self._is_version_known or self._check_version(con, writes=transaction)
            yield con  # an exception skips the commit; closing the connection rolls back
            check()
            if in_transaction:
                con.execute("commit")
            self._is_version_known = is_versioned

    @contextmanager
    def trial(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run one transaction as `writer` does, and roll it back."""
        with suppress(_RollBackError), self.writer() as con:
            yield con
            raise _RollBackError

    @contextmanager
    def transactions(self) -> Iterator[Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]]:
        """Run several transactions on the warehouse, one after the other, as exclusively as `writer` does.

        Each `with transaction() as con:` commits; after an exception it is rolled back, and the next one may begin.
        """
        with self._section(reads=False, keep=True) as (con, check):

            @contextmanager
            def transaction() -> Iterator[duckdb.DuckDBPyConnection]:
                con.execute("begin")
                try:
                    is_versioned = self._is_version_known or self._check_version(con, writes=True)
                    yield con
                    check()
                except BaseException:
                    con.execute("rollback")
                    raise
                con.execute("commit")
                self._is_version_known = is_versioned

            yield transaction

    def _check_version(self, con: duckdb.DuckDBPyConnection, *, writes: bool) -> bool:
        """Stamp a new warehouse in its first transaction; return False if it is still without tables.

        Raises:
            WarehouseError: It has the schema of another version of Millpond.
        """
        version = read_version(con)
        if version is None and writes:
            stamp(con)
        problem = mismatch(self.backend.name, version) if version else ""
        if problem:
            raise WarehouseError(problem)
        return version is not None or writes

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Keep the file attached between sections, as long as no other process waits for it."""
        if self.backend.is_shared:  # it stays attached anyway, and readers need no lock
            yield
            return
        with self._kept.scope(self._is_wanted):
            yield

    @contextmanager
    def _section(self, *, reads: bool, keep: bool) -> Iterator[tuple[duckdb.DuckDBPyConnection, Check]]:
        """Attach the warehouse to a free connection, under the lock; the section before may have left both."""
        if getattr(_thread, "in_section", False):
            raise RuntimeError("nested warehouse section: its lock would wait for itself")
        with self._storage_errors(), ExitStack() as stack:
            with self._waiting():
                stack.enter_context(self._kept.exclusive(self.lock_timeout_s))
                opened = self._kept.take(self._limits) or self._open(reads=reads)
            _thread.in_section, began = True, monotonic()
            try:
                yield opened.con, opened.check
                keep = keep and not (monotonic() - began > SHORT_S and holds_much(opened.con))
            except BaseException:
                opened.discard()
                raise
            finally:
                _thread.in_section = False
            if not (keep and self._kept.keep(opened, self._is_wanted)):
                opened.release(reusable=keep)

    def _open(self, *, reads: bool) -> Opened:
        """Take the lock and attach; readers of a shared warehouse need no lock."""
        with ExitStack() as stack:
            check: Check = lambda: None  # noqa: E731 - one line: there is nothing to check
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self.backend.is_shared:
                check = self._queued_lock(stack)
            elif not reads:
                check = stack.enter_context(self.lock(self.file.name, self.lock_timeout_s))
            con = self._attached_connection()
            return Opened(con, self._limits, check, stack.pop_all(), self._give_back)

    def _queued_lock(self, stack: ExitStack) -> Check:
        """Take the lock by way of the queue, whose own lock the first process that waits holds."""
        until = monotonic() + self.lock_timeout_s
        with self.lock(self._queue, self.lock_timeout_s):
            return stack.enter_context(self.lock(self.file.name, max(0.0, until - monotonic())))

    def _is_wanted(self) -> bool:
        """Return whether another process waits for the lock: it holds that of the queue."""
        try:
            with self.lock(self._queue, 0):
                return False
        except TimeoutError:
            return True

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Add the fix to an error on the way into a section."""
        try:
            yield
        except TimeoutError as error:
            reason = f"another process has been using it for over {self.lock_timeout_s:g} s"
            fix = "check whether it is stuck, then retry"
            raise TimeoutError(f"{self.backend.name}: {reason}; {fix}") from error
        except OSError as error:
            fix = "let this user write into the folder, or set MILLPOND_HOME to another one"
            raise WarehouseError(f"{self.file}: {error.strerror}; {fix}") from error

    def _attached_connection(self) -> duckdb.DuckDBPyConnection:
        """Attach the warehouse to a free connection, which is kept: a new one costs 40 ms."""
        con, attached = self._connection()
        try:
            if attached != self.backend.name:
                _detach(con, attached)
                with self._storage_errors(any_kind=True):
                    self.backend.attach(con)
                con.execute("use warehouse")
                con.execute("set TimeZone = 'UTC'")
        except BaseException:
            con.close()
            raise
        return con

    def _give_back(self, con: duckdb.DuckDBPyConnection) -> None:
        """Detach, unless the warehouse is shared, and keep the connection."""
        if not self.backend.is_shared:
            _detach(con, self.backend.name)
        _idle.give_back(con, (self.backend.name if self.backend.is_shared else "", self._limits))

    def _connection(self) -> tuple[duckdb.DuckDBPyConnection, str]:
        """Return a connection and what is attached to it; its memory is limited."""
        con, state = _idle.take()
        attached, limits = state or ("", None)
        if limits == self._limits and (attached != self.backend.name or self.backend.is_alive(con)):
            return con, attached
        if attached:  # of another warehouse, or no longer alive
            con.close()
            con = connect()
        try:
            limit_memory(con, *self._limits)
        except duckdb.Error:  # it has already spilled into another folder
            con.close()
            con = connect()
            limit_memory(con, *self._limits)
        return con, ""

    @contextmanager
    def _storage_errors(self, *, any_kind: bool = False) -> Iterator[None]:
        """Add the fix to an error of the storage, or to one of any kind."""
        try:
            yield
        except (duckdb.Error, CatalogError) as error:
            # a block with a wrong checksum is an error of no class of its own
            if not any_kind and not isinstance(error, _STORAGE_ERRORS) and type(error) is not duckdb.Error:
                raise
            reason = str(error).strip().partition("\n")[0]
            raise WarehouseError(f"{self.backend.name}: {reason}; {self.backend.fix}") from error

    def read(self, query: str, params: Sequence[Any] | None = None) -> pl.DataFrame:
        """Return the rows of one query, in a section of its own."""
        with self.writer(transaction=False) as con:
            return read_frame(con, query, params)

    def table(self, name: str) -> pl.DataFrame:
        """Return a whole table."""
        return self.read(f"select * from {quoted(name)}")

    def has(self, name: str) -> bool:
        """Return whether a table or view exists."""
        with self.writer(transaction=False) as con:
            return has_table(con, name)

    def replace(self, name: str, frame: pl.DataFrame) -> None:
        """Create or replace a table with the content of a frame, in one transaction."""
        with self.writer() as con:
            replace_table(con, name, frame)

    def publish(self) -> int:
        """Replace `analyst.duckdb` with a copy of the warehouse in one step; readers never see half a run.

        Returns:
            The snapshot's size in bytes.

        Raises:
            WarehouseError: The copy cannot be written; readers keep the previous one.
        """
        reach("publish_begins")
        with ExitStack() as stack:
            with self.writer(transaction=False) as con:
                remove_left(self.folder, f".{self.snapshot.name}.*")
                remove_abandoned_spills(self.folder)
                try:
                    own = stack.enter_context(own_folder(self.folder, f".{self.snapshot.name}."))
                    partial = own / self.snapshot.name
                    if self._copy:
                        copy_tables(con, partial, self._copy, in_transaction=self.backend.is_shared)
                    else:
                        copy_file(con, self.file, partial)
                except (OSError, subprocess.CalledProcessError, duckdb.IOException) as error:
                    reason = "the copy cannot be written; check that the disk has space"
                    raise WarehouseError(f"{self.snapshot}: {reason}") from error
            is_shared = bool(self.folder.stat().st_mode & stat.S_ISGID)  # with a group, whose the copy already is
            partial.chmod(0o440 if is_shared else 0o400)  # no program writes into it, so no log appears beside it
            fsync(partial)
            reach("publish_copied")
            wal_of(self.snapshot).unlink(missing_ok=True)
            replace_durably(partial, self.snapshot)
            reach("publish_done")
        return self.snapshot.stat().st_size

    def copy_to(self, file: Path) -> None:
        """Copy the warehouse's file as of one moment, between the sections of other processes; they wait meanwhile.

        Raises:
            WarehouseError: The copy cannot be written.
        """
        with self.writer(transaction=False) as con:
            try:
                copy_checkpointed(con, self.file, file)
            except (OSError, subprocess.CalledProcessError) as error:
                file.unlink(missing_ok=True)
                raise WarehouseError(f"{file}: the copy cannot be written; check that the disk has space") from error

    def compact(self) -> tuple[int, int]:
        """Rewrite the warehouse without its free space; return bytes before and after.

        Raises:
            WarehouseError: It cannot be written; the warehouse is unchanged.
        """
        with self._section(reads=False, keep=False) as (con, _):
            if not self._is_version_known:
                self._check_version(con, writes=False)
            return self.backend.compact(con)


def _detach(con: duckdb.DuckDBPyConnection, attached: str) -> None:
    if attached:
        con.execute("use memory")
        con.execute("detach warehouse")
