"""A table's name opens a table, never a file or an address; a row gets the columns that it names."""

from itertools import product
from pathlib import Path

import duckdb
import polars as pl
import pytest

from resources.warehouse import tables
from resources.warehouse.connection import connect
from resources.warehouse.tables import columns_of, has_table, hashable, insert_frame, insert_row, quoted, replace_table


@pytest.mark.parametrize(
    "name", ["{}/x.csv", "{}/x.parquet", "http://127.0.0.1:9/x.csv", "s3://x/y.parquet", "x'y", "", "a.b"]
)
def test_a_name_that_duckdb_would_open_as_a_file_is_no_table(tmp_path: Path, name: str) -> None:
    """The table of a lookup is text from a workflow file."""
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with connect() as con:
        assert not has_table(con, name.format(tmp_path))
        assert columns_of(con, name.format(tmp_path)) == {}


def test_nothing_is_downloaded_for_a_name() -> None:
    """DuckDB would fetch an extension for an address; the error is immediate and local."""
    with connect() as con, pytest.raises(duckdb.Error, match="requires the extension httpfs to be loaded"):
        con.execute(f"from {quoted('http://127.0.0.1:9/x.csv')}")


def test_a_row_is_inserted_by_column() -> None:
    """The order of the values is not that of the table, and the columns that it lacks are null."""
    with connect() as con:
        con.execute('create or replace temp table _t (a integer, "b c" varchar, d integer)')
        insert_row(con, "_t", {"d": 3, "b c": "it's"})
        assert con.execute("from _t").fetchall() == [(None, "it's", 3)]


LISTS = [None, [], [None], ["a"], ["b"], ["a", "b"], ["b", "a"], ["a", "a"], [None, "a"], ["a, b"]]


def test_rows_of_other_values_have_other_hashes() -> None:
    """An element that moves from one list to the list beside it is a change, as is a list that becomes empty."""
    values = pl.DataFrame(
        [*product(LISTS, LISTS)], schema={"one": pl.List(pl.String), "two": pl.List(pl.String)}, orient="row"
    )
    with connect() as con:
        replace_table(con, "lists", values)
        hashes = con.execute(f"select hash({hashable(columns_of(con, 'lists'))}) from lists").fetchall()

    assert len({*hashes}) == len(LISTS) ** 2


def test_a_large_frame_is_stored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its order, whatever the number of parts, and the first time as later."""
    monkeypatch.setattr(tables, "PART_MB", 0.0001)
    frame = pl.DataFrame({"number": range(100), "text": ["x" * 10] * 100})
    with connect() as con:
        replace_table(con, "numbers", frame)
        insert_frame(con, "numbers", frame.with_columns(pl.col("number") + 100))
        replace_table(con, "none", frame.clear())

        assert con.execute("select number from numbers order by rowid").fetchall() == [(n,) for n in range(200)]
        assert con.execute("select count(*) from none").fetchall() == [(0,)]
        assert len([*tables.parts_of(frame)]) > 1


GROUP = 122_880  # rows of a row group of DuckDB, which it writes before the commit


@pytest.mark.parametrize(
    "sizes", [(0, GROUP, 10), (0, 200_000, GROUP, 1), (GROUP, 0, GROUP, 10), (10, 0, GROUP, 0, 10), (0, 0, GROUP, 10)]
)
def test_a_transaction_reads_and_commits_every_row_that_it_inserted(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    """After an insert of no rows, DuckDB 2.0.0 did not read the large ones that follow, and 1.5 lost them."""
    with connect() as con:
        con.execute(f"attach '{tmp_path / 'x.duckdb'}' as x")
        con.execute("use x")
        con.execute("set threads = 2")
        con.execute("begin")
        replace_table(con, "numbers", pl.DataFrame(schema={"number": pl.Int64}))
        for size in sizes:
            insert_frame(con, "numbers", pl.select(number=pl.int_range(size)))
        read = con.execute("select count(number) from numbers").fetchall()
        con.execute("commit")

        assert (read, con.execute("select count(number) from numbers").fetchall()) == ([(sum(sizes),)],) * 2
