"""Decide for children by what happens to their parents, from the top level down.

matched records  ->  resolve_parents()  ->  parent_target_id, blocked_by; a retired parent retires its children

The conditions are SQL over a child's columns and its parent's; the prefilter evaluates the same text in DuckDB.
"""

from typing import Final

import polars as pl

from assets.delivery.cases import set_where
from assets.delivery.schemas import DELIVER, OURS, RETIRE
from assets.delivery.target import TOP

# states of a parent: the target has it, or will; it has none; it is retired, or an undo switched it on again; an undo
# switched it off
PRESENT: Final = "present"
ABSENT: Final = "absent"
RETIRED: Final = "retired"
KEPT: Final = "kept"
UNDONE: Final = "undone"

_CHILD = f"parent_source_id is not null and disposition = '{DELIVER}'"
PARENT_RETIRED = f"{_CHILD} and parent_state in ('{RETIRED}', '{KEPT}')"
PARENT_UNKNOWN = f"{_CHILD} and parent_state is null"
PARENT_ABSENT = f"{_CHILD} and parent_state = '{ABSENT}'"
# known_parent: the parent's id in the target state, or TOP, else as it was last confirmed, else null
MOVED = (
    "known_parent is not null and known_parent is distinct from"
    f" coalesce(parent_target_id, case when parent_source_id is null then '{TOP}' end)"
)
# only below undo holds, which the prefilter leaves undecided together with their children
PARENT_UNDONE = f"{_CHILD} and parent_state = '{UNDONE}'"
AFFECTED = " or ".join(f"({each})" for each in (PARENT_RETIRED, PARENT_UNKNOWN, PARENT_ABSENT, MOVED))


def resolve_parents(matched: pl.DataFrame, upstream: pl.DataFrame, decided: pl.DataFrame) -> pl.DataFrame:
    """Give every record its parent's target id, or the reason that blocks it.

    Args:
        matched: Records with their target records; `rejected_before` (bool) says that the target rejected them, `gone`
            (bool) that they were deleted there and are not created again, `held` (bool) that an undo reverted them.
        upstream: UPSTREAM_SCHEMA: parents that other workflows deliver.
        decided: PARENT_SCHEMA: parents that were decided before.

    Returns:
        The records with parent_target_id and blocked_by (the reason, or null), by level.
    """
    without_reason = pl.lit(None, dtype=pl.String).alias("_reason")
    parents = pl.concat([_upstream_parents(upstream), decided.with_columns(without_reason)])
    resolved = []
    for level in sorted(matched["level"].unique().to_list()):
        above = parents.filter(pl.col("level") < level).drop("level")
        rows = matched.filter(pl.col("level") == level)
        rows = _resolved(rows.join(above, on=["parent_source", "parent_source_id"], how="left", maintain_order="left"))
        resolved.append(rows)
        parents = pl.concat([parents, _as_parents(rows).with_columns(without_reason)])
    none = pl.lit(None, dtype=pl.String)
    return pl.concat(resolved or [matched.with_columns(none.alias("parent_target_id"), none.alias("blocked_by"))])


def _upstream_parents(upstream: pl.DataFrame) -> pl.DataFrame:
    """Return PARENT_SCHEMA and the reason why a parent is absent; a level above all others."""
    present = pl.when("is_undone").then(pl.lit(UNDONE)).when(pl.col("target_id").is_not_null()).then(pl.lit(PRESENT))
    return upstream.select(
        pl.col("source").alias("parent_source"),
        pl.col("source_id").alias("parent_source_id"),
        present.otherwise(pl.lit(ABSENT)).alias("parent_state"),
        pl.col("target_id").alias("parent_target_id"),
        pl.lit(-1, dtype=pl.Int32).alias("level"),
        pl.col("reason").alias("_reason"),
    )


def _resolved(rows: pl.DataFrame) -> pl.DataFrame:
    retired, unknown, absent = map(pl.sql_expr, (PARENT_RETIRED, PARENT_UNKNOWN, PARENT_ABSENT))
    off = pl.sql_expr(PARENT_UNDONE) & pl.col("target_state.is_active").ne_missing(pl.lit(value=True))
    reason = pl.coalesce(
        pl.format("parent {} {} is not in the target: {}", "parent_source", "parent_source_id", "_reason"),
        pl.lit("its parent is not in the target and will not be created"),
    )
    rows = rows.with_columns(
        pl.when(unknown)
        .then(pl.lit("its parent is not among the source records, or its workflow has not run"))
        .when(absent)
        .then(reason)
        .when(off)
        .then(pl.lit("its parent was undone and is inactive in the target"))
        .alias("blocked_by"),
        retired.fill_null(value=False).alias("_retired"),
    )
    # a retired record takes over no record that is not ours
    rows = set_where(rows, pl.col("_retired") & ~OURS, target_id=None, candidates=0)
    with_parent = {"reason_code": "parent_inactive", "reason": "deactivated with its parent"}
    # an undo hold ends with the change of the parent, as with one of the record itself, unless both were undone
    rows = set_where(rows, pl.col("_retired") & (pl.col("parent_state") != KEPT), held=pl.lit(value=False))
    rows = set_where(rows, pl.col("_retired"), disposition=RETIRE, **with_parent)
    return rows.drop("parent_state", "_reason", "_retired")


def _as_parents(rows: pl.DataFrame) -> pl.DataFrame:
    """Return PARENT_SCHEMA of decided records."""
    arrives = (pl.col("disposition") == DELIVER) & pl.col("blocked_by").is_null() & (pl.col("candidates") == 0)
    present = (arrives & ~pl.col("rejected_before") & ~pl.col("gone")) | (OURS & pl.col("target_id").is_not_null())
    undone = pl.col("held") & (pl.col("target_state.is_active") == pl.lit(value=False))
    retired = pl.when(pl.col("disposition") == RETIRE).then(
        pl.when("held").then(pl.lit(KEPT)).otherwise(pl.lit(RETIRED))
    )
    state = retired.when(undone).then(pl.lit(UNDONE)).when(present).then(pl.lit(PRESENT))
    return rows.select(
        pl.col("source").alias("parent_source"),
        pl.col("source_id").alias("parent_source_id"),
        state.otherwise(pl.lit(ABSENT)).alias("parent_state"),
        pl.col("target_id").alias("parent_target_id"),
        "level",
    )
