"""Runs: what each one did, record by record, and what of it can be undone.

sync_runs, sync_attempts, sync_plans  ->  run_list(), run_page()
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from assets.delivery.ledger.runs import counted_words
from assets.warehouse.record_names import names_of
from orchestration.web.console.pages import PER_PAGE
from orchestration.web.console.site import Account, BusyError, Reading
from resources.clock import utc_now
from resources.warehouse.tables import has_table, quoted, read_frame
from resources.warehouse.warehouse import Warehouse

SENT = ("created", "adopted", "updated", "deactivated", "reactivated")
HELD = ("quarantined", "blocked", "ambiguous")


@dataclass(frozen=True)
class RunList:
    """A page of runs, the newest first."""

    runs: Sequence[Mapping[str, Any]]
    total: int
    now: datetime


@dataclass(frozen=True)
class RunPage:
    """One run.

    Attributes:
        workflows: Its rows of sync_runs, each with `counts`.
        sent: A page of what it sent: workflow, source, source_id, name, action, answer, reason, target_id.
        total: Number of records that it sent.
        undoable: Workflow and action with the number of records whose former values are kept.
        undone_by: Plans that undo it: plan_id, state.
        report: Name under which the server shows its report.
    """

    run_id: str
    workflows: Sequence[Mapping[str, Any]]
    sent: Sequence[Mapping[str, Any]]
    total: int
    undoable: Sequence[tuple[str, str, int]]
    undone_by: Sequence[Mapping[str, Any]]
    report: str
    now: datetime

    @property
    def can_undo(self) -> int:
        """Records that can be undone."""
        return sum(each[2] for each in self.undoable)


def run_list(account: Account, number: int) -> tuple[RunList, Reading]:
    """Return a page of runs, and the time of the data."""
    now = utc_now(account.clock)
    if not account.live.exists():
        return RunList([], 0, now), Reading(now, is_empty=True)

    def query(warehouse: Warehouse) -> RunList:
        with warehouse.writer(transaction=False) as con:
            if not has_table(con, "sync_runs"):
                return RunList([], 0, now)
            values = {"page": PER_PAGE, "skipped": PER_PAGE * (number - 1)}
            rows = read_frame(con, _RUNS, values).to_dicts()
            total = con.execute("select count(distinct run_id) from sync_runs").fetchall()[0][0]
        return RunList(rows, total, now)

    return account.read(query)


def _sum(names: Sequence[str]) -> str:
    return " + ".join(f"coalesce({quoted(name)}, 0)" for name in names)


_RUNS = f"""
select run_id, min(coalesce(started_at, finished_at)) as started_at, max(finished_at) as finished_at,
    list(workflow order by workflow) as workflows, list(distinct state order by state) as states,
    bool_and(plan_id is null) as only_planned,
    sum({_sum(SENT)})::bigint as sent, sum({_sum(HELD)})::bigint as held,
    sum(coalesce(failed, 0))::bigint as failed, sum(coalesce(deferred, 0))::bigint as deferred,
    sum(calls)::bigint as calls, string_agg(distinct note, '; ') as note
from sync_runs group by run_id order by max(position) desc nulls last, run_id limit $page offset $skipped
"""


def run_page(account: Account, run_id: str, number: int) -> tuple[RunPage | None, Reading]:
    """Return one run, None if there is no such run, and the time of the data."""
    now = utc_now(account.clock)
    if not account.live.exists():
        return None, Reading(now, is_empty=True)

    def query(warehouse: Warehouse) -> RunPage | None:
        with warehouse.writer(transaction=False) as con:
            if not has_table(con, "sync_runs"):
                return None
            rows = read_frame(con, "select * from sync_runs where run_id = ? order by workflow", [run_id]).to_dicts()
            return _page(con, account, run_id, rows, number, warehouse, now) if rows else None

    return account.read(query)


def _page(
    con: duckdb.DuckDBPyConnection,
    account: Account,
    run_id: str,
    rows: Sequence[dict[str, Any]],
    number: int,
    warehouse: Warehouse,
    now: datetime,
) -> RunPage:
    for row in rows:
        words = counted_words(is_planned=row["plan_id"] is None)
        row["counts"] = [(word, row[column]) for column, word in words.items() if row[column]]
    values = {"run": run_id, "page": PER_PAGE, "skipped": PER_PAGE * (number - 1)}
    total = con.execute(
        "select count(*) from sync_attempts where run_id = ? and state = 'intent'", [run_id]
    ).fetchall()[0][0]
    undone = "select plan_id, state, made_at, requested_by from sync_plans where undone_run = ? order by position desc"
    sent = read_frame(con, _SENT, values).to_dicts()
    names = {} if warehouse.hides_personal else names_of(con, {(each["source"], each["source_id"]) for each in sent})
    return RunPage(
        run_id, rows,
        sent=[{**each, "name": names.get((each["source"], each["source_id"]))} for each in sent],
        total=total,
        undoable=account.kept(
            ("undoable", run_id), warehouse, lambda: con.execute(_UNDOABLE, [run_id]).fetchall()
        ),
        undone_by=read_frame(con, undone, [run_id]).to_dicts(),
        report=f"run-{run_id[:8]}.html",
        now=now,
    )  # fmt: skip


# the last state of each attempt is its outcome; its texts are looked up for the page alone
_SENT = """
with ended as (
    select attempt_id, min(position) as began, max(position) as ended, arg_max(state, position) as answer
    from sync_attempts where run_id = $run group by attempt_id
),
shown as (
    select * from ended order by {order} limit $page offset $skipped
)
select shown.began, last.workflow, last.source, last.source_id, last.action, last.state as answer, last.reason,
    last.target_id
from shown join sync_attempts as last
    on last.attempt_id = shown.attempt_id and last.position = shown.ended and last.state = shown.answer
order by {order}
""".format(order="answer in ('confirmed', 'found', 'finished'), began")
_UNDOABLE = """
select intent.workflow, intent.action, count(*)
from sync_attempts as intent
where intent.run_id = $1 and intent.state = 'intent' and intent.image is not null and intent.attempt_id in (
    select attempt_id from sync_attempts where run_id = $1 and state in ('confirmed', 'found')
) group by all order by all
"""


def has_sent(account: Account, run_id: str) -> bool:
    """Return whether a run sent a plan, so that it has a page; one that was refused has none."""
    if not account.live.exists():
        return False

    def query(warehouse: Warehouse) -> bool:
        with warehouse.writer(transaction=False) as con:
            sent = "select 1 from sync_runs where run_id = ? and plan_id is not null"
            return has_table(con, "sync_runs") and bool(con.execute(sent, [run_id]).fetchall())

    try:
        return account.read(query)[0]
    except BusyError:
        return False


def sent_so_far(account: Account, run_id: str) -> tuple[int, int] | None:
    """Return how many records a run got an answer for, and how many its plan has; None if it sends no plan now."""
    if not account.live.exists():
        return None

    def query(warehouse: Warehouse) -> tuple[int, int] | None:
        with warehouse.writer(transaction=False) as con:
            if not has_table(con, "sync_plans"):
                return None
            writes = con.execute("select sum(writes)::bigint from sync_plans where sent_by = ?", [run_id]).fetchall()
            answered = con.execute(_ANSWERED, [run_id]).fetchall()
        return (answered[0][0], writes[0][0]) if writes[0][0] else None

    try:
        found, reading = account.read(query)
    except BusyError:
        return None
    return found if reading.is_current else None


_ANSWERED = "select count(distinct attempt_id) from sync_attempts where run_id = ? and state <> 'intent'"
