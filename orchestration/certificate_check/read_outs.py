"""Two read-outs as files, and their tables: what NetSuite has, and what the target has.

FOLDER/stg_netsuite__<records>.parquet (or .csv), FOLDER/target.parquet (or .csv)  ->  load()  ->  read_<table>
"""

from collections.abc import Mapping
from pathlib import Path

import duckdb

TARGET = "target"
PREFIX = "read_"
SUFFIXES = (".parquet", ".csv")


class ReadOutError(ValueError):
    """A read-out, or a column of it, is missing; the text says which, and where."""


def quoted(name: str) -> str:
    """Return a name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def columns_of(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return names and types of a table's columns; nothing if there is no such table."""
    query = (
        "select column_name, data_type from information_schema.columns where table_name = ? order by ordinal_position"
    )
    return dict(con.execute(query, [table]).fetchall())


def load(con: duckdb.DuckDBPyConnection, folder: Path, tables: Mapping[str, str]) -> None:
    """Create a table for each read-out of a folder; texts of a CSV get the types of the warehouse's table beside it.

    Raises:
        ReadOutError: A file is missing or cannot be read.
    """
    for name, like in tables.items():
        files = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
        file = next((each for each in files if each.is_file()), None)
        if file is None:
            raise ReadOutError(f"no read-out of {name}: {files[0]} or {files[1].name} is needed")
        try:
            con.execute(f"create or replace temp table {quoted(PREFIX + name)} as {_select(con, file, like)}")
        except duckdb.Error as error:
            raise ReadOutError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error


def _select(con: duckdb.DuckDBPyConnection, file: Path, like: str) -> str:
    if file.suffix == ".parquet":
        return f"select * from read_parquet({literal(str(file))})"
    given = f"read_csv({literal(str(file))}, all_varchar = true, header = true)"
    types = columns_of(con, like)
    names = [row[0] for row in con.execute(f"describe select * from {given}").fetchall()]
    cast = (
        f"try_cast({quoted(each)} as {types[each]}) as {quoted(each)}" if each in types else quoted(each)
        for each in names
    )
    return f"select {', '.join(cast)} from {given}"
