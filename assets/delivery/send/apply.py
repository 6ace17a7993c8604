"""Send a stored plan and record the result: the newest plan of a run, or one that an operator applies.

plan_<workflow>  ->  run_sync  ->  target, sync_<workflow>, ledger, target_<workflow>
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from time import monotonic

import duckdb
import polars as pl

from assets.delivery.diff.edits import EDITED_HERE
from assets.delivery.errors import PlanError, SyncError
from assets.delivery.ledger import plans
from assets.delivery.ledger.account import bind_account
from assets.delivery.ledger.attempts import confirmed_since, created_since, creates_without_outcome
from assets.delivery.ledger.decisions import read_upstream, replaced_since, write_decisions
from assets.delivery.ledger.freshness import advance_target_state, made_by, require_tables, updated_in_real_time
from assets.delivery.ledger.links import (
    confirm_restored,
    last_confirmed_by,
    read_links,
    read_manual_links,
    remember_values,
    take_over_values,
)
from assets.delivery.ledger.normalization import record_normalizations
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import PlanState, StoredPlan
from assets.delivery.ledger.recovery import close_dead, finish_creates
from assets.delivery.ledger.runs import canary_halts, counts_of, is_proven, update_run
from assets.delivery.ledger.sealing import opened
from assets.delivery.ledger.shadows import require_unshadowed
from assets.delivery.ledger.tables import ensure_ledger, upsert
from assets.delivery.ledger.undo_holds import (
    drop_undo_holds,
    end_changed_holds,
    end_undo_holds,
    read_undo_holds,
    without_mapped,
)
from assets.delivery.locks import writer_lock
from assets.delivery.plan.exclude import exclude
from assets.delivery.plan.existence_check import fields_to_read, read_with_unlisted
from assets.delivery.plan.undo_below import keep_above_active
from assets.delivery.plan.undo_row import NOTHING_TO_UNDO
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import KEY, SourceKey, keys_frame
from assets.delivery.send.batches import parent_ids
from assets.delivery.send.confirm import (
    LINK_KEY,
    edited_meanwhile,
    links_of,
    normalizations_of,
    undo_holds_of,
    update_target_state,
)
from assets.delivery.send.deliver import Progress, deliver
from assets.delivery.send.outcomes import Delivery, stop_text
from assets.delivery.send.staleness import (
    DECIDED,
    EXISTS,
    MART_STATE,
    MAY_EXIST,
    STALE,
    STALE_TARGET,
    decided_meanwhile,
    exclude_changed,
    exclude_replaced,
    exclude_stale,
    exclude_updated_in_real_time,
    existing_records,
    only_parts,
    parse_filters,
    require_known,
    with_current_values,
)
from assets.delivery.target import Action, Verdict
from resources.clock import steady
from resources.encryption import EncryptionError
from resources.failpoints import reach
from resources.warehouse.tables import describe_table, quoted, replace_table
from resources.warehouse.warehouse import WarehouseError

SYNC_COMMENTS = {
    "source": "Staging table of the record, without its prefix.",
    "source_id": "NetSuite internal id.",
    "action": "The decision, corrected by the target's response.",
    "reason_code": "The reason, as a code.",
    "reason": "The reason, in words.",
    "target_id": "Internal id of the target's record.",
    "run_id": "The run that wrote this row.",
}


@dataclass(frozen=True)
class SyncResult:
    """The result of sending a plan; `decisions` has one row per source record of the plan."""

    decisions: pl.DataFrame
    counts: Mapping[str, int]
    writes: int
    calls: int
    seconds: float
    stop: Exception | None


@dataclass(frozen=True)
class _Taken:
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
        only: Parts of an applied plan: `action=create`, `record=107`, `field=name`.
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
        taken = _take(run, plan_id, kind, filters)
        try:
            if plan_id or not _is_of_this_run(run, taken.stored):
                taken = _checked(run, taken)
            elif taken.stored.writes:  # a change notification may have updated the mart since
                mart = run.warehouse.read(f"select {', '.join(MART_STATE)} from {quoted(run.workflow.mart)}")
                taken = replace(taken, plan=exclude_changed(taken.plan, taken.plan, mart))
            delivery = _deliver(run, taken, progress)
            decisions = delivery.decisions(taken.plan)
            _record(run, taken, delivery, decisions)
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


def _take(run: RunContext, plan_id: str, kind: PlanKind, filters: Mapping[str, Sequence[str]]) -> _Taken:
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
    return _Taken(stored, plan, links, plan, parents, later, filters)


def _is_of_this_run(run: RunContext, stored: StoredPlan) -> bool:
    """Return whether this run made the plan, from what it read itself."""
    if stored.made_by != run.run_id or stored.kind != PlanKind.SYNC:
        return stored.made_by == run.run_id
    with run.warehouse.writer(transaction=False) as con:
        return made_by(con, run.workflow.target_state) == run.run_id


def _checked(run: RunContext, taken: _Taken) -> _Taken:
    """Return what is still valid of another run's plan; a plan that cannot be checked can be sent later."""
    try:
        return _still_valid(run, taken)
    except BaseException:
        with suppress(WarehouseError), run.warehouse.writer() as con:  # nothing was sent
            plans.set_state(con, taken.stored.plan_id, PlanState(taken.stored.state), run.now)
        raise


