"""Alert conditions in the warehouse: warnings of NetSuite's reads, unsent records, plans that need approval, staleness.

netsuite_reads, sync_decisions, sync_attempts, sync_plans, sync_runs  ->  Alert, one per root cause

Texts contain codes, counts and our own ids only: a target's reason may quote a person's name.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import duckdb

from assets.delivery.ledger.events import details_of
from assets.delivery.ledger.ignored import NOT_IGNORED, ignored_rows
from assets.delivery.ledger.plans import waiting
from assets.delivery.ledger.shadows import active_shadows
from assets.delivery.schemas import MISSING
from assets.netsuite.extract.read_warnings import unsolved_warnings
from assets.result_texts import counted
from resources.clock import Clock, Reading, steady, utc_now
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse


class Kind(StrEnum):
    """The kind of an alert, by what an operator does about it."""

    FAILED = "failed"  # check the run
    DEGRADED = "degraded"  # check the records, or what NetSuite shows
    WAITING = "waiting"  # approve or reject the plan
    STALE = "stale"  # find out why nothing runs
    UNRECONCILED = "unreconciled"  # check the drift report


OF_WAREHOUSE = frozenset({Kind.DEGRADED, Kind.WAITING, Kind.STALE})
EXAMPLE_IDS = 5
DECIDE_ON_MISSING = (
    "NetSuite no longer shows them and has no deletion note: give the role access to them again; or, if they were"
    " deleted, deactivate them in the target, or all at once by lifecycle.missing in the workflow file"
)


@dataclass(frozen=True)
class Alert:
    """One root cause.

    Attributes:
        name: Identifies the alert within its kind from check to check.
    """

    kind: Kind
    name: str
    cause: str
    affected: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Identifies the alert from check to check."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Limits:
    """Thresholds.

    Attributes:
        records: More records than this, unsent or unverified for the same reason, raise an alert.
        freshness_hours: Workflow to the hours after which it is stale.
    """

    records: int
    freshness_hours: Mapping[str, float]


def warehouse_alerts(
    warehouse: Warehouse, active: Collection[str], limits: Limits, clock: Clock, known: Collection[str]
) -> list[Alert]:
    """Return every alert of the warehouse and of its active workflows.

    Alerts about records whose keys are known as open close at half the limit, so that they do not flap.
    """
    if not warehouse.exists():
        return []
    with warehouse.writer(transaction=False) as con:
        reads = [*_warned(con), *_ledger_broken(con)]
        if not all(has_table(con, name) for name in ("sync_runs", "sync_plans", "sync_decisions", "sync_attempts")):
            return reads
        now = utc_now(clock)
        held, stale = _degraded(con, limits.records, known, now), _stale(con, limits.freshness_hours, now)
        found = [*held, *_waiting(con, now, steady(clock)), *stale]
    return [*reads, *(each for each in found if set(each.affected) & set(active))]


def _warned(con: duckdb.DuckDBPyConnection) -> Iterator[Alert]:
    """One alert per record type whose last read left something out; for absent records see `_degraded`."""
    texts: dict[str, list[str]] = {}
    for record_type, text in unsolved_warnings(con):
        texts.setdefault(record_type, []).append(text)
    for record_type, lines in texts.items():
        cause = f"NetSuite {record_type}: the last read has warnings"
        yield Alert(Kind.DEGRADED, f"netsuite {record_type}", cause, lines=tuple(lines))


def _ledger_broken(con: duckdb.DuckDBPyConnection) -> Iterator[Alert]:
    """One alert if the last verification of the ledger found something, or it could not be sealed."""
    if not has_table(con, "sync_events"):
        return
    query = "select details from sync_events where event = 'verified' order by position desc limit 1"
    for (details,) in con.execute(query).fetchall():
        facts = {"findings": 1, "first": "the record of the last verification was changed", **details_of(details)}
        if facts["findings"]:
            cause = f"the ledger is broken: {counted(facts['findings'], 'findings')}"
            lines = (facts["first"], "`millpond ledger verify` lists them")
            yield Alert(Kind.DEGRADED, "ledger_broken", cause, lines=lines)
        elif hindered := facts.get("hindered"):
            yield Alert(Kind.DEGRADED, "ledger_not_sealed", "the ledger is not sealed", lines=(hindered,))


def _degraded(con: duckdb.DuckDBPyConnection, limit: int, known: Collection[str], now: datetime) -> Iterator[Alert]:
    query, values = _HELD_BACK.format(ignored=ignored_rows(con)), {"ids": EXAMPLE_IDS, "today": now.date()}
    for workflow, action, code, records, ids in con.execute(query, values).fetchall():
        name, lines = f"{workflow} {action} {code}", [f"NetSuite ids {', '.join(ids)}"]
        cause = f"{workflow}: {counted(records, 'records')} {action} for the same reason: {code}"
        if code == MISSING:  # whatever their number: access was lost, or a person knows that they were deleted
            yield Alert(Kind.DEGRADED, name, cause, (workflow,), (*lines, DECIDE_ON_MISSING))
        elif records > (limit // 2 if f"{Kind.DEGRADED}:{name}" in known else limit):
            yield Alert(Kind.DEGRADED, name, cause, (workflow,), tuple(lines))


def _waiting(con: duckdb.DuckDBPyConnection, now: datetime, reading: Reading) -> Iterator[Alert]:
    for workflow, plan, plans, writes in waiting(con, now, reading):
        others = f" and {counted(plans - 1, 'older ones')}" if plans > 1 else ""
        lines = (f"`millpond apply {plan}` sends it, `millpond reject {plan}` rejects it",)
        cause = f"{workflow}: plan {plan}{others} of {counted(writes, 'records')} needs approval"
        yield Alert(Kind.WAITING, workflow, cause, (workflow,), lines)


def _stale(con: duckdb.DuckDBPyConnection, freshness_hours: Mapping[str, float], now: datetime) -> Iterator[Alert]:
    shadowed = {each.workflow for each in active_shadows(con)}  # which deliver nothing, as a person decided
    for workflow, ended in con.execute(_LAST_RUNS).fetchall():
        if workflow in shadowed:
            continue
        hours = freshness_hours.get(workflow)
        if hours and abs(now - ended) > timedelta(hours=hours):  # a clock that was set back hides no stale workflow
            cause = f"{workflow}: last updated at {ended:%Y-%m-%d %H:%M} UTC; the limit is {hours:g} hours"
            yield Alert(Kind.STALE, workflow, cause, (workflow,))


_HELD_BACK = f"""
with unverified as (
    select workflow, source_id from sync_attempts group by workflow, source_id, attempt_id
    having bool_and(state in ('intent', 'unknown')) and bool_or(state = 'unknown')
),
held_back as (
    select workflow, action, coalesce(reason_code, 'no reason') as code, source_id from sync_decisions as known
    where to_run is null and action in ('quarantined', 'failed') and {NOT_IGNORED}
    union all
    select distinct workflow, 'sent', 'no usable response', source_id from unverified as sent
    where not exists (  -- one cause is one alert
        select 1 from sync_decisions as known where known.workflow = sent.workflow and known.source_id = sent.source_id
        and known.to_run is null and known.action = 'failed'
    )
)
select workflow, action, code, count(*), (list(source_id order by try_cast(source_id as bigint)))[:$ids] from held_back
group by all order by all
"""
_LAST_RUNS = """
select run.workflow, arg_max(finished_at, coalesce(run.position, epoch_us(finished_at)))
from sync_runs as run left join sync_plans as plan using (plan_id)
where run.state in ('finished', 'partial') and finished_at is not null and coalesce(plan.kind, 'sync') = 'sync'
group by run.workflow order by run.workflow
"""
