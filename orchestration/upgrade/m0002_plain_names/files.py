"""The files of a home: the warehouse's folder, queues, alerts, switches, and the sandbox's switches.

home of 0.1  ->  convert_files()  ->  the same files under the names of 0.2; repeatable after an interruption
"""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from orchestration.upgrade.errors import UpgradeError
from orchestration.upgrade.m0002_plain_names.names import (
    ALERT_CAUSES,
    FAULTS,
    NEW_STATE,
    OLD_STATE,
    REMOVED_SWITCHES,
    SANDBOX_SWITCHES,
)
from resources.atomic_file import fsync, write_atomically
from resources.failpoints import reach

OLD_FOLDER, FOLDER = "pond", "warehouse"
OLD_FILE, FILE = "stage.duckdb", "millpond.duckdb"
SPILLED = ".spill"  # beside the new file; its module loads DuckDB, which this check at every start may not
OLD_QUEUE, QUEUE = "hints.sqlite", "notifications.sqlite"
ALERTS = "alerts.sqlite"
SWITCHES, SANDBOX, FAULT_FILE = "switches.json", Path("sandbox"), "faults.sqlite"
COMPANIONS = ("", ".wal", "-wal", "-shm")  # of a DuckDB or SQLite file

# version 0.1 would create an empty warehouse in this folder; a file in its place stops it
SIGN = (
    "This home was upgraded by Millpond 0.2. The warehouse is in the folder `warehouse`, copies of the files as they\n"
    "were before are in `before-0.2.0`. Do not use this home with Millpond 0.1.\n"
)


def finds_old_files(home: Path) -> bool:
    """Return whether the home has files of 0.1."""
    return (home / OLD_FOLDER).is_dir() or (home / OLD_QUEUE).exists()


def old_files(home: Path) -> Iterator[Path]:
    """Yield the files that `convert_files` and `convert_tables` change."""
    names = (
        Path(OLD_FOLDER, OLD_FILE), Path(OLD_FOLDER, SWITCHES), Path(OLD_QUEUE), Path(ALERTS), SANDBOX / SWITCHES,
        SANDBOX / FAULT_FILE,
    )  # fmt: skip
    for name in names:
        for companion in COMPANIONS:
            file = home / f"{name}{companion}"
            if file.exists():
                yield file


def locks(home: Path) -> Iterator[Path]:
    """Yield the lock files of 0.1; a process that writes to the warehouse or to a target holds one."""
    yield from (home / OLD_FOLDER).glob("*.lock")


def convert_files(home: Path) -> Iterator[str]:
    """Convert the files; yield what was done, one line each; UpgradeError if a file of 0.2 is already there."""
    yield from _move_warehouse(home)
    yield from _convert_json(home / FOLDER / SWITCHES, _renamed_switch_keys)
    yield from _move_queue(home)
    yield from _convert_alerts(home / ALERTS)
    yield from _convert_json(home / SANDBOX / SWITCHES, _renamed_sandbox_switches)
    yield from _convert_faults(home / SANDBOX / FAULT_FILE)


