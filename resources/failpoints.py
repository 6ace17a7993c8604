"""Named points at which a run can be killed: a test arms one and proves that the next run recovers.

reach("intents_kept")  ->  nothing, unless this process armed that name  ->  the test's action: a kill, an exception
"""

import os
import signal
from collections.abc import Callable
from typing import NoReturn

FAILPOINTS = {
    "mart_made": "the mart is built in memory, the warehouse has the previous one",
    "target_state_read": "the target is read, the warehouse has the previous target state",
    "plan_begins": "every record is decided, the warehouse has the previous plan",
    "plan_kept": "the plan is committed, no run has taken it",
    "plan_taken": "the plan is committed as being sent, nothing was sent",
    "intents_begin": "the batch is known, the ledger has no intents",
    "intents_kept": "the ledger has the intents, nothing was sent",
    "request_begins": "a request is about to be sent",
    "request_served": "the system processed the request, the response is not read",
    "answers_read": "the responses of a batch are read, the ledger has no outcomes",
    "answers_kept": "the ledger has the outcomes, links and target state do not",
    "bookkeeping_begins": "the last transaction of a run is about to begin",
    "bookkeeping_open": "the last transaction of a run is written, not committed",
    "bookkeeping_done": "the run is in the ledger, its figures are incomplete",
    "publish_begins": "the warehouse is about to be copied for readers",
    "publish_copied": "the copy is written, readers have the previous one",
    "publish_done": "readers have the new copy",
}

REALTIME = {
    "notification_stored": "a change notification is stored, the sender has no response",
    "notifications_read": "a real-time run has read its records, nothing is planned",
    "notifications_sent": "a real-time run has sent its records, the change notifications are still open",
    "notifications_closed": "the change notifications of a real-time run are closed",
}

UPGRADE = {
    "upgrade_copied": "the old files are copied, nothing is changed",
    "upgrade_user_files": "workflow files and .env have the new names, the home has the old ones",
    "upgrade_moved": "the warehouse's folder has its new name, the file in it the old one",
    "upgrade_files": "the home's files have the new names, the warehouse's tables the old ones",
    "upgrade_tables_open": "the warehouse's tables are renamed, not committed",
    "upgrade_tables": "the warehouse has the new schema version, its views are missing",
    "upgrade_published": "everything is upgraded, the home is not marked as such",
}

BACKUP = {
    "backup_copied": "the files of the home are copied, there is no archive",
    "backup_written": "the archive is written, not under its name",
    "restore_unpacked": "the archive is unpacked and checked, the home is as it was",
    "restore_decided": "the restore is recorded, no file is replaced",
    "restore_moved_aside": "a part of the home is moved aside, nothing is in its place",
    "restore_moved_in": "the files of the backup are in their places, the ledger does not know of the restore",
    "restore_recorded": "the ledger knows of the restore, the restore is not marked as done",
}

RENAME = {
    "rename_checked": "nothing is in the way, nothing is recorded",
    "rename_decided": "the rename is recorded, nothing is renamed",
    "rename_tables_open": "the warehouse's tables are renamed, not committed",
    "rename_tables": "the warehouse has the new name, switches and alerts the old one",
    "rename_homes": "the homes have the new name, the workflow files the old one",
    "rename_references": "other workflow files have the new name, the workflow's folder the old one",
    "rename_folder": "everything has the new name, the rename is not marked as done",
}

LEDGER = {
    "ledger_sealing": "the ledger is chained and signed, not committed",
    "ledger_sealed": "the checkpoint is committed, the copy beside the file is the one before",
}

FORGET = {
    "forget_read": "the values to look for are known, nothing is erased",
    "forget_files": "queues, reports and logs are without the values, the warehouse has them",
    "forget_open": "the warehouse is without the values, not committed",
    "forget_kept": "that is committed; free pages and the snapshot still have them",
    "forget_compacted": "the warehouse's file has no free pages, readers have the snapshot from before",
}

SHADOW = {
    "shadow_begins": "the period is written, not committed",
    "shadow_kept": "the period is in the ledger, readers have the copy from before",
}

_armed: dict[str, tuple[int, Callable[[], object]]] = {}


def reach(name: str) -> None:
    """Run the armed action of this point, if any; costs one check of an empty dictionary."""
    if _armed:
        _strike(name)


def die() -> NoReturn:
    """End this process as `kill -9` does: no `finally`, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def arm(name: str, *, skip: int = 0, strike: Callable[[], object] = die) -> None:
    """Run an action when this process reaches the point, once.

    Args:
        name: One of FAILPOINTS, REALTIME, UPGRADE, BACKUP, RENAME, LEDGER, FORGET or SHADOW.
        skip: How many times to pass the point before.
        strike: The action; by default the process dies.
    """
    known = FAILPOINTS | REALTIME | UPGRADE | BACKUP | RENAME | LEDGER | FORGET | SHADOW
    if name not in known:
        raise ValueError(f"no failpoint {name}; there are {', '.join(known)}")
    _armed[name] = (skip, strike)


def disarm() -> None:
    """Disarm every point."""
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
