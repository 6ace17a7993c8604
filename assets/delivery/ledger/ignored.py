"""Ignored records: a person ignores a record that is held back until a date; afterwards it counts again.

decision that holds records back  ->  a person  ->  save_ignored()  ->  sync_ignored  ->  NOT_IGNORED: counts, alerts

Only counts, lists and alerts read them. The engine does not: an ignored record is held back as before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import duckdb

from assets.delivery.errors import SyncError
from assets.delivery.ledger.events import Event, Happened, key_of, record_event
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import SourceKey, keys_frame
from assets.delivery.target import HELD
from resources.warehouse.tables import has_table, insert_frame, read_frame

MAX_DAYS = 366  # a date that never comes would hide a record forever

# for a row `known` of sync_decisions; `{ignored}` is ignored_rows(), `$today` the date in UTC
NOT_IGNORED = """
not exists (
    select 1 from {ignored} as ignored
    where ignored.workflow = known.workflow and ignored.source = known.source and ignored.source_id = known.source_id
        and ignored.action = known.action and ignored.reason_code is not distinct from known.reason_code
        and ignored.until_on >= $today
)
"""
_NONE = (
    "(select '' as workflow, '' as source, '' as source_id, '' as action, '' as reason_code, null::date as until_on,"
    " '' as decided_by, null::timestamp as decided_at, '' as note limit 0)"
)


class NothingHeldError(SyncError):
    """Workflows hold none of the records back that a person wants to ignore."""

    def __init__(self, *workflows: str) -> None:
        """Name the workflows."""
        self.workflows = workflows
        subject = f"{workflows[0]} holds none" if len(workflows) == 1 else f"none of {', '.join(workflows)} holds any"
        super().__init__(f"{subject} of these records back now; there is nothing to ignore")


@dataclass(frozen=True)
class Ignored:
    """A person's decision to ignore records of a workflow through a day."""

    workflow: str
    until_on: date
    decided_by: str
    decided_at: datetime
    note: str


@dataclass(frozen=True)
class Ended:
    """A person's decision to count records of a workflow again."""

    workflow: str
    decided_by: str
    decided_at: datetime
    note: str = ""


def ignored_rows(con: duckdb.DuckDBPyConnection) -> str:
    """Return the table sync_ignored for a query; no rows if a file is older than the table."""
    return "sync_ignored" if has_table(con, "sync_ignored") else _NONE


def save_ignored(con: duckdb.DuckDBPyConnection, decision: Ignored, keys: Iterable[SourceKey]) -> int:
    """Ignore records, as far as they are held back now; return their number.

    Raises:
        SyncError: The day is past or too far, there is no reason, or none of the records is held back.
    """
    ensure_ledger(con)
    _check(decision)
    _chosen(con, keys)
    former = _subjects(con, decision.workflow)
    con.execute(_END, {"workflow": decision.workflow})
    con.execute(_IGNORE, {**vars(decision), "held": list(HELD)})
    count = int(con.execute(_COUNT, {"workflow": decision.workflow}).fetchall()[0][0])
    if not count:
        raise NothingHeldError(decision.workflow)
    now = _subjects(con, decision.workflow)
    ended = Ended(decision.workflow, decision.decided_by, decision.decided_at, decision.note)
    events = [
        Event(
            event=Happened.IGNORED, at=decision.decided_at, workflow=decision.workflow, subject=subject,
            by=decision.decided_by, details=details, note=decision.note,
        )
        for subject, details in now.items()
    ]  # fmt: skip
    record_event(con, *events, *_counted_again(ended, former.keys() - now.keys()))
    return count


def end_ignored(con: duckdb.DuckDBPyConnection, ended: Ended, keys: Iterable[SourceKey]) -> int:
    """Count records again; return how many were ignored."""
    ensure_ledger(con)
    _chosen(con, keys)
    former = _subjects(con, ended.workflow)
    con.execute(_END, {"workflow": ended.workflow})
    record_event(con, *_counted_again(ended, former))
    return len(former)


def _counted_again(ended: Ended, subjects: Iterable[str]) -> list[Event]:
    event = Happened.COUNTED_AGAIN
    return [
        Event(
            event=event, at=ended.decided_at, workflow=ended.workflow, subject=each, by=ended.decided_by,
            note=ended.note,
        )
        for each in sorted(subjects)
    ]  # fmt: skip


def _subjects(con: duckdb.DuckDBPyConnection, workflow: str) -> dict[str, dict[str, Any]]:
    """Return the details of the events about the chosen records that are ignored."""
    rows = con.execute(_DETAILS, {"workflow": workflow}).fetchall()
    return {
        key_of(source, source_id): {"action": action, "reason_code": code, "until_on": str(until)}
        for source, source_id, action, code, until in rows
    }


def read_ignored(con: duckdb.DuckDBPyConnection, now: datetime, workflow: str) -> list[dict[str, Any]]:
    """Return the records that a workflow holds back and that people ignore: the rows of sync_ignored that apply."""
    if not (has_table(con, "sync_ignored") and has_table(con, "sync_decisions")):
        return []
    return read_frame(con, _APPLIES, {"workflow": workflow, "today": now.date()}).to_dicts()


def _check(decision: Ignored) -> None:
    today = decision.decided_at.date()
    if not today <= decision.until_on <= today + timedelta(days=MAX_DAYS):
        last = today + timedelta(days=MAX_DAYS)
        raise SyncError(
            f"{decision.until_on} is not a day from {today} to {last}; records are ignored for a year at most"
        )
    if not decision.note.strip():
        raise SyncError("ignoring a record needs a reason; it is recorded with the decision")


def _chosen(con: duckdb.DuckDBPyConnection, keys: Iterable[SourceKey]) -> None:
    con.execute("create or replace temp table _chosen (source varchar, source_id varchar)")
    insert_frame(con, "_chosen", keys_frame(keys))


_OF_CHOSEN = (
    "from sync_ignored where workflow = $workflow and (source, source_id) in (select (source, source_id) from _chosen)"
)
_END, _COUNT = f"delete {_OF_CHOSEN}", f"select count(*) {_OF_CHOSEN}"
_DETAILS = f"select source, source_id, action, reason_code, until_on {_OF_CHOSEN} order by all"
_IGNORE = """
insert into sync_ignored by name
select workflow, source, source_id, action, reason_code, $until_on as until_on, $decided_by as decided_by,
    $decided_at as decided_at, $note as note
from sync_decisions
where workflow = $workflow and to_run is null and list_contains($held, action)
    and (source, source_id) in (select (source, source_id) from _chosen)
"""
_APPLIES = """
select ignored.* from sync_ignored as ignored
join sync_decisions as known on known.workflow = ignored.workflow and known.source = ignored.source
    and known.source_id = ignored.source_id and known.to_run is null and known.action = ignored.action
    and known.reason_code is not distinct from ignored.reason_code
where ignored.workflow = $workflow and ignored.until_on >= $today
order by ignored.until_on, ignored.source, try_cast(ignored.source_id as bigint), ignored.source_id
"""
