"""A table's name opens a table, never a file or an address."""

from pathlib import Path

import duckdb
import pytest

from resources.warehouse.connection import connect
from resources.warehouse.tables import columns_of, has_table, quoted


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
