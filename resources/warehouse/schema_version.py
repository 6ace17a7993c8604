"""The schema version of a warehouse: which names its tables, columns and stored values have.

SCHEMA_VERSION (of this code)  ->  stamp() on a new warehouse  ->  table schema_version  ->  read_version()

Every change of schema gets a number and a migration (`orchestration/upgrade/migrations.py`).
"""

from importlib.metadata import version as installed_version

import duckdb

from resources.clock import WallClock, utc_now
from resources.warehouse.tables import ensure_table, has_table, tables_of
from sql import statement

SCHEMA_VERSION = 2
UNVERSIONED = 1  # Millpond 0.1 kept no version


def read_version(con: duckdb.DuckDBPyConnection) -> int | None:
    """Return the version of the attached warehouse; None if it has no tables yet."""
    if has_table(con, "schema_version"):
        found: int = con.execute("select max(version) from schema_version").fetchall()[0][0]
        return found
    return UNVERSIONED if tables_of(con) else None


def stamp(con: duckdb.DuckDBPyConnection, version: int = SCHEMA_VERSION) -> None:
    """Record that the warehouse has a version from now on."""
    ensure_table(con, statement("ledger", "schema_version"))
    row = [version, utc_now(WallClock()), installed_version("millpond")]
    con.execute("insert into schema_version values (?, ?, ?)", row)


def mismatch(name: str, version: int) -> str:
    """Describe why this code cannot use a warehouse or home of another version; blank if it can."""
    if version == SCHEMA_VERSION:
        return ""
    has = f"{name}: schema version {version}, but Millpond {installed_version('millpond')} uses {SCHEMA_VERSION}"
    if version < SCHEMA_VERSION:
        return f"{has}; run `millpond upgrade`, which keeps a copy of the old files"
    return f"{has}; a newer Millpond has upgraded it: install that one, or restore a copy from before its upgrade"
