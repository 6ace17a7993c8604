"""Take a stored plan to send it, and leave out of it what changed since it was made."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

import polars as pl

from assets.delivery.diff.records import Records
from assets.delivery.errors import PlanError, SyncError
from assets.delivery.ledger import plans
from assets.delivery.ledger.attempts import confirmed_since, created_since, creates_without_outcome
from assets.delivery.ledger.decisions import read_upstream, replaced_since
from assets.delivery.ledger.freshness import made_by, require_tables, updated_in_real_time
from assets.delivery.ledger.links import (
    last_confirmed_by,
    read_links,
    read_manual_links,
)
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import PlanState, StoredPlan
from assets.delivery.ledger.recovery import close_dead
from assets.delivery.ledger.runs import update_run
from assets.delivery.ledger.sealing import opened
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.ledger.undo_holds import (
    without_mapped,
)
from assets.delivery.plan.exclude import exclude
from assets.delivery.plan.existence_check import fields_to_read, read_with_unlisted
from assets.delivery.plan.undo_below import keep_above_active
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import KEY, SourceKey, keys_frame
from assets.delivery.send.batches import parent_ids
from assets.delivery.send.confirm import (
    undo_holds_of,
)
from assets.delivery.send.staleness import (
    DECIDED,
    EXISTS,
    MART_STATE,
    MAY_EXIST,
    STALE_TARGET,
    decided_meanwhile,
    exclude_changed,
    exclude_rematched,
    exclude_replaced,
    exclude_stale,
    exclude_updated_in_real_time,
    existing_records,
    only_parts,
    with_current_values,
)
from assets.delivery.target import Action
from resources.clock import steady
from resources.encryption import EncryptionError
from resources.failpoints import reach
from resources.warehouse.tables import quoted
from resources.warehouse.warehouse import WarehouseError


@dataclass(frozen=True)
class TakenPlan:
    """A plan that this run has taken, with what its delivery needs.

    Attributes:
        plan: The rows to send: PLAN_COLUMNS.
        links: LINK_SCHEMA: the links before.
        made: PLAN_COLUMNS: the same rows, as the plan has them.
        possible_parents: Frames with KEY and target_id.
        later: KEY of the records that another plan sent or confirmed after this one was made.
        filters: The selected part of an applied plan.
        unkeyed: The records without our key that the target has now; None: they are in the target state of the plan.
        holds: The rows of sync_undo_holds of an undo.
    """

    stored: StoredPlan
    plan: pl.DataFrame
    links: pl.DataFrame
    made: pl.DataFrame
    possible_parents: Sequence[pl.DataFrame]
    later: pl.DataFrame
    filters: Mapping[str, Sequence[str]]
    unkeyed: frozenset[str] | None = None
    holds: pl.DataFrame | None = None

    @property
    def is_undo(self) -> bool:
        """True if it restores values of before another run."""
        return self.stored.kind == PlanKind.UNDO

    @property
    def covers_all_records(self) -> bool:
        """True if it decides on every source record as of now: neither a part of a plan nor one that waited."""
        return self.stored.state == PlanState.READY and self.stored.kind == PlanKind.SYNC and not self.filters

    @property
    def is_current(self) -> bool:
        """True if its decisions are current for all of its records."""
        return self.covers_all_records or (
            self.stored.state == PlanState.READY and self.stored.kind == PlanKind.REALTIME
        )


def take_plan(run: RunContext, plan_id: str, kind: PlanKind, filters: Mapping[str, Sequence[str]]) -> TakenPlan:
    """Take the plan and record that it is being sent, in one transaction."""
    began, workflow = run.now, run.workflow
    with run.warehouse.writer() as con:
        ensure_ledger(con)
        close_dead(con, workflow.name, began)
    with run.warehouse.writer() as con:
        stored = plans.find(con, plan_id) if plan_id else plans.newest(con, workflow.name, kind)
        if stored.workflow != workflow.name:
            raise SyncError(f"plan {stored.plan_id} belongs to {stored.workflow}, not to {workflow.name}")
        require_tables(con, workflow, workflow.plan, workflow.mart, workflow.target_state)
        rows = plans.take(con, stored, run.run_id, began, steady(run.clock), approved=bool(plan_id))
        try:
            plan = opened(rows, asdict(stored), run.cipher)  # in the transaction: a plan of another key is not taken
        except EncryptionError as error:
            raise PlanError(f"{workflow.name}: plan {stored.plan_id}: {error}; otherwise make a new one") from error
        decided = keys_frame(())
        if stored.kind != PlanKind.UNDO:
            decided = decided_meanwhile(plan, read_manual_links(con, workflow.name))
            plan = exclude(plan, decided, *DECIDED)
        if filters and not only_parts(plan, filters, run.target.active_field)["payload"].count():
            raise SyncError(f"{workflow.name}: plan {stored.plan_id} writes no such record; it can still be sent")
        if not plan_id:  # an applied plan is compared with the current target instead
            plan = exclude_updated_in_real_time(plan, updated_in_real_time(con, stored))
        values = {"state": "sending", "plan_id": stored.plan_id, "started_at": began, "source_records": plan.height}
        update_run(con, run.run_id, workflow.name, {**values, "workflow_version": stored.workflow_version})
        links, upstream = read_links(con, workflow.name), read_upstream(con, workflow.spec.upstream)
        later = keys_frame(confirmed_since(con, workflow.name, stored.plan_id))
    reach("plan_taken")
    # parents are in the whole plan, of which only a part may be sent; an undo plan does not have them
    own = links if stored.kind == PlanKind.UNDO else plan.join(pl.concat([decided, later]), on=KEY, how="anti")
    parents = (upstream, own, links.join(later, on=KEY, how="semi"))
    return TakenPlan(stored, plan, links, plan, parents, later, filters)


def still_valid(run: RunContext, taken: TakenPlan, *, is_applied: bool) -> TakenPlan:
    """Return what can be sent now: another run's plan is compared with the source and the target of today.

    Args:
        run: The run that sends it.
        taken: The plan.
        is_applied: An operator applies it; otherwise it may be one that this run made.
    """
    if is_applied or not _is_of_this_run(run, taken.stored):
        return _checked(run, taken)
    if not taken.stored.writes:
        return taken
    # a change notification may have updated the mart since
    mart = run.warehouse.read(f"select {', '.join(MART_STATE)} from {quoted(run.workflow.mart)}")
    return replace(taken, plan=exclude_changed(taken.plan, taken.plan, mart))


def _is_of_this_run(run: RunContext, stored: StoredPlan) -> bool:
    """Return whether this run made the plan, from what it read itself."""
    if stored.made_by != run.run_id or stored.kind != PlanKind.SYNC:
        return stored.made_by == run.run_id
    with run.warehouse.writer(transaction=False) as con:
        return made_by(con, run.workflow.target_state) == run.run_id


def _checked(run: RunContext, taken: TakenPlan) -> TakenPlan:
    """Return what is still valid of another run's plan; a plan that cannot be checked can be sent later."""
    try:
        return _valid_rows(run, taken)
    except BaseException:
        with suppress(WarehouseError), run.warehouse.writer() as con:  # nothing was sent
            plans.set_state(con, taken.stored.plan_id, PlanState(taken.stored.state), run.now)
        raise


