"""One record by the workflow files as they are: what the next run would do with it; nothing is sent or planned.

record, perhaps read again from NetSuite; its record of the target  ->  preview_records()  ->  a Preview per workflow

`millpond preview` prints them, and the console shows them on the record's page.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from assets.delivery.audit.find import Record
from assets.delivery.audit.preview import Preview, preview_record
from assets.delivery.errors import SyncError
from assets.delivery.run_context import RunContext
from assets.delivery.spec.workflow import Workflow
from assets.target_registry import TARGETS
from orchestration.connections import Connections


@dataclass(frozen=True)
class Unplanned:
    """A workflow for which a record has no preview, and why."""

    workflow: str
    problem: str


def preview_records(
    connections: Connections, workflows: Sequence[Workflow], record: Record, *, reads_netsuite: bool = False
) -> list[Preview]:
    """Return the preview of a record in each workflow; the target is read again, and NetSuite if `reads_netsuite`.

    Raises:
        SyncError: A workflow was never run or planned.
        MappingError: A workflow file does not fit the staging tables.
        IntegrationError: NetSuite or a target cannot be read.
    """
    run_id = f"preview {uuid.uuid4().hex[:8]}"
    if reads_netsuite:
        _read_again(connections, record, run_id)
    return [_preview(connections, each, record, run_id) for each in workflows]


def preview_everywhere(
    connections: Connections, workflows: Sequence[Workflow], record: Record
) -> tuple[list[Preview], list[Unplanned]]:
    """Return the previews of a record as NetSuite and the targets have it now, and the workflows without one.

    Raises:
        MappingError, IntegrationError: See `preview_records`.
    """
    run_id, made, without = f"preview {uuid.uuid4().hex[:8]}", list[Preview](), list[Unplanned]()
    _read_again(connections, record, run_id)
    for workflow in workflows:
        try:
            made.append(_preview(connections, workflow, record, run_id))
        except SyncError as error:
            without.append(Unplanned(workflow.name, str(error)))
    return made, without


def _read_again(connections: Connections, record: Record, run_id: str) -> None:
    from orchestration.operator_jobs.resend import read_again  # late: it loads Dagster, a preview alone need not

    read_again(connections, [record], run_id)


def _preview(connections: Connections, workflow: Workflow, record: Record, run_id: str) -> Preview:
    client = connections.client(workflow)
    target, clock = connections.target(workflow)
    run = RunContext(connections.warehouse, workflow, target, run_id, clock)
    return preview_record(run, record, read_system=partial(TARGETS[workflow.spec.target].records, client))
