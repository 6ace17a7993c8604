"""The places at which a run can die, by name: a test arms one and proves that the next run mends what was left.

reach("intents_kept")  ->  nothing, unless this process armed that name  ->  what the test said: an end, an exception
"""

import os
import signal
from collections.abc import Callable
from typing import NoReturn

FAILPOINTS = {
    "mart_made": "the mart is shaped from what was staged, the warehouse has the one before",
    "twin_read": "the target is read, the warehouse has the target state before",
    "plan_begins": "every record is decided on, the warehouse has the plan before",
    "plan_kept": "the plan is committed, nobody has taken it",
    "plan_taken": "the plan is taken for sending and committed as such, nothing was sent",
    "intents_begin": "what will be sent is known, the ledger was not told",
    "intents_kept": "the ledger knows what will be sent, nothing was sent",
    "request_begins": "a request is about to leave",
    "request_served": "the system did it, nobody has read the answer",
    "answers_read": "the answers of a batch are read, the ledger was not told",
    "answers_kept": "the ledger knows every answer, links and target state do not",
    "bookkeeping_begins": "the last transaction of a run is about to begin",
    "bookkeeping_open": "the last transaction of a run is written, not committed",
    "bookkeeping_done": "the run is in the ledger, its figures are not complete",
    "publish_begins": "the warehouse is about to be copied for readers",
    "publish_copied": "the copy is written, readers still have the one before",
    "publish_done": "readers have the new copy",
}

REALTIME = {
    "hint_kept": "a hint is kept, nobody was answered",
    "hints_taken": "a targeted run has read its records, nothing was planned",
    "hints_sent": "a targeted run has sent its records, the hints are still open",
    "hints_done": "the hints of a targeted run are closed",
}

_armed: dict[str, tuple[int, Callable[[], object]]] = {}


def reach(name: str) -> None:
    """Say that this place is reached; costs one look at an empty dictionary."""
    if _armed:
        _strike(name)


def die() -> NoReturn:
    """End this process as `kill -9` does: no `finally`, no flush, no goodbye."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def arm(name: str, *, skip: int = 0, strike: Callable[[], object] = die) -> None:
    """Strike when this process reaches the place, once.

    Args:
        name: One of FAILPOINTS or REALTIME.
        skip: How often the place is passed unharmed before.
        strike: What happens there; by default the process dies.
    """
    known = FAILPOINTS | REALTIME
    if name not in known:
        raise ValueError(f"no failpoint {name}; there are {', '.join(known)}")
    _armed[name] = (skip, strike)


def disarm() -> None:
    """Pass every place unharmed again."""
    _armed.clear()


def _strike(name: str) -> None:
    if name not in _armed:
        return
    skip, strike = _armed[name]
    if skip:
        _armed[name] = (skip - 1, strike)
        return
    del _armed[name]
    strike()