def _valid_rows(run: RunContext, taken: TakenPlan) -> TakenPlan:
    """Return the selected part of another run's plan, without the rows whose source or target changed since."""
    plan = only_parts(taken.plan, taken.filters, run.target.active_field)
    mart, (upstream, *own) = run.warehouse.table(run.workflow.mart), taken.possible_parents
    parents = [parent for each in own for parent in parent_ids(each, plan).items()]
    rows = mart.join(keys_frame(key for key, _ in parents), on=KEY, how="semi").select(*KEY, run.target.key_field)
    keys = {SourceKey(*row): key for *row, key in rows.iter_rows()}
    above = {target_id: keys.get(key) for key, target_id in parents}
    known = above | existing_records(plan, run.target.key_field)
    changed = taken.plan["changes"].explode().struct.field("field").drop_nulls().unique()
    fields = fields_to_read(run.target, run.workflow.spec.target_fields, changed.to_list())
    target_state, unread = read_with_unlisted(run.target, known, fields)
    with run.warehouse.writer(transaction=False) as con:
        lost = keys_frame(creates_without_outcome(con, run.workflow.name))
        made = keys_frame(created_since(con, run.workflow.name, taken.stored.plan_id))
        last = last_confirmed_by(con, run.workflow.name, taken.stored.undone_run or "")
        manual = read_manual_links(con, run.workflow.name)
        replaced = {
            (record.source, row.field): replaced_since(con, row.reference, taken.stored.plan_id)
            for record in run.workflow.spec.records
            for row in record.rows
            if row.reference
        }
    creates = plan.filter(action=Action.CREATE)
    plan = exclude(plan, lost.join(creates, on=KEY, how="semi"), *MAY_EXIST)
    plan = exclude(plan, made.join(creates, on=KEY, how="semi"), *EXISTS)
    unkeyed = frozenset(target_state.filter(pl.col("external_id").is_null())["target_id"])
    plan = exclude_stale(plan, taken.plan, mart, target_state, run.target, unread)
    records = Records(mart, target_state, taken.links)
    plan = exclude_rematched(plan, records, manual, run.target_shape, run.workflow.spec)
    plan = exclude_replaced(plan, replaced)
    plan = with_current_values(plan, target_state, run.target.key_field)
    if taken.is_undo:
        plan = keep_above_active(plan, taken.links, mart, target_state, STALE_TARGET)
    holds = undo_holds_of(run, taken.stored, plan, mart, last) if taken.is_undo else None
    holds = None if holds is None else without_mapped(holds, plan, mart, run.target.active_field)
    shown = [each.join(target_state, on="target_id", how="semi") for each in own]
    return replace(taken, plan=plan, possible_parents=(upstream, *shown), unkeyed=unkeyed, holds=holds)
