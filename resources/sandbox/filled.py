"""The check that a sandbox was ever filled: an empty one looks like an account without customers."""

import sqlite3
from contextlib import closing
from pathlib import Path

NETSUITE = "netsuite.sqlite"


def was_filled(folder: Path) -> bool:
    """Return whether the sandbox's NetSuite ever had a record; nothing is created."""
    file = folder / NETSUITE
    if not file.exists():
        return False
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        try:
            return connection.execute("select 1 from id_sequence limit 1").fetchone() is not None
        except sqlite3.DatabaseError:  # reported, with its cause, by whatever uses the file
            return not _lacks_tables(connection)


def _lacks_tables(connection: sqlite3.Connection) -> bool:
    try:
        return not connection.execute("select 1 from sqlite_master where name = 'id_sequence'").fetchall()
    except sqlite3.DatabaseError:
        return False


def refusal(folder: Path) -> str:
    """Return why a sandbox cannot be used and what to do; blank if it was filled."""
    if was_filled(folder):
        return ""
    return (
        f"the sandbox in {folder} was never filled; `millpond demo` fills one and runs on it, `millpond sandbox seed"
        " --customers 200` fills this one, and MILLPOND_MODE=live connects to the real systems"
    )
