"""Memory of a connection, and the folder to which it spills what does not fit.

folder of the warehouse  ->  limit_memory()  ->  .spill/<of this process>/<number>, which DuckDB removes at its end

Two instances of DuckDB must not share a folder. What a killed process left there, rows of the warehouse, is removed.
"""

import atexit
import os
from contextlib import suppress
from itertools import count
from pathlib import Path

import duckdb

from resources.scratch import held_folder, remove_left
from resources.warehouse.tables import literal

FOLDER = ".spill"
NONE = "none"  # is never created
MB_PER_THREAD = 128  # each thread keeps row groups of its own in memory
KEPT_MB = 64  # a connection that holds more is closed after its section
_number = count(1)
KEPT_FOLDERS = 64  # of the warehouses that a process used last, with a handle each
_own: dict[tuple[int, Path], tuple[Path, int]] = {}  # process, which may be a fork, and warehouse -> what it holds


def limit_memory(con: duckdb.DuckDBPyConnection, folder: Path, memory_mb: int) -> None:
    """Make a connection spill to disk beside the warehouse instead of using the machine's memory."""
    spill = _folder(folder) / str(next(_number))
    con.execute(f"set temp_directory = {literal(str(spill))}")  # first: the limit may need it
    con.execute(f"set memory_limit = '{memory_mb}MB'")
    con.execute(f"set threads = {max(1, min(os.cpu_count() or 1, memory_mb // MB_PER_THREAD))}")


def holds_much(con: duckdb.DuckDBPyConnection) -> bool:
    """Return whether temporary tables and what was read fill more memory than a connection may keep."""
    used = con.execute("select sum(memory_usage_bytes + temporary_storage_bytes) from duckdb_memory()").fetchall()[0][0]
    return bool(used > KEPT_MB * 2**20)


def remove_abandoned_spills(folder: Path) -> None:
    """Remove what processes that died have spilled."""
    remove_left(folder / FOLDER)


def _folder(folder: Path) -> Path:
    """Return the folder that this process holds as long as it lives, or until it has used many other warehouses.

    On a full disk there is none: the warehouse can be read, and what has to spill fails.
    """
    key = (os.getpid(), folder)
    own, _ = _own.get(key, (None, -1))
    if own is None or not own.exists():  # a restore moves the warehouse
        _leave(key)
        try:
            (folder / FOLDER).mkdir(mode=0o700, exist_ok=True)
            remove_abandoned_spills(folder)
            own, _ = _own[key] = held_folder(folder / FOLDER)
        except OSError:
            return folder / FOLDER / NONE
        for other in [*_own][:-KEPT_FOLDERS]:
            _leave(other)
    return own


def _leave(key: tuple[int, Path]) -> None:
    """End holding a folder, and remove it if it is empty; a fork leaves that of its parent."""
    own, handle = _own.pop(key, (None, -1))
    if own is not None:
        os.close(handle)
        if key[0] == os.getpid():
            with suppress(OSError):
                own.rmdir()


@atexit.register
def _leave_all() -> None:
    for key in [*_own]:
        _leave(key)
