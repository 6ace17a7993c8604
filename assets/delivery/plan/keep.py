"""Store a plan, stamped and encrypted.

decisions  ->  Stamp  ->  keep_plan()  ->  plan_<workflow>, sync_plans
"""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import duckdb
import polars as pl

from assets.delivery.ledger import plans
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import PlanState
from assets.delivery.ledger.sealing import seal, signature
from assets.delivery.plan.guards import Tripped
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import PLAN_COMMENTS
from assets.delivery.target import Estimate
from resources.clock import steady
from resources.warehouse.tables import quoted

STAMP_COMMENTS = {
    "plan_id": "Plan that this row belongs to.",
    "workflow_version": "Fingerprint of the workflow file that decided.",
    "run_id": "Run that wrote this row.",
    "decided_at": "Time of the decision, UTC.",
}


@dataclass(frozen=True)
class Stamp:
    """The columns that every row of a plan has in common: STAMP_COMMENTS."""

    plan_id: str
    workflow_version: str
    run_id: str
    decided_at: datetime

    @classmethod
    def new(cls, run: RunContext) -> "Stamp":
        """Return the stamp of a new plan."""
        return cls(uuid.uuid4().hex[:12], run.workflow.spec.version, run.run_id, run.now)

    def on(self, plan: pl.DataFrame) -> pl.DataFrame:
        """Return the plan with these columns."""
        return plan.with_columns(pl.lit(value).alias(name) for name, value in asdict(self).items())


def keep_plan(
    con: duckdb.DuckDBPyConnection,
    run: RunContext,
    plan: pl.DataFrame,
    stamp: Stamp,
    kind: PlanKind,
    *,
    tripped: Sequence[Tripped] = (),
    data_version: str = "",
    undone_run: str | None = None,
    requested_by: str = "",
    reason: str = "",
) -> Estimate:
    """Store a stamped plan, and return its cost; it waits for approval if a guard tripped, or if it undoes a run."""
    writes = plan.filter(pl.col("payload").is_not_null())
    estimate = run.target.estimate(dict(writes.group_by("action").len().iter_rows()))
    sealed, reading = seal(plan, run.cipher), steady(run.clock)
    row: dict[str, object] = {
        "plan_id": stamp.plan_id,
        "workflow": run.workflow.name,
        "workflow_version": stamp.workflow_version,
        "data_version": data_version,
        "kind": kind,
        "undone_run": undone_run,
        "requested_by": requested_by or None,
        "made_by": stamp.run_id,
        "made_at": stamp.decided_at,
        "expires_at": stamp.decided_at + timedelta(hours=run.workflow.spec.plan_lifetime_hours),
        "clock_origin": reading.origin,
        "clock_s": reading.seconds,
        "state": PlanState.WAITING if tripped or kind is PlanKind.UNDO else PlanState.READY,
        "state_at": stamp.decided_at,
        "writes": writes.height,
        "calls_needed": estimate.calls,
        "seconds_needed": estimate.seconds,
        "calls_left": run.target.calls_left,
        "note": "; ".join(each.reason for each in tripped) or None,
    }
    row["checksum"] = signature(sealed, row, run.cipher)
    plans.save(con, sealed, row, {**PLAN_COMMENTS, **STAMP_COMMENTS})
    if requested_by:
        details = {"undone_run": undone_run, "checksum": row["checksum"]}
        undo = Event(
            event=Happened.UNDO_PLANNED, at=stamp.decided_at, workflow=run.workflow.name, subject=stamp.plan_id,
            by=requested_by, details=details, note=reason,
        )  # fmt: skip
        record_event(con, undo)
    return estimate


def data_version(con: duckdb.DuckDBPyConnection, mart: str) -> str:
    """Return a fingerprint of the source records, whatever their order, for people to compare."""
    rows = con.execute(
        f"select printf('%016x', coalesce(bit_xor(hash(source, source_id, source_hash)), 0)) from {quoted(mart)}"
    ).fetchall()
    return str(rows[0][0])
