"""Check at the start of every process that the files of a home can be used: one line per problem, with the way back.

MillpondSettings  ->  check_home()  ->  nothing, or a SettingsError
"""

import json
import os
import pwd
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from orchestration.configuration.settings import MillpondSettings
from orchestration.configuration.settings_error import SettingsError
from resources.database_files import opened_apart
from resources.way_back import way_back

DUCKDB_MAGIC = b"DUCK"
CHECKED_BYTES = 10_000_000  # larger databases are not read as a whole at each start

_DAGSTER_FILES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")


def check_home(settings: MillpondSettings, *, files: bool = True) -> None:
    """Check folders and files; what does not exist yet is fine.

    Args:
        settings: The settings.
        files: Also check the files, which a command may not need, or may repair.

    Raises:
        SettingsError: One cannot be used; the text names each, and the way back.
    """
    home = settings.home.absolute()
    problems = [*_folder_problems(home)]
    for each in () if problems else settings.per_account:
        for folder in dict.fromkeys((each.account_home, each.warehouse)):
            problems += _folder_problems(folder)
        for file, check in _files(each) if files and not problems else ():
            problems += [f"{file}: {text}" for text in _file_problems(file, check)]
    if problems:
        raise SettingsError("\n".join(dict.fromkeys(problems)))


def _folder_problems(folder: Path) -> Iterator[str]:
    """Yield why a folder cannot be used, or cannot be made."""
    try:
        yield from _unusable(folder)
    except OSError as error:  # a folder above it may not be entered
        fix = "let this user enter the folders above it, or set MILLPOND_HOME to another one"
        yield f"{folder}: {error.strerror}; {fix}"


def _unusable(folder: Path) -> Iterator[str]:
    if not folder.exists() and not folder.is_symlink():
        above = next(each for each in folder.parents if each.exists())
        if not above.is_dir():
            yield f"{folder}: {above} is not a folder; set MILLPOND_HOME to another one"
        elif not _may(above, os.W_OK | os.X_OK):
            yield f"{folder}: cannot be made: {_reason(above)}"
    elif not folder.is_dir():
        yield f"{folder}: is not a folder; move it away, or set MILLPOND_HOME to another one"
    elif not _may(folder, os.R_OK | os.W_OK | os.X_OK):
        yield f"{folder}: {_reason(folder)}"


def _reason(path: Path) -> str:
    """The reason why this process may not write a path, and what to do."""
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "is on a read-only file system; mount it for writing, or set MILLPOND_HOME to another folder"
    owner = path.stat().st_uid
    if owner != os.geteuid():
        return f"belongs to {_user(owner)}, but this process runs as {_user(os.geteuid())}; run it as that user"
    return "this user may not read and write it; change its permissions (chmod u+rwX)"


def _user(number: int) -> str:
    with suppress(KeyError):
        return f"user {pwd.getpwuid(number).pw_name}"
    return f"user {number}"


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _files(settings: MillpondSettings) -> Iterator[tuple[Path, Callable[[Path], str]]]:
    home = settings.home.absolute()
    yield settings.warehouse / "millpond.duckdb", _warehouse_problem
    yield settings.warehouse / "switches.json", _json_problem
    yield settings.account_home / "notifications.sqlite", _database_problem
    yield settings.alerts, _database_problem
    yield home / "precoro_budget.sqlite", _database_problem
    yield home / "users.json", _json_problem
    for name in _DAGSTER_FILES:
        yield settings.dagster_home / name, _dagster_problem


def _file_problems(file: Path, check: Callable[[Path], str]) -> Iterator[str]:
    try:
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield f"{error.strerror}; {way_back(file)}"
        return
    if not stat.S_ISREG(mode):
        yield f"is not a file; move it away, then {way_back(file)}"
    elif not _may(file, os.R_OK | os.W_OK):
        yield _reason(file)
    elif found := check(file):
        yield f"damaged: {found}; {way_back(file)}"


def _warehouse_problem(file: Path) -> str:
    if not file.stat().st_size:
        return "it is empty"
    with opened_apart(file) as content:
        head = content.read(12)
    return "" if head[8:] == DUCKDB_MAGIC else "it is not a DuckDB file"


def _json_problem(file: Path) -> str:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        return "it is no JSON"
    return "" if isinstance(content, dict) else "it is not a JSON object"


def _dagster_problem(file: Path) -> str:
    """As for other databases; an empty one is new, since Dagster creates its tables after the file."""
    return _database_problem(file) if file.stat().st_size else ""


def _database_problem(file: Path) -> str:
    if not file.stat().st_size:
        return "it is empty"
    try:  # with SQLite alone: closing the file any other way drops the locks of this process's own connections to it
        with closing(sqlite3.connect(file, timeout=5)) as con:
            if file.stat().st_size > CHECKED_BYTES:
                con.execute("select count(*) from sqlite_master").fetchall()
                return ""
            found = str(con.execute("pragma quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:
        return ""  # locked or full: reported by whatever uses it
    except sqlite3.DatabaseError as error:
        return "it is not a SQLite file" if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB else str(error)
    return "" if found == "ok" else found.splitlines()[-1]  # the first names the database, which is always `main`
