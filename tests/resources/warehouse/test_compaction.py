"""The warehouse's file is written anew without the room that is free; who dies over it loses nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import polars as pl
import pytest

from resources.warehouse.tables import describe_table
from resources.warehouse.warehouse import Warehouse

ROWS = 60_000
COMPACT = """
import sys
from pathlib import Path
from resources.warehouse.warehouse import Warehouse
print("ready", flush=True)
Warehouse(Path(sys.argv[1])).compact()
"""


def fill(warehouse: Warehouse) -> None:
    """A table of which most was deleted, a view, comments."""
    with warehouse.writer() as con:
        con.execute(f"create table big as select i as id, md5(i::varchar) as text from range({ROWS}) as r(i)")
        describe_table(con, "big", "all of it", [("text", "it's text")])
        con.execute("create view few as select count(*) as n from big")
        describe_table(con, "few", "how many", [("n", "so many")])
    with warehouse.writer() as con:
        con.execute("delete from big where id % 10 > 0")


def told(warehouse: Warehouse) -> list[object]:
    """Everything that shall be as before."""
    with warehouse.writer(transaction=False) as con:
        return [
            con.execute("from big order by id").fetchall(),
            con.execute("from few").fetchall(),
            con.execute("select table_name, comment from duckdb_tables() where database_name = 'stage'").fetchall(),
            con.execute(
                "select table_name, column_name, data_type, comment from duckdb_columns()"
                " where database_name = 'stage' and not internal order by all"
            ).fetchall(),
        ]


def test_the_file_shrinks_and_nothing_else_changes(warehouse: Warehouse) -> None:
    """Rows, types, views and comments are as before; the format stays readable by 1.5."""
    fill(warehouse)
    before = told(warehouse)

    was, now = warehouse.compact()

    assert now < was / 2
    assert warehouse.stage.stat().st_size == now
    assert told(warehouse) == before
    assert sorted(path.name for path in warehouse.folder.iterdir()) == ["stage.duckdb", "stage.duckdb.lock"]
    with warehouse.writer() as con:
        assert con.execute("select tags from duckdb_databases() where database_name = 'stage'").fetchall()


def test_readers_of_the_snapshot_notice_nothing(warehouse: Warehouse) -> None:
    """They have a file of their own."""
    fill(warehouse)
    warehouse.publish()
    with duckdb.connect(str(warehouse.snapshot), read_only=True) as con:
        warehouse.compact()
        assert con.execute("select n from few").fetchall() == [(ROWS // 10,)]


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_who_dies_over_it_loses_nothing(warehouse: Warehouse, after_s: float) -> None:
    """Killed at any moment, the warehouse is the old file or the new one, and the next compaction goes through."""
    fill(warehouse)
    before = told(warehouse)
    process = subprocess.Popen(
        [sys.executable, "-c", COMPACT, str(warehouse.folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    process.stdout.readline()
    time.sleep(after_s)

    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert told(warehouse) == before
    warehouse.compact()
    assert told(warehouse) == before
    assert list(warehouse.folder.glob(".stage*")) == []


def test_a_snapshot_after_it_is_the_same(warehouse: Warehouse, tmp_path: Path) -> None:
    """Frames read before and after are equal, in any order."""
    fill(warehouse)
    before = warehouse.table("big").sort("id")
    warehouse.compact()
    after = warehouse.table("big").sort("id")

    assert isinstance(after, pl.DataFrame)
    assert after.equals(before)
    assert tmp_path.exists()
