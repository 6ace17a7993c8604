"""From the two states to a plan: decide, guard, keep.

mart_<workflow>, target_<workflow>, ledger  ->  make_plan  ->  plan_<workflow>, sync_plans
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import polars as pl

from assets.delivery.diff.decide import decide
from assets.delivery.diff.prefilter import (
    Sides,
    count_ours,
    count_settled,
    data_version,
    part,
    read_open,
    write_settled,
)
from assets.delivery.ledger import ledger, plans
from assets.delivery.ledger.plans import Seal
from assets.delivery.ledger.recovery import close_dead, settle_open
from assets.delivery.locks import one_maker, turn_if_free
from assets.delivery.plan.existence_check import ask_unlisted, withhold
from assets.delivery.plan.guards import Tripped, canary_found, check
from assets.delivery.plan.mode import Chosen, Mode, narrow, read_selection
from assets.delivery.plan.scope import Few
from assets.delivery.schemas import PLAN_COMMENTS, TargetShape
from assets.delivery.spec.policies import Imports
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Estimate, Target
from resources.clock import Clock
from resources.failpoints import reach
from resources.warehouse.tables import quoted, read_frame
from resources.warehouse.warehouse import Warehouse

STAMP_COMMENTS = {
    "plan_id": "The plan that this row belongs to.",
    "workflow_version": "Fingerprint of the workflow file that decided.",
    "run_id": "The run that wrote this row.",
    "decided_at": "When it was decided, UTC.",
}


@dataclass(frozen=True)
class Workflow:
    """A workflow's name and what its file says."""

    name: str
    spec: WorkflowSpec

    @property
    def mart(self) -> str:
        """Name of the desired frame's table and asset."""
        return f"mart_{self.name}"

    @property
    def target_state(self) -> str:
        """Name of the actual frame's table and asset."""
        return f"target_{self.name}"

    @property
    def plan(self) -> str:
        """Name of the plan's table and asset."""
        return f"plan_{self.name}"

    @property
    def sync(self) -> str:
        """Name of the sink's table and asset."""
        return f"sync_{self.name}"

    @property
    def chosen(self) -> Chosen:
        """What picking needs to know; a workflow without `imports` selects everything."""
        imports = self.spec.imports or Imports()
        return Chosen(self.name, self.mart, imports.label, imports.select == "all")

    def field_comments(self) -> dict[str, str]:
        """A comment per target field: where its value comes from."""
        return {row.field: f"{row.field} ← {row.origin}" for record in self.spec.records for row in record.rows}


@dataclass(frozen=True)
class Planned:
    """A plan that was kept in the warehouse, and what the guards say of it.

    `plan` are the rows about which there was something to decide; the settled ones are in the plan's table only.
    """

    plan_id: str
    plan: pl.DataFrame
    records: int
    tripped: list[Tripped]
    estimate: Estimate


def make_plan(
    warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock, mode: Mode = Mode.SYNC,
    base_url: str = "", few: Few | None = None,
) -> Planned:  # fmt: skip
    """Decide for every record of the mart and keep the plan; one that a guard trips over waits for a person.

    Args:
        warehouse: The warehouse.
        workflow: The workflow.
        target: What the records go to.
        run_id: The run, for the ledger.
        clock: Time.
        mode: What the run is for.
        base_url: The service's address, for links to its records and for the results.
        few: Only these records are decided on.
    """
    with one_maker(warehouse, workflow.plan):
        planned = _make_plan(warehouse, workflow, target, run_id=run_id, clock=clock, mode=mode, few=few)
    with warehouse.writer() as con:
        ledger.note_run(con, run_id, workflow.name, {"account": base_url or None})
        address = workflow.spec.record_link.replace("{base_url}", base_url.rstrip("/"))
        ledger.keep_address(con, workflow.name, workflow.spec.target, address)
    return planned


