"""A run keeps the warehouse's file open between its sections, and no one else waits for it longer than for one."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic

import duckdb
import polars as pl
import pytest

from resources.warehouse import spill
from resources.warehouse import warehouse as warehouse_module
from resources.warehouse.backend import wal_of
from resources.warehouse.kept_open import IDLE_S
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse

ADD = """
import sys
from pathlib import Path
from resources.warehouse.warehouse import Warehouse
warehouse = Warehouse(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    with warehouse.writer() as con:
        con.execute("create table if not exists other (n int)")
        con.execute("insert into other values (1)")
"""
DIE = """
import os, sys
from pathlib import Path
from resources.warehouse.warehouse import Warehouse
warehouse = Warehouse(Path(sys.argv[1]))
with warehouse.kept_open():
    for number in range(5):
        with warehouse.writer() as con:
            con.execute("create table if not exists content (n int)")
            con.execute("insert into content values (?)", [number])
    os.kill(os.getpid(), 9)
"""

FORK = """
import os, sys
from pathlib import Path
from resources.warehouse.warehouse import Warehouse
warehouse = Warehouse(Path(sys.argv[1]))
def add(number):
    with warehouse.writer() as con:
        con.execute("insert into content values (?)", [number])
with warehouse.kept_open():
    add(1)
    child = os.fork()
    if not child:
        try:
            warehouse.lock_timeout_s = 0.05
            warehouse._kept.exclusive(0).__enter__()
            os._exit(0 if warehouse._kept.take(warehouse._limits) is None else 1)
        finally:
            os._exit(2)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    add(2)
sys.exit(code)
"""


@pytest.fixture
def closed(tmp_path: Path) -> Warehouse:
    """Return a warehouse with one table, which no scope keeps open."""
    made = Warehouse(tmp_path / "closed")
    made.replace("content", pl.DataFrame({"n": [0]}))
    return made


@pytest.mark.parametrize(("rows", "is_kept"), [(1, True), (200_000, False)])
def test_a_connection_that_holds_much_memory_is_closed(
    closed: Warehouse, monkeypatch: pytest.MonkeyPatch, rows: int, *, is_kept: bool
) -> None:
    """Temporary tables of a plan of a million records would take memory from the rest of the run."""
    monkeypatch.setattr(warehouse_module, "SHORT_S", 0.0)
    monkeypatch.setattr(spill, "KEPT_MB", 4)
    with closed.kept_open():
        with closed.writer() as con:
            rows_of = f"select md5(i::varchar) as text, i from range({rows}) as r(i)"
            con.execute(f"create or replace temp table scratch as {rows_of}")
        with closed.writer() as con:
            left = has_table(con, "scratch")

    assert left is is_kept


def add(warehouse: Warehouse, number: int) -> None:
    """Insert a row, in a section of its own."""
    with warehouse.writer() as con:
        con.execute("insert into content values (?)", [number])


def start(code: str, warehouse: Warehouse, *arguments: str) -> subprocess.Popen[bytes]:
    """Start another process on the warehouse."""
    return subprocess.Popen([sys.executable, "-c", code, str(warehouse.folder), *arguments])


def is_attached(warehouse: Warehouse) -> bool:
    """Return whether this process has the file open."""
    opened = set[Path]()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            opened.add(each.readlink())
    return warehouse.file in opened


def test_the_file_stays_open_within_a_run_and_no_longer(closed: Warehouse) -> None:
    """Outside of a run each section opens and closes it."""
    add(closed, 1)
    assert not is_attached(closed)

    with closed.kept_open():
        add(closed, 2)
        assert is_attached(closed)
        assert closed.read("select sum(n) from content").item() == 3

    assert not is_attached(closed)
    assert not wal_of(closed.file).exists()
    with duckdb.connect(str(closed.file)) as con:
        assert con.execute("select sum(n) from content").fetchall() == [(3,)]


def test_another_process_gets_in_between_two_sections(closed: Warehouse) -> None:
    """It waits for the section in progress, even if the next one follows at once."""
    with closed.kept_open():
        add(closed, 1)
        other, sections = start(ADD, closed, "20"), 0
        while other.poll() is None:
            add(closed, 1)
            sections += 1

        assert other.returncode == 0
        assert sections > 20, "the two took turns"
        assert closed.read("select count(*) from other").item() == 20


def test_a_section_ends_the_hold_if_another_process_waits(closed: Warehouse) -> None:
    """It holds the queue's lock, which the run tries after each section, not only some time later."""
    with closed.kept_open(), ExitStack() as waiting:
        with closed.writer() as con:
            con.execute("insert into content values (1)")
            waiting.enter_context(closed.lock(f"{closed.file.name}.queue", 0))
        assert not is_attached(closed)


def test_a_section_has_its_own_limits(closed: Warehouse) -> None:
    """The section before may have had others."""
    larger = Warehouse(closed.folder, memory_mb=600)
    limit = "select current_setting('memory_limit')"
    with closed.kept_open():
        before = closed.read(limit).item()
        assert larger.read(limit).item() != before
        assert closed.read(limit).item() == before


def test_an_idle_run_closes_the_file(closed: Warehouse) -> None:
    """A run that waits for the network delays no one, and an idle file is closed."""
    with closed.kept_open():
        add(closed, 1)
        assert start(ADD, closed, "1").wait() == 0
        add(closed, 1)
        until = monotonic() + IDLE_S * 20
        while is_attached(closed):
            assert monotonic() < until


def test_threads_share_the_open_file_within_a_run(closed: Warehouse) -> None:
    """Each gets the attached file of the one before."""
    with closed.kept_open(), ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: add(closed, number), range(1, 41)))

    assert closed.read("select count(*), sum(n) from content").row(0) == (41, sum(range(41)))


def test_a_failed_section_is_rolled_back_within_a_run(closed: Warehouse) -> None:
    """The next one opens the file anew."""
    with closed.kept_open():
        with pytest.raises(duckdb.ConversionException), closed.writer() as con:
            con.execute("insert into content values (9); insert into content values ('x')")
        add(closed, 1)

    assert closed.read("select sum(n) from content").item() == 1


def test_a_killed_run_loses_no_section(tmp_path: Path) -> None:
    """Its transactions are in the log beside the file, which the next process reads."""
    warehouse = Warehouse(tmp_path / "killed")

    assert start(DIE, warehouse).wait() == -signal.SIGKILL

    assert warehouse.read("select sum(n) from content").item() == 10


def test_a_run_within_a_run_keeps_the_file_open(closed: Warehouse) -> None:
    """Only the outer one closes it."""
    with closed.kept_open():
        with closed.kept_open():
            add(closed, 1)
        assert is_attached(closed)
    assert not is_attached(closed)


def test_a_forked_process_leaves_the_file_to_its_parent(closed: Warehouse) -> None:
    """It has a copy of the parent's connection and lock, which it neither uses nor releases."""
    done = subprocess.run([sys.executable, "-c", FORK, str(closed.folder)], check=False, timeout=60)

    assert done.returncode == 0
    assert closed.read("select list(n order by n) from content").item().to_list() == [0, 1, 2]
