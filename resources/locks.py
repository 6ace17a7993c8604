"""A lock on a file, over all processes of a machine; the kernel frees it when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

POLL_S = 0.01


@contextmanager
def file_lock(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock for the block. Local file systems only.

    Raises:
        TimeoutError: Somebody else held it for longer than `timeout_s`.
        OSError: The file cannot be made.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        give_up = monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() > give_up:
                    raise TimeoutError(f"{path}: somebody else holds the lock") from None
                sleep(POLL_S)
        yield
    finally:
        os.close(lock)
