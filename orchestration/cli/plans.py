"""`millpond apply`, `reject` and `undo`: an operator's decisions about plans, printed."""

import uuid
from pathlib import Path

from assets.delivery.audit.plan_review import review_plan
from assets.delivery.errors import NothingToUndoError, SyncError
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import StoredPlan
from assets.delivery.plan.undo import PlannedUndo
from assets.delivery.plan.undo_row import NOTHING_TO_UNDO
from assets.delivery.send.apply import SyncResult
from assets.result_texts import counted
from orchestration.authorization import require_approver
from orchestration.cli.exit_codes import CLEAN, FAILED, HELD_BACK, USAGE, worst
from orchestration.cli.facts import with_json
from orchestration.cli.output import paged, print_problems, print_wrapped
from orchestration.cli.plan_output import print_reviews, write_files
from orchestration.cli.summary import print_held_back, print_summary
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections, open_connections
from orchestration.ledger_sealing import publish_sealed
from orchestration.operator_jobs.plan_actions import apply_plan, find_plan, reject_plan, stale_records, undo_run
from resources.errors import IntegrationError, QuotaExhaustedError


@with_json
def apply(plan: str, *, only: tuple[str, ...] = (), reason: str = "") -> int:
    """Send a plan exactly as it was made, whole or in part.

    Args:
        plan: The plan's id, or its first characters. A plan is sent once. Records that changed after it was made are
            left out and listed.
        only: `action=create`, `record=107` (or `record=customers:107`) or `field=name`; may be repeated.
        reason: A note for the ledger.
    """
    run_id = str(uuid.uuid4())
    with open_connections() as connections:
        try:
            approver = require_approver()
            found = find_plan(connections.warehouse, plan)
            synced = apply_plan(connections, found.plan_id, only, run_id, approver, reason)
        except SyncError as error:
            print_problems([str(error)])
            return USAGE
        except IntegrationError as error:
            print_problems([str(error)])
            return FAILED
        publish_sealed(connections.warehouse)  # first: whoever reads the output may stop to
        _report_release(connections, found, synced, run_id, approver)
        print_summary(connections.warehouse, run_id)
        stale = stale_records(synced)
        for row in stale.iter_rows(named=True):
            print_wrapped(f"{row['source']} {row['source_id']}: {row['reason']}")
        workflow = connections.workflow(find_plan(connections.warehouse, plan).workflow)
        new = print_held_back(connections.warehouse, workflow, connections.workflows, run_id)
        resumes = isinstance(synced.stop, QuotaExhaustedError) and found.kind != PlanKind.UNDO
        if synced.stop and not resumes:
            return FAILED
        return HELD_BACK if new or stale.height else CLEAN


def _report_release(connections: Connections, plan: StoredPlan, synced: SyncResult, run_id: str, approver: str) -> None:
    """Let Dagster's pages show the delivery, and the checks pass that the plan had failed."""
    from orchestration.dagster_instance import open_instance  # late: Dagster takes a second to load
    from orchestration.operator_jobs.release_checks import report_release

    settings = MillpondSettings()
    with open_instance(settings) as instance:
        text = f"plan {plan.plan_id} was sent by {approver}, on the command line"
        report_release(instance, connections, plan, synced, run_id, text, settings.account)


@with_json
def reject(plan: str, *, reason: str = "rejected by an operator") -> int:
    """Reject an open plan.

    Args:
        plan: The plan's id, or its first characters.
        reason: A note for the ledger.
    """
    with open_connections() as connections:
        try:
            rejected = reject_plan(connections, plan, reason, require_approver())
        except SyncError as error:
            print_problems([str(error)])
            return USAGE
    print_wrapped(f"plan {rejected.plan_id} of {rejected.workflow} is rejected")
    return CLEAN


@with_json
def undo(
    run: str, *, record: tuple[str, ...] = (), where: str = "", reason: str = "", limit: int | None = None,
    html: Path | None = None, csv: Path | None = None,
) -> int:  # fmt: skip
    """Make a plan that reverts what a run sent.

    Args:
        run: The run's id, or its first characters. `millpond apply` sends the plan. Records that were edited afterwards
            are reported as conflicts and left unchanged.
        record: NetSuite ids to revert, such as 107, `customers:107` or `WORKFLOW:customers:107`; all when omitted.
        where: SQL condition, such as `action = 'update'`, over action, source, source_id, target_id and mapped fields.
        reason: A note for the ledger.
        limit: Records to print of each plan; all when omitted.
        html: Also write the plans as a page for reviewers to this file.
        csv: Also write them as a table: a row per record and field.
    """
    with open_connections() as connections:
        try:
            made, problems = undo_run(connections, run, record, where, require_approver(), reason)
        except SyncError as error:
            made, problems = [], [error]
        failed = [each for each in problems if not isinstance(each, NothingToUndoError)]
        print_problems([*dict.fromkeys(str(each) for each in (failed if made else problems))])
        if not made:
            return FAILED if any(isinstance(each, IntegrationError) for each in failed) else USAGE
        workflows = connections.workflows
        plans = {name: undone.plan_id for name, undone in made}
        # a plan that reverts a run has rows of that run only, so that each is reviewed for itself
        found = [
            review_plan(connections.warehouse, workflows[name], workflows, {name: id_}, connections.now)
            for name, id_ in plans.items()
        ]
        reviews = [each for each in found if each]
        with paged():
            for problem in problems:
                if problem not in failed:
                    print_wrapped(str(problem))
            print_reviews(reviews, limit=limit)
            for _, undone in made:
                if undone.conflicts:
                    print_wrapped(f"{counted(undone.conflicts, 'records')} would be left unchanged, see above")
                print_wrapped(_how_to_undo(undone))
        write_files(reviews, html, csv)
    conflicts = any(undone.conflicts for _, undone in made)
    return worst(FAILED if failed else CLEAN, HELD_BACK if conflicts else CLEAN)


def _how_to_undo(undone: PlannedUndo) -> str:
    """Return what sending the plan does: one that writes nothing can still keep what a person brought back."""
    command, plan = f"`millpond apply {undone.plan_id}`", undone.plan
    if plan["payload"].null_count() < plan.height:
        return f"{command} sends it"
    if plan.filter(reason_code=NOTHING_TO_UNDO).height:
        return f"nothing to send; {command} only lets the next runs leave the former values as they are"
    return "nothing to send"