def _move_warehouse(home: Path) -> Iterator[str]:
    old, new = home / OLD_FOLDER, home / FOLDER
    if old.is_dir():
        _remove_empty(new)
        _refuse_existing(old, new)
        old.rename(new)
        fsync(home)
        reach("upgrade_moved")
        yield f"{old} -> {new}"
    if not new.exists():
        return
    for companion in reversed(COMPANIONS):  # the log first: without it the file lacks rows
        file = new / f"{OLD_FILE}{companion}"
        if file.exists():
            _refuse_existing(file, new / f"{FILE}{companion}")
            file.rename(new / f"{FILE}{companion}")
            fsync(new)
            yield f"{file.name} -> {FILE}{companion}"
    for orphan in [*new.glob(f"{OLD_STATE}*.lock"), new / f"{OLD_FILE}.lock", new / f".{OLD_FILE}.new"]:
        orphan.unlink(missing_ok=True)
    old.write_text(SIGN, encoding="utf-8")


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which nothing is but locks and what DuckDB spilled, as after a look into the warehouse."""
    if folder.is_dir() and all(file.suffix == ".lock" or file.name == SPILLED for file in folder.iterdir()):
        shutil.rmtree(folder)


def _refuse_existing(old: Path, new: Path) -> None:
    if new.exists():
        raise UpgradeError(f"{old} should become {new}, but both exist; move away the one that is not in use")


def _convert_json(path: Path, renamed: Callable[[Any], Any]) -> Iterator[str]:
    if not path.exists():
        return
    content = json.loads(path.read_text(encoding="utf-8"))
    converted = renamed(content)
    if converted != content:
        write_atomically(path, json.dumps(converted, indent=1))
        yield f"{path}: new names"


def _renamed_switch_keys(switches: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    keys = {"why": "reason"}
    return {name: {keys.get(key, key): value for key, value in each.items()} for name, each in switches.items()}


def _renamed_sandbox_switches(switches: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    converted: dict[str, dict[str, Any]] = {}
    for system, values in switches.items():
        renames, removed = SANDBOX_SWITCHES.get(system, {}), REMOVED_SWITCHES.get(system, ())
        converted[system] = {}
        for name, value in values.items():
            new, new_values = renames.get(name, (name, {}))
            if name not in removed:
                converted[system][new] = new_values.get(value, value) if isinstance(value, str) else value
    return converted


def _move_queue(home: Path) -> Iterator[str]:
    old, new = home / OLD_QUEUE, home / QUEUE
    if not old.exists():
        return
    _refuse_existing(old, new)
    with closing(_exclusive(old)) as con:
        if _has(con, "hint"):
            con.execute("alter table hint rename to notification")
            con.execute("alter table notification drop column posts")
            con.execute("alter table notification drop column last_at")
            for before, after in {"door": "connection", "tries": "attempts", "why": "error"}.items():
                con.execute(f"alter table progress rename column {before} to {after}")
            con.execute("create table sequence (last_number integer not null)")
            con.execute("insert into sequence select coalesce(max(last), 0) from counter where name = 'number'")
            con.execute("drop table counter")
        con.execute("commit")
    _fold_log(old)
    old.rename(new)
    fsync(home)
    yield f"{old} -> {new}"


def _convert_alerts(path: Path) -> Iterator[str]:
    if not path.exists():
        return
    with closing(_exclusive(path)) as con:
        if _has(con, "problems"):
            con.execute("drop table if exists alerts")
            con.execute("alter table problems rename to alerts")
            con.execute("alter table outbox drop column tries")
            for table, columns in {
                "steps": ("step", "cause_key", "cause", "affected"),
                "alerts": ("key", "name", "cause", "affected", "lines"),
                "outbox": ("notice",),
            }.items():
                for column in columns:
                    con.execute(f"update {table} set {column} = renamed({column}) where {column} is not null")
            yield f"{path}: new names"
        con.execute("commit")


def _renamed_cause(text: str) -> str:
    """Return a cause, or a text with one, in the words of 0.2: otherwise open alerts would close and open again."""
    for old, new in {**ALERT_CAUSES, f'"{OLD_STATE}': f'"{NEW_STATE}', f" {OLD_STATE}": f" {NEW_STATE}"}.items():
        text = text.replace(old, new)
    return NEW_STATE + text.removeprefix(OLD_STATE) if text.startswith(OLD_STATE) else text


def _convert_faults(path: Path) -> Iterator[str]:
    if not path.exists():
        return
    with closing(_exclusive(path)) as con:
        changed = [con.execute("update faults set kind = ? where kind = ?", (new, old)) for old, new in FAULTS.items()]
        con.execute("commit")
    if sum(each.rowcount for each in changed):
        yield f"{path}: new names"


def _exclusive(path: Path) -> sqlite3.Connection:
    """Open a file in a transaction that keeps every other process out."""
    con = sqlite3.connect(path, isolation_level=None, timeout=60)
    con.create_function("renamed", 1, _renamed_cause, deterministic=True)
    con.execute("pragma synchronous = full")
    con.execute("begin exclusive")
    return con


def _has(con: sqlite3.Connection, table: str) -> bool:
    return bool(con.execute("select 1 from sqlite_master where type = 'table' and name = ?", (table,)).fetchall())


def _fold_log(path: Path) -> None:
    """Write the log into the file, so that the file alone can be renamed."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as con:
        con.execute("pragma journal_mode = delete")
    for companion in COMPANIONS[2:]:
        path.with_name(path.name + companion).unlink(missing_ok=True)
