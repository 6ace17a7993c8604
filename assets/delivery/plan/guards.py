"""Stop a plan that would change more than anybody meant to.

plan, target state  ->  check()  ->  the limits that were passed, in words
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from assets.delivery.schemas import BY_HAND, PARENT
from assets.delivery.spec.policies import Guards, Limit
from assets.delivery.target import Action


@dataclass(frozen=True)
class Tripped:
    """One limit that the plan passes."""

    guard: str
    rows: int
    allowed: int
    reason: str


# a source smaller than this halves easily
SMALL_SOURCE = 20


def check(
    guards: Guards,
    plan: pl.DataFrame,
    *,
    ours: int,
    size_before: int = 0,
    key_field: str = "",
    records: int | None = None,
) -> Sequence[Tripped]:
    """Compare a plan with the workflow's limits.

    Args:
        guards: The limits.
        plan: PLAN_COLUMNS; all rows that write.
        ours: How many records the target has of ours.
        size_before: How many source records the last finished run decided on; 0 when there was none.
        key_field: The target's field that carries our key.
        records: How many source records were decided on; without it as many as the plan has rows.

    Returns:
        The limits that were passed; empty when the plan may go.
    """
    by_rule = plan.filter(pl.col("matched_by").ne_missing(BY_HAND))  # a person looked at the others one by one
    counts = dict(plan.group_by("action").len().iter_rows())
    limits: list[tuple[str, Limit, int, str]] = [
        ("deactivate", guards.deactivate, counts.get(Action.DEACTIVATE.value, 0), "be deactivated"),
        ("update", guards.update, counts.get(Action.UPDATE.value, 0), "be updated"),
        ("create", guards.create, counts.get(Action.CREATE.value, 0), "be created"),
        ("blank", guards.blank, _touching(plan, _EMPTIED), "lose the value of a field"),
        ("rekey", guards.rekey, _touching(by_rule, _filled(key_field)), "get another key"),
        ("reparent", guards.reparent, _touching(plan, _filled(PARENT)), "move to another parent"),
    ]
    tripped = [_trip(name, limit, rows, ours, what) for name, limit, rows, what in limits]
    size = plan.height if records is None else records
    return [*(each for each in tripped if each), *_shrunken(guards, size, ours, size_before)]


def canary_found(plan: pl.DataFrame, halts: Sequence[tuple[str, bool]]) -> list[Tripped]:
    """Hold a plan back as long as nobody accepted what the first records of this workflow version showed.

    Args:
        plan: PLAN_COLUMNS.
        halts: What canaries found and whether it was accepted, newest first.
    """
    writes = plan["payload"].drop_nulls().len()
    if not writes or not halts or halts[0][1]:
        return []
    return [Tripped("canary", writes, 0, halts[0][0])]


_BEFORE, _AFTER = pl.element().struct.field("before"), pl.element().struct.field("after")
_EMPTIED = _BEFORE.is_not_null() & _AFTER.is_null() & (pl.element().struct.field("field") != PARENT)


def _filled(name: str) -> pl.Expr:
    """Changes of a field that has a value already."""
    return (pl.element().struct.field("field") == name) & _BEFORE.is_not_null()


def _touching(plan: pl.DataFrame, change: pl.Expr) -> int:
    """Records that would be written with such a change."""
    writing = plan.filter(pl.col("payload").is_not_null())
    return int(writing.select(pl.col("changes").list.eval(change).list.any().sum()).item() or 0)


def _shrunken(guards: Guards, rows: int, ours: int, size_before: int) -> list[Tripped]:
    if guards.empty_source and rows == 0 and ours > 0:
        return [Tripped("empty_source", 0, 0, f"the source has no record at all, the target has {ours} of ours")]
    if guards.halved_source and size_before >= SMALL_SOURCE and rows * 2 < size_before:
        return [
            Tripped(
                "halved_source", rows, size_before, f"the source has {rows} records, last time it had {size_before}"
            )
        ]
    return []


def _trip(guard: str, limit: Limit, rows: int, ours: int, what: str) -> Tripped | None:
    allowed = max(limit.rows, int(ours * limit.percent / 100))
    if rows <= allowed:
        return None
    reason = (
        f"{rows} records would {what}; allowed are {allowed} ({limit.rows} rows or {limit.percent:g} % of {ours}). If"
        f" that is meant, release the plan, or raise guards.{guard} in the workflow file and run again."
    )
    return Tripped(guard, rows, allowed, reason)
