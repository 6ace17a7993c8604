"""Folders for rows on their way, beside the warehouse: private, removed at the end, or later if the process died.

scratch(folder)  ->  <folder>/scratch/<name>, held by this process          remove_abandoned(folder)

What holds a folder is a lock of the kernel, which ends with the process, also in another container.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SCRATCH = "scratch"


@contextmanager
def scratch(folder: Path, prefix: str) -> Iterator[Path]:
    """Create a folder below `scratch/`; only this user may read it."""
    (folder / SCRATCH).mkdir(parents=True, exist_ok=True)
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{prefix}_", dir=folder / SCRATCH))
        with suppress(FileNotFoundError):  # another process took it for abandoned before it was held
            handle = _held(path)
            if path.exists():
                break
            os.close(handle)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def remove_abandoned(folder: Path) -> list[Path]:
    """Remove the folders that no process holds: the process died, and they have rows of records."""
    removed = []
    for path in sorted((folder / SCRATCH).glob("*")):
        with suppress(OSError):  # held, or gone
            handle = _held(path)
            try:
                shutil.rmtree(path)
                removed.append(path)
            finally:
                os.close(handle)
    return removed


def _held(path: Path) -> int:
    """Return a handle that holds a folder until it is closed.

    Raises:
        OSError: Another one holds it, or it does not exist.
    """
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle
