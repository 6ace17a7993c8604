"""Guards: hold back a plan that would change more than its workflow allows in one run.

plan, target state  ->  check()  ->  the limits that it exceeds
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from assets.delivery.ledger import taken_over
from assets.delivery.ledger.emptied import GUARD
from assets.delivery.ledger.taken_over import Taken, digest
from assets.delivery.schemas import MANUAL, PARENT
from assets.delivery.spec.policies import Guards, Limit, SlowLimit
from assets.delivery.target import Action
from assets.result_texts import counted

# a small source loses half of its records easily
FEW_RECORDS = 5
# a field with so few different values, such as a type, may well get the same one in every record
FEW_VALUES = 2

# counts the values that fields of our records have in the target
CountValues = Callable[[Sequence[str]], Mapping[str, int]]
# counts the records that fields of our records have one value in, which replaced others lately
CountTaken = Callable[[Sequence[str]], Mapping[tuple[str, str], Taken]]


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
    of: int = 0,
    count_values: CountValues | None = None,
    count_emptied: CountValues | None = None,
    count_taken: CountTaken | None = None,
) -> list[Tripped]:
    """Compare a plan with the workflow's limits.

    Args:
        guards: The limits.
        plan: PLAN_COLUMNS; all rows that write.
        ours: The number of our records in the target that take part.
        records: The number of source records that were decided on.
        size_before: The same number of the last finished run; 0 if there was none.
        key_field: The target's field with our key.
        of: The number of all our records, of which percentages are taken, if it is larger than `ours`.
        count_values: Counts the values of fields before the plan; without it a plan is taken to hold all of them.
        count_emptied: Counts the values of fields that the runs of the last days emptied.
        count_taken: Counts those that they replaced by one and the same.

    Returns:
        The limits that the plan exceeds; empty when it may be sent.
    """
    found = [
        *_many_records(guards, plan, max(ours, of), key_field),
        *_emptied_fields(guards.emptied_field, plan, count_values),
    ]
    if count_emptied:
        found += _emptied_slowly(guards.emptied_slowly, plan, count_values, count_emptied)
    if count_taken:
        found += _taken_over(guards.taken_over, plan, count_values, count_taken)
    return [*(each for each in found if each), *_source_guards(guards, records, ours, size_before)]


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


def _many_records(guards: Guards, plan: pl.DataFrame, ours: int, key_field: str) -> list[Tripped | None]:
    """Find the kinds of changes that too many records would get."""
    by_rule = plan.filter(pl.col("matched_by").ne_missing(MANUAL))  # people checked the others one by one
    counts = dict(plan.group_by("action").len().iter_rows())
    limits: list[tuple[str, Limit, int, str]] = [
        ("deactivate", guards.deactivate, counts.get(Action.DEACTIVATE.value, 0), "be deactivated"),
        ("reactivate", guards.reactivate, counts.get(Action.REACTIVATE.value, 0), "be reactivated"),
        ("update", guards.update, counts.get(Action.UPDATE.value, 0), "be updated"),
        ("create", guards.create, counts.get(Action.CREATE.value, 0), "be created"),
        ("clear_values", guards.clear_values, _count_changing(plan, _CLEARED), "lose the value of a field"),
        ("key_change", guards.key_change, _count_changing(by_rule, _replaced(key_field)), "get another key"),
        ("reparent", guards.reparent, _count_changing(plan, _replaced(PARENT)), "move to another parent"),
    ]
    total = ours + counts.get(Action.ADOPT.value, 0)
    return [
        _compare(name, limit, rows, total, f"{counted(rows, 'records')} would {effect}")
        for name, limit, rows, effect in limits
    ]


def _replaced(name: str) -> pl.Expr:
    """Return the condition of a change of a field that has a value."""
    return (name == _FIELD) & _BEFORE.is_not_null()


def _count_changing(plan: pl.DataFrame, change: pl.Expr) -> int:
    """Count the records that would be written with a change that meets the condition."""
    writes = plan.filter(pl.col("payload").is_not_null())
    return int(writes.select(pl.col("changes").list.eval(change).list.any().sum()).item() or 0)


def _emptied_fields(limit: Limit, plan: pl.DataFrame, count_values: CountValues | None) -> list[Tripped | None]:
    """Find the fields that lose their values as a whole: a permission was lost, or a column has another name now.

    Many different values that are replaced by one and the same are lost like those that are cleared.
    """
    lost = {name: (rows, after) for name, after, rows in _losses(plan) if rows > (limit.allowed(0) or 0)}
    before = count_values(list(lost)) if lost and count_values else {}
    totals = {name: max(rows, before.get(name, 0)) for name, (rows, _) in lost.items()}
    return [
        _compare(
            "emptied_field", limit, rows, totals[name],
            f"the field `{name}` would lose {rows:,} of {totals[name]:,} values"
            f"{' to one and the same' if after else ''}",
        )
        for name, (rows, after) in lost.items()
    ]  # fmt: skip


def _emptied_slowly(
    limit: SlowLimit, plan: pl.DataFrame, count_values: CountValues | None, count_emptied: CountValues
) -> list[Tripped | None]:
    """Find the fields that lose their values a few at a time, as when a permission is taken away record by record."""
    writes = plan.filter(pl.col("payload").is_not_null())
    cleared = writes.select(pl.col("changes").list.eval(pl.element().filter(_CLEARED).struct.field("field")).explode())
    rows = dict(cleared.drop_nulls().group_by("changes").len().sort("changes").iter_rows())
    before = {name: count for name, count in count_emptied(list(rows)).items() if count} if rows else {}
    values = count_values(list(before)) if before and count_values else {}
    return [
        _compare(
            GUARD, limit, rows[name] + lost, total := max(values.get(name, 0), rows[name]) + lost,
            f"the field `{name}` would have lost {rows[name] + lost:,} of {total:,} values in the runs of the last"
            f" {limit.days} days",
        )
        for name, lost in before.items()
    ]  # fmt: skip


def _taken_over(
    limit: SlowLimit, plan: pl.DataFrame, count_values: CountValues | None, count_taken: CountTaken
) -> list[Tripped | None]:
    """Find the fields in which one value replaces different ones, a few at a time."""
    replaced = _replacements(plan).drop_nulls("after").group_by("field", "after").agg("before")
    taken = count_taken(replaced["field"].unique().to_list()) if replaced.height else {}
    earlier = {(field, after): rows for field, after, rows in replaced.iter_rows() if (field, after) in taken}
    values = count_values(sorted({field for field, _ in earlier})) if earlier and count_values else {}
    tripped: dict[str, Tripped | None] = {}
    for (field, after), before in sorted(earlier.items()):
        rows = taken[field, after].rows + len(before)
        if len(taken[field, after].before.union(map(digest, before))) > FEW_VALUES:
            effect = (
                f"in the field `{field}` one and the same value would have replaced {rows:,} different ones of"
                f" {(total := max(values.get(field, 0), rows)):,} in the runs of the last {limit.days} days"
            )
            tripped[field] = tripped.get(field) or _compare(taken_over.GUARD, limit, rows, total, effect)
    return [*tripped.values()]


def _replacements(plan: pl.DataFrame) -> pl.DataFrame:
    """Return field, before and after of each change of a value."""
    writes = plan.filter(pl.col("payload").is_not_null())
    replaced = writes.select(pl.col("changes").list.eval(pl.element().filter(_BEFORE.is_not_null())).explode())
    return replaced.drop_nulls().unnest("changes").filter(pl.col("field") != PARENT)


def _losses(plan: pl.DataFrame) -> list[tuple[str, str | None, int]]:
    """Return field, value after and number of records of the largest loss of each field."""
    changes = _replacements(plan)
    groups = changes.group_by("field", "after").agg(pl.len().alias("rows"), pl.col("before").n_unique().alias("values"))
    losses = groups.filter(pl.col("after").is_null() | (pl.col("values") > FEW_VALUES))
    largest = losses.sort("field", "rows", "after", descending=[False, True, False]).unique("field", keep="first")
    return largest.sort("field").select("field", "after", "rows").rows()


def _source_guards(guards: Guards, records: int, ours: int, size_before: int) -> list[Tripped]:
    if guards.empty_source and records == 0 and ours > 0:
        return [Tripped("empty_source", 0, 0, f"the source has no records, but the target has {ours:,} of ours")]
    if guards.source_shrunk and size_before - records > FEW_RECORDS and records * 2 < size_before:
        reason = f"the source has {counted(records, 'records')}, down from {size_before:,} in the last run"
        return [Tripped("source_shrunk", records, size_before, reason)]
    return []


def _compare(guard: str, limit: Limit, rows: int, total: int, effect: str) -> Tripped | None:
    allowed = limit.allowed(total)
    if allowed is None or rows <= allowed:
        return None
    reason = (
        f"{effect}; the limit is {allowed:,} ({limit.describe(total)})."
        f" If this is intended, apply the plan, or raise guards.{guard} in the workflow file and run again"
    )
    return Tripped(guard, rows, allowed, reason)
