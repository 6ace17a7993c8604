"""Take one record back to its values before a run, or explain why it is left as it is.

attempt and before-image, the record as the target shows it  ->  undo_row()  ->  one row of the plan
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from assets.delivery.schemas import PARENT, UNCERTAIN, SourceKey
from assets.delivery.target import TARGET_STATE_COLUMNS, Action, parent_of
from assets.result_texts import named

CHANGES = pl.List(pl.Struct({"field": pl.String, "before": pl.String, "after": pl.String}))

NOTHING_TO_UNDO: Final = "nothing_to_undo"

Row = Mapping[str, Any]
Change = Mapping[str, Any]  # field, before, after: str, the last two may be None

_INVERSE = {Action.DEACTIVATE: Action.REACTIVATE, Action.REACTIVATE: Action.DEACTIVATE}


@dataclass(frozen=True)
class Written:
    """One record that the run wrote.

    Attributes:
        row: Its attempt, its row of the mart, and its link.
        image: What the run changed.
        current: What the target shows; None when the record is gone.
        parents: By target id, the records that may be its parent.
        unedited: Whether the target still shows what it showed right after the run.
        unread: Whether it could not be looked up, so that it may exist although it is not shown.
    """

    row: Row
    image: Sequence[Change]
    current: Row | None
    parents: Mapping[str, SourceKey]
    unedited: bool
    unread: bool = False


def undo_row(written: Written, active_field: str, undone_run: str) -> dict[str, Any]:
    """Return one row of the undo plan (PLAN_COLUMNS): the former values, or the reason why not."""
    row = {
        **{name: written.row[name] for name in ("source", "source_id", "target_id", "payload_hash")},
        "matched_by": "link", "level": written.row["level"] or 1, "changes": [],
        "parent_source": written.row["parent_source"], "parent_source_id": written.row["parent_source_id"],
    }  # fmt: skip
    if written.current is None:
        hidden = "the target does not show the record, which may be hidden; left as it is"
        return row | _skipped("conflict", hidden if written.unread else "the record is gone from the target")
    shown = written.current["parent_id"]
    current = {**written.current, PARENT: parent_of(shown) if shown else written.row["last_parent"]}
    row["parent_target_id"] = None if current[PARENT] == UNCERTAIN else current[PARENT]
    move = next((change for change in written.image if change["field"] == PARENT), None)
    if move and move["before"] != current[PARENT]:
        if move["after"] != current[PARENT]:
            return row | _skipped("conflict", "moved to another parent after the run; left as it is")
        if move["before"] is not None and move["before"] not in written.parents:
            return row | _skipped("conflict", "its former parent is gone or not ours; left as it is")
        above = written.parents[move["before"]] if move["before"] else (None, None)  # it was at the top
        row["parent_source"], row["parent_source_id"] = above
    action, changes = _inverse(Action(written.row["action"]), written.image, current, active_field)
    if not changes:
        return row | _skipped(NOTHING_TO_UNDO, "the target already shows the values from before the run")
    if conflict := _conflict(written, current):
        return row | _skipped("conflict", f"{conflict}; left as it is")
    values = {name: value for name, value in current.items() if name not in {*TARGET_STATE_COLUMNS, PARENT}}
    values |= {str(change["field"]): change["after"] for change in changes if change["field"] != PARENT}
    fields = ", ".join(str(change["field"]) for change in changes)
    return row | {
        "action": action.value, "reason_code": "undo", "reason": f"undoes run {undone_run[:8]}: {fields}",
        "changes": changes, "payload": json.dumps(values),
    }  # fmt: skip


def _conflict(written: Written, current: Row) -> str:
    """Return why the former values must not be sent; blank if nothing is in the way."""
    created = written.row["action"] == Action.CREATE
    unreadable = [name for each in written.image if (name := str(each["field"])) not in current]
    if unreadable and not created:
        return f"the target no longer has the {named('field', unreadable)}"
    edited = [str(each["field"]) for each in written.image if _is_edited(each, written.current or {}, created=created)]
    # a target that normalizes values shows others than were sent
    return f"edited after the run: {', '.join(edited)}" if edited and not written.unedited else ""


def _is_edited(change: Change, current: Row, *, created: bool) -> bool:
    """Return whether a field shows neither the value that the run wrote nor, if the record existed, the one before."""
    name, known = change["field"], {change["after"] or None}
    known |= set() if created else {change["before"] or None}
    return name in current and (current[name] or None) not in known


def _skipped(code: str, reason: str) -> dict[str, str]:
    return {"action": Action.SKIPPED.value, "reason_code": code, "reason": reason}


def _inverse(
    action: Action, image: Sequence[Change], current: Row, active_field: str
) -> tuple[Action, list[dict[str, str | None]]]:
    """Return the action and the changes that undo a write; created records are deactivated, never deleted."""
    if action is Action.CREATE:
        off = {"field": active_field, "before": current.get(active_field), "after": "0"}
        return Action.DEACTIVATE, [off] if current["is_active"] else []
    changes: list[dict[str, str | None]] = [
        {"field": each["field"], "before": current.get(str(each["field"]), each["after"]), "after": each["before"]}
        for each in image
    ]
    left = [each for each in changes if (each["before"] or None) != (each["after"] or None)]
    switches = any(each["field"] == active_field for each in left)
    return _INVERSE.get(action, Action.UPDATE) if switches else Action.UPDATE, left
