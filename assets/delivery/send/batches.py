"""The writes of a plan: steps in the order in which they are sent, and batches of them.

plan  ->  plan_steps()  ->  batches()  ->  deliver
"""

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import polars as pl

from assets.delivery.ledger.normalization import request_hash
from assets.delivery.ledger.taken_over import replaced_fields
from assets.delivery.ledger.unkeyed import plain_name
from assets.delivery.schemas import KEY, PARENT, SourceKey
from assets.delivery.target import WRITING, Action

CREATES = 10  # creates of a batch that may leave records without our key: so many wait for a person at most
RESTORED = frozenset({"drift", "live_again"})  # reason codes of plan rows that restore what we wrote before

Change = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Step:
    """One plan row that writes.

    `image` is JSON of the changes before and after, from which an undo is made; `request_hash` is its fingerprint,
    which the ledger shows instead of the values. `restores` marks a value that was edited in the target or changed by
    it. `below` is the target id of the parent that a record keeps unless its parent is
    among the changes. `emptied` is JSON of the fields that lose their value, `replaced`
    of what is kept of values that others replace.
    """

    key: SourceKey
    action: Action
    level: int
    target_id: str | None
    parent: SourceKey | None
    values: Mapping[str, str | None]
    changed: frozenset[str]
    payload_hash: str
    image: str
    request_hash: str
    attempt_id: str
    restores: bool = False
    below: str | None = None
    emptied: str | None = None
    replaced: str | None = None


def plan_steps(plan: pl.DataFrame) -> list[Step]:
    """Return the rows that write in the order in which they are sent.

    Records with a parent or children come first, so that a run that exhausts the call quota has sent whole hierarchies.
    """
    writing = plan.filter(pl.col("action").is_in(list(WRITING)))
    steps = [_step(row) for row in writing.iter_rows(named=True)]
    activating = [step for step in steps if step.action is not Action.DEACTIVATE]
    deactivating = [step for step in steps if step.action is Action.DEACTIVATE]
    parents = {step.parent for step in steps}
    unrelated = {step.key for step in steps if step.parent is None and step.key not in parents}
    return [
        *sorted(activating, key=lambda step: (step.key in unrelated, step.level)),
        *sorted(deactivating, key=lambda step: -step.level),
    ]


def _step(row: Mapping[str, Any]) -> Step:
    values, action, changes = json.loads(row["payload"]), Action(row["action"]), row["changes"] or []
    image = _image(action, changes, values)
    return Step(
        key=SourceKey(row["source"], row["source_id"]),
        action=action,
        level=row["level"],
        target_id=row["target_id"],
        parent=SourceKey(row["parent_source"], row["parent_source_id"]) if row["parent_source_id"] else None,
        values=values,
        changed=frozenset(values if action is Action.CREATE else (change["field"] for change in changes)),
        payload_hash=row["payload_hash"],
        image=json.dumps(image),
        request_hash=request_hash(image),
        attempt_id=uuid.uuid4().hex,
        restores=row["reason_code"] in RESTORED,
        below=None if action is Action.CREATE else row["parent_target_id"],
        emptied=_emptied(changes),
        replaced=replaced_fields(changes),
    )


def _emptied(changes: Sequence[Change]) -> str | None:
    """Return the fields that lose their value, as JSON; None if none does."""
    names = [each["field"] for each in changes if each["before"] is not None and each["after"] is None]
    return json.dumps([name for name in names if name != PARENT]) if names else None


def _image(action: Action, changes: Sequence[Change], values: Mapping[str, str | None]) -> Sequence[Change]:
    if action is Action.CREATE:
        return [{"field": name, "before": None, "after": value} for name, value in values.items() if value is not None]
    return changes


def with_parent(image: str, parent_id: str | None) -> str:
    """Return the image with the target id of the record's new parent."""
    changes = json.loads(image)
    return json.dumps([{**each, "after": parent_id} if each["field"] == PARENT else each for each in changes])


def batches(
    steps: Sequence[Step], size: int, canary: Sequence[int] = (), *, name_field: str = ""
) -> Iterator[list[Step]]:
    """Yield batches of at most `size` steps, never a parent together with its child; the canary's sizes come first.

    With a `name_field`, a batch has few creates, and no two of the same name: what it may have left without our key can
    then be distinguished.
    """
    small = list(canary)
    for _, group in groupby(steps, key=lambda step: (step.action is Action.DEACTIVATE, step.level)):
        for rest in _turns(group, name_field):
            usual = min(size, CREATES) if name_field and any(step.action is Action.CREATE for step in rest) else size
            while rest:
                most = min(size, small.pop(0)) if small else usual
                yield rest[:most]
                rest = rest[most:]  # noqa: PLW2901 - what is left of it


def _turns(steps: Iterable[Step], name_field: str) -> Iterable[list[Step]]:
    """Return the steps in turns: each create of a name in another one, all other steps in the first."""
    turns: defaultdict[int, list[Step]] = defaultdict(list)
    seen: Counter[str] = Counter()
    for step in steps:
        name = plain_name(step.values.get(name_field)) if step.action is Action.CREATE else ""
        turns[seen[name] if name else 0].append(step)
        seen[name] += 1
    return [turns[number] for number in sorted(turns)]


def parent_ids(records: pl.DataFrame, plan: pl.DataFrame) -> dict[SourceKey, str]:
    """Return the target ids of the parents of a plan's writing rows that exist before anything is sent.

    Args:
        records: KEY and target_id of possible parents; with `action` if it is their plan.
        plan: PLAN_COLUMNS.
    """
    writing = plan.filter(pl.col("payload").is_not_null() & pl.col("parent_source_id").is_not_null())
    parents = writing.select(pl.col("parent_source").alias("source"), pl.col("parent_source_id").alias("source_id"))
    known = records.filter(pl.col("target_id").is_not_null()).join(parents, on=KEY, how="semi")
    if "action" in known.columns:  # a record to adopt can be a parent only after the target confirmed it
        known = known.filter(pl.col("action") != Action.ADOPT)
    rows = known.select(*KEY, "target_id").rows()
    return {SourceKey(source, source_id): target_id for source, source_id, target_id in rows}
