"""Memory of a connection, and the folder to which it spills what does not fit.

folder of the warehouse  ->  limit_memory()  ->  .spill/<process>.<number>, which DuckDB removes at its end

Two instances of DuckDB must not share a folder. What a killed process left there, rows of the warehouse, is removed.
"""

import os
import shutil
from itertools import count
from pathlib import Path

import duckdb

from resources.warehouse.tables import literal

FOLDER = ".spill"
MB_PER_THREAD = 128  # each thread keeps row groups of its own in memory
KEPT_MB = 64  # a connection that holds more is closed after its section
_number = count(1)


def limit_memory(con: duckdb.DuckDBPyConnection, folder: Path, memory_mb: int) -> None:
    """Make a connection spill to disk beside the warehouse instead of using the machine's memory."""
    (folder / FOLDER).mkdir(mode=0o700, exist_ok=True)
    spill = folder / FOLDER / f"{os.getpid()}.{next(_number)}"
    con.execute(f"set temp_directory = {literal(str(spill))}")  # first: the limit may need it
    con.execute(f"set memory_limit = '{memory_mb}MB'")
    con.execute(f"set threads = {max(1, min(os.cpu_count() or 1, memory_mb // MB_PER_THREAD))}")


def holds_much(con: duckdb.DuckDBPyConnection) -> bool:
    """Return whether temporary tables and what was read fill more memory than a connection may keep."""
    used = con.execute("select sum(memory_usage_bytes + temporary_storage_bytes) from duckdb_memory()").fetchall()[0][0]
    return bool(used > KEPT_MB * 2**20)


def remove_abandoned_spills(folder: Path) -> None:
    """Remove what processes that died have spilled."""
    for leftover in (folder / FOLDER).glob("*"):
        if not Path(f"/proc/{leftover.name.partition('.')[0]}").exists():
            shutil.rmtree(leftover, ignore_errors=True)
