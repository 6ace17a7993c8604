"""The parts of `millpond explain` about the past: values side by side, and who or what changed each field.

Versions  ->  add_values(), add_changes()  ->  branches of the tree
"""

from collections.abc import Sequence
from datetime import datetime

from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from assets.delivery.audit.record_versions import SIDES, Row, Versions, differs, what_happened
from orchestration.cli.output import open_table

NEWEST = 10  # changes that are listed without --field


def add_values(branch: Tree, versions: Versions, workflow: str) -> None:
    """Add the values at a past moment, side by side."""
    rows, since = versions.values_of(workflow), versions.since.get(workflow)
    if not rows:
        kept = f"; versions are kept since {_moment(since)}" if since else "; no version is kept yet"
        branch.add(f"values: none is known of that time{kept}")
        return
    first = rows[0]
    branch = branch.add("values")
    for name, label in SIDES.items():
        if first[f"{name}_since"]:
            read = f", read {_moment(first['target_read_at'])}" if name == "target" and first["target_read_at"] else ""
            branch.add(f"{label}: these values since {_moment(first[f'{name}_since'])}{read}")
    if first["is_unseen"]:
        branch.add("the target's list did not show the record; it may leave some out")
    branch.add(_table(rows))


def _table(rows: Sequence[Row]) -> Table:
    table = open_table("field", *SIDES.values())
    for row in rows:
        target = "(not read)" if row["target_since"] and not row["is_read"] else _cell(row["target"])
        table.add_row(
            escape(row["field"]), _cell(row["netsuite"]), _cell(row["desired"]),
            f"[b]{target or '∅'}[/b]" if differs(row) else target,
        )  # fmt: skip
    return table


def add_changes(branch: Tree, versions: Versions, workflow: str) -> None:
    """Add who or what changed the record, the newest last."""
    rows = versions.changes_of(workflow)
    if not rows:
        return
    shown = rows if versions.of_field else rows[-NEWEST:]
    earlier = len(rows) - len(shown)
    found = branch.add(f"changes{f': the newest {NEWEST}; {earlier} before them, with --json' if earlier else ''}")
    for row in shown:
        found.add(escape(change_line(row)))


def change_line(row: Row) -> str:
    """Return one change in words."""
    after = "" if row["not_before"] is None else f" after {_moment(row['not_before'])}"
    run = f", run {row['run_id'][:8]}" if row["changed_by"] == "our write" and row["run_id"] else ""
    side = SIDES.get(row["side"], "")  # blank: of all sides
    begun = f"{_moment(row['changed_at'])} {side}"
    if happened := what_happened(row):
        if not side:
            return f"{begun}{happened}"
        cause = "" if row["changed_by"].startswith("first") else row["changed_by"]
        why = f"{cause}{run}{after}".strip()
        return f"{begun}: {happened}{f' ({why})' if why else ''}"
    values = f"{_plain(row['before'])} -> {_plain(row['after'])}"
    return f"{begun} {row['field']}: {values} ({row['changed_by']}{run}{after})"


def _plain(value: str | None) -> str:
    return "∅" if value is None else value


def _cell(value: str | None) -> str:
    return "" if value is None else escape(value)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
