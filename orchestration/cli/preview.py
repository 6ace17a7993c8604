"""`millpond preview`: one record through the workflow file as it is, beside what the last run made of it.

RECORD, defs.yaml  ->  preview_record()  ->  fields: target, last run, now; the decision before and after
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from assets.delivery.audit.explain import workflows_of
from assets.delivery.audit.find import Record
from assets.delivery.audit.preview import Decision, Preview
from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.errors import MappingError, SyncError
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.yaml_file import WorkflowFileError
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import console, open_table, print_problems, print_wrapped
from orchestration.cli.records import find_record
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections, open_connections
from orchestration.record_preview import preview_records
from resources.errors import IntegrationError
from resources.warehouse.warehouse import WarehouseError

NO_VALUE = "∅"


@with_json
def preview(record: str, *, workflow: str = "", file: Path | None = None, read: bool = False) -> int:
    """Preview one record by the edited workflow file; nothing is sent.

    Args:
        record: NetSuite id, number or name. Its values are those of the last read of NetSuite.
        workflow: Only this workflow; all that deliver such records when omitted.
        file: An edited copy of the workflow's file; the file in MILLPOND_WORKFLOWS when omitted.
        read: Read the record, and those above it, from NetSuite again first.
    """
    hides = MillpondSettings().personal_data != "show"
    with open_connections() as connections:
        try:
            found = find_record(connections.warehouse, record)
            chosen = _chosen(connections, found, workflow, file)
            previews = preview_records(connections, chosen, found, reads_netsuite=read)
        except (SyncError, MappingError, WorkflowFileError) as error:
            print_problems(str(error).splitlines())
            return USAGE
        except (IntegrationError, WarehouseError) as error:
            print_problems([str(error)])
            return FAILED
    for each in previews:
        _print(each, hides=hides)
    return CLEAN


def _chosen(connections: Connections, record: Record, name: str, file: Path | None) -> Sequence[Workflow]:
    """Return the workflows to preview.

    Raises:
        SyncError: No workflow delivers such records, or several do and a file belongs to one.
        WorkflowFileError: The file is not valid.
    """
    names = [name] if name else workflows_of(connections.warehouse, record.source)
    if not names or (file and len(names) != 1):
        delivered = f"{record.source} are delivered by {', '.join(names) or 'no workflow'}"
        raise SyncError(f"{delivered}; add `--workflow NAME`")
    chosen = [connections.workflow(each) for each in names]
    if file is None:
        return chosen
    return [Workflow(chosen[0].name, load_workflow(file.absolute()).spec)]


def _print(made: Preview, *, hides: bool) -> None:
    fields = [asdict(each) for each in made.fields]
    shown = [{"field": each["field"]} for each in fields] if hides else fields
    before, after = asdict(made.before), asdict(made.after)
    record = {"source": made.record.source, "source_id": made.record.source_id}
    note(preview=[{"workflow": made.workflow, **record, "before": before, "after": after, "fields": shown}])
    name = "" if hides or not made.record.name else f"  {made.record.name}"
    print_wrapped(f"{made.workflow}: {made.record.source} {made.record.source_id}{name}", "bold")
    print_wrapped(f"last run: {_text(made.before)}", indent=2)
    print_wrapped(f"now:      {_text(made.after)}", indent=2)
    table = open_table("", "field", "target", "last run", "now")
    for each in made.fields:
        sign = "~" if each.before != each.after else "!" if each.target != each.after else ""
        values = ("", "", "") if hides else (each.target, each.before, each.after)
        table.add_row(sign, each.field, *(NO_VALUE if value is None else value for value in values))
    console.print(table, markup=False, highlight=False)
    print_wrapped("~ the edited file gives another value, ! the target has another value", "dim")


def _text(decision: Decision) -> str:
    return f"{decision.action}: {decision.reason}" if decision.action else "not decided yet"
