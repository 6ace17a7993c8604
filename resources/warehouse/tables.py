"""Tables of the warehouse over an open connection: whether they are there, their columns, frames in and out, comments."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import duckdb
import polars as pl

from resources.warehouse.backend import literal
from sql import Statement, names, statement


class Arrow:
    """Anything with an Arrow C stream, and nothing else: neither library sees the other's type and asks for pyarrow."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._stream.__arrow_c_stream__(requested_schema)


def quoted(name: str) -> str:
    """A table or column name as an SQL identifier; only our own names are formatted into SQL."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


Params = Sequence[Any] | Mapping[str, Any]


def read_frame(con: duckdb.DuckDBPyConnection, query: str, params: Params | None = None) -> pl.DataFrame:
    """Run a query into a Polars frame without pyarrow."""
    return pl.DataFrame(Arrow(con.sql(query, params=params)))


def insert_frame(con: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """Append a frame to a table, columns matched by name."""
    if frame.is_empty():
        return
    _incoming = Arrow(frame)  # DuckDB finds it by its name; what is registered stays in memory until the commit
    con.execute(f"insert into {quoted(table)} by name select * from _incoming")


def tables_of(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The warehouse's tables and views; one question instead of one for each."""
    rows = con.execute(
        "select table_name from duckdb_tables() where database_name = current_database() union all"
        " select view_name from duckdb_views() where database_name = current_database() and not internal"
    ).fetchall()
    return {str(row[0]) for row in rows}


def has_table(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether a table, or a view that can be read, exists in the warehouse.

    Looked up, not searched for: seven times as fast as `duckdb_tables()`, which tells of every table, and a run asks
    hundreds of times. Unlike a query that fails it does not end the transaction.
    """
    try:
        con.table(quoted(name))
    except duckdb.CatalogException:
        return False
    return True


def columns_of(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    """Column names and DuckDB types of a table, in order; empty when there is none."""
    # a missing table is asked for first: naming it would end the transaction
    if not has_table(con, name):
        return {}
    # six times as fast as information_schema, which looks at every table's columns
    return {column: kind for column, kind, *_ in con.execute(f"describe {quoted(name)}").fetchall()}


def replace_table(con: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame) -> None:
    """Make a table of exactly this frame."""
    _incoming = Arrow(frame)
    con.execute(f"create or replace table {quoted(name)} as select * from _incoming")


def describe_table(
    con: duckdb.DuckDBPyConnection, name: str, description: str, columns: Iterable[tuple[str, str]] = ()
) -> None:
    """Write the table's and the columns' comments, which analysts read."""
    views = "select 1 from duckdb_views() where database_name = current_database() and view_name = ?"
    word = "view" if con.execute(views, [name]).fetchall() else "table"
    con.execute(f"comment on {word} {quoted(name)} is {literal(description)}")
    for column, text in columns:
        con.execute(f"comment on column {quoted(name)}.{quoted(column)} is {literal(text)}")


def add_analytics(con: duckdb.DuckDBPyConnection) -> None:
    """Make the views and macros of `sql/analytics` whose tables are there; outside a transaction, for one may fail."""
    there = tables_of(con)
    kind = con.execute("select type from duckdb_databases() where database_name = current_database()").fetchall()
    is_lake = kind[0][0] == "ducklake"
    for name in names("analytics"):
        definition = statement("analytics", name)
        if not there.issuperset(definition.reads):
            continue
        with suppress(duckdb.BinderException):  # a table of an older version has other columns; the rest is published
            con.execute(definition.text)
            there.add(name)
            if is_lake:  # which keeps no comments on macros and on columns of views; the published file does
                continue
            if definition.text.startswith("create or replace macro"):
                con.execute(f"comment on macro table {quoted(name)} is {literal(definition.description)}")
            else:
                describe_table(con, name, definition.description, definition.column_comments.items())


def ensure_table(con: duckdb.DuckDBPyConnection, *definitions: Statement) -> None:
    """Create tables of `sql/ledger` with their comments, unless they are there."""
    for definition in definitions:
        if not has_table(con, definition.name):
            con.execute(definition.text)
            describe_table(con, definition.name, definition.description, definition.column_comments.items())
