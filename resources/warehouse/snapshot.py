"""The file that analysts read: a copy of the warehouse with the views and macros of `sql/analytics`."""

from collections.abc import Callable
from pathlib import Path

import duckdb

from resources.database_files import copy_apart
from resources.warehouse.analytics import add_analytics
from resources.warehouse.tables import literal

TableCopy = Callable[[duckdb.DuckDBPyConnection, str], None]


def copy_file(con: duckdb.DuckDBPyConnection, file: Path, into: Path) -> None:
    """Copy the attached DuckDB file as it is, analytics included; subprocess.CalledProcessError if the copy failed."""
    add_analytics(con)
    copy_checkpointed(con, file, into)


def copy_checkpointed(con: duckdb.DuckDBPyConnection, file: Path, into: Path) -> None:
    """Copy the attached DuckDB file as of now; subprocess.CalledProcessError if the copy failed."""
    con.execute("checkpoint warehouse")  # rows still in the log would be missing from the copy
    copy_apart(file, into, "--reflink=auto")


def copy_tables(con: duckdb.DuckDBPyConnection, into: Path, copy: TableCopy, *, in_transaction: bool) -> None:
    """Write a new file table by table, then its analytics.

    Args:
        con: With the warehouse attached.
        into: The new file.
        copy: Writes the tables into the attached database of the given name.
        in_transaction: The connection is in a transaction; detaching the file needs a break in it.
    """
    con.execute(f"attach {literal(str(into))} as snapshot (storage_version 'v1.5.0')")
    try:
        copy(con, "snapshot")
        con.execute("use snapshot")
        add_analytics(con)
    finally:
        con.execute("use warehouse")
        if in_transaction:
            con.execute("commit")
        con.execute("detach snapshot")
        if in_transaction:
            con.execute("begin")
