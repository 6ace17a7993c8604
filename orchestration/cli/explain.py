"""Print the story of one record as a tree a person can read from top to bottom."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from assets.delivery.audit.explain import Explanation, Record, Story, find_and_explain
from assets.delivery.mart.transform import MART_COLUMNS
from assets.delivery.target import TARGET_STATE_COLUMNS
from assets.netsuite.record_types import record_type_of
from orchestration.cli.output import change_text
from orchestration.settings import MillpondSettings
from orchestration.warehouse_access import warehouse_of
from resources.warehouse.warehouse import Warehouse, WarehouseError

SEEN = ("stage", "company_name", "project_name", "first_name", "last_name", "entity_number", "subsidiary_id")
NOT_KEPT = "what NetSuite had, how it was shaped, the plan and what the target had are not kept for the past"
STATES = ("is_inactive", "is_deleted", "modified_at")
# the ledger's words for how a send went, in a person's
ENDED = {
    "intent": "about to be sent",
    "confirmed": "the target confirmed it",
    "rejected": "the target refused it",
    "unknown": "no usable answer came",
    "not_sent": "not sent after all",
    "found": "read back: the target has it",
    "absent": "read back: the target does not have it",
}


def moment_named(text: str) -> datetime:
    """The last instant of a day, a minute or a second as a person writes it; UTC unless a zone is given.

    Raises:
        ValueError: It is no moment.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    clock = re.split(r"[Z+]|-(?=\d\d:)", text[len("2026-11-17") :])[0]
    spans = {0: timedelta(days=1), 1: timedelta(minutes=1), 2: timedelta(seconds=1)}
    return moment if "." in clock else moment + spans[min(clock.count(":"), 2)] - timedelta(microseconds=1)


