"""The files of a home that a backup holds, and how each is copied while others write it.

warehouse   DuckDB: a checkpoint and a copy of the file, in one section of the warehouse
database    SQLite: its own online backup
file        replaced atomically by its writers, so any moment has a whole one; a secret that lies in plain is left out

Nothing else of a home is in it: the sandbox stands for the outside systems, snapshots and reports are made again, and
workflow files and .env belong to no home.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from orchestration.configuration.settings import MillpondSettings

Kind = Literal["warehouse", "database", "file", "secret"]

WAREHOUSE = "warehouse"
DATABASE_FILE = f"{WAREHOUSE}/millpond.duckdb"
QUEUE, TOKENS, VERSION = "notifications.sqlite", "suiteprojects_tokens.json", "version.json"
BUDGET, DAGSTER = "precoro_budget.sqlite", "dagster"
USERS, UI_TOKEN = "users.json", "ui_token"
# also `.db`, which Dagster makes for the events that belong to no run
_DATABASE = re.compile(rf"{DAGSTER}(/[\w.-]{{1,100}}){{0,5}}/[\w.-]{{0,100}}\.db", re.ASCII)
# per account, below its home
_OF_ACCOUNT: dict[str, Kind] = {
    QUEUE: "database",
    "alerts.sqlite": "database",
    TOKENS: "secret",
    VERSION: "file",
    f"{WAREHOUSE}/switches.json": "file",
    DATABASE_FILE: "warehouse",  # last: what the queue no longer has is in the warehouse, or is read again
}
_SHARED: dict[str, Kind] = {BUDGET: "database", USERS: "file", UI_TOKEN: "secret"}


@dataclass(frozen=True)
class Part:
    """One file: its path below the home, with slashes, and the settings of its account."""

    path: str
    kind: Kind
    settings: MillpondSettings

    @property
    def file(self) -> Path:
        """The file itself."""
        return self.settings.home.absolute() / self.path


def folder_of(settings: MillpondSettings) -> str:
    """Return the path of an account's home below the home, with a slash at its end; blank for the only account."""
    return f"accounts/{settings.account}/" if settings.account else ""


def parts_of(settings: MillpondSettings) -> list[Part]:
    """Return every part of every account that exists; the runs of Dagster are not among them."""
    found = [Part(path, kind, settings) for path, kind in _SHARED.items()]
    for each in settings.per_account:
        found += [Part(f"{folder_of(each)}{path}", kind, each) for path, kind in _OF_ACCOUNT.items()]
    return [each for each in found if each.file.exists()]


def run_parts(settings: MillpondSettings) -> Iterator[Part]:
    """Yield Dagster's databases: runs, events, schedules."""
    folder = settings.dagster_home
    for file in sorted(folder.rglob("*.db")):
        path = f"{DAGSTER}/{file.relative_to(folder).as_posix()}"
        if _is_database(path):
            yield Part(path, "database", settings)


def is_known(path: str, settings: MillpondSettings) -> bool:
    """Return whether an archive may have a member of this path: nothing is unpacked anywhere else."""
    pure = PurePosixPath(path)
    if str(pure) != path or pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        return False
    if pure.parts[:1] == (DAGSTER,):
        return _is_database(path)
    folders = {folder_of(each) for each in settings.per_account}
    return path in _SHARED or any(path == f"{folder}{name}" for folder in folders for name in _OF_ACCOUNT)


def _is_database(path: str) -> bool:
    """Return whether a path is a database of Dagster; a backup has the same ones that a restore unpacks."""
    return bool(_DATABASE.fullmatch(path))
