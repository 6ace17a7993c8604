"""Errors of files and disks end a command with one line, which sends no one to remove what is not damaged."""

import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.cli.output import console
from orchestration.cli.simulate import simulate
from orchestration.cli.storage_errors import storage_problem
from resources.atomic_file import write_atomically

SPACE = "check the disk's space and the file's permissions, then run again"


def refused(file: Path, mode: str) -> str:
    """Return the line about a write to a database."""
    with closing(sqlite3.connect(f"file:{file}?mode={mode}", uri=True)) as con:
        with pytest.raises(sqlite3.DatabaseError) as error:
            con.execute("create table more (n)")
        return storage_problem(error.value)


def test_a_database_that_may_not_be_written_is_not_removed(tmp_path: Path) -> None:
    """On a read-only file system the history of runs is whole; without permissions or on a full disk as well."""
    file = tmp_path / "runs.db"
    with closing(sqlite3.connect(file)) as con:
        con.execute("create table runs (n)")

    assert refused(file, "ro").endswith(f"attempt to write a readonly database; {SPACE}")
    file.write_text("no database " * 100)
    assert "remove the folder `dagster`" in refused(file, "rw")


def test_a_full_disk_is_one_line_though_the_error_names_no_file() -> None:
    """A write to an open file fails without its name."""
    with pytest.raises(OSError, match="No space left") as error:
        Path("/dev/full").write_text("text")

    assert storage_problem(error.value) == f"a file: No space left on device; {SPACE}"


def test_an_atomic_write_names_its_file(tmp_path: Path) -> None:
    """Its content was not written, so the old one is still there."""
    file, (soft, hard) = tmp_path / "users.json", resource.getrlimit(resource.RLIMIT_FSIZE)
    file.write_text("old")
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(OSError, match="File too large") as error:
            write_atomically(file, "more than ten characters")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (error.value.filename, file.read_text(), len(list(tmp_path.iterdir()))) == (str(file), "old", 1)


def test_a_simulation_that_cannot_be_saved_is_refused_before_its_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words, not by a number."""
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
    console.problems.clear()  # of other tests
    code = simulate(save="name")

    printed = "\n".join(console.problems)
    console.problems.clear()
    assert (code, printed) == (2, f"{tmp_path / 'home' / 'simulations'}: Not a directory; {SPACE}")
