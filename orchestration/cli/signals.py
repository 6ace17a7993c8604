"""Ctrl-C and SIGTERM: a command ends with one line and the exit code of a shell, 130 or 143.

before and after a Dagster run   signal  ->  KeyboardInterrupt  ->  exit_on_signals()  ->  exit code
during a Dagster run             signal  ->  Dagster ends it; a byte in a socket  ->  stop_signals()  ->  exit code
"""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNAL_EXIT = 128  # a shell's exit code is this and the number of the signal
STOPS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = (
    "interrupted by {}: the summary counts what was confirmed; the next run checks the rest in the target and continues"
)
STOPPED = "interrupted by {}; run the command again: it checks first what this one may have left\n"
PATIENCE = 2  # signals; the next one ends the process at once


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Turn a signal that ends the process into one line and its exit code, whatever was interrupted."""
    received = _raise_on_signals()
    try:
        yield
    except BaseException as error:
        if not received and not isinstance(error, KeyboardInterrupt):
            raise
        number = received[0] if received else signal.SIGINT.value
        code = SIGNAL_EXIT + number
        if isinstance(error, SystemExit) and error.code in {0, None, code}:
            raise  # a service that was stopped, or a run whose summary says so
        sys.stderr.write(_line(number))
        raise SystemExit(code) from None
    finally:
        for each in STOPS:  # nothing is left to be closed
            signal.signal(each, lambda number, _: _end(number))


def _raise_on_signals() -> list[int]:
    """Raise KeyboardInterrupt at the first signal; return the list of those received.

    The second signal is ignored, so that what the first one interrupted can be closed; the third one ends the process.
    """
    received: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > PATIENCE:
            _end(received[0])
        if len(received) == 1:
            raise KeyboardInterrupt

    def stop_unraisable(error: "sys.UnraisableHookArgs") -> None:  # such as a signal in a finalizer
        if received and isinstance(error.exc_value, KeyboardInterrupt):
            _end(received[0])
        sys.__unraisablehook__(error)

    sys.unraisablehook = stop_unraisable
    for each in STOPS:
        signal.signal(each, stop)
    return received


def _line(number: int) -> str:
    return STOPPED.format(signal.Signals(number).name)


def _end(number: int) -> None:
    """End the process at once, after the line."""
    os.write(2, _line(number).encode())
    os._exit(SIGNAL_EXIT + number)


@contextmanager
def stop_signals() -> Iterator[Callable[[], list[int]]]:
    """Yield a function that returns the signals received so far that end a run; Dagster's own handlers stay.

    Dagster maps SIGTERM to its handler of SIGINT, so a handler cannot distinguish them.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    before, terminate = signal.set_wakeup_fd(theirs.fileno()), signal.getsignal(signal.SIGTERM)
    if terminate is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # until Dagster's handler is there

    def received() -> list[int]:
        with suppress(BlockingIOError):
            return [each for each in ours.recv(64) if each in STOPS]
        return []

    try:
        yield received
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGTERM, terminate)