def _still_valid(run: RunContext, taken: _Taken) -> _Taken:
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
    plan = exclude_replaced(plan, replaced)
    plan = with_current_values(plan, target_state, run.target.key_field)
    if taken.is_undo:
        plan = keep_above_active(plan, taken.links, mart, target_state, STALE_TARGET)
    holds = undo_holds_of(run, taken.stored, plan, mart, last) if taken.is_undo else None
    holds = None if holds is None else without_mapped(holds, plan, mart, run.target.active_field)
    shown = [each.join(target_state, on="target_id", how="semi") for each in own]
    return replace(taken, plan=plan, possible_parents=(upstream, *shown), unkeyed=unkeyed, holds=holds)


def _deliver(run: RunContext, taken: _Taken, progress: Progress | None) -> Delivery:
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


def _canary(run: RunContext, taken: _Taken) -> Sequence[int]:
    """Return the sizes of the canary's batches; none if this version of the workflow file is proven.

    Applying a whole plan after a canary halt accepts its findings; applying a part of it checks again.
    """
    name, version, sizes = run.workflow.name, taken.stored.workflow_version, run.workflow.spec.canary
    with run.warehouse.writer(transaction=False) as con:
        halts = canary_halts(con, name, version, "" if taken.filters else run.run_id)
        accepted = bool(halts) and halts[0][1] and not taken.filters
        return () if accepted or is_proven(con, name, version, sum(sizes)) else sizes


def _record(run: RunContext, taken: _Taken, delivery: Delivery, decisions: pl.DataFrame) -> None:
    """Record the result of a plan in one transaction."""
    stored, name, counts = taken.stored, run.workflow.name, counts_of(decisions)
    if not taken.is_current:  # it says nothing new about the records that were not sent
        stale = taken.plan.filter(pl.col("reason_code").is_in(STALE)).select(KEY)
        touched = pl.concat([keys_frame(delivery.outcomes), stale])
        decisions = decisions.join(touched, on=KEY, how="semi")
    note = stop_text(delivery.stop, is_undo=taken.is_undo)
    reach("bookkeeping_begins")
    with run.warehouse.writer() as con:
        _write_results(con, run, decisions)
        write_decisions(
            con, name, stored.workflow_version, run.run_id, run.now, decisions, complete=taken.covers_all_records
        )
        edited = edited_meanwhile(delivery, taken.links, taken.made)
        confirmed = _write_links(con, run, taken, delivery, edited)
        update_target_state(con, run, delivery)
        remember_values(con, name, run.workflow.target_state, confirmed, edited)
        take_over_values(con, name, {key: delivery.writes[key].changed for key in delivery.confirmed()})
        advance_target_state(con, run.workflow, run.run_id)
        record_normalizations(con, name, run.run_id, run.now, normalizations_of(delivery))
        part = plans.A_PART if taken.filters else None  # what a person left out is as it was
        left = "; ".join(filter(None, (part, note)))
        plans.set_state(con, stored.plan_id, PlanState.PARTIAL if left else PlanState.SENT, run.now, left or None)
        state = "halted" if delivery.halted else "partial" if note else "finished"
        update_run(con, run.run_id, name, {"state": state, "finished_at": run.now, "note": note, **counts})
        reach("bookkeeping_open")
    reach("bookkeeping_done")


