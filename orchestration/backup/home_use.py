"""The lock of a home: every process that uses it holds a shared one as long as it lives, and a restore the only one.

command, code location  ->  use_home();  restore  ->  sole_use()  ->  an error that names the processes
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.backup.errors import BackupError

LOCK = "home.lock"
RESTORE_JOURNAL = "restore.json"  # a restore that was decided and is not complete
RENAME_JOURNAL = "rename.json"  # the same of a workflow's rename

_used: dict[Path, int] = {}  # the lock's open file: a process uses one home


def use_home(home: Path) -> None:
    """Hold the shared lock until this process ends, or uses another home; a home that does not exist is not made.

    Raises:
        BackupError: It is being restored.
        OSError: The lock's file cannot be written.
    """
    if not home.is_dir():
        return
    handle = _opened(home)
    if not _lock(handle, fcntl.LOCK_SH):
        raise BackupError(f"{home} is being restored by process {_holders(home)}; run again when it has ended")


@contextmanager
def sole_use(home: Path) -> Iterator[None]:
    """Be the only process that uses the home within the block; BackupError names the others if there are any."""
    handle = _opened(home)
    if not _lock(handle, fcntl.LOCK_EX):
        fix = "stop the UI, the webhook, workers and runs, then run again"
        raise BackupError(f"{home} is in use by process {_holders(home)}; {fix}")
    try:
        yield
    finally:
        _lock(handle, fcntl.LOCK_SH)


def _opened(home: Path) -> int:
    """Return the open file of a home's lock; that of another home is released."""
    file = home / LOCK
    handle = _used.get(file)
    if handle is not None and file.exists() and os.path.sameopenfile(handle, handle) and _is_same(handle, file):
        return handle
    for other in _used.values():
        os.close(other)
    _used.clear()
    _used[file] = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return _used[file]


def _is_same(handle: int, file: Path) -> bool:
    return os.path.samestat(os.fstat(handle), file.stat())


def _lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holders(home: Path) -> str:
    """The ids of the processes that hold the lock, where the system lists them."""
    try:
        inode = (home / LOCK).stat().st_ino
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return "(unknown)"
    held = (line.split() for line in lines)
    found = {each[4] for each in held if len(each) > 5 and each[5].endswith(f":{inode}")}  # noqa: PLR2004 - columns of that file
    return ", ".join(sorted(found - {str(os.getpid())}, key=int)) or "(of another machine or container)"