def print_story(text: str, console: Console, as_of: str = "") -> int:
    """Find the record and print its story, now or as of a past moment; returns the exit code."""
    try:
        moment = moment_named(as_of) if as_of else None
    except ValueError:
        line = f"✗ --as-of {as_of}: write a moment like `2026-11-17 06:04`, UTC"
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    warehouse = warehouse_of(MillpondSettings())
    if not warehouse.exists():
        console.print("nothing has been read yet: `millpond run all` first", style="red")
        return 2
    try:
        records, told = find_and_explain(warehouse, text, moment)
    except WarehouseError as error:
        console.print(f"✗ {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    if not records:
        line = f"no record has the NetSuite id, number, name or target id {text!r}, as of the last run"
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    if told is None:
        choose(records, console)
        return 1
    tree = story_tree(told, seen_at(warehouse, records[0]), last_runs(warehouse, moment))
    console.print(tree, soft_wrap=not console.is_terminal)
    return 0


def seen_at(warehouse: Warehouse, record: Record) -> datetime | None:
    """Up to when NetSuite was read for records of this kind, UTC."""
    if not warehouse.has("sync_watermarks"):
        return None
    table = record_type_of(record.source).table
    marks = warehouse.read("select watermark_at from sync_watermarks where source_table = ?", [table])
    return marks["watermark_at"][0] if marks.height else None


def last_runs(warehouse: Warehouse, as_of: datetime | None = None) -> dict[str, dict[str, Any]]:
    """The newest run of each workflow, up to a moment: run_id, state and seen_at (UTC)."""
    if not warehouse.has("sync_runs"):
        return {}
    runs = warehouse.read(
        "select workflow, run_id, state, coalesce(finished_at, started_at) as seen_at from sync_runs"
        " where ? is null or coalesce(finished_at, started_at) <= ?"
        " qualify row_number() over (partition by workflow order by started_at desc) = 1",
        [as_of, as_of],
    )
    return {row["workflow"]: row for row in runs.iter_rows(named=True)}


def choose(records: Iterable[Record], console: Console) -> None:
    """List the records that may be meant."""
    console.print("several records are meant; give the NetSuite id:")
    for record in records:
        line = f"  {record.source_id:>8}  {record.source:<10} {record.number or '':<12} {record.name or ''}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def story_tree(told: Explanation, read_at: datetime | None, runs: dict[str, dict[str, Any]]) -> Tree:
    """The explanation as a tree; `read_at` and `runs` say how old each part of it is."""
    record = told.record
    tree = Tree(f"[b]{escape(record.source)} {record.source_id}[/b]  {escape(record.name or record.number or '')}")
    if told.as_of:
        tree.add(f"as of {_moment(told.as_of)}; {NOT_KEPT}")
        for story in told.stories:
            _add_past(tree.add(f"[b]{escape(story.workflow)}[/b]{_as_of(runs.get(story.workflow))}"), story)
        return tree
    seen = tree.add(f"seen in NetSuite, as of {_moment(read_at)}" if read_at else "seen in NetSuite")
    seen.add(f"NetSuite id: {record.source_id}")
    for name in (*SEEN, *STATES):
        if told.seen.get(name) is not None:
            seen.add(_pair(name, told.seen[name]))
    for story in told.stories:
        _add_story(tree.add(f"[b]{escape(story.workflow)}[/b]{_as_of(runs.get(story.workflow))}"), story)
    if not told.stories:
        tree.add("no workflow reads records of this kind")
    return tree


def _as_of(run: dict[str, Any] | None) -> str:
    return f", as of {_moment(run['seen_at'])} (run {run['run_id'][:8]}: {run['state']})" if run else ""


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _add_story(branch: Tree, story: Story) -> None:
    _add_shaped(branch, story)
    _add_planned(branch, story)
    _add_decided(branch, story)
    _add_attempts(branch, story)
    _add_target(branch, story)


def _add_past(branch: Tree, story: Story) -> None:
    _add_decided(branch, story)
    _add_attempts(branch, story)
    target_id = story.decided[-1]["target_id"] if story.decided else None
    if target_id:
        branch.add(f"target id: [b]{escape(target_id)}[/b]")


def _add_shaped(branch: Tree, story: Story) -> None:
    for row in story.shaped:
        why = f": {row['reason']}" if row["reason"] else ""
        shaped = branch.add(f"shaped: {row['disposition']}{escape(why)}")
        for name, value in row.items():
            if name not in MART_COLUMNS and value is not None:
                shaped.add(_pair(name, value))


def _add_planned(branch: Tree, story: Story) -> None:
    for row in story.planned:
        why = escape(row["reason"] or "")
        planned = branch.add(
            f"planned: [b]{row['action']}[/b], {why} (plan {row['plan_id']}, {_moment(row['decided_at'])})"
        )
        for change in row["changes"] or []:
            planned.add(escape(change_text(change)))


def _add_decided(branch: Tree, story: Story) -> None:
    decided = branch.add("decided" if story.decided else "not decided yet")
    for row in story.decided:
        until = f"until {_moment(row['to_at'])}" if row["to_at"] else "still so"
        when = f"run {row['from_run'][:8]}, {_moment(row['from_at'])}; {until}"
        rule = f"rule {row['reason_code']} of workflow version {row['workflow_version']}"
        decided.add(escape(f"{row['action']}, {row['reason'] or ''} ({when}; {rule})"))


def _add_attempts(branch: Tree, story: Story) -> None:
    if not story.attempts:
        return
    sent = branch.add("sent and answered")
    for row in story.attempts:
        ended = ENDED.get(row["state"], row["state"])
        why = f": {row['reason']}" if row["reason"] else ""
        sent.add(escape(f"{_moment(row['seen_at'])} {row['action']}: {ended}{why}"))


def _add_target(branch: Tree, story: Story) -> None:
    for row in story.pinned:
        what = f"record {row['target_id']}" if row["target_id"] else "none of the target's records"
        why = f": {row['note']}" if row["note"] else ""
        branch.add(escape(f"a person said it is {what} ({row['decided_by']}, {_moment(row['decided_at'])}){why}"))
    for row in story.linked:
        how = "created by a run" if row["matched_by"] == "created" else f"recognised by {row['matched_by']}"
        branch.add(f"target id: [b]{escape(row['target_id'])}[/b] ({escape(how)})")
        if row["target_url"]:
            branch.add(escape(f"open it: {row['target_url']}"))
    for row in story.target_now:
        now = branch.add("the target has")
        for name, value in row.items():
            if (name not in TARGET_STATE_COLUMNS or name == "is_active") and value is not None:
                now.add(_pair(name, value))
    if not story.target_now:
        branch.add("the target does not have it")


def _pair(name: str, value: object) -> str:
    return escape(f"{name}: {value}")
