"""What is wrong now, as the warehouse tells it: records held back, plans that wait, workflows that are too old.

sync_decisions, sync_attempts, sync_plans, sync_runs  ->  Problem, one per root cause

Codes, counts and our own ids only: reasons in words may repeat what a target said, and so somebody's name.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import duckdb

from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse


class Kind(StrEnum):
    """What is wrong, by what a person does about it."""

    FAILED = "failed"  # look at the run
    DEGRADED = "degraded"  # look at the records
    WAITING = "waiting"  # approve or reject
    STALE = "stale"  # find out why nothing runs
    UNRECONCILED = "unreconciled"  # look at the drift report


OF_WAREHOUSE = frozenset({Kind.DEGRADED, Kind.WAITING, Kind.STALE})
HELD_IDS = 5


@dataclass(frozen=True)
class Problem:
    """One root cause.

    Attributes:
        kind: What is wrong.
        name: With the kind what makes it the same problem from look to look.
        cause: In one line.
        affected: Workflows or steps.
        lines: More about it.
    """

    kind: Kind
    name: str
    cause: str
    affected: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What makes it the same problem."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Limits:
    """When something counts as a problem.

    Attributes:
        held: More records than these, held back by one cause or of unknown fate, are a problem.
        fresh_h: Workflow to the hours after which it is too old.
    """

    held: int
    fresh_h: Mapping[str, float]


def warehouse_problems(
    warehouse: Warehouse, active: Collection[str], limits: Limits, now: datetime, known: Collection[str]
) -> list[Problem]:
    """Everything that the warehouse tells.

    Args:
        warehouse: The warehouse.
        active: Workflows that are switched on: only these count.
        limits: When something counts.
        now: By the warehouse's clock, UTC, without a zone.
        known: Keys of problems that are open: those of records end at half the limit, so that nothing flickers.
    """
    if not warehouse.exists():
        return []
    with warehouse.writer(transaction=False) as con:
        if not all(has_table(con, name) for name in ("sync_runs", "sync_plans", "sync_decisions", "sync_attempts")):
            return []
        found = [*_held(con, limits.held, known), *_waiting(con, now), *_stale(con, limits.fresh_h, now)]
    return [each for each in found if set(each.affected) & set(active)]


def _held(con: duckdb.DuckDBPyConnection, most: int, known: Collection[str]) -> Iterator[Problem]:
    for workflow, action, code, records, ids in con.execute(_HELD, [HELD_IDS]).fetchall():
        name = f"{workflow} {action} {code}"
        if records > (most // 2 if f"{Kind.DEGRADED}:{name}" in known else most):
            cause = f"{workflow}: {records} records {action}, all by one cause: {code}"
            yield Problem(Kind.DEGRADED, name, cause, (workflow,), (f"NetSuite ids {', '.join(ids)}",))


def _waiting(con: duckdb.DuckDBPyConnection, now: datetime) -> Iterator[Problem]:
    for workflow, plan, plans, writes in con.execute(_WAITING, [now]).fetchall():
        others = f" and {plans - 1} older ones" if plans > 1 else ""
        lines = (f"`millpond apply {plan}` sends it, `millpond reject {plan}` drops it",)
        cause = f"{workflow}: plan {plan}{others} of {writes} records waits for a person"
        yield Problem(Kind.WAITING, workflow, cause, (workflow,), lines)


def _stale(con: duckdb.DuckDBPyConnection, fresh_h: Mapping[str, float], now: datetime) -> Iterator[Problem]:
    for workflow, ended in con.execute(_ENDED).fetchall():
        hours = fresh_h.get(workflow)
        if hours and ended < now - timedelta(hours=hours):
            cause = f"{workflow}: last brought up to date at {ended:%Y-%m-%d %H:%M} UTC; allowed are {hours:g} hours"
            yield Problem(Kind.STALE, workflow, cause, (workflow,))


_HELD = """
with unsure as (
    select workflow, source_id from sync_attempts group by workflow, source_id, attempt_id
    having bool_and(state in ('intent', 'unknown')) and bool_or(state = 'unknown')
),
every as (
    select workflow, action, coalesce(reason_code, 'no reason') as code, source_id from sync_decisions
    where to_run is null and action in ('quarantined', 'failed')
    union all
    select distinct workflow, 'sent', 'no answer told their fate', source_id from unsure
)
select workflow, action, code, count(*), (list(source_id order by try_cast(source_id as bigint)))[:?] from every
group by all order by all
"""
_WAITING = """
select workflow, arg_max(plan_id, made_at), count(*), arg_max(writes, made_at) from sync_plans
where state = 'waiting' and kind = 'sync' and expires_at > ? group by workflow order by workflow
"""
_ENDED = """
select workflow, max(finished_at) from sync_runs where state in ('finished', 'partial') and finished_at is not null
group by workflow order by workflow
"""
