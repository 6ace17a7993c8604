"""Atomic file replacement: readers see the old content or the new one, never a part."""

import os
import threading
from pathlib import Path


def write_atomically(path: Path, text: str, *, mode: int = 0o666, durable: bool = True) -> None:
    """Write text beside the file, then rename it into place; missing folders are created.

    Args:
        path: The file.
        text: Its whole content, written as UTF-8.
        mode: Permissions of the file, less the process's umask.
        durable: Also survive a power cut: the content is on the disk before the rename, the rename before the return.

    Raises:
        OSError: The file cannot be written; the old content is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with os.fdopen(open_new(partial, mode), "w", encoding="utf-8") as file:
            file.write(text)
        if durable:
            fsync(partial)
        partial.replace(path)
    except OSError as error:  # a write to a full disk names no file
        error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)
    if durable:
        fsync(path.parent)


def open_new(path: Path, mode: int) -> int:
    """Open a new file; an existing one is removed, not overwritten, as it may be someone else's; or raise OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        return os.open(path, flags, mode)
    except FileExistsError:
        path.unlink()
        return os.open(path, flags, mode)


def replace_durably(partial: Path, path: Path) -> None:
    """Rename a complete file into place so that content and rename survive a power cut."""
    fsync(partial)
    partial.replace(path)
    fsync(path.parent)


def fsync(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
