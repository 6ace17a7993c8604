"""Check the workflow files without touching anything outside."""

from pathlib import Path

from rich.console import Console

from assets.delivery.checking import overridden
from assets.delivery.planning import Workflow
from assets.delivery.workflow_file import file_problems
from orchestration.definitions import load_workflows
from orchestration.jobs import load_groups
from orchestration.settings import MillpondSettings


def validate_folder(folder: Path | None, console: Console) -> int:
    """Check every file and print what is wrong; returns the exit code."""
    folder = folder or MillpondSettings().workflows
    workflows, broken = load_workflows(folder)
    _, wrong = load_groups(folder, [*(each.name for each in workflows), *broken])
    problems = [*(line for text in broken.values() for line in text.splitlines()), *wrong]
    for problem in problems:
        console.print(f"✗ {problem}", style="red", markup=False, highlight=False, soft_wrap=True)
    for workflow in workflows:
        for warning in _overridden(workflow, folder):
            console.print(f"! {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)
        fields = len(workflow.spec.columns)
        console.print(f"✓ {workflow.name}: {fields} fields to {workflow.spec.target}", style="green", markup=False)
    if not workflows and not problems:
        console.print(f"no workflow files in {folder}", style="red", markup=False)
    return 1 if problems or not workflows else 0


def _overridden(workflow: Workflow, folder: Path) -> list[str]:
    """Rows without effect, because a later one fills the same field; with `strict_mapping` they are errors."""
    spec = workflow.spec
    found = [
        ((*(() if spec.source else ("records", number)), *place), text)
        for number, record in enumerate(spec.records)
        for place, text in overridden(record)
    ]
    return str(file_problems(folder / workflow.name / "defs.yaml", found)).splitlines() if found else []
