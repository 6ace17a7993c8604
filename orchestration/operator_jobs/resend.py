"""Send selected records of a workflow again, whatever the last runs decided on them.

records, read from NetSuite again  ->  resend_records()  ->  sync_records()

The decisions are those of a full run, except that fields that are not monitored count, and that a record is tried again
although the target rejected the same values.
"""

from collections.abc import Sequence
from functools import partial

import polars as pl

from assets.delivery.audit.find import Record
from assets.delivery.errors import SyncError
from assets.delivery.ledger.shadows import require_unshadowed
from assets.delivery.realtime.sync_records import RealtimeResult, sync_records
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import KEY
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.record_types import RECORD_TYPES
from assets.target_registry import TARGETS
from assets.warehouse.refresh import refresh_records
from orchestration.authorization import require_approver
from orchestration.clients import extraction_settings
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections
from orchestration.realtime.sync_pending import parent_columns
from resources.warehouse.tables import quoted, read_frame

WRITTEN = ("created", "adopted", "updated", "deactivated", "reactivated")  # outcomes that the target confirmed


def resend_records(
    connections: Connections, workflow: Workflow, records: Sequence[Record], run_id: str, approver: str = ""
) -> RealtimeResult:
    """Read records from NetSuite again, with those above them, and send what differs in the target.

    Args:
        connections: Warehouse, workflows and clients.
        workflow: The workflow.
        records: The records; all of the workflow if empty, as of the last run.
        run_id: Written to the ledger.
        approver: The name of the person who decides; blank: the user of this process.

    Raises:
        SyncError: The user may not decide, or the workflow is not active, or was never run.
        IntegrationError: NetSuite or the target cannot be read.
    """
    if not approver:
        require_approver()
    Switches(connections.warehouse.folder).require_active(workflow)
    if connections.warehouse.exists():
        with connections.warehouse.writer(transaction=False) as con:
            require_unshadowed(con, workflow.name, workflow.spec.upstream)
    keys = read_again(connections, records, run_id) if records else _all_keys(connections, workflow)
    client = connections.client(workflow)
    target, clock = connections.target(workflow)
    return sync_records(
        RunContext(connections.warehouse, workflow, target, run_id, clock),
        keys,
        read_system=partial(TARGETS[workflow.spec.target].records, client),
        base_url=client.base_url,
        resend=True,
    )


def read_again(connections: Connections, records: Sequence[Record], run_id: str) -> pl.DataFrame:
    """Return the records with those above them, as NetSuite has them now; types that it cannot list stay as read."""
    workflows = list(connections.workflows.values())
    named = {(each.source, each.source_id): False for each in records}
    readable = {key: is_deleted for key, is_deleted in named.items() if key[0] in RECORD_TYPES}
    read = refresh_records(
        connections.warehouse,
        connections.clients["netsuite"],
        readable,
        parent_columns(workflows, connections.workflows),
        extraction_settings(MillpondSettings(), workflows),
        run_id=run_id,
    )
    others = [key for key in named if key not in readable]
    return pl.concat([read, pl.DataFrame(others, schema=dict.fromkeys(KEY, pl.String), orient="row")])


def _all_keys(connections: Connections, workflow: Workflow) -> pl.DataFrame:
    if not connections.warehouse.has(workflow.mart):
        raise SyncError(f"{workflow.name} was never run; `millpond run {workflow.name}` sends all of its records")
    with connections.warehouse.writer(transaction=False) as con:
        return read_frame(con, f"select {', '.join(KEY)} from {quoted(workflow.mart)}")
