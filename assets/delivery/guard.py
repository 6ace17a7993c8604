"""Stop a plan that would change more than anybody meant to.

plan, twin  ->  check()  ->  the limits that were passed, in words
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from assets.delivery.spec import Guards, Limit
from assets.delivery.target import Action


@dataclass(frozen=True)
class Tripped:
    """One limit that the plan passes."""

    guard: str
    rows: int
    allowed: int
    reason: str


def check(guards: Guards, plan: pl.DataFrame, *, ours: int) -> Sequence[Tripped]:
    """Compare a plan with the workflow's limits.

    Args:
        guards: The limits.
        plan: PLAN_COLUMNS.
        ours: How many records the target has of ours.

    Returns:
        The limits that were passed; empty when the plan may go.
    """
    counts = dict(plan.group_by("action").len().iter_rows())
    limits: list[tuple[Action, Limit]] = [
        (Action.DEACTIVATE, guards.deactivate),
        (Action.UPDATE, guards.update),
        (Action.CREATE, guards.create),
    ]
    tripped = [_trip(action, limit, counts.get(action.value, 0), ours) for action, limit in limits]
    if guards.empty_source and plan.is_empty() and ours > 0:
        tripped.append(Tripped("empty_source", 0, 0, f"the source has no record at all, the target has {ours} of ours"))
    return [each for each in tripped if each]


def _trip(action: Action, limit: Limit, rows: int, ours: int) -> Tripped | None:
    allowed = max(limit.rows, int(ours * limit.percent / 100))
    if rows <= allowed:
        return None
    reason = (
        f"{rows} records would be {action.value}d; allowed are {allowed} ({limit.rows} rows or {limit.percent:g} % of"
        f" {ours}). If that is meant, raise guards.{action.value} in the workflow file and run again."
    )
    return Tripped(action.value, rows, allowed, reason)
