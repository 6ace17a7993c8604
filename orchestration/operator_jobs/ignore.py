"""Ignore records that are held back until a date, or count them again; for the job and the command.

records, or a root cause  ->  ignore_records(), count_again()  ->  sync_ignored
"""

from collections.abc import Collection, Mapping
from datetime import date

from assets.delivery.audit.held_back import held_records, of_cause
from assets.delivery.errors import SyncError
from assets.delivery.ledger.ignored import Ended, Ignored, end_ignored, read_ignored, save_ignored
from assets.delivery.schemas import SourceKey
from assets.delivery.spec.workflow import Workflow
from orchestration.connections import Connections


def ignore_records(
    connections: Connections, workflow: Workflow, keys: Collection[SourceKey], until: str, reason: str, approver: str
) -> int:
    """Ignore records of a workflow through a day; return how many of them are held back.

    Raises:
        SyncError: The day is invalid or not allowed, there is no reason, or none of the records is held back.
    """
    try:
        day = date.fromisoformat(until)
    except ValueError:
        day = date.min
    if day.isoformat() != until:  # Python also reads 20261231 and weeks, which no one means
        raise SyncError(f"{until} is not a day such as 2026-12-31")
    with connections.warehouse.writer() as con:
        return save_ignored(con, Ignored(workflow.name, day, approver, connections.now, reason), keys)


def count_again(
    connections: Connections, workflow: Workflow, keys: Collection[SourceKey] | None, reason: str, approver: str,
    source: str = "",
) -> int:  # fmt: skip
    """End the ignoring of records, without keys of all of a source; return how many were ignored."""
    with connections.warehouse.writer() as con:
        if keys is None:
            rows = read_ignored(con, connections.now, workflow.name)
            keys = [SourceKey(each["source"], each["source_id"]) for each in rows if each["source"] == source]
        return end_ignored(con, Ended(workflow.name, approver, connections.now, reason), keys)


def keys_of_cause(connections: Connections, workflow: Workflow, cause: Mapping[str, str]) -> list[SourceKey]:
    """Return the records that a workflow holds back because of one root cause."""
    with connections.warehouse.writer(transaction=False) as con:
        held = held_records(con, [workflow], connections.workflows, {}, connections.now)
    found = of_cause(held, {**cause, "workflow": workflow.name})
    return [SourceKey(*row) for row in found.select("source", "source_id").iter_rows()]
