"""One stored plan, printed again: `millpond plans PLAN`.

sync_plans, plan_<workflow>  ->  review_plan()  ->  terminal, files for reviewers
"""

from pathlib import Path

from assets.delivery.audit.plan_review import PlanReview, review_plan
from assets.delivery.errors import SyncError
from assets.delivery.ledger import plans as ledger
from assets.delivery.ledger.tables import ensure_ledger
from orchestration.cli.exit_codes import USAGE
from orchestration.cli.output import paged, print_problems
from orchestration.cli.plan_output import print_reviews, review_code, write_files
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_clock
from orchestration.workflow_files import load_workflows
from resources.clock import utc_now
from resources.warehouse.warehouse import Warehouse


def print_stored(warehouse: Warehouse, text: str, limit: int | None, files: tuple[Path | None, Path | None]) -> int:
    """Print a plan that was made before; return the exit code."""
    try:
        with warehouse.writer() as con:
            ensure_ledger(con)
            found = ledger.find(con, text)
        review = _review(warehouse, found.workflow, found.plan_id)
    except SyncError as error:
        print_problems([str(error)])
        return USAGE
    with paged():
        print_reviews([review], limit=limit)
    write_files([review], *files)
    return review_code([review])


def _review(warehouse: Warehouse, workflow: str, plan_id: str) -> PlanReview:
    """Return the review of a stored plan; SyncError if the file of its workflow is gone."""
    workflows = {each.name: each for each in load_workflows(MillpondSettings().workflows)[0]}
    if workflow not in workflows:
        raise SyncError(f"plan {plan_id} is of {workflow}, which has no usable file; `millpond validate` checks them")
    now = utc_now(warehouse_clock(MillpondSettings()))
    review = review_plan(warehouse, workflows[workflow], workflows, {workflow: plan_id}, now)
    if review is None:
        raise SyncError(f"plan {plan_id}: its records are no longer kept, as a newer plan of {workflow} replaced them")
    return review
