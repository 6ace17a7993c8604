"""Every section obeys the memory limit, and spills where only this user may read."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
import pytest

from resources.scratch import own_folder
from resources.warehouse import spill
from resources.warehouse.spill import FOLDER
from resources.warehouse.warehouse import Warehouse

ROWS = 300_000  # 77 MB of text to sort
SORT = f"create or replace table big as select repeat(md5(i::varchar), 8) as text from range({ROWS}) as r(i) order by 1"


@pytest.mark.parametrize("tuned", [False, True])
@pytest.mark.parametrize("memory_mb", [64, 300])
def test_every_section_obeys_the_limit(tmp_path: Path, memory_mb: int, *, tuned: bool) -> None:
    """The setting holds for reading, staging, history and copies as well, and for a connection that is used again."""
    warehouse, other = (Warehouse(tmp_path / name, memory_mb=size) for name, size in (("a", memory_mb), ("b", 100)))
    for each in (warehouse, other, warehouse, warehouse):
        with each.writer(tuned=tuned) as con:
            limit, folder = con.execute(
                "select current_setting('memory_limit'), current_setting('temp_directory')"
            ).fetchall()[0]
        size = memory_mb if each is warehouse else 100
        assert float(limit.split()[0]) == pytest.approx(size * 1e6 / 2**20, abs=0.1)
        assert Path(folder).parent.parent == each.folder / FOLDER
        assert (each.folder / FOLDER).stat().st_mode & 0o077 == 0


def test_what_does_not_fit_spills_to_disk(tmp_path: Path) -> None:
    """With less memory than the data; nothing stays behind."""
    warehouse = Warehouse(tmp_path, memory_mb=64)

    with warehouse.writer(tuned=True) as con:
        con.execute(SORT)

    assert warehouse.read("select count(*) as n from big")["n"][0] == ROWS
    assert list((tmp_path / FOLDER).glob("*/*/*")) == []


def test_a_warehouse_on_a_full_disk_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what has to spill fails."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Warehouse(tmp_path).replace("small", pl.DataFrame({"id": [1]}))
    monkeypatch.setattr(spill, "_own", {})
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)

    assert Warehouse(tmp_path, memory_mb=64).table("small").rows() == [(1,)]


def test_what_a_killed_process_spilled_is_removed(tmp_path: Path) -> None:
    """It holds rows of the warehouse; what a living process spills stays, whatever number either of them has."""
    program = f"""
import os, signal, sys
from pathlib import Path
from resources.warehouse.warehouse import Warehouse
warehouse = Warehouse(Path(sys.argv[1]), memory_mb=64)
with warehouse.writer(tuned=True) as con:
    con.execute({SORT!r})
    con.execute("create temp table kept as select text, random() as r from big order by r")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    died = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    (found,) = (tmp_path / FOLDER).iterdir()
    left = found.rename(tmp_path / FOLDER / f"{os.getpid()}.1")  # the next container's process has the same number
    with own_folder(tmp_path / FOLDER, "999999999.") as theirs:  # a number that only another container has
        _publish(tmp_path)

        assert theirs.exists()
    assert not left.exists()


def test_what_a_killed_process_published_in_part_is_removed(tmp_path: Path) -> None:
    """Also if another process has its number by now: it is a copy of the warehouse, and forgetting publishes again."""
    left = tmp_path / f".analyst.duckdb.{os.getppid()}.tmp"
    left.write_text("Ada")
    with own_folder(tmp_path, ".analyst.duckdb.999999999.") as theirs:
        _publish(tmp_path)

        assert theirs.exists()
    assert not left.exists()
    assert [path.name for path in tmp_path.glob(".analyst*")] == []


def test_a_warehouse_that_was_never_written_is_published(tmp_path: Path) -> None:
    """Its folder is created, as for every other section."""
    assert Warehouse(tmp_path / "new" / "warehouse").publish() > 0


def _publish(folder: Path) -> None:
    warehouse = Warehouse(folder)
    with warehouse.writer() as con:
        con.execute("create table small (id integer)")
    warehouse.publish()
