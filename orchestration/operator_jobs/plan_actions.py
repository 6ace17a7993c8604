"""An operator's decisions about plans: apply whole or in part, reject, and undo a run.

`millpond apply | reject | undo` and the jobs `apply_plan`, `reject_plan`  ->  ledger, target
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb
import polars as pl

from assets.delivery.errors import SyncError
from assets.delivery.ledger import plans
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import StoredPlan
from assets.delivery.ledger.runs import name_account
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.plan.undo import PlannedUndo, condition_of, make_undo, runs_to_undo
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import SyncResult, run_sync
from assets.delivery.send.staleness import parse_filters, require_known
from assets.delivery.spec.switches import Switches
from orchestration.connections import Connections
from resources.errors import IntegrationError
from resources.warehouse.warehouse import Warehouse


def find_plan(warehouse: Warehouse, plan_id: str) -> StoredPlan:
    """Return the plan whose id starts with the given characters; SyncError if no plan matches, or several do."""
    with warehouse.writer() as con:
        return plans.find(con, plan_id)


def apply_plan(
    connections: Connections, plan_id: str, only: Sequence[str], run_id: str, approver: str, reason: str = ""
) -> SyncResult:
    """Send a plan, whole or in part, and record the approver.

    Raises:
        SyncError: The plan cannot be sent.
        IntegrationError: The target cannot be reached.
    """
    plan = find_plan(connections.warehouse, plan_id)
    workflow = connections.workflow(plan.workflow)
    if plan.kind != PlanKind.UNDO:  # of a wrong run: first the workflow is switched off, then the run is undone
        Switches(connections.warehouse.folder).require_active(workflow)
    target, clock = connections.target(workflow)
    require_known(parse_filters(only), workflow.spec.target_fields)  # a mistyped part approves nothing
    with connections.warehouse.writer() as con:
        ensure_ledger(con)
        record_approval(con, plan, only, run_id, approver, connections.now, reason)
    try:
        return run_sync(
            RunContext(connections.warehouse, workflow, target, run_id, clock), plan_id=plan.plan_id, only=tuple(only)
        )
    finally:
        with connections.warehouse.writer() as con:  # a plan that was refused made no run
            name_account(con, run_id, plan.workflow, connections.client(workflow).base_url)


def record_approval(
    con: duckdb.DuckDBPyConnection, plan: StoredPlan, only: Sequence[str], run_id: str, approver: str,
    moment: datetime, reason: str = "",
) -> None:  # fmt: skip
    """Record who approved a plan, if it is open, before anything of it is sent."""
    if plan.state in plans.OPEN_STATES:
        plans.set_decided_by(con, plan.plan_id, approver)
        details = {"checksum": plan.checksum, "only": list(only), "run_id": run_id}
        record_event(con, _decision(Happened.APPROVED, plan, approver, moment, reason, details))


def stale_records(synced: SyncResult) -> pl.DataFrame:
    """Return the decisions about records that changed after the plan was made and were not sent."""
    return synced.decisions.filter(pl.col("reason_code").fill_null("").str.starts_with("stale_"))


def reject_plan(connections: Connections, plan_id: str, reason: str, approver: str) -> StoredPlan:
    """Reject an open plan, and record the approver; SyncError if the plan is not open."""
    plan = find_plan(connections.warehouse, plan_id)
    with connections.warehouse.writer() as con:
        ensure_ledger(con)
        plans.reject(con, plan, connections.now, reason)
        plans.set_decided_by(con, plan.plan_id, approver)
        details = {"checksum": plan.checksum}
        record_event(con, _decision(Happened.REJECTED, plan, approver, connections.now, reason, details))
    return plan


def _decision(
    event: Happened, plan: StoredPlan, approver: str, moment: datetime, note: str, details: Mapping[str, object]
) -> Event:
    """Return the event of a decision about a plan; its checksum says which rows it had."""
    return Event(
        event=event, at=moment, workflow=plan.workflow, subject=plan.plan_id, by=approver, note=note,
        details=details,
    )  # fmt: skip


def undo_run(
    connections: Connections, run: str, records: Sequence[str], where: str, approver: str, reason: str = ""
) -> tuple[list[tuple[str, PlannedUndo]], list[SyncError | IntegrationError]]:
    """Make a plan per workflow that reverts what a run sent, and record who asked; return them, and the problems.

    A `NothingToUndoError` is none if there are plans: a record or field of one workflow is unknown to the others.
    """
    made, problems = [], list[SyncError | IntegrationError]()
    try:
        if where:
            condition_of(where)  # once, and before any workflow is planned
        for undone_run, name in runs_to_undo(connections.warehouse, run):
            try:
                workflow = connections.workflow(name)
                target, clock = connections.target(workflow)
                undone = make_undo(
                    RunContext(connections.warehouse, workflow, target, str(uuid.uuid4()), clock),
                    undone_run,
                    records=records,
                    where=where,
                    requested_by=approver,
                    reason=reason,
                )
                made.append((name, undone))
            except (SyncError, IntegrationError) as error:
                problems.append(error)
    except SyncError as error:
        problems.append(error)
    return made, problems
