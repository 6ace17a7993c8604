"""Send a stored plan and record the result: the newest plan of a run, or one that an operator applies.

plan_<workflow>  ->  run_sync  ->  target, sync_<workflow>, ledger, target_<workflow>
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

import polars as pl

from assets.delivery.ledger import plans
from assets.delivery.ledger.account import bind_account
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.recovery import close_dead, finish_creates
from assets.delivery.ledger.runs import canary_halts, counts_of, is_proven, update_run
from assets.delivery.ledger.shadows import require_unshadowed
from assets.delivery.locks import writer_lock
from assets.delivery.run_context import RunContext
from assets.delivery.send.batches import parent_ids
from assets.delivery.send.deliver import Progress, deliver
from assets.delivery.send.outcomes import Delivery
from assets.delivery.send.record_result import record_result
from assets.delivery.send.staleness import parse_filters, require_known
from assets.delivery.send.taken_plan import TakenPlan, still_valid, take_plan
from resources.warehouse.warehouse import WarehouseError


@dataclass(frozen=True)
class SyncResult:
    """The result of sending a plan; `decisions` has one row per source record of the plan."""

    decisions: pl.DataFrame
    counts: Mapping[str, int]
    writes: int
    calls: int
    seconds: float
    stop: Exception | None


def run_sync(
    run: RunContext,
    *,
    plan_id: str = "",
    only: Sequence[str] = (),
    kind: PlanKind = PlanKind.SYNC,
    progress: Progress | None = None,
) -> SyncResult:
    """Send one plan, once.

    Args:
        run: The run.
        plan_id: A plan that an operator applies; without it the newest plan, if no guard holds it back.
        only: Parts of an applied plan: `action=create`, `record=107` or `record=customers:107`, `field=name`.
        kind: The kind of the newest plan: of all records or real-time.
        progress: Called after each batch.

    Raises:
        SyncError: The plan does not exist, was sent before, waits for approval, or has expired; or nothing is sent,
            because another connector still writes (`ShadowedError`).
    """
    filters = parse_filters(only)
    require_known(filters, run.workflow.spec.target_fields)
    with writer_lock(run.warehouse, run.workflow.spec.connection_name):
        _require_unshadowed(run)
        calls_before, started = run.target.calls, monotonic()
        if _writes(run, plan_id, kind):
            bind_account(run)
        taken = take_plan(run, plan_id, kind, filters)
        try:
            taken = still_valid(run, taken, is_applied=bool(plan_id))
            delivery = _deliver(run, taken, progress)
            decisions = delivery.decisions(taken.plan)
            record_result(run, taken, delivery, decisions)
        except BaseException:
            with suppress(WarehouseError), run.warehouse.writer() as con:  # else the next run closes it
                close_dead(con, run.workflow.name, run.now)
            raise
        calls, seconds = run.target.calls - calls_before, monotonic() - started
        with run.warehouse.writer() as con:
            values = {"seconds": seconds, "calls_left": run.target.calls_left}
            update_run(con, run.run_id, run.workflow.name, values, calls=calls)
        return SyncResult(decisions, counts_of(decisions), len(delivery.writes), calls, seconds, delivery.stop)


def _require_unshadowed(run: RunContext) -> None:
    """Refuse to send in shadow mode, which begins under the same lock: nothing is sent after it has begun."""
    with run.warehouse.writer(transaction=False) as con:
        require_unshadowed(con, run.workflow.name, run.workflow.spec.upstream)


def _writes(run: RunContext, plan_id: str, kind: PlanKind) -> bool:
    """Return whether there is a plan to send that writes anything."""
    with run.warehouse.writer() as con:
        stored = plans.find(con, plan_id) if plan_id else plans.newest(con, run.workflow.name, kind)
        return stored.workflow == run.workflow.name and stored.writes > 0 and stored.state in plans.OPEN_STATES


def _deliver(run: RunContext, taken: TakenPlan, progress: Progress | None) -> Delivery:
    """Send the plan; creates that an earlier run left unfinished come first."""
    version, plan = taken.stored.workflow_version, taken.plan
    parents = {key: value for each in taken.possible_parents for key, value in parent_ids(each, plan).items()}
    canary = _canary(run, taken)
    finish_creates(run, version)
    delivery = deliver(
        run, plan, version, parents=parents, canary=canary, unkeyed=taken.unkeyed, holds=taken.holds,
        verify_restored=taken.stored.kind != PlanKind.REALTIME, progress=progress,
    )  # fmt: skip
    delivery.stop = delivery.stop or finish_creates(run, version)
    return delivery


def _canary(run: RunContext, taken: TakenPlan) -> Sequence[int]:
    """Return the sizes of the canary's batches; none if this version of the workflow file is proven.

    Applying a whole plan after a canary halt accepts its findings; applying a part of it checks again.
    """
    name, version, sizes = run.workflow.name, taken.stored.workflow_version, run.workflow.spec.canary
    with run.warehouse.writer(transaction=False) as con:
        halts = canary_halts(con, name, version, "" if taken.filters else run.run_id)
        accepted = bool(halts) and halts[0][1] and not taken.filters
        return () if accepted or is_proven(con, name, version, sum(sizes)) else sizes
