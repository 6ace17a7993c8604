"""`millpond ignore`: ignore records that are held back until a date, count them again, or list them.

RECORD … --until DATE --reason TEXT  ->  sync_ignored
"""

from collections.abc import Sequence

from assets.delivery.audit.explain import workflows_of
from assets.delivery.errors import SyncError
from assets.delivery.ledger.ignored import NothingHeldError, read_ignored
from assets.delivery.schemas import SourceKey
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import counted
from orchestration.authorization import require_approver
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import console, open_table, print_line, print_problems, print_wrapped
from orchestration.cli.records import find_record
from orchestration.connections import Connections, open_connections
from orchestration.ledger_sealing import publish_sealed
from orchestration.operator_jobs.ignore import count_again, ignore_records
from resources.warehouse.warehouse import WarehouseError


@with_json
def ignore(
    *records: str,
    until: str = "",
    reason: str = "",
    workflow: str = "",
    stop: bool = False,
) -> int:
    """Ignore records that are held back until a date, or list those ignored.

    Args:
        records: NetSuite ids, numbers or names; without any, the ignored records are listed. An ignored record is left
            out of counts, lists and alerts. It is not sent, and it is back when it is held back for another reason.
        until: The last day, such as 2026-12-31, at most a year from now; the record is counted again after it.
        reason: Why; recorded with your name.
        workflow: Only this workflow; all that hold the records back when omitted.
        stop: Count the records again at once.
    """
    if records and bool(until) == stop:
        print_problems(["add `--until DATE --reason TEXT`, or `--stop` to count the records again"])
        return USAGE
    with open_connections() as connections:
        try:
            if not records:
                return _list(connections, workflow)
            of = _by_workflow(connections, records, workflow)
            return _stop(connections, of, reason) if stop else _ignore(connections, of, until, reason)
        except SyncError as error:
            print_problems([str(error)])
            return USAGE
        except WarehouseError as error:
            print_problems([str(error)])
            return FAILED


def _by_workflow(connections: Connections, records: Sequence[str], name: str) -> dict[str, list[SourceKey]]:
    found: dict[str, list[SourceKey]] = {}
    for text in records:
        record = find_record(connections.warehouse, text)
        for each in [name] if name else workflows_of(connections.warehouse, record.source):
            found.setdefault(each, []).append(SourceKey(record.source, record.source_id))
    return found


def _ignore(connections: Connections, of: dict[str, list[SourceKey]], until: str, reason: str) -> int:
    """Ignore the records in each workflow that holds them back; SyncError if none does."""
    approver, problems, count = require_approver(), list[SyncError](), 0
    for name, keys in of.items():
        try:
            count += ignore_records(connections, connections.workflow(name), keys, until, reason, approver)
        except SyncError as error:
            problems.append(error)
    if not count:
        raise _problem(problems)
    publish_sealed(connections.warehouse)
    print_wrapped(f"{counted(count, 'records')} ignored until {until}; `millpond ignore` lists them")
    return CLEAN


def _problem(problems: Sequence[SyncError]) -> SyncError:
    """Return one error of all workflows: none of them holds the records back, or the form is wrong for each."""
    unheld = [name for each in problems if isinstance(each, NothingHeldError) for name in each.workflows]
    if len(unheld) < len(problems):
        return next(each for each in problems if not isinstance(each, NothingHeldError))
    return NothingHeldError(*unheld) if unheld else SyncError("no workflow delivers these records")


def _stop(connections: Connections, of: dict[str, list[SourceKey]], reason: str) -> int:
    approver = require_approver()
    count = sum(
        count_again(connections, connections.workflow(name), keys, reason, approver) for name, keys in of.items()
    )
    if not count:
        raise SyncError("none of these records is ignored; `millpond ignore` lists those that are")
    publish_sealed(connections.warehouse)
    print_wrapped(f"{counted(count, 'records')} counted again")
    return CLEAN


def _list(connections: Connections, name: str) -> int:
    chosen: list[Workflow] = [connections.workflow(name)] if name else list(connections.workflows.values())
    rows = []
    if connections.warehouse.exists():
        with connections.warehouse.writer(transaction=False) as con:
            rows = [row for each in chosen for row in read_ignored(con, connections.now, each.name)]
    note(ignored=rows)
    if not rows:
        print_line("no record is ignored")
        return CLEAN
    table = open_table("record", "workflow", "held back", "until", "by", "reason")
    for row in rows:
        held = f"{row['action']} {row['reason_code'] or ''}".strip()
        record = f"{row['source']} {row['source_id']}"
        table.add_row(record, row["workflow"], held, f"{row['until_on']}", row["decided_by"], row["note"])
    console.print(table, markup=False, highlight=False)
    return CLEAN
