"""Find the fields that someone edited in the target: what differs there from what our last write left behind.

compared records, fingerprints of the last confirmed values  ->  with_edited()  ->  edited
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from assets.delivery.diff.compared_fields import unowned_fields
from assets.delivery.ledger.links import confirmed_hash, shown_hash, value_hash
from assets.delivery.schemas import DELIVER, OURS, PARENT, RETIRE, UNCERTAIN, TargetShape
from assets.delivery.spec.expressions import date_dependent_fields
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import TOP
from resources.warehouse.tables import literal, quoted

EDITED = "edited in the target: "
EDITED_HERE = "edited in the target"  # the beginning of both texts
# a warehouse that was restored does not know what runs sent after its backup
EDITED_OR_SENT = "edited in the target, or sent by a run after the backup that was restored"


def with_edited(rows: pl.DataFrame, target: TargetShape, spec: WorkflowSpec) -> pl.DataFrame:
    """Add edited: the fields that differ from NetSuite by an edit in the target, or null.

    What else happens to the record does not matter: NetSuite may have changed other fields, or the same ones; or the
    record is held back, or inactive, so that nothing is sent.

    Args:
        rows: Records that differ somewhere or are not delivered: the mart's and the target's fields, and the link's
            columns.
        target: The target's fields.
        spec: The workflow.
    """
    fields = _judged(spec, rows.columns)
    numbered = rows.with_row_index("_row")
    ours = numbered.filter(OURS & pl.col("target_id").is_not_null() & ~pl.col("normalized"))
    unowned = unowned_fields(spec)
    edited = {
        row["_row"]: ", ".join(found)
        for row in ours.iter_rows(named=True)
        if (
            found := [
                *_edited(row, [each for each in fields if row["source"] not in unowned.get(each, ())], target, spec)
            ]
        )
    }
    texts = pl.DataFrame(
        {"_row": edited.keys(), "edited": edited.values()}, schema={"_row": pl.UInt32, "edited": pl.String}
    )
    return numbered.join(texts, on="_row", how="left", maintain_order="left").drop("_row")


def edited_undelivered(spec: WorkflowSpec, target: TargetShape, columns: Collection[str]) -> str:
    """Return SQL for the same of a record that is not delivered: whether someone edited it in the target.

    Over the tables `mart`, `shown` (the target state) and `link`; null where the record is not in the target.
    """
    unowned = unowned_fields(spec)
    tests = [f"coalesce({moved_in_target(spec, 'shown')}, false)"]
    for name in _judged(spec, columns):
        wanted, actual = f"mart.{quoted(name)}", f"shown.{quoted(name)}"
        if name == target.active_field:
            wanted = f"if(mart.disposition = '{RETIRE}', '0', {wanted})"
        owned = f"mart.source not in ({', '.join(map(literal, unowned.get(name, ['']) or ['']))})"
        edited = f"coalesce({confirmed_hash(name)} <> {shown_hash(actual)}, false)"
        tests.append(f"({owned} and {wanted} is distinct from {actual} and {edited})")
    return f"({' or '.join(tests)})"


def moved_in_target(spec: WorkflowSpec, shown: str) -> str:
    """Return SQL for whether a record is elsewhere in the target than it was confirmed, over the tables as above.

    A link without a parent says "at the top" only of what the current file sent below parents: a person may have sorted
    other records into folders.
    """
    children = [record.source for record in spec.records if record.parent]
    if not children:
        return "false"
    at_top = f"mart.source in ({', '.join(map(literal, children))}) and link.workflow_version = {literal(spec.version)}"
    return (
        f"case when link.parent_target_id is not null then link.parent_target_id <> '{UNCERTAIN}'"
        f" and link.parent_target_id <> {shown}.parent_id when {at_top} then {shown}.parent_id <> '{TOP}' end"
    )


def _judged(spec: WorkflowSpec, columns: Collection[str]) -> list[str]:
    """Return the fields whose edits count: mapped, monitored, and not moving with the calendar."""
    moving, monitored = date_dependent_fields(spec), spec.monitored_fields
    return [
        name
        for name in spec.target_fields
        if name in columns and name not in moving and (monitored == "mapped" or name in monitored)
    ]


def _edited(row: Mapping[str, Any], fields: Sequence[str], target: TargetShape, spec: WorkflowSpec) -> Iterator[str]:
    is_retired = row["disposition"] == RETIRE
    is_child = any(record.parent for record in spec.records if record.source == row["source"])
    confirmed = json.loads(row["value_hashes"] or "{}")
    # without fingerprints, from before they were stored: nothing changed in NetSuite, so what differs was edited
    is_same = (
        bool(row["changes"])
        and row["confirmed_hash"] == row["payload_hash"]
        and row["confirmed_version"] == spec.version
    )
    for name in fields:
        switches_off = is_retired and name == target.active_field
        wanted, actual = "0" if switches_off else row[name], row[f"target_state.{name}"]
        edited = confirmed[name] != value_hash(actual) if name in confirmed else is_same and not switches_off
        if wanted != actual and edited:
            yield name
    was_below, is_below = row["linked_parent"], row["target_state.parent_id"]
    if is_child and row["linked_id"] == row["target_id"] and row["confirmed_version"] == spec.version:
        was_below = was_below or TOP
    if (row["_moved"] or row["disposition"] != DELIVER) and is_below and was_below not in (None, UNCERTAIN, is_below):
        yield PARENT
