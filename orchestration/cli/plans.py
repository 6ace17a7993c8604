"""`millpond apply`, `reject` and `undo`: an operator's decisions about plans, printed."""

import uuid

from assets.delivery.errors import SyncError
from orchestration.cli.output import print_line, print_problems
from orchestration.cli.summary import print_plan, print_summary
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import open_connections
from orchestration.operator_jobs.plan_actions import apply_plan, reject_plan, stale_records, undo_run
from resources.errors import IntegrationError


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
