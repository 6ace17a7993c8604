"""Print the story of one record as a tree a person can read from top to bottom."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from assets.delivery.explain import Explanation, Record, Story, explain, find_records
from assets.delivery.mapping import MART_COLUMNS
from assets.delivery.target import TWIN_COLUMNS
from orchestration.settings import MillpondSettings
from resources.warehouse import Warehouse

SEEN = ("stage", "company_name", "project_name", "first_name", "last_name", "entity_number", "subsidiary_id")
STATES = ("is_inactive", "is_deleted", "modified_at")


def print_story(text: str, console: Console) -> int:
    """Find the record and print its story; returns the exit code."""
    warehouse = Warehouse(MillpondSettings().pond)
    if not warehouse.stage.exists():
        console.print("nothing has been read yet: `millpond run all` first", style="red")
        return 2
    records = find_records(warehouse, text)
    if not records:
        console.print(f"no record has the NetSuite id, number, name or target id {escape(text)!r}", style="red")
        return 1
    if len(records) > 1:
        _choose(records, console)
        return 1
    console.print(story_tree(explain(warehouse, records[0])))
    return 0


def _choose(records: Iterable[Record], console: Console) -> None:
    console.print("several records are meant; give the NetSuite id:")
    for record in records:
        line = f"  {record.source_id:>8}  {record.source:<10} {record.number or '':<12} {record.name or ''}"
        console.print(line, markup=False, highlight=False)


def story_tree(told: Explanation) -> Tree:
    """The explanation as a tree."""
    record = told.record
    tree = Tree(f"[b]{escape(record.source)} {record.source_id}[/b]  {escape(record.name or record.number or '')}")
    seen = tree.add("seen in NetSuite")
    for name in (*SEEN, *STATES):
        if told.seen.get(name) is not None:
            seen.add(_pair(name, told.seen[name]))
    for story in told.stories:
        _add_story(tree.add(f"[b]{escape(story.workflow)}[/b]"), story)
    if not told.stories:
        tree.add("no workflow reads records of this kind")
    return tree


def _add_story(branch: Tree, story: Story) -> None:
    _add_shaped(branch, story)
    _add_planned(branch, story)
    _add_decided(branch, story)
    _add_attempts(branch, story)
    _add_target(branch, story)


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
        planned = branch.add(f"planned (plan {row['plan_id']}): [b]{row['action']}[/b], {why}")
        for change in row["changes"] or []:
            planned.add(escape(f"{change['field']}: {change['before'] or '∅'} → {change['after'] or '∅'}"))


def _add_decided(branch: Tree, story: Story) -> None:
    decided = branch.add("decided" if story.decided else "not decided yet")
    for row in story.decided:
        until = f" until {row['to_at']:%Y-%m-%d %H:%M}" if row["to_at"] else ", still so"
        when = f"{row['from_at']:%Y-%m-%d %H:%M}{until}, run {row['from_run'][:8]}"
        decided.add(escape(f"{row['action']}, {row['reason'] or ''} ({when})"))


def _add_attempts(branch: Tree, story: Story) -> None:
    if not story.attempts:
        return
    sent = branch.add("sent and answered")
    for row in story.attempts:
        end = " ".join(text for text in (row["code"], row["reason"]) if text)
        sent.add(escape(f"{row['seen_at']:%Y-%m-%d %H:%M:%S} {row['action']}: {row['state']} {end}".rstrip()))


def _add_target(branch: Tree, story: Story) -> None:
    for row in story.linked:
        branch.add(f"linked to target id [b]{escape(row['target_id'])}[/b], by {escape(row['matched_by'])}")
    for row in story.target_now:
        now = branch.add("the target has")
        for name, value in row.items():
            if (name not in TWIN_COLUMNS or name == "is_active") and value is not None:
                now.add(_pair(name, value))
    if not story.target_now:
        branch.add("the target does not have it")


def _pair(name: str, value: object) -> str:
    return escape(f"{name}: {value}")
