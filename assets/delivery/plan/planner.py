"""Make a plan: compare desired and actual records, exclude, guard, store.

mart_<workflow>, target_<workflow>, ledger  ->  make_plan()  ->  plan_<workflow>, sync_plans
"""

from dataclasses import asdict, dataclass, replace
from functools import partial

import duckdb
import polars as pl

from assets.delivery.diff.decide import decide
from assets.delivery.diff.ledger_facts import read_ledger_facts
from assets.delivery.diff.near_duplicates import read_near_duplicates
from assets.delivery.diff.prefilter import Prefilter
from assets.delivery.imports.selection import unselected
from assets.delivery.ledger.emptied import count_emptied
from assets.delivery.ledger.links import save_record_url
from assets.delivery.ledger.other_workflows import delivered_by_others
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.recovery import close_dead
from assets.delivery.ledger.resolution import resolve_intents
from assets.delivery.ledger.restores import pending_restore
from assets.delivery.ledger.runs import canary_halts, counts_of, last_run_size, update_run
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.ledger.taken_over import count_taken_over
from assets.delivery.ledger.unknown_creates import log_unknown_creates
from assets.delivery.locks import LOCK_TIMEOUT_S, builder_lock, try_writer_lock
from assets.delivery.plan.exclude import Exclusion, exclude_all
from assets.delivery.plan.existence_check import unverified_creates
from assets.delivery.plan.guards import Tripped, canary_guard, check
from assets.delivery.plan.keep import Stamp, data_version, keep_plan
from assets.delivery.plan.mode import Mode, creates_of, mode_exclusions
from assets.delivery.plan.scope import EVERYTHING, Scope
from assets.delivery.plan.soundness import require_decisions, require_sound_mart
from assets.delivery.run_context import RunContext
from assets.delivery.target import Estimate
from resources.failpoints import reach

OTHERS = pl.format("left as it is: {} delivers the record", pl.col("other"))


@dataclass(frozen=True)
class Planned:
    """A stored plan, and the guards that it trips.

    Attributes:
        plan: PLAN_COLUMNS and STAMP_COMMENTS: the records that the decision engine looked at; those that the
            prefilter found unchanged are in the plan's table only.
        records: The number of all records.
    """

    plan_id: str
    plan: pl.DataFrame
    records: int
    tripped: list[Tripped]
    estimate: Estimate


def make_plan(run: RunContext, *, mode: Mode = Mode.SYNC, scope: Scope = EVERYTHING, base_url: str = "") -> Planned:
    """Decide on every record of the scope and store the plan; one that trips a guard waits for approval.

    Args:
        run: The run.
        mode: What the run may do.
        scope: The records to decide on.
        base_url: The target's base URL, for links to its records.

    Raises:
        PlanError: A record of the mart is there twice, or has no key of its own.
        SyncError: Another run is planning the workflow, or wrote to the target after it was read.
    """
    workflow = run.workflow
    with builder_lock(run.warehouse, workflow.plan):
        planned = _make_plan(run, mode, scope)
    with run.warehouse.writer() as con:
        update_run(con, run.run_id, workflow.name, {"account": base_url or None})
        record_url = workflow.spec.record_url.replace("{base_url}", base_url.rstrip("/"))
        save_record_url(con, workflow.name, workflow.spec.target, record_url)
    return planned


def _make_plan(run: RunContext, mode: Mode, scope: Scope) -> Planned:
    calls = run.target.calls
    current = scope.require_current(run)
    _close_interrupted(run)
    unverified = scope.find_unverified(run)
    hidden = unverified if run.target.lists_deleted else ()
    stamp = Stamp.new(run)
    reach("plan_begins")
    with run.warehouse.writer() as con:
        if scope.kind is PlanKind.SYNC:
            require_sound_mart(con, run.workflow, run.target.key_field)
        comparison = scope.comparison(con, run)
        facts = read_ledger_facts(
            con, run.workflow, stamp.decided_at, rejected=not scope.resends, unverified=unverified, hidden=hidden
        )
        prefilter = Prefilter(con, comparison, facts)
        undecided = prefilter.read_undecided()
        facts = replace(facts, near=read_near_duplicates(con, run.workflow, undecided))
        plan = decide(run.workflow.spec, comparison.target, undecided, facts, monitored=scope.monitored)
        # unchanged records write nothing, so only the others need be excluded
        exclusions = [
            unverified_creates(plan, undecided.links, () if hidden else unverified),
            *mode_exclusions(plan, mode, undecided.links, unselected(con, run.workflow, creates_of(plan))),
            Exclusion(delivered_by_others(con, run, plan), "other_workflow", OTHERS, reported=True),
            *scope.exclusions(con, run.workflow, plan),
        ]
        plan = scope.restrict(exclude_all(plan, exclusions), prefilter)
        unchanged = prefilter.count_unchanged()
        records = plan.height + sum(unchanged.values())
        size_before = last_run_size(con, run.workflow.name) if scope.kind is PlanKind.SYNC else 0
        tripped = _check_guards(con, run, plan, prefilter, records, size_before)
        plan = stamp.on(plan)
        version = data_version(con, comparison.mart)
        estimate = keep_plan(con, run, plan, stamp, scope.kind, tripped=tripped, data_version=version)
        prefilter.write_unchanged(run.workflow.plan, asdict(stamp))
        if scope.kind is PlanKind.SYNC:
            require_decisions(con, run.workflow, stamp.plan_id)
        values = {"state": "planned", "source_records": records, **current, **counts_of(plan, unchanged)}
        update_run(con, run.run_id, run.workflow.name, values, calls=run.target.calls - calls)
    reach("plan_kept")
    return Planned(stamp.plan_id, plan, records, tripped, estimate)


def _check_guards(
    con: duckdb.DuckDBPyConnection, run: RunContext, plan: pl.DataFrame, prefilter: Prefilter, records: int,
    size_before: int,
) -> list[Tripped]:  # fmt: skip
    """Compare the plan with the workflow's limits and with the findings of its canary."""
    workflow = run.workflow
    guards = workflow.spec.guards
    return [
        *check(
            guards,
            plan,
            ours=prefilter.count_ours(),
            records=records,
            size_before=size_before,
            key_field=run.target.key_field,
            of=prefilter.count_linked(),
            count_values=partial(prefilter.count_values, plan),
            count_emptied=partial(count_emptied, con, workflow, guards.emptied_slowly.days),
            count_taken=partial(count_taken_over, con, workflow, guards.taken_over.days),
        ),
        *canary_guard(plan, canary_halts(con, workflow.name, workflow.spec.version)),
    ]


def _close_interrupted(run: RunContext) -> None:
    """Resolve what a killed run left open, unless another run is sending; after a restore, wait for that run."""
    with run.warehouse.writer(transaction=False) as con:
        wait_s = LOCK_TIMEOUT_S if pending_restore(con, run.workflow.name) else 0.0
    with try_writer_lock(run.warehouse, run.workflow.spec.connection_name, wait_s) as alone:
        with run.warehouse.writer() as con:
            ensure_ledger(con)
            if alone:
                close_dead(con, run.workflow.name, run.now)
        if alone:
            log_unknown_creates(run)
            resolve_intents(run)
