"""Check the workflow files without touching anything outside."""

from collections.abc import Iterator
from pathlib import Path

import yaml
from rich.console import Console

from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.loader import file_problems, read_workflow
from assets.delivery.spec.validation import overridden
from orchestration.automation.jobs import load_groups
from orchestration.definitions import load_workflows
from orchestration.settings import ROOT, MillpondSettings

SHIPPED = ROOT / "orchestration" / "workflows"


def validate_folder(folder: Path | None, console: Console, *, defaults: bool = False) -> int:
    """Check every file and print what is wrong; returns the exit code.

    Args:
        folder: Of the workflow files; the configured one when left out.
        console: Where it is printed.
        defaults: Also the rows of the shipped files that are not there, ready to be put back.
    """
    folder = folder or MillpondSettings().workflows
    workflows, broken = load_workflows(folder)
    _, wrong = load_groups(folder, [*(each.name for each in workflows), *broken])
    problems = [*(line for text in broken.values() for line in text.splitlines()), *wrong]
    for problem in problems:
        console.print(f"✗ {problem}", style="red", markup=False, highlight=False, soft_wrap=True)
    for workflow in workflows:
        for warning in _overridden(workflow, folder):
            console.print(f"! {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)
        for row in _missing_defaults(workflow) if defaults else ():
            text = f"~ {workflow.name}: a row of the shipped file is not there; to have it back: - {row}"
            console.print(text, style="cyan", markup=False, highlight=False, soft_wrap=True)
        fields = len(workflow.spec.columns)
        console.print(f"✓ {workflow.name}: {fields} fields to {workflow.spec.target}", style="green", markup=False)
    if not workflows and not problems:
        console.print(f"no workflow files in {folder}", style="red", markup=False)
    return 1 if problems or not workflows else 0


def _missing_defaults(workflow: Workflow) -> Iterator[str]:
    """Active rows of the shipped file of this name whose field no row fills here, not even one that is switched off."""
    file = SHIPPED / workflow.name / "defs.yaml"
    if not file.exists():
        return
    there = {(record.source, row.field) for record in workflow.spec.records for row in record.fields}
    for record in read_workflow(file).records:
        for row in record.rows:
            if (record.source, row.field) not in there:
                said = row.model_dump(mode="json", by_alias=True, exclude_defaults=True)
                yield yaml.safe_dump(said, default_flow_style=True, sort_keys=False, width=1000).strip()


def _overridden(workflow: Workflow, folder: Path) -> list[str]:
    """Rows without effect, because a later one fills the same field; with `strict_mapping` they are errors."""
    spec = workflow.spec
    found = [
        ((*(() if spec.source else ("records", number)), *place), text)
        for number, record in enumerate(spec.records)
        for place, text in overridden(record)
    ]
    return str(file_problems(folder / workflow.name / "defs.yaml", found)).splitlines() if found else []