def _make_plan(
    warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock, mode: Mode, few: Few | None
) -> Planned:
    spec, seal = workflow.spec, Seal(warehouse.seal_key)
    _settle_left_over(warehouse, workflow, target, seal, run_id, clock)
    before = target.calls
    unasked = few.unasked if few else ask_unlisted(warehouse, workflow.name, target)
    shape_of = TargetShape(target.key_field, target.active_field, target.fields())
    stamp = new_stamp(run_id, clock)
    reach("plan_begins")
    with warehouse.writer(tuned=True) as con:
        warehouse.spare_memory(con)
        since = stamp.made_at - timedelta(hours=spec.retry_refused_after_h)
        mart, target_state = (
            few.sides(con, workflow.name, target.key_field) if few else (workflow.mart, workflow.target_state)
        )
        sides = Sides(workflow.name, spec, shape_of, mart, target_state)
        refused, holds = ledger.read_refused(con, workflow.name, since), ledger.read_holds(con, workflow.name)
        places, pins = ledger.read_places(con, spec.waits_for), ledger.read_pins(con, workflow.name)
        part(con, sides, refused, holds, places, pins)
        left = read_open(con, sides)
        plan = decide(
            spec, shape_of, left.mart, left.target_state, left.links, refused, holds, pins, places, left.above
        )
        selection = None if workflow.chosen.everything else read_selection(con, workflow.chosen)
        plan = narrow(plan, selection, left.links, mode)  # only writes are taken out, and what is settled has none
        plan = withhold(plan, unasked, left.links) if unasked else plan
        plan = few.only(con, plan) if few else plan
        settled = count_settled(con)
        records = plan.height + sum(settled.values())
        ours, size_before = count_ours(con, workflow.name), 0 if few else ledger.last_size(con, workflow.name)
        tripped = list(
            check(spec.guards, plan, ours=ours, size_before=size_before, key_field=target.key_field, records=records)
        )
        tripped += canary_found(plan, ledger.halts(con, workflow.name, spec.version))
        kept = stamped(plan, workflow, stamp)
        version, kind = data_version(con, mart), plans.REALTIME if few else plans.SYNC
        estimate = keep_plan(con, workflow, kept, target, seal, stamp, tripped=tripped, data_version=version, kind=kind)
        write_settled(con, sides, workflow.plan, stamps_of(workflow, stamp))
        noted = {"state": "planned", "source_records": records, **counts_of(plan, settled)}
        ledger.note_run(con, run_id, workflow.name, noted, calls=target.calls - before)
    reach("plan_kept")
    return Planned(stamp.plan_id, kept, records, tripped, estimate)


def _settle_left_over(
    warehouse: Warehouse, workflow: Workflow, target: Target, seal: Seal, run_id: str, clock: Clock
) -> None:
    """Close what a killed run left open, unless somebody is sending just now."""
    with turn_if_free(warehouse, workflow.spec.connection_name) as alone, warehouse.writer() as con:
        ledger.ensure_ledger(con)
        if alone:
            close_dead(con, workflow.name, moment_of(clock))
        if alone and ledger.open_intents(con, workflow.name).height:
            target_state = read_frame(con, f"from {quoted(workflow.target_state)}")
            settle_open(
                con, workflow.name, run_id, target_state, target.key_field, seal, moment_of(clock),
                follows_up=target.follows_up,
            )  # fmt: skip


@dataclass(frozen=True)
class Stamp:
    """A new plan's id, and who made it when."""

    plan_id: str
    run_id: str
    made_at: datetime


def new_stamp(run_id: str, clock: Clock) -> Stamp:
    """The stamp of a plan that is made now."""
    return Stamp(uuid.uuid4().hex[:12], run_id, moment_of(clock))


def stamped(plan: pl.DataFrame, workflow: Workflow, stamp: Stamp) -> pl.DataFrame:
    """The plan with its id, and who made it when."""
    return plan.with_columns(pl.lit(value).alias(name) for name, value in stamps_of(workflow, stamp).items())


def stamps_of(workflow: Workflow, stamp: Stamp) -> dict[str, object]:
    """What every row of a plan says of the plan."""
    return {
        "plan_id": stamp.plan_id,
        "workflow_version": workflow.spec.version,
        "run_id": stamp.run_id,
        "decided_at": stamp.made_at,
    }


def keep_plan(
    con: duckdb.DuckDBPyConnection,
    workflow: Workflow,
    kept: pl.DataFrame,
    target: Target,
    seal: Seal,
    stamp: Stamp,
    *,
    tripped: Sequence[Tripped] = (),
    data_version: str = "",
    kind: str = plans.SYNC,
) -> Estimate:
    """Write a stamped plan down, sealed, with what sending it takes; that is returned."""
    writing = kept.filter(pl.col("payload").is_not_null())
    estimate = target.estimate(dict(writing.group_by("action").len().iter_rows()))
    closed = seal.close(kept)
    row: dict[str, object] = {
        "plan_id": stamp.plan_id,
        "workflow": workflow.name,
        "workflow_version": workflow.spec.version,
        "data_version": data_version,
        "kind": kind,
        "made_by": stamp.run_id,
        "made_at": stamp.made_at,
        "expires_at": stamp.made_at + timedelta(hours=workflow.spec.plan_lifetime_h),
        "state": plans.WAITING if tripped or kind not in {plans.SYNC, plans.REALTIME} else plans.MADE,
        "state_at": stamp.made_at,
        "writes": writing.height,
        "calls_needed": estimate.calls,
        "seconds_needed": estimate.seconds,
        "calls_left": target.calls_left,
        "seal": plans.fingerprint(closed),
        "note": "; ".join(each.reason for each in tripped) or None,
    }
    plans.keep(con, closed, row, {**PLAN_COMMENTS, **STAMP_COMMENTS})
    return estimate


def counts_of(decisions: pl.DataFrame, settled: Mapping[str, int] | None = None) -> dict[str, int]:
    """How many records each action has, under the names of sync_runs; `settled` are counted already."""
    found = Counter(settled or {}) + Counter(dict(decisions.group_by("action").len().iter_rows()))
    return {name: found[action.value] for action, name in ledger.COUNTED.items()}


def moment_of(clock: Clock) -> datetime:
    """Now, UTC, as the warehouse keeps it."""
    return clock.now().replace(tzinfo=None)
