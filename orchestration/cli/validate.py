"""`millpond validate`: check the workflow files, and the columns that they map if NetSuite can be asked."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from assets.delivery.spec.loader import read_workflow, workflow_file_error
from assets.delivery.spec.overlaps import overlaps
from assets.delivery.spec.validation import duplicate_fields
from assets.delivery.spec.workflow import Workflow
from assets.target_registry import TARGETS
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import print_line, print_problems, print_wrapped
from orchestration.clients import is_configured, netsuite_client
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.table_needs import missing_in_netsuite, table_needs
from orchestration.workflow_files import load_user_files
from resources.errors import IntegrationError

SHIPPED = ROOT / "orchestration" / "workflows"


@with_json
def validate(folder: Path | None = None, *, defaults: bool = False) -> int:
    """Check every workflow file and groups.yaml.

    Every problem is printed with file, line, field and fix. Mapped columns are looked up in NetSuite if the settings
    name an account. No home is needed.

    Args:
        folder: Folder of the workflow files; MILLPOND_WORKFLOWS when omitted.
        defaults: Also list the rows of the shipped files that yours lack, ready to be copied.
    """
    folder = folder or MillpondSettings().workflows
    files = load_user_files(folder)
    print_problems(files.problems)
    for workflow in files.workflows:
        for warning in _duplicates(workflow, folder):
            print_wrapped(f"! {warning}", "yellow")
        for row in _missing_defaults(workflow) if defaults else ():
            print_line(f"~ {workflow.name}: lacks a row of the shipped file; to add it: - {row}", "cyan")
        fields = len(workflow.spec.target_fields)
        file = {"name": workflow.name, "target": workflow.spec.target, "fields": fields, "active": workflow.spec.active}
        note(workflows=[file])
        print_line(f"✓ {workflow.name}: {fields} fields to {workflow.spec.target}", "green")
    for warning in overlaps(files.workflows, _part):
        print_wrapped(f"! {warning}", "yellow")
    if not files.workflows and not files.problems:
        print_problems([f"no workflow files in {folder}; pass their folder or set MILLPOND_WORKFLOWS"])
    missing = _missing_columns([each for each in files.workflows if each.spec.active])
    return 1 if files.problems or missing or not files.workflows else 0


def _missing_columns(workflows: Sequence[Workflow]) -> bool:
    """Print the mapped columns that the account lacks, or why it was not asked; return whether there are any."""
    settings = MillpondSettings()
    if not is_configured(settings):
        return False
    try:
        with netsuite_client(settings, attempts=1) as client:
            missing = list(missing_in_netsuite(client, table_needs(workflows, settings.optional_table_names)))
    except IntegrationError as error:
        print_wrapped(f"! the columns were not checked in NetSuite: {error}", "yellow")
        return False
    print_problems(missing)
    return bool(missing)


def _part(workflow: Workflow) -> tuple[str, ...]:
    """Return the part of an account that a workflow writes to."""
    parts = TARGETS[workflow.spec.target].part_options
    return tuple(workflow.spec.options.get(name, default).strip() for name, default in parts.items())


def _missing_defaults(workflow: Workflow) -> Iterator[str]:
    """Active rows of the shipped file of this name for fields that no row maps here, not even an inactive one."""
    file = SHIPPED / workflow.name / "defs.yaml"
    if not file.exists():
        return
    mapped = {(record.source, row.field) for record in workflow.spec.records for row in record.fields}
    for record in read_workflow(file).records:
        for row in record.rows:
            if (record.source, row.field) not in mapped:
                content = row.model_dump(mode="json", by_alias=True, exclude_defaults=True)
                yield yaml.safe_dump(content, default_flow_style=True, sort_keys=False, width=1000).strip()


def _duplicates(workflow: Workflow, folder: Path) -> list[str]:
    """Rows that a later row of the same field overrides; with `forbid_duplicate_fields` they are problems."""
    spec = workflow.spec
    found = [
        ((*(() if spec.source else ("records", number)), *place), text)
        for number, record in enumerate(spec.records)
        for place, text in duplicate_fields(record)
    ]
    return str(workflow_file_error(folder / workflow.name / "defs.yaml", found)).splitlines() if found else []
