"""Databases that are read and copied as bytes stay locked by this process's own connections."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from orchestration.forgetting.home_files import Searched, remaining
from orchestration.forgetting.texts import Spelled
from resources.database_files import copy_apart, is_database, opened_apart

SQLITE = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('insert into t values (2)'); c.commit()"


def read(file: Path) -> None:
    """Read the first bytes."""
    with opened_apart(file) as content:
        assert content.read(4)


def copy(file: Path) -> None:
    """Copy the file."""
    copy_apart(file, file.with_suffix(".copy"))


def search(file: Path) -> None:
    """Search it as `millpond forget` does at its end."""
    assert [each.file for each in remaining(Searched(file.parent), Spelled(["Ada Example"]))] == [file.name]


@pytest.mark.parametrize("use", [read, copy, search])
def test_another_process_leaves_the_log_of_an_open_database(tmp_path: Path, use: Callable[[Path], None]) -> None:
    """Without this one's locks it would take itself for the last connection, and delete the log that is written to."""
    file = tmp_path / "queue.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table t (a)")
        connection.execute("insert into t values ('Ada Example')")
        connection.execute("pragma wal_checkpoint(truncate)")

        use(file)

        subprocess.run([sys.executable, "-S", "-c", SQLITE, str(file)], check=True)
        assert file.with_name("queue.sqlite-wal").exists()


def test_an_open_warehouse_stays_locked(tmp_path: Path) -> None:
    """Two processes that write one DuckDB file damage it."""
    file = tmp_path / "millpond.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table t as select 1 as a")
        connection.execute("checkpoint")

        read(file)

        open_it = "import duckdb, sys; duckdb.connect(sys.argv[1])"
        other = subprocess.run([sys.executable, "-c", open_it, str(file)], capture_output=True, text=True, check=False)
    assert "Could not set lock on file" in other.stderr


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.db", True), ("a.sqlite-wal", True), ("a.duckdb.wal", True), ("a.db-shm", True), ("db.json", False)],
)
def test_databases_are_known_by_name(name: str, expected: bool) -> None:  # noqa: FBT001
    """With their logs and indexes."""
    assert is_database(Path(name)) is expected


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """As of other files."""
    with pytest.raises(FileNotFoundError), opened_apart(tmp_path / "none.db"):
        pass
