"""Folders for rows on their way, beside the warehouse: private, removed at the end, or later if the process died.

scratch(folder)      ->  <folder>/scratch/<name>, held by this process      remove_abandoned(folder)
own_folder(parent)   ->  <parent>/<prefix><name>, the same elsewhere        remove_left(parent, pattern)

What holds a folder or a file is a lock of the kernel, which ends with the process, also in another container: the
number of a process says nothing, as two containers use the same ones.
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
    with own_folder(folder / SCRATCH, f"{prefix}_") as path:
        yield path


@contextmanager
def own_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Create a folder that this process holds until the block ends; only this user may read it."""
    path, handle = held_folder(parent, prefix)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def held_folder(parent: Path, prefix: str = "") -> tuple[Path, int]:
    """Create a private folder, and return it with the handle that holds it until it is closed."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with suppress(FileNotFoundError):  # another process took it for abandoned before it was held
            handle = _opened(path)
            if _is_ours(handle) and path.exists():
                return path, handle
            os.close(handle)


def _is_ours(handle: int) -> bool:
    """Hold a folder, and return whether it is ours; False if another process holds it, which removes it."""
    try:
        hold(handle)
    except BlockingIOError:
        return False
    except OSError:  # network disks may lock no folders; there, only its age says that a process left it
        return True
    return True


def remove_abandoned(folder: Path) -> list[Path]:
    """Remove the folders below `scratch/` that no process holds: the process died, and they have rows of records."""
    return remove_left(folder / SCRATCH)


def remove_left(parent: Path, pattern: str = "*") -> list[Path]:
    """Remove and return the folders and files of a pattern that no process holds."""
    removed = []
    for path in sorted(parent.glob(pattern)):
        with suppress(OSError):  # held, or gone
            handle = _held(path)
            try:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                removed.append(path)
            finally:
                os.close(handle)
    return removed


def is_held(path: Path) -> bool:
    """Return whether a process holds a folder or file, as far as its disk knows."""
    try:
        os.close(_held(path))
    except BlockingIOError:
        return True
    except OSError:  # gone, a link, or on a disk that locks no folders
        return False
    return False


def hold(handle: int) -> None:
    """Hold an open folder or file until it is closed; or raise OSError, if another one holds it."""
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _held(path: Path) -> int:
    """Return a handle that holds a folder or file until it is closed.

    Raises:
        OSError: Another one holds it, it does not exist, or it is a link.
    """
    handle = _opened(path)
    try:
        hold(handle)
    except OSError:
        os.close(handle)
        raise
    return handle


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
