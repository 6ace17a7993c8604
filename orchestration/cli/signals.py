"""Ctrl-C and SIGTERM during a run: Dagster ends it, and the command reports which signal it was.

signal  ->  a byte in a socket  ->  stop_signals()  ->  exit code 130 or 143
"""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SIGNAL_EXIT = 128  # a shell's exit code is this and the number of the signal
INTERRUPTED = (
    "interrupted by {}: the summary counts what was confirmed; the next run checks the rest in the target and goes on"
)


@contextmanager
def stop_signals() -> Iterator[Callable[[], list[int]]]:
    """Yield a function that returns the signals received so far that end a run; Dagster's own handlers stay.

    Dagster maps SIGTERM to its handler of SIGINT, so a handler cannot distinguish them.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    before, terminate = signal.set_wakeup_fd(theirs.fileno()), signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until Dagster's handler is there

    def received() -> list[int]:
        with suppress(BlockingIOError):
            return [each for each in ours.recv(64) if each in {signal.SIGINT, signal.SIGTERM}]
        return []

    try:
        yield received
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGTERM, terminate)
