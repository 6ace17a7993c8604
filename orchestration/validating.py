"""Check the workflow files without touching anything outside."""

from pathlib import Path

from rich.console import Console

from assets.delivery.mapping import MappingError, key_column, parse, source_columns
from assets.delivery.spec import WorkflowFileError
from assets.delivery.sync import Workflow
from assets.delivery.workflow import load_workflow
from orchestration.jobs import load_groups
from orchestration.settings import MillpondSettings


def validate_folder(folder: Path | None, console: Console) -> int:
    """Check every file and print what is wrong; returns the exit code."""
    folder = folder or MillpondSettings().workflows
    workflows, problems = [], []
    for path in sorted(folder.glob("*/defs.yaml")):
        try:
            workflow = load_workflow(path)
            check_mapping(workflow)
            workflows.append(workflow)
        except (WorkflowFileError, MappingError) as error:
            problems.append(str(error))
    try:
        load_groups(folder, workflows)
    except WorkflowFileError as error:
        problems.append(str(error))
    for problem in problems:
        console.print(f"✗ {problem}", style="red", markup=False, highlight=False, soft_wrap=True)
    for workflow in workflows:
        fields = len(workflow.spec.columns)
        console.print(f"✓ {workflow.name}: {fields} fields to {workflow.spec.target}", style="green", markup=False)
    if not workflows and not problems:
        console.print(f"no workflow files in {folder}", style="red", markup=False)
    return 1 if problems or not workflows else 0


def check_mapping(workflow: Workflow) -> None:
    """Parse every expression and look up every source.

    Raises:
        MappingError: An expression cannot be read or a source does not exist; names workflow and field.
    """
    for record in workflow.spec.records:
        key_column(record.source)
        source_columns(record, f"{workflow.name}.{record.source}")
        if record.select.where:
            parse(record.select.where, f"{workflow.name}.{record.source}.where")
