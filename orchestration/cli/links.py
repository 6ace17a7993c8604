"""`millpond match`, `link` and `unlink`: which target record a NetSuite record is."""

from typing import Any

import polars as pl

from assets.delivery.audit.explain import workflows_of
from assets.delivery.audit.find import Record
from assets.delivery.errors import SyncError
from assets.delivery.imports.manual_links import ManualLink, delete_manual_link, read_matches, save_manual_link
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Action
from assets.result_texts import counted
from orchestration.authorization import require_approver
from orchestration.cli.exit_codes import FAILED, USAGE
from orchestration.cli.facts import note, with_json
from orchestration.cli.options import All
from orchestration.cli.output import print_line, print_problems, print_wrapped
from orchestration.cli.records import find_record
from orchestration.connections import Connections, open_connections
from resources.clock import utc_now
from resources.warehouse.warehouse import Warehouse, WarehouseError

NEW = "new"  # instead of a target id: the record is none of the target's records
SHOWN_RECORDS = 20
SHOWN_CANDIDATES = 5
HEADINGS = {
    Action.AMBIGUOUS.value: "to decide",
    Action.ADOPT.value: "would be adopted",
    Action.CREATE.value: "would be created although a similar record exists",
}


@with_json
def match(workflow: str = "", *, show_all: All = False) -> int:
    """List possible matches of existing target records.

    Args:
        workflow: One workflow; all planned ones when omitted.
        show_all: All records instead of the first ones.
    """
    with open_connections() as connections:
        try:
            for each in _planned(connections, workflow):
                _print_matches(connections.warehouse, each, show_all=show_all)
        except (SyncError, WarehouseError) as error:
            print_problems([str(error)])
            return USAGE if isinstance(error, SyncError) else FAILED
    return 0


def _planned(connections: Connections, name: str) -> list[Workflow]:
    """The workflow of that name, or all, as far as they were planned; SyncError if nothing was planned."""
    selected = [connections.workflow(name)] if name else list(connections.workflows.values())
    warehouse = connections.warehouse
    planned = [each for each in selected if warehouse.has(each.plan) and warehouse.has(each.target_state)]
    if not planned:
        raise SyncError(f"nothing was planned yet; run `millpond plan {name or 'all'}` first")
    return planned


def _print_matches(warehouse: Warehouse, workflow: Workflow, *, show_all: bool) -> None:
    target_state = warehouse.table(workflow.target_state)
    with warehouse.writer(transaction=False) as con:
        pairs = read_matches(con, workflow)
    note(matches=pairs.with_columns(pl.lit(workflow.name).alias("workflow")).to_dicts())
    print_wrapped(f"{workflow.name}: {counted(_count(pairs), 'records')} with possible matches", "bold")
    existing = {row["target_id"]: row for row in target_state.iter_rows(named=True)}
    for action, heading in HEADINGS.items():
        of_action = pairs.filter(pl.col("action") == action)
        print_line(f"{_count(of_action)} {heading}", "italic")
        groups = of_action.group_by("source", "source_id", maintain_order=True)
        for number, ((source, source_id), rows) in enumerate(groups):
            if number == SHOWN_RECORDS and not show_all:
                print_line("  … `--all` lists the others")
                break
            print_wrapped(f"{source} {source_id}: {rows['reason'][0]}", indent=2)
            for row in rows.head(SHOWN_CANDIDATES).iter_rows(named=True):
                print_wrapped(_candidate(workflow.spec, existing[row["target_id"]], row), indent=4)
    if pairs.height:
        named = f"--workflow {workflow.name}"
        print_wrapped(f"`millpond link RECORD TARGET_ID {named}` confirms a match; `new` as id rejects them all")


def _count(pairs: pl.DataFrame) -> int:
    return pairs.select("source", "source_id").n_unique()


def _candidate(spec: WorkflowSpec, existing: dict[str, Any], row: dict[str, Any]) -> str:
    """One candidate with its matching and differing fields."""
    named = [rule.field for rule in spec.match_rules] + ["name", "company"]
    name = next((existing[field] for field in reversed(named) if existing.get(field)), "")
    state = "" if existing["is_active"] else ", inactive"
    agree, differ = (", ".join(row[part]) or "nothing" for part in ("agree", "differ"))
    key = f"; has the key {existing['external_id']}" if existing["external_id"] else ""
    return f"{row['target_id']}  {name}{state}: agrees in {agree}; differs in {differ}{key}"


@with_json
def link(record: str, target: str, *, workflow: str = "", reason: str = "") -> int:
    """Link a NetSuite record to a target record.

    Args:
        record: NetSuite id, number or name.
        target: The target's internal id, or `new` if the record is none of the target's records. The next plan follows
            the link.
        workflow: Required if several workflows deliver such records.
        reason: A note for the ledger.
    """
    with open_connections() as connections:
        try:
            found, chosen = _find(connections, record, workflow)
            _, clock = connections.target(_planned(connections, chosen.name)[0])
            manual_link = ManualLink(
                workflow=chosen.name,
                source=found.source,
                source_id=found.source_id,
                target_id=None if target == NEW else target,
                decided_by=require_approver(),
                decided_at=utc_now(clock),
                note=reason,
            )
            with connections.warehouse.writer() as con:
                save_manual_link(con, manual_link)
        except (SyncError, WarehouseError) as error:
            print_problems([str(error)])
            return USAGE if isinstance(error, SyncError) else FAILED
    linked_to = "a new record" if manual_link.target_id is None else f"record {manual_link.target_id}"
    print_wrapped(
        f"{found.source} {found.source_id} is linked to {linked_to} of {chosen.spec.target}; the next run of"
        f" {chosen.name} follows the link. `millpond unlink {found.source}:{found.source_id} --workflow {chosen.name}`"
        " removes it"
    )
    return 0


@with_json
def unlink(record: str, *, workflow: str = "", reason: str = "") -> int:
    """Remove a manual link.

    Args:
        record: NetSuite id, number or name.
        workflow: Required if several workflows deliver such records.
        reason: A note for the ledger.
    """
    with open_connections() as connections:
        try:
            approver = require_approver()
            found, chosen = _find(connections, record, workflow)
            with connections.warehouse.writer() as con:
                removed = delete_manual_link(
                    con, chosen.name, found.source, found.source_id, approver, connections.now, reason
                )
        except (SyncError, WarehouseError) as error:
            print_problems([str(error)])
            return USAGE if isinstance(error, SyncError) else FAILED
    if not removed:
        print_problems([f"{found.source} {found.source_id} has no manual link in {chosen.name}"])
        return 1
    print_wrapped(
        f"removed the link of {found.source} {found.source_id} in {chosen.name}. If a run wrote our key into the"
        " target's record in the meantime, that key still links it; clear the key there to separate the records"
    )
    return 0


def _find(connections: Connections, text: str, name: str) -> tuple[Record, Workflow]:
    """The only matching record, and the named workflow or the only one that reads such records.

    Raises:
        SyncError: There is none, or there are several.
    """
    record = find_record(connections.warehouse, text)
    names = [name] if name else workflows_of(connections.warehouse, record.source)
    if len(names) != 1:
        raise SyncError(f"{record.source} are delivered by {', '.join(names) or 'no workflow'}; add `--workflow NAME`")
    return record, connections.workflow(names[0])
