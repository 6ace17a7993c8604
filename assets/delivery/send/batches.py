"""What a plan's rows that write become: steps in the order in which they are sent, and batches of them.

plan  ->  plan_steps()  ->  batches()  ->  deliver
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import polars as pl

from assets.delivery.ledger.normalization import request_hash
from assets.delivery.schemas import KEY, PARENT
from assets.delivery.target import Action

RESTORED = frozenset({"drift", "live_again"})  # reasons: the target shows otherwise what we wrote once

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One plan row that writes."""

    key: Key
    action: Action
    level: int
    target_id: str | None
    parent: Key | None
    values: Mapping[str, str | None]
    changed: frozenset[str]
    payload_hash: str
    image: str  # the changes with before and after, as JSON: what an undo goes back by
    request_hash: str  # of the same: the ledger shows this, not the values
    attempt_id: str
    restores: bool = False  # puts back what was edited in the target, or what the target made of our values


def plan_steps(plan: pl.DataFrame) -> list[Step]:
    """The rows that write, in the order in which they are sent.

    Families come before those who have nobody: when a day's allowance ends the run, customers with projects are there.
    """
    writing = plan.filter(pl.col("action").is_in([action.value for action in Action if action.writes]))
    steps = [_step(row) for row in writing.iter_rows(named=True)]
    switching_on = [step for step in steps if step.action is not Action.DEACTIVATE]
    switching_off = [step for step in steps if step.action is Action.DEACTIVATE]
    parents = {step.parent for step in steps}
    alone = {step.key for step in steps if step.parent is None and step.key not in parents}
    return [
        *sorted(switching_on, key=lambda step: (step.key in alone, step.level)),
        *sorted(switching_off, key=lambda step: -step.level),
    ]


def _step(row: Mapping[str, object]) -> Step:
    values = json.loads(str(row["payload"]))
    action = Action(str(row["action"]))
    changes = row["changes"]
    listed = [str(change["field"]) for change in changes] if isinstance(changes, list) else []
    image = _image(action, changes, values)
    parent = (str(row["parent_source"]), str(row["parent_source_id"])) if row["parent_source_id"] else None
    return Step(
        key=(str(row["source"]), str(row["source_id"])),
        action=action,
        level=int(str(row["level"])),
        target_id=str(row["target_id"]) if row["target_id"] else None,
        parent=parent,
        values=values,
        changed=frozenset(values if action is Action.CREATE else listed),
        payload_hash=str(row["payload_hash"]),
        image=json.dumps(image),
        request_hash=request_hash(image),
        attempt_id=uuid.uuid4().hex,
        restores=row["reason_code"] in RESTORED,
    )


def _image(action: Action, changes: object, values: Mapping[str, str | None]) -> list[dict[str, str | None]]:
    if action is Action.CREATE:
        return [{"field": name, "before": None, "after": value} for name, value in values.items() if value is not None]
    return [dict(change) for change in changes] if isinstance(changes, list) else []


def below(image: str, parent_id: str | None) -> str:
    """The image with the parent that the record gets."""
    changes = json.loads(image)
    return json.dumps([{**each, "after": parent_id} if each["field"] == PARENT else each for each in changes])


def batches(steps: Sequence[Step], size: int, canary: Sequence[int] = ()) -> Iterator[list[Step]]:
    """As many at once as the target takes, never a parent together with its child; first those of a canary."""
    small = list(canary)
    for _, group in groupby(steps, key=lambda step: (step.action is Action.DEACTIVATE, step.level)):
        wave = list(group)
        while wave:
            most = min(size, small.pop(0)) if small else size
            yield wave[:most]
            wave = wave[most:]


def known_ids(there: pl.DataFrame, plan: pl.DataFrame) -> dict[Key, str]:
    """Target ids of the parents that a plan's writing rows have, as far as they are there before anything is sent.

    Args:
        there: KEY and target_id of records that may be parents, perhaps with their planned action.
        plan: PLAN_COLUMNS. Only what some row needs is looked at one by one: a plan has a row for each record.
    """
    needed = plan.filter(pl.col("payload").is_not_null() & pl.col("parent_source_id").is_not_null())
    parents = needed.select(pl.col("parent_source").alias("source"), pl.col("parent_source_id").alias("source_id"))
    known = there.filter(pl.col("target_id").is_not_null()).join(parents, on=KEY, how="semi")
    if "action" in known.columns:  # what is only about to be adopted is nobody's parent before the target took it
        known = known.filter(pl.col("action") != Action.ADOPT)
    return {(source, source_id): target_id for source, source_id, target_id in known.select(*KEY, "target_id").rows()}
