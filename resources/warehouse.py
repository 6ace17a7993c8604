"""The pond: one DuckDB file, written in short sections, published for analysts as a snapshot.

DuckDB lets one process write and refuses every other opener meanwhile, readers too. So the network and the shaping
happen outside, and `with warehouse.writer() as con:` takes a sidecar file lock, opens, runs one transaction, closes.
"""

import fcntl
import os
import subprocess
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import dagster as dg
import duckdb
import polars as pl
from pydantic import Field

from sql import Statement

LOCK_TIMEOUT_S = 300.0

_here = threading.local()


class _Arrow:
    """Anything with an Arrow C stream, and nothing else: neither library sees the other's type and asks for pyarrow."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._stream.__arrow_c_stream__(requested_schema)


def quoted(name: str) -> str:
    """A table or column name as an SQL identifier; only our own names are formatted into SQL."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """A text as an SQL literal, for statements that take no parameters (ATTACH, COMMENT ON)."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def read_frame(con: duckdb.DuckDBPyConnection, query: str, params: Sequence[Any] | None = None) -> pl.DataFrame:
    """Run a query into a Polars frame without pyarrow."""
    return pl.DataFrame(_Arrow(con.sql(query, params=params)))


def insert_frame(con: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """Append a frame to a table, columns matched by name."""
    if frame.is_empty():
        return
    con.register("incoming_frame", _Arrow(frame))
    con.execute(f"insert into {quoted(table)} by name select * from incoming_frame")
    con.unregister("incoming_frame")


class Warehouse:
    """Plain access to the pond; knows nothing of what the tables mean."""

    def __init__(self, folder: Path) -> None:
        """Open the pond in this folder; files are created when first written.

        Args:
            folder: Holds `stage.duckdb` (ours) and `analyst.duckdb` (published).
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.stage = folder / "stage.duckdb"
        self.snapshot = folder / "analyst.duckdb"

    @contextmanager
    def writer(self, *, transaction: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction on the pond; every step of every process waits its turn.

        Raises:
            RuntimeError: A section is opened inside another one of the same thread.
            TimeoutError: Another writer held the pond for longer than LOCK_TIMEOUT_S.
        """
        with self._turn(), duckdb.connect() as con:
            # v1.5.0: the format that the 1.5 command line still reads
            con.execute(f"attach {literal(str(self.stage))} as stage (storage_version 'v1.5.0')")
            con.execute("use stage")
            con.execute("set TimeZone = 'UTC'")
            if transaction:
                con.execute("begin")
            yield con  # an exception skips the commit; closing rolls back
            if transaction:
                con.execute("commit")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if getattr(_here, "writing", False):
            raise RuntimeError("nested writer section: the lock would wait for itself")
        lock = os.open(f"{self.stage}.lock", os.O_RDWR | os.O_CREAT, 0o640)  # a sidecar, never the database itself
        try:
            give_up = monotonic() + LOCK_TIMEOUT_S
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if monotonic() > give_up:
                        raise TimeoutError(f"{self.stage}: another writer is at work") from None
                    sleep(0.01)
            _here.writing = True
            yield
        finally:
            _here.writing = False
            os.close(lock)  # the kernel also frees it when the process dies

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
        """Copy the pond to `analyst.duckdb` in one step; readers see a whole run or the one before.

        Returns:
            The snapshot's size in bytes.
        """
        partial = self.folder / f".{self.snapshot.name}.{os.getpid()}.tmp"
        with self.writer(transaction=False) as con:
            con.execute("checkpoint stage")  # rows still in the log would be missing from the copy
            # a child process: opening the file in this one would drop DuckDB's own lock
            subprocess.run(["cp", "--reflink=auto", str(self.stage), str(partial)], check=True)  # noqa: S603, S607
        partial.chmod(0o444)  # nobody writes into it, so no log appears beside it
        with partial.open("rb") as copy:
            os.fsync(copy.fileno())
        self.snapshot.with_name(self.snapshot.name + ".wal").unlink(missing_ok=True)
        partial.replace(self.snapshot)
        directory = os.open(self.folder, os.O_RDONLY)
        os.fsync(directory)  # the rename survives a power cut
        os.close(directory)
        return self.snapshot.stat().st_size


def has_table(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether a table or view exists in the pond."""
    rows = con.execute(
        "select 1 from information_schema.tables where table_catalog = 'stage' and table_name = ?", [name]
    ).fetchall()
    return bool(rows)


def columns_of(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    """Column names and DuckDB types of a table, in order; empty when there is none."""
    rows = con.execute(
        "select column_name, data_type from information_schema.columns"
        " where table_catalog = 'stage' and table_name = ? order by ordinal_position",
        [name],
    ).fetchall()
    return dict(rows)


def replace_table(con: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame) -> None:
    """Make a table of exactly this frame."""
    con.register("incoming_frame", _Arrow(frame))
    con.execute(f"create or replace table {quoted(name)} as select * from incoming_frame")
    con.unregister("incoming_frame")


def describe_table(
    con: duckdb.DuckDBPyConnection, name: str, description: str, columns: Iterable[tuple[str, str]] = ()
) -> None:
    """Write the table's and the columns' comments, which analysts read."""
    kind = con.execute(
        "select table_type from information_schema.tables where table_catalog = 'stage' and table_name = ?", [name]
    ).fetchall()
    word = "view" if kind and kind[0][0] == "VIEW" else "table"
    con.execute(f"comment on {word} {quoted(name)} is {literal(description)}")
    for column, text in columns:
        con.execute(f"comment on column {quoted(name)}.{quoted(column)} is {literal(text)}")


def ensure_table(con: duckdb.DuckDBPyConnection, definition: Statement) -> None:
    """Create a table of `sql/ledger` with its comments, unless it is there."""
    if not has_table(con, definition.name):
        con.execute(definition.text)
        describe_table(con, definition.name, definition.description, definition.column_comments.items())


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """Where the pond lies."""

    folder: str = Field(description="Folder of stage.duckdb and analyst.duckdb.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[Warehouse]:  # noqa: ARG002
        """Hand out the plain warehouse; it opens the file only while it writes."""
        yield Warehouse(Path(self.folder))
