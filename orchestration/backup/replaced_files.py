"""The files that a restore replaces, and their way: the former ones aside, the new ones into their places."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from orchestration.backup.parts import BUDGET, DAGSTER, QUEUE, TOKENS, UI_TOKEN, USERS, WAREHOUSE, folder_of
from orchestration.configuration.settings import MillpondSettings
from orchestration.web.users import can_read
from resources.atomic_file import fsync
from resources.failpoints import reach

Report = Callable[[str], object]
_BESIDE = ("", "-wal", "-shm", "-journal")  # a SQLite file and what belongs to it


def moves_of(settings: MillpondSettings, scratch: Path, report: Report) -> dict[str, bool]:
    """Return the paths to move, logs beside SQLite files too, and whether the backup has a new file for each."""
    home = settings.home.absolute()
    paths = [f"{path}{beside}" for path in _replaced(settings, scratch, report) for beside in _BESIDE]
    return {path: _exists(scratch / path) for path in paths if _exists(scratch / path) or _exists(home / path)}


def _replaced(settings: MillpondSettings, scratch: Path, report: Report) -> Iterator[str]:
    """Yield the paths that are replaced, without those that the home has newer than any backup.

    A token is void once it was renewed, the calls of today count today, and a user who was removed stays removed.
    """
    home = settings.home.absolute()
    kept = [*(f"{folder_of(each)}{TOKENS}" for each in settings.per_account), BUDGET, USERS, UI_TOKEN]
    for path in kept:
        if (scratch / path).exists() and _is_usable(home / path):
            (scratch / path).unlink()
            report(f"{path}: that of the home is kept, because it is newer")
    for each in settings.per_account:
        folder = folder_of(each)
        yield f"{folder}{WAREHOUSE}"
        yield from (f"{folder}{name}" for name in (QUEUE, "alerts.sqlite", "version.json"))
    yield from (path for path in (*kept, DAGSTER) if (scratch / path).exists())


def _is_usable(file: Path) -> bool:
    """Return whether a file of tokens, users or a budget of the home can still be used."""
    if not file.is_file() or not file.stat().st_size:
        return False
    if file.name == USERS:
        return can_read(file)
    if file.suffix != ".sqlite":
        return True
    try:
        with closing(sqlite3.connect(file)) as con:
            return bool(con.execute("pragma quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.Error:
        return False


def move(home: Path, scratch: Path, former: Path, moves: Mapping[str, bool]) -> None:
    """Move the former files aside and the new ones into their places; the folder of new files goes last."""
    if not scratch.is_dir():
        return
    former.mkdir(mode=0o700, exist_ok=True)
    for path, has_new in moves.items():
        own, aside, new = (folder / path for folder in (home, former, scratch))
        if _exists(own) and (_exists(new) or not has_new) and not _exists(aside):
            aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            own.rename(aside)
            reach("restore_moved_aside")
        if _exists(new):
            own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.rename(own)
    for folder in {
        home,
        former,
        *(parent for path in moves for parent in ((home / path).parent, (former / path).parent)),
    }:
        if folder.is_dir():
            fsync(folder)
    shutil.rmtree(scratch)


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()
