"""The file that analysts read: a copy of the warehouse with the views and macros of `sql/analytics`."""

import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb

from resources.warehouse.tables import describe_table, literal, quoted, tables_of
from sql import names, statement

TableCopy = Callable[[duckdb.DuckDBPyConnection, str], None]


def copy_file(con: duckdb.DuckDBPyConnection, file: Path, into: Path) -> None:
    """Copy the attached DuckDB file as it is, analytics included.

    Raises:
        subprocess.CalledProcessError: The copy failed.
    """
    add_analytics(con)
    copy_checkpointed(con, file, into)


def copy_checkpointed(con: duckdb.DuckDBPyConnection, file: Path, into: Path) -> None:
    """Copy the attached DuckDB file as of now.

    Raises:
        subprocess.CalledProcessError: The copy failed.
    """
    con.execute("checkpoint warehouse")  # rows still in the log would be missing from the copy
    # a child process: opening the file in this one would drop DuckDB's own lock
    subprocess.run(["cp", "--reflink=auto", str(file), str(into)], check=True)  # noqa: S603, S607


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


def add_analytics(con: duckdb.DuckDBPyConnection) -> None:
    """Create the views and macros of `sql/analytics` whose tables exist; outside a transaction, as one may fail."""
    tables = tables_of(con)
    kind = con.execute("select type from duckdb_databases() where database_name = current_database()").fetchall()
    is_ducklake = kind[0][0] == "ducklake"
    for name in names("analytics"):
        definition = statement("analytics", name)
        if not tables.issuperset(definition.reads):
            continue
        with suppress(duckdb.BinderException):  # a table of an older version has other columns; skip this view only
            con.execute(definition.text)
            tables.add(name)
            if is_ducklake:  # keeps no comments on macros and on columns of views; the published file does
                continue
            if definition.text.startswith("create or replace macro"):
                con.execute(f"comment on macro table {quoted(name)} is {literal(definition.description)}")
            else:
                describe_table(con, name, definition.description, definition.column_comments.items())


def remove_abandoned_copies(snapshot: Path) -> None:
    """Remove the partial copies of processes that died while writing them."""
    for leftover in snapshot.parent.glob(f".{snapshot.name}.*.tmp"):
        process_id = leftover.suffixes[-2].removeprefix(".")
        if not Path(f"/proc/{process_id}").exists():
            leftover.unlink(missing_ok=True)
