"""`millpond explain`: the history of one record as a tree, from NetSuite to the target."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
from rich.markup import escape
from rich.tree import Tree

from assets.delivery.audit.explain import Explanation, WorkflowHistory, explain_record, read_through
from assets.delivery.audit.record_versions import Versions, read_versions
from assets.delivery.schemas import MART_COLUMNS
from assets.delivery.target import TARGET_STATE_COLUMNS
from assets.result_texts import as_text, change_text
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE
from orchestration.cli.explain_versions import add_changes, add_values
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import NOTHING_READ, console, paged, print_problems
from orchestration.cli.records import print_choices
from orchestration.configuration.settings import MillpondSettings
from orchestration.moments import end_of
from orchestration.opened_warehouse import warehouse_of
from resources.warehouse.tables import has_table, read_frame
from resources.warehouse.warehouse import Warehouse, WarehouseError

SOURCE_FIELDS = (
    "stage", "company_name", "project_name", "first_name", "last_name", "entity_number", "subsidiary_id",
    "is_inactive", "is_deleted", "is_missing", "modified_at",
)  # fmt: skip
OUTCOMES = {
    "intent": "about to be sent",
    "confirmed": "confirmed by the target",
    "rejected": "rejected by the target",
    "unknown": "no usable response",
    "not_sent": "not sent",
    "found": "checked: the target has it",
    "absent": "checked: the target does not have it",
    "ambiguous": "checked: one of several records of the target may be it",
}


@with_json
def explain(record: str, *, as_of: str = "", field: str = "") -> int:
    """Explain the history and the current state of one record.

    Args:
        record: NetSuite id, number, name or any part of it, or a target's id.
        as_of: A past time, UTC, such as `2026-11-17 06:04`: what had been decided and sent by then, and the values of
            NetSuite, the desired ones and those of the target.
        field: A field of the target: all of its changes, and no others.
    """
    try:
        moment = end_of(as_of) if as_of else None
    except ValueError:
        print_problems([f"--as-of {as_of}: not a time; write one such as `2026-11-17 06:04`, UTC"])
        return USAGE
    warehouse = warehouse_of(MillpondSettings())
    if not warehouse.exists():
        print_problems([NOTHING_READ])
        return USAGE
    try:
        records, explanation = explain_record(warehouse, record, moment)
    except WarehouseError as error:
        print_problems([str(error)])
        return FAILED
    if not records:
        text = f"no record has the NetSuite id, number, name or target id {record!r}, as of the last run"
        print_problems([text])
        return USAGE
    if explanation is None:
        print_choices(records)
        return USAGE
    workflows = [history.workflow for history in explanation.histories]
    with warehouse.writer(transaction=False) as con:
        versions = read_versions(con, records[0], workflows, moment, field)
    note(explanation=asdict(explanation), values=versions.values, changes=versions.changes)
    tree = _tree(explanation, _dates(warehouse, explanation), versions)
    with paged():
        console.print(tree)
    return CLEAN


@dataclass(frozen=True)
class Dates:
    """When the parts of an explanation were seen.

    Attributes:
        read_at: The time through which NetSuite was read for the record, UTC.
        runs: The newest run of each workflow: run_id, state and seen_at (UTC).
    """

    read_at: datetime | None = None
    runs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def _dates(warehouse: Warehouse, explanation: Explanation) -> Dates:
    """Read the dates, of the runs up to the moment of an explanation."""
    as_of, runs = explanation.as_of, pl.DataFrame()
    with warehouse.writer(transaction=False) as con:
        read_at = read_through(con, explanation.record.source, explanation.seen)
        if has_table(con, "sync_runs"):
            runs = read_frame(con, _LAST_RUNS, [as_of, as_of])
    return Dates(read_at, {row["workflow"]: row for row in runs.iter_rows(named=True)})


_LAST_RUNS = """
select workflow, run_id, state, coalesce(finished_at, started_at) as seen_at from sync_runs
where coalesce(finished_at, started_at) is not null and (? is null or coalesce(finished_at, started_at) <= ?)
qualify row_number() over (partition by workflow order by position desc nulls last) = 1
"""


def _tree(explanation: Explanation, dates: Dates, versions: Versions) -> Tree:
    """The explanation as a tree, its parts with their dates."""
    record, is_past = explanation.record, explanation.as_of is not None
    tree = Tree(f"[b]{escape(record.source)} {record.source_id}[/b]  {escape(record.name or record.number or '')}")
    if explanation.restored:
        tree.add(f"{explanation.restored}; what runs sent in between is not listed here")
    if versions.of_field:
        return _add_field(tree, explanation, versions)
    if explanation.as_of:
        tree.add(f"as of {_moment(explanation.as_of)}")
    else:
        source = tree.add(
            f"read from NetSuite, as of {_moment(dates.read_at)}" if dates.read_at else "read from NetSuite"
        )
        source.add(f"NetSuite id: {record.source_id}")
        for name in SOURCE_FIELDS:
            if explanation.seen.get(name) is not None:
                source.add(_pair(name, explanation.seen[name]))
    for history in explanation.histories:
        branch = tree.add(f"[b]{escape(history.workflow)}[/b]{_as_of(dates.runs.get(history.workflow))}")
        if is_past:
            add_values(branch, versions, history.workflow)
            _add_past(branch, history)
        else:
            _add_current(branch, history)
        add_changes(branch, versions, history.workflow)
    if not explanation.histories and not is_past:
        tree.add("no workflow reads such records")
    return tree


def _add_field(tree: Tree, explanation: Explanation, versions: Versions) -> Tree:
    """Add what is known of one field, in the workflows that have it."""
    for history in explanation.histories:
        if versions.changes_of(history.workflow):
            branch = tree.add(f"[b]{escape(history.workflow)}[/b]")
            if explanation.as_of:
                add_values(branch, versions, history.workflow)
            add_changes(branch, versions, history.workflow)
    if not tree.children:
        since = min(filter(None, versions.since.values()), default=None) if explanation.as_of else None
        known = f"known of that time; versions are kept since {since:%Y-%m-%d %H:%M:%S}" if since else "kept"
        tree.add(escape(f"no version of a field {versions.of_field} is {known}"))
    return tree


def _as_of(run: Mapping[str, Any] | None) -> str:
    return f", as of {_moment(run['seen_at'])} (run {run['run_id'][:8]}: {run['state']})" if run else ""


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _add_current(branch: Tree, history: WorkflowHistory) -> None:
    _add_mart(branch, history)
    _add_planned(branch, history)
    _add_decided(branch, history)
    _add_attempts(branch, history)
    _add_target(branch, history)


def _add_past(branch: Tree, history: WorkflowHistory) -> None:
    _add_decided(branch, history)
    _add_attempts(branch, history)
    target_id = history.decided[-1]["target_id"] if history.decided else None
    if target_id:
        branch.add(f"target id: [b]{escape(target_id)}[/b]")


def _add_mart(branch: Tree, history: WorkflowHistory) -> None:
    for row in history.mart:
        reason = f": {row['reason']}" if row["reason"] else ""
        desired = branch.add(f"desired: {row['disposition']}{escape(reason)}")
        for name, value in row.items():
            if name not in MART_COLUMNS and value is not None:
                desired.add(_pair(name, value))


def _add_planned(branch: Tree, history: WorkflowHistory) -> None:
    for row in history.planned:
        plan = f"plan {row['plan_id']}, {_moment(row['decided_at'])}"
        planned = branch.add(f"planned: [b]{row['action']}[/b], {escape(row['reason'] or '')} ({plan})")
        for change in row["changes"] or []:
            planned.add(escape(change_text(change)))


def _add_decided(branch: Tree, history: WorkflowHistory) -> None:
    decided = branch.add("decided" if history.decided else "not decided yet")
    for row in history.decided:
        until = f"until {_moment(row['to_at'])}" if row["to_at"] else "current"
        when = f"run {row['from_run'][:8]}, {_moment(row['from_at'])}; {until}"
        rule = f"rule {row['reason_code']} of workflow version {row['workflow_version']}"
        decided.add(escape(f"{row['action']}, {row['reason'] or ''} ({when}; {rule})"))


def _add_attempts(branch: Tree, history: WorkflowHistory) -> None:
    if not history.attempts:
        return
    sent = branch.add("sent")
    for row in history.attempts:
        outcome = OUTCOMES.get(row["state"], row["state"])
        reason = f": {row['reason']}" if row["reason"] else ""
        sent.add(escape(f"{_moment(row['seen_at'])} {row['action']}: {outcome}{reason}"))


def _add_target(branch: Tree, history: WorkflowHistory) -> None:
    for row in history.manual_links:
        linked_to = f"record {row['target_id']}" if row["target_id"] else "none of the target's records"
        note = f": {row['note']}" if row["note"] else ""
        branch.add(escape(f"manual link to {linked_to} ({row['decided_by']}, {_moment(row['decided_at'])}){note}"))
    for row in history.linked:
        how = "created by a run" if row["matched_by"] == "created" else f"matched by {row['matched_by']}"
        branch.add(f"target id: [b]{escape(row['target_id'])}[/b] ({escape(how)})")
        if row["target_url"]:
            branch.add(escape(f"URL: {row['target_url']}"))
    for row in history.target_state:
        current = branch.add("target state")
        for name, value in row.items():
            if (name not in TARGET_STATE_COLUMNS or name == "is_active") and value is not None:
                current.add(_pair(name, value))
    if not history.target_state:
        branch.add("the target does not have it")


def _pair(name: str, value: object) -> str:
    return escape(f"{name}: {as_text(value)}")