def _write_results(con: duckdb.DuckDBPyConnection, run: RunContext, decisions: pl.DataFrame) -> None:
    replace_table(con, run.workflow.sync, decisions.with_columns(pl.lit(run.run_id).alias("run_id")))
    description = f"The last run's result in {run.workflow.spec.target} for each NetSuite record, with its reason."
    describe_table(con, run.workflow.sync, description, SYNC_COMMENTS.items())


def _write_links(
    con: duckdb.DuckDBPyConnection, run: RunContext, taken: _Taken, delivery: Delivery, edited: Collection[SourceKey]
) -> pl.DataFrame:
    """Write the links that changed, and start or end undo holds; return KEY of those whose values are confirmed."""
    # what a plan found unchanged is older than what another one confirmed since
    outdated = taken.plan.filter(action=Action.UNCHANGED).join(taken.later, on=KEY, how="semi")
    plan = taken.plan.join(outdated, on=KEY, how="anti")
    links = links_of(
        run, plan, delivery, taken.links, edited, version=taken.stored.workflow_version,
        as_mapped=not taken.is_undo and "field" not in taken.filters,
    )  # fmt: skip
    upsert(con, "sync_links", links.join(taken.links, on=LINK_KEY, how="anti", nulls_equal=True))
    confirm_restored(con, run.workflow.name, _without_edits(taken, links))
    if taken.holds is not None:
        confirmed, arrived = delivery.confirmed(), {Verdict.CONFIRMED, Verdict.UNKNOWN}
        found = taken.plan.filter(reason_code=NOTHING_TO_UNDO).select(KEY)
        held = pl.concat([keys_frame(confirmed), found])
        upsert(con, "sync_undo_holds", taken.holds.join(held, on=KEY, how="semi"))
        mapped = keys_frame(confirmed).join(taken.holds, on=KEY, how="anti")
        end_undo_holds(con, run.workflow.name, map(SourceKey._make, mapped.iter_rows()))
        lost = keys_frame(key for key, each in delivery.outcomes.items() if each.verdict not in arrived)
        drop_undo_holds(con, run.workflow.name, lost.with_columns(pl.lit(run.run_id).alias("run_id")))
    else:
        end_undo_holds(con, run.workflow.name, delivery.confirmed())
        if taken.is_current:
            _end_changed_holds(con, run, taken)
    return _without_baseline(taken, links)


def _end_changed_holds(con: duckdb.DuckDBPyConnection, run: RunContext, taken: _Taken) -> None:
    holds = read_undo_holds(con, run.workflow.name)
    if not holds.is_empty():
        plan = taken.plan.join(holds, on=KEY, how="semi")
        end_changed_holds(con, run.workflow.name, run.workflow.mart, taken.stored.workflow_version, plan)


def _without_baseline(taken: _Taken, links: pl.DataFrame) -> pl.DataFrame:
    """Return KEY of the links whose values are those of the target from now on; edits that stay there do not count."""
    same = taken.links.filter(pl.col("value_hashes").is_not_null())
    return _without_edits(taken, links.join(same, on=LINK_KEY, how="anti", nulls_equal=True))


def _without_edits(taken: _Taken, links: pl.DataFrame) -> pl.DataFrame:
    """Return KEY of the links whose records have no edits that stay in the target."""
    left = (pl.col("action") == Action.UNCHANGED) & pl.col("reason").str.contains(EDITED_HERE, literal=True)
    edited = taken.plan.filter(pl.col("reason_code").is_in(["drift_reported", "drift_adopted"]) | left)
    return links.join(edited, on=KEY, how="anti").select(KEY)
