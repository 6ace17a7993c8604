"""Guards: hold back a plan that would change more than its workflow allows in one run.

plan, target state  ->  check()  ->  the limits that it exceeds
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from assets.delivery.schemas import MANUAL, PARENT
from assets.delivery.spec.policies import Guards, Limit
from assets.delivery.target import Action

# a smaller source loses half of its records easily
SMALL_SOURCE = 20


@dataclass(frozen=True)
class Tripped:
    """A limit that a plan exceeds."""

    guard: str
    rows: int
    allowed: int
    reason: str


def check(
    guards: Guards,
    plan: pl.DataFrame,
    *,
    ours: int,
    records: int,
    size_before: int = 0,
    key_field: str = "",
) -> list[Tripped]:
    """Compare a plan with the workflow's limits.

    Args:
        guards: The limits.
        plan: PLAN_COLUMNS; all rows that write.
        ours: The number of our records in the target.
        records: The number of source records that were decided on.
        size_before: The same number of the last finished run; 0 if there was none.
        key_field: The target's field with our key.

    Returns:
        The limits that the plan exceeds; empty when it may be sent.
    """
    by_rule = plan.filter(pl.col("matched_by").ne_missing(MANUAL))  # people checked the others one by one
    counts = dict(plan.group_by("action").len().iter_rows())
    limits: list[tuple[str, Limit, int, str]] = [
        ("deactivate", guards.deactivate, counts.get(Action.DEACTIVATE.value, 0), "be deactivated"),
        ("update", guards.update, counts.get(Action.UPDATE.value, 0), "be updated"),
        ("create", guards.create, counts.get(Action.CREATE.value, 0), "be created"),
        ("clear_values", guards.clear_values, _count_changing(plan, _CLEARED), "lose the value of a field"),
        ("key_change", guards.key_change, _count_changing(by_rule, _replaced(key_field)), "get another key"),
        ("reparent", guards.reparent, _count_changing(plan, _replaced(PARENT)), "move to another parent"),
    ]
    tripped = [_compare(name, limit, rows, ours, effect) for name, limit, rows, effect in limits]
    return [*(each for each in tripped if each), *_source_guards(guards, records, ours, size_before)]


def canary_guard(plan: pl.DataFrame, halts: Sequence[tuple[str, bool]]) -> list[Tripped]:
    """Hold back a plan until a person accepts the findings of the canary of this workflow version.

    Args:
        plan: PLAN_COLUMNS.
        halts: The findings of canaries and whether they were accepted, newest first.
    """
    writes = plan["payload"].drop_nulls().len()
    if not writes or not halts or halts[0][1]:
        return []
    return [Tripped("canary", writes, 0, halts[0][0])]


_FIELD, _BEFORE, _AFTER = (pl.element().struct.field(name) for name in ("field", "before", "after"))
_CLEARED = _BEFORE.is_not_null() & _AFTER.is_null() & (_FIELD != PARENT)


def _replaced(name: str) -> pl.Expr:
    """Return the condition of a change of a field that has a value."""
    return (name == _FIELD) & _BEFORE.is_not_null()


def _count_changing(plan: pl.DataFrame, change: pl.Expr) -> int:
    """Count the records that would be written with a change that meets the condition."""
    writes = plan.filter(pl.col("payload").is_not_null())
    return int(writes.select(pl.col("changes").list.eval(change).list.any().sum()).item() or 0)


def _source_guards(guards: Guards, records: int, ours: int, size_before: int) -> list[Tripped]:
    if guards.empty_source and records == 0 and ours > 0:
        return [Tripped("empty_source", 0, 0, f"the source has no records, but the target has {ours} of ours")]
    if guards.source_shrunk and size_before >= SMALL_SOURCE and records * 2 < size_before:
        reason = f"the source has {records} records, down from {size_before} in the last run"
        return [Tripped("source_shrunk", records, size_before, reason)]
    return []


def _compare(guard: str, limit: Limit, rows: int, ours: int, effect: str) -> Tripped | None:
    allowed = max(limit.rows, int(ours * limit.percent / 100))
    if rows <= allowed:
        return None
    reason = (
        f"{rows} records would {effect}; the limit is {allowed} ({limit.rows} rows or {limit.percent:g} % of {ours})."
        f" If this is intended, release the plan, or raise guards.{guard} in the workflow file and run again"
    )
    return Tripped(guard, rows, allowed, reason)
