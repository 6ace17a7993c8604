"""The report of a run, with what is held back by root cause: the report itself does not know the workflow files.

run id, workflow files  ->  run_report()  ->  RunReport
"""

from collections.abc import Sequence
from typing import Any

from assets.delivery.audit.held_back import cause_rows
from assets.delivery.spec.workflow import Workflow
from assets.warehouse.run_report.queries import RunReport, collect_report
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_clock
from orchestration.workflow_files import load_workflows
from resources.clock import utc_now
from resources.warehouse.warehouse import Warehouse


def run_report(warehouse: Warehouse, settings: MillpondSettings, run_id: str = "") -> RunReport | None:
    """Return the report of a run, of the newest one if blank; None if there is no such run."""
    workflows, _ = load_workflows(settings.workflows)
    held = causes_now(warehouse, workflows, settings)
    return collect_report(warehouse, run_id, held=held, hides=warehouse.hides_personal)


def causes_now(warehouse: Warehouse, workflows: Sequence[Workflow], settings: MillpondSettings) -> list[dict[str, Any]]:
    """Return what an account's workflows hold back now, by root cause."""
    named = {each.name: each for each in workflows}
    return cause_rows(warehouse, named, utc_now(warehouse_clock(settings)), hides=warehouse.hides_personal)
