"""The warehouse: written in short sections, published for analysts as one DuckDB file.

DuckDB lets one process write and refuses every other opener meanwhile, readers too. So the network and the shaping
happen outside, and `with warehouse.writer() as con:` waits for its turn, opens, runs one transaction, closes. Where
the warehouse lies, in a file or in a DuckLake that many machines share, is said in `place.py`.
"""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from resources.failpoints import reach
from resources.warehouse.backend import Check, FilePlace, Place, literal, sync, wal_of
from resources.warehouse.ducklake import CatalogError
from resources.warehouse.tables import add_analytics, has_table, quoted, read_frame, replace_table

LOCK_TIMEOUT_S = 300.0
MEMORY = "512MB"  # of a section that goes over whole tables; beyond it goes to disk

# what DuckDB says of the file, not of what somebody asked it
_FILE_TROUBLE = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.SerializationException,
    duckdb.TransactionException,  # a full disk at the commit
    CatalogError,
)

_here = threading.local()


class WarehouseError(Exception):
    """The warehouse's file cannot be used; the text names the file and the mend."""


Copy = Callable[[duckdb.DuckDBPyConnection, str], None]


class Warehouse:
    """Plain access to the warehouse; knows nothing of what the tables mean."""

    def __init__(
        self,
        folder: Path,
        seal_key: str = "",
        copy: Copy | None = None,
        *,
        place: Place | None = None,
        hides: bool = False,
    ) -> None:
        """Open the warehouse of this folder; files are created when first written.

        Args:
            folder: Holds `stage.duckdb` (ours), `analyst.duckdb` (published) and what this machine needs beside them.
            seal_key: The key with which plans and before-images are kept; blank keeps them readable.
            copy: Writes the tables that are published, when it shall not be a copy of the file.
            place: Where the warehouse lies, when it is not `stage.duckdb`.
            hides: What leaves the warehouse carries no personal value.
        """
        self.folder = folder
        self._copy = copy
        self.hides = hides
        self.seal_key = seal_key
        self.stage = folder / "stage.duckdb"
        self.place: Place = place or FilePlace(self.stage)
        self.snapshot = folder / "analyst.duckdb"

    def exists(self) -> bool:
        """Whether anything was ever written.

        Raises:
            WarehouseError: Nobody can say.
        """
        with self._told():
            return self.place.exists()

    def turn(self, what: str, timeout_s: float) -> AbstractContextManager[Check]:
        """The only turn of this name, over everybody who has this warehouse.

        Raises:
            TimeoutError: Somebody else held it for longer than `timeout_s`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.place.turn(what, timeout_s)

    @contextmanager
    def writer(self, *, transaction: bool = True, tuned: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction on the warehouse; every step of every process waits its turn.

        Args:
            transaction: False to read, or for statements that no transaction takes.
            tuned: The section changes DuckDB's settings for itself, so its connection is not used again.

        Raises:
            RuntimeError: A section is opened inside another one of the same thread.
            TimeoutError: Another writer held the warehouse for longer than LOCK_TIMEOUT_S.
            WarehouseError: The file cannot be opened, read or written.
        """
        with self._turn(reads=not transaction) as check, self._told(), self._attached(keep=not tuned) as con:
            if transaction or self.place.is_shared:
                con.execute(
                    "begin"
                )  # others write meanwhile where the warehouse is shared: all is read as of one moment
            yield con  # an exception skips the commit; closing rolls back
            check()
            if transaction or self.place.is_shared:
                con.execute("commit")

    def spare_memory(self, con: duckdb.DuckDBPyConnection) -> None:
        """Let a tuned section use the disk beside the warehouse instead of the machine's memory."""
        con.execute(f"set temp_directory = {literal(str(self.folder / '.spill'))}")  # first: the next line may need it
        con.execute(f"set memory_limit = '{MEMORY}'")

    @contextmanager
    def _attached(self, *, keep: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse, held open by this thread for as long as its turn lasts.

        The connection itself is kept and only the file is let go: opening a new one costs 40 ms more each time.
        """
        held, attached = getattr(_here, "connection", None) or (duckdb.connect(), "")
        con: duckdb.DuckDBPyConnection = held
        _here.connection = None
        if attached == self.place.name and not self.place.answers(con):
            con.close()
            con, attached = duckdb.connect(), ""
        try:
            if attached != self.place.name:
                _let_go(con, attached)
                self.place.attach(con)
                con.execute("use stage")
                con.execute("set TimeZone = 'UTC'")
            yield con
            if not self.place.is_shared:
                _let_go(con, self.place.name)
        except BaseException:
            con.close()
            raise
        if keep:
            _here.connection = con, self.place.name if self.place.is_shared else ""
        else:
            con.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what a person can do about the file when DuckDB cannot use it."""
        try:
            yield
        except _FILE_TROUBLE as error:
            said = str(error).strip().partition("\n")[0]
            raise WarehouseError(f"{self.place.name}: {said}; {self.place.mend}") from error

    @contextmanager
    def _turn(self, *, reads: bool) -> Iterator[Check]:
        if getattr(_here, "writing", False):
            raise RuntimeError("nested writer section: the lock would wait for itself")
        with ExitStack() as held:
            check: Check = lambda: None  # noqa: E731 - one line says that there is nothing to check
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                if not (reads and self.place.is_shared):
                    with self._told():
                        check = held.enter_context(self.turn(self.stage.name, LOCK_TIMEOUT_S))
            except TimeoutError:
                raise
            except OSError as error:
                mend = "let this user write into the folder, or set MILLPOND_HOME to another one"
                raise WarehouseError(f"{self.stage}: {error.strerror}; {mend}") from error
            _here.writing = True
            try:
                yield check
            finally:
                _here.writing = False

    def read(self, query: str, params: Sequence[Any] | None = None) -> pl.DataFrame:
        """One query's rows as a frame, in a turn of its own."""
        with self.writer(transaction=False) as con:
            return read_frame(con, query, params)

    def table(self, name: str) -> pl.DataFrame:
        """A whole table as a frame."""
        return self.read(f"select * from {quoted(name)}")

    def has(self, name: str) -> bool:
        """Whether a table or view exists."""
        with self.writer(transaction=False) as con:
            return has_table(con, name)

    def replace(self, name: str, frame: pl.DataFrame) -> None:
        """Make a table of exactly this frame, in one transaction."""
        with self.writer() as con:
            replace_table(con, name, frame)

    def publish(self) -> int:
        """Copy the warehouse to `analyst.duckdb` in one step; readers see a whole run or the one before.

        Returns:
            The snapshot's size in bytes.

        Raises:
            WarehouseError: The copy cannot be written; readers keep the one before.
        """
        partial = self.folder / f".{self.snapshot.name}.{os.getpid()}.tmp"
        reach("publish_begins")
        with self.writer(transaction=False) as con:
            self._sweep()
            try:
                if self._copy:
                    self._copy_tables(con, partial, self._copy)
                else:
                    self._copy_file(con, partial)
            except (OSError, subprocess.CalledProcessError, duckdb.IOException) as error:
                partial.unlink(missing_ok=True)
                reason = "the copy could not be written; check that the disk has room"
                raise WarehouseError(f"{self.snapshot}: {reason}") from error
        partial.chmod(0o444)  # nobody writes into it, so no log appears beside it
        sync(partial)
        reach("publish_copied")
        wal_of(self.snapshot).unlink(missing_ok=True)
        partial.replace(self.snapshot)
        sync(self.folder)  # the rename survives a power cut
        reach("publish_done")
        return self.snapshot.stat().st_size

    def _copy_file(self, con: duckdb.DuckDBPyConnection, into: Path) -> None:
        add_analytics(con)
        con.execute("checkpoint stage")  # rows still in the log would be missing from the copy
        # a child process: opening the file in this one would drop DuckDB's own lock
        subprocess.run(["cp", "--reflink=auto", str(self.stage), str(into)], check=True)  # noqa: S603, S607

    def _copy_tables(self, con: duckdb.DuckDBPyConnection, into: Path, copy: Copy) -> None:
        """Write a file table by table, with views and macros of its own."""
        con.execute(f"attach {literal(str(into))} as shown (storage_version 'v1.5.0')")
        try:
            copy(con, "shown")
            con.execute("use shown")
            add_analytics(con)
        finally:
            con.execute("use stage")
            if self.place.is_shared:  # the copy was read as of one moment, and that is over
                con.execute("commit")
            con.execute("detach shown")
            if self.place.is_shared:
                con.execute("begin")

    def compact(self) -> tuple[int, int]:
        """Write the warehouse anew without the room that is free; bytes before and after.

        Raises:
            WarehouseError: It cannot be written; the warehouse is as it was.
        """
        with self._turn(reads=False), self._told(), self._attached(keep=False) as con:
            return self.place.compact(con)

    def _sweep(self) -> None:
        """Remove the copies of processes that died over them."""
        for left in self.folder.glob(f".{self.snapshot.name}.*.tmp"):
            owner = left.suffixes[-2].removeprefix(".")
            if not Path(f"/proc/{owner}").exists():
                left.unlink(missing_ok=True)


def _let_go(con: duckdb.DuckDBPyConnection, attached: str) -> None:
    if attached:
        con.execute("use memory")
        con.execute("detach stage")
