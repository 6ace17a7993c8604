"""`millpond resend`: send records again, also where only fields differ that are not monitored.

RECORD … or all of a workflow  ->  resend_records()  ->  summary
"""

import uuid
from collections.abc import Sequence

from assets.delivery.audit.explain import workflows_of
from assets.delivery.audit.find import Record
from assets.delivery.errors import MappingError, SyncError
from assets.delivery.ledger.shadows import ShadowedError
from assets.delivery.schemas import SourceKey
from assets.delivery.send.outcomes import stop_text
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import counted
from orchestration.cli.exit_codes import CLEAN, FAILED, HELD_BACK, USAGE, WAITS, worst
from orchestration.cli.facts import with_json
from orchestration.cli.options import All
from orchestration.cli.output import print_problems, print_wrapped
from orchestration.cli.records import find_record
from orchestration.cli.summary import print_held_back, print_named, print_summary
from orchestration.connections import Connections, open_connections
from orchestration.ledger_sealing import publish_sealed
from orchestration.operator_jobs.resend import WRITTEN, resend_records
from resources.errors import IntegrationError, QuotaExhaustedError
from resources.warehouse.warehouse import WarehouseError


@with_json
def resend(*records: str, workflow: str = "", all_records: All = False) -> int:
    """Send records again, whatever the last runs decided.

    Args:
        records: NetSuite ids, numbers or names, read from NetSuite again; with `--all`, the workflow. Fields that are
            not monitored count as well, and what the target rejected is tried again; guards apply. Exit code 4: one
            of them is held back.
        workflow: Only this workflow; all that deliver such records when omitted.
        all_records: All records of the workflow, as of its last run.
    """
    if not records or (all_records and len(records) != 1):
        print_problems(["name records, or a workflow: `millpond resend --all WORKFLOW`"])
        return USAGE
    records, workflow = ((), records[0]) if all_records else (records, workflow)
    run_id = str(uuid.uuid4())
    with open_connections() as connections:
        try:
            found = [find_record(connections.warehouse, each) for each in records]
            codes = [_resend(connections, each, of, run_id) for each, of in _by_workflow(connections, found, workflow)]
            publish_sealed(connections.warehouse)
        except (SyncError, MappingError) as error:
            print_problems([str(error)])
            return USAGE
        except (IntegrationError, WarehouseError) as error:
            print_problems([str(error)])
            return FAILED
        print_summary(connections.warehouse, run_id)
        held = [_print_held(connections, each, of, run_id) for each, of in _by_workflow(connections, found, workflow)]
    return worst(*codes, HELD_BACK if any(held) else CLEAN)


def _by_workflow(
    connections: Connections, records: Sequence[Record], name: str
) -> list[tuple[Workflow, Sequence[Record]]]:
    """Return each workflow with its records, those that others need first; SyncError if none delivers a record."""
    if name:
        return [(connections.workflow(name), records)]
    of: dict[str, list[Record]] = {}
    for record in records:
        names = workflows_of(connections.warehouse, record.source)
        if not names:
            raise SyncError(f"no workflow delivers {record.source}; `millpond validate` lists the workflows")
        for each in names:
            of.setdefault(each, []).append(record)
    chosen = [connections.workflow(each) for each in of if each in connections.workflows]
    return [(each, of[each.name]) for each in sorted(chosen, key=lambda each: len(each.spec.upstream))]


def _print_held(connections: Connections, workflow: Workflow, records: Sequence[Record], run_id: str) -> int:
    """Print what is held back: of all records what is new, of named ones all; return the number."""
    if not records:
        return print_held_back(connections.warehouse, workflow, connections.workflows, run_id)
    keys = {SourceKey(each.source, each.source_id) for each in records}
    return print_named(connections.warehouse, workflow, connections.workflows, run_id, keys)


def _resend(connections: Connections, workflow: Workflow, records: Sequence[Record], run_id: str) -> int:
    try:
        result = resend_records(connections, workflow, records, run_id)
    except ShadowedError as error:  # the other workflows of the records are not affected
        print_problems([str(error)])
        return USAGE
    if result.reason:
        print_wrapped(f"{workflow.name}: {result.reason}", "yellow")
        return WAITS if result.planned else CLEAN
    stop = result.synced.stop if result.synced else None
    sent = sum(result.synced.counts[each] for each in WRITTEN) if result.synced else 0
    why = f"; {stop_text(stop)}" if stop else ""
    print_wrapped(f"{workflow.name}: {counted(sent, 'records') if sent else 'nothing was'} sent{why}")
    return FAILED if stop and not isinstance(stop, QuotaExhaustedError) else CLEAN
