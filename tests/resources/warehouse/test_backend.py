"""Compaction rewrites the warehouse file without its free space; a crash loses nothing."""

import os
import signal
import subprocess
import sys
import time

import duckdb
import polars as pl
import pytest

from resources.warehouse import spill
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
    """Create a table, delete most of it, add a view and comments."""
    with warehouse.writer() as con:
        con.execute(f"create table big as select i as id, md5(i::varchar) as text from range({ROWS}) as r(i)")
        describe_table(con, "big", "all rows", [("text", "it's text")])
        con.execute("create view totals as select count(*) as n from big")
        describe_table(con, "totals", "the number of rows", [("n", "rows")])
    with warehouse.writer() as con:
        con.execute("delete from big where id % 10 > 0")


def content(warehouse: Warehouse) -> list[object]:
    """Return rows, columns, types and comments."""
    with warehouse.writer(transaction=False) as con:
        return [
            con.execute("from big order by id").fetchall(),
            con.execute("from totals").fetchall(),
            con.execute("select table_name, comment from duckdb_tables() where database_name = 'warehouse'").fetchall(),
            con.execute(
                "select table_name, column_name, data_type, comment from duckdb_columns()"
                " where database_name = 'warehouse' and not internal order by all"
            ).fetchall(),
        ]


def test_compaction_shrinks_the_file_and_changes_nothing_else(warehouse: Warehouse) -> None:
    """Rows, types, views and comments are unchanged; DuckDB 1.5 can still read the format."""
    fill(warehouse)
    before = content(warehouse)

    bytes_before, bytes_after = warehouse.compact()

    assert bytes_after < bytes_before / 2
    assert warehouse.file.stat().st_size == bytes_after
    assert content(warehouse) == before
    assert sorted(path.name for path in warehouse.folder.iterdir() if path.name != spill.FOLDER) == [
        "millpond.duckdb",
        "millpond.duckdb.lock",
        "millpond.duckdb.queue.lock",
    ]
    assert list((warehouse.folder / spill.FOLDER).glob("*/*")) == []
    with warehouse.writer() as con:
        assert con.execute("select tags from duckdb_databases() where database_name = 'warehouse'").fetchall()


def test_compaction_does_not_disturb_readers_of_the_snapshot(warehouse: Warehouse) -> None:
    """The snapshot is a separate file."""
    fill(warehouse)
    warehouse.publish()
    with duckdb.connect(str(warehouse.snapshot), read_only=True) as con:
        warehouse.compact()
        assert con.execute("select n from totals").fetchall() == [(ROWS // 10,)]


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_killed_compaction_loses_nothing(warehouse: Warehouse, after_s: float) -> None:
    """Killed at any moment, the warehouse is the old file or the new one, and the next compaction succeeds."""
    fill(warehouse)
    before = content(warehouse)
    process = subprocess.Popen(
        [sys.executable, "-c", COMPACT, str(warehouse.folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    process.stdout.readline()
    time.sleep(after_s)

    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert content(warehouse) == before
    warehouse.compact()
    assert content(warehouse) == before
    assert list(warehouse.folder.glob(".millpond*")) == []


def test_frames_are_equal_before_and_after_compaction(warehouse: Warehouse) -> None:
    """Row order may differ."""
    fill(warehouse)
    before = warehouse.table("big").sort("id")
    warehouse.compact()
    after = warehouse.table("big").sort("id")

    assert isinstance(after, pl.DataFrame)
    assert after.equals(before)
