"""Files of SQLite and DuckDB, read and copied as bytes by child processes.

These databases lock their files with POSIX locks, and closing a file drops every lock that the process has on it: after
`open()` and `close()` beside an open connection another process would take itself for the only one, and write over it.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ENDINGS = (".sqlite", ".db", ".duckdb")


def is_database(file: Path) -> bool:
    """Return whether a file is a database, its log or its index, by its name."""
    name = file.name
    for ending in ("-wal", "-shm", "-journal", ".wal"):
        name = name.removesuffix(ending)
    return name.endswith(ENDINGS)


@contextmanager
def opened_apart(file: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading; if it is a database, in a child process. OSError if it cannot be read."""
    if not is_database(file):
        with file.open("rb") as content:
            yield content
        return
    file.stat()  # an error of the file, not of the child
    with subprocess.Popen(["cat", "--", str(file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:  # noqa: S603, S607
        assert child.stdout
        try:
            yield child.stdout
        finally:
            child.stdout.close()  # ends the child if it has more


def copy_apart(file: Path, into: Path, *options: str) -> None:
    """Copy a file in a child process, with further options of `cp`; subprocess.CalledProcessError if that failed."""
    subprocess.run(["cp", *options, "--", str(file), str(into)], check=True, stderr=subprocess.DEVNULL)  # noqa: S603, S607
