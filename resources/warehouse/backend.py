"""Where the warehouse lies, and how its writers take turns.

FilePlace   one DuckDB file of this machine; its turns are file locks
LakePlace   DuckLake, for any number of machines; its turns are locks of the catalog (`resources/warehouse/ducklake.py`)
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import duckdb

from resources.locks import file_lock

Check = Callable[[], None]


def literal(text: str) -> str:
    """A text as an SQL literal, for statements that take no parameters (ATTACH, COMMENT ON)."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


class Place(Protocol):
    """One place; `name` is what error texts call it, `mend` what a person can do when it cannot be used."""

    name: str
    mend: str
    is_shared: bool  # others may have it open as well: it stays attached, and readers need no turn
    least_mb: int  # of memory, whatever is written

    def attach(self, con: duckdb.DuckDBPyConnection) -> None:
        """Attach the warehouse as `stage`."""
        ...

    def answers(self, con: duckdb.DuckDBPyConnection) -> bool:
        """Whether a connection that stayed attached can still be used."""
        ...

    def exists(self) -> bool:
        """Whether anything was ever written."""
        ...

    def compact(self, con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
        """Write the warehouse anew without the room that is free, in its turn, attached; bytes before and after."""
        ...

    def turn(self, what: str, timeout_s: float) -> AbstractContextManager[Check]:
        """Hold the only turn of this name; the check raises when it was lost meanwhile.

        Raises:
            TimeoutError: Somebody else held it for longer than `timeout_s`.
        """
        ...


def wal_of(file: Path) -> Path:
    """The log that DuckDB keeps beside a file."""
    return file.with_name(file.name + ".wal")


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class FilePlace:
    """`stage.duckdb` in a folder. DuckDB lets one process open it, so it is let go after each section."""

    is_shared = False
    least_mb = 0
    mend = (
        "check that this user may write there, that the disk has room and that no other program has the file"
        " open (analysts read analyst.duckdb); if it is no warehouse at all, move it away: the next run makes a new"
        " one and finds what is in the targets by its keys"
    )

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, str(path)

    def attach(self, con: duckdb.DuckDBPyConnection) -> None:
        """Attach the file; v1.5.0 is the format that the 1.5 command line still reads."""
        con.execute(f"attach {literal(self.name)} as stage (storage_version 'v1.5.0')")

    def answers(self, con: duckdb.DuckDBPyConnection) -> bool:  # noqa: ARG002 - it never stays attached
        """It can."""
        return True

    def exists(self) -> bool:
        """Whether the file is there."""
        return self._path.exists()

    def compact(self, con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
        """Copy what is in the file to a new one and put that in its place: a DuckDB file does not shrink by itself.

        Who dies over it leaves the old file, or the new one, and at most a copy that the next time takes away.
        """
        fresh = self._path.with_name(f".{self._path.name}.new")
        for left in (fresh, wal_of(fresh)):
            left.unlink(missing_ok=True)
        con.execute("checkpoint stage")
        before = self._path.stat().st_size
        try:
            con.execute(f"attach {literal(str(fresh))} as fresh (storage_version 'v1.5.0')")
            con.execute("copy from database stage to fresh")
            con.execute("detach fresh")  # with a checkpoint: all is in the file
            sync(fresh)
            con.execute("use memory")
            con.execute("detach stage")
            if wal_of(self._path).exists():
                raise duckdb.IOException(f"{wal_of(self._path).name} is still needed; run again")
            fresh.replace(self._path)
            sync(self._path.parent)  # the rename survives a power cut
        finally:
            fresh.unlink(missing_ok=True)
        self.attach(con)
        con.execute("use stage")
        return before, self._path.stat().st_size

    @contextmanager
    def turn(self, what: str, timeout_s: float) -> Iterator[Check]:
        """A lock on a file beside the warehouse, never on the warehouse itself: closing that would drop DuckDB's own lock."""
        with file_lock(self._path.parent / f"{what}.lock", timeout_s):
            yield lambda: None  # the kernel keeps it as long as this process lives
