"""`millpond plans`, `apply`, `reject` and `undo`: an operator's decisions about plans, printed."""

import uuid

import polars as pl
from rich.table import Table

from assets.asset_metadata import duration
from assets.delivery.errors import SyncError
from assets.delivery.ledger import plans as ledger
from assets.delivery.ledger.plans import PlanState
from assets.delivery.ledger.tables import ensure_ledger
from orchestration.cli.options import All
from orchestration.cli.output import console, print_line, print_problems
from orchestration.cli.summary import print_plan, print_summary
from orchestration.connections import Connections, open_connections
from orchestration.operator_jobs.plan_actions import apply_plan, reject_plan, stale_records, undo_run
from orchestration.settings import MillpondSettings
from resources.errors import IntegrationError

SHOWN_PLANS = 50


def plans(*, show_all: All = False) -> int:
    """List the open plans: awaiting approval, or just made.

    Args:
        show_all: Also those that were sent, rejected or expired.
    """
    with open_connections() as connections:
        rows = _plans(connections, show_all=show_all)
    table = Table(
        "plan", "workflow", "kind", "state", "writes", "calls", "takes", "made", "expires", title_justify="left"
    )
    for row in rows.iter_rows(named=True):
        table.add_row(
            row["plan_id"], row["workflow"], row["kind"], row["state"], f"{row['writes']:,}",
            f"{row['calls_needed']:,}", duration(row["seconds_needed"]), f"{row['made_at']:%m-%d %H:%M}",
            f"{row['expires_at']:%m-%d %H:%M}",
        )  # fmt: skip
    console.print(table if rows.height else "no open plan; `millpond plan GROUP` makes one")
    for row in rows.iter_rows(named=True):
        if row["state"] == PlanState.WAITING and row["note"]:
            print_line(f"{row['plan_id']}: {row['note']}")
    return 0


def _plans(connections: Connections, *, show_all: bool) -> pl.DataFrame:
    with connections.warehouse.writer() as con:
        ensure_ledger(con)
        ledger.expire(con, connections.now)
    condition = "true" if show_all else "state in ('ready', 'waiting')"
    return connections.warehouse.read(
        "select plan_id, workflow, concat_ws(' ', kind, left(undone_run, 8)) as kind, state, writes, calls_needed,"
        " seconds_needed, made_at, expires_at, note"
        f" from sync_plans where {condition} order by position desc nulls last limit {SHOWN_PLANS}"
    )


def apply(plan: str, *, only: tuple[str, ...] = ()) -> int:
    """Send a plan exactly as it was made, whole or in part.

    Args:
        plan: The plan's id, or its first characters. A plan is sent once. Records that changed after it was made are
            left out and listed.
        only: `action=create`, `record=107` or `field=name`; may be repeated.
    """
    run_id = str(uuid.uuid4())
    with open_connections() as connections:
        try:
            synced = apply_plan(connections, plan, only, run_id)
        except (SyncError, IntegrationError) as error:
            print_problems([str(error)])
            return 2
        print_summary(connections.warehouse, run_id)
        for row in stale_records(synced).iter_rows(named=True):
            print_line(f"{row['source']} {row['source_id']}: {row['reason']}")
        connections.warehouse.publish()
        return 1 if synced.stop else 0


def reject(plan: str, *, reason: str = "rejected by an operator") -> int:
    """Reject an open plan.

    Args:
        plan: The plan's id, or its first characters.
        reason: A note for the ledger.
    """
    with open_connections() as connections:
        try:
            rejected = reject_plan(connections, plan, reason)
        except SyncError as error:
            print_problems([str(error)])
            return 2
    print_line(f"plan {rejected.plan_id} of {rejected.workflow} is rejected")
    return 0


def undo(run: str, *, record: tuple[str, ...] = (), where: str = "") -> int:
    """Make a plan that reverts what a run sent.

    Args:
        run: The run's id, or its first characters. `millpond apply` sends the plan. Records that were edited afterwards
            are reported as conflicts and left unchanged.
        record: NetSuite ids to revert; all when omitted.
        where: SQL condition, such as `action = 'update'`, over action, source, source_id, target_id and mapped fields.
    """
    with open_connections() as connections:
        made, problems = undo_run(connections, run, record, where)
        if not made:
            print_problems(problems)
            return 2
        for problem in problems:  # a record or field of one workflow may be unknown to the others
            print_line(problem)
        for workflow, undone in made:
            values = MillpondSettings().personal_data == "show"
            print_plan(connections.warehouse, workflow, plan_id=undone.plan_id, values=values)
            if undone.conflicts:
                print_line(f"{undone.conflicts} records were edited afterwards and would be left unchanged")
            print_line(f"`millpond apply {undone.plan_id}` sends it")
    return 0
