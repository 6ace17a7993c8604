"""One SQLite file for many threads and processes."""

import sqlite3
import threading
from pathlib import Path

import pytest

from resources.sqlite_file import SqliteFile

SCHEMA = "create table if not exists one (n integer); create index if not exists one_n on one (n)"


def numbers(file: SqliteFile) -> list[int]:
    """Return the numbers in the table."""
    with file.read() as connection:
        return [row[0] for row in connection.execute("select n from one order by n")]


def test_a_failed_transaction_is_rolled_back(tmp_path: Path) -> None:
    """Opening the file again repeats the schema."""
    path = tmp_path / "folder" / "one.sqlite"
    file = SqliteFile(path, SCHEMA)
    with file.write() as connection:
        connection.execute("insert into one values (1)")

    def fail() -> None:
        with file.write() as connection:
            connection.execute("insert into one values (2)")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert numbers(SqliteFile(path, SCHEMA)) == [1]


def test_nested_transactions_join_the_outer_one(tmp_path: Path) -> None:
    """The outer one decides on the commit."""
    file = SqliteFile(tmp_path / "one.sqlite", SCHEMA)

    def fail() -> None:
        with file.write() as outer:
            outer.execute("insert into one values (1)")
            with file.write() as inner:
                inner.execute("insert into one values (2)")
            assert numbers(file) == [1, 2]
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert numbers(file) == []


def test_threads_write_one_after_the_other(tmp_path: Path) -> None:
    """Each thread has its own connection; none fails with "database is locked"."""
    file = SqliteFile(tmp_path / "one.sqlite", SCHEMA)

    def write(number: int) -> None:
        for step in range(20):
            with file.write() as connection:
                connection.execute("insert into one values (?)", (number * 20 + step,))
        file.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert numbers(file) == list(range(100))


def test_a_writer_waits_no_longer_than_its_timeout(tmp_path: Path) -> None:
    """The caller decides what a busy file means."""
    path = tmp_path / "one.sqlite"
    file = SqliteFile(path, SCHEMA, busy_s=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")

    with pytest.raises(sqlite3.OperationalError, match="locked"), file.write():
        pass

    other.execute("rollback")
    with file.write() as connection:
        connection.execute("insert into one values (1)")
    assert numbers(file) == [1]
