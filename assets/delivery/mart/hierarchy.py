"""Count the depth of each record in the hierarchy of a workflow.

source records with their parents  ->  levels_of()  ->  1 for the top level, CYCLE for records in or below a cycle
"""

import polars as pl

from assets.delivery.schemas import KEY
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import key_column

CYCLE = 0  # level of a record that is its own ancestor, or below one

FAMILY_SCHEMA = dict.fromkeys([*KEY, "parent_source", "parent_source_id"], pl.String)


def family_columns(record: RecordMap) -> list[pl.Expr]:
    """Return the expressions of FAMILY_SCHEMA over a staging table; the first parent that is not null counts."""
    parents = [(source, pl.col(column).cast(pl.String)) for source, column in (record.parent or {}).items()]
    none = pl.lit(None, dtype=pl.String)
    return [
        pl.lit(record.source).alias("source"),
        pl.col(key_column(record.source)).cast(pl.String).alias("source_id"),
        pl.coalesce(*(pl.when(key.is_not_null()).then(pl.lit(source)) for source, key in parents), none).alias(
            "parent_source"
        ),
        pl.coalesce(*(key for _, key in parents), none).alias("parent_source_id"),
    ]


def levels_of(family: pl.DataFrame) -> pl.DataFrame:
    """Count each record's depth by walking up its parents; records that never reach the top get level CYCLE.

    Each step leaves fewer records than the one before; once it does not, the remaining ones are in or below cycles.

    Args:
        family: FAMILY_SCHEMA: every source record with its parent's key, or null.

    Returns:
        source, source_id, level; only records below the first level.
    """
    known = family.unique(KEY, maintain_order=True)
    walking = known.filter(pl.col("parent_source_id").is_not_null())
    steps = [walking.select(*KEY, pl.lit(1, dtype=pl.Int32).alias("level")).clear()]
    while walking.height:
        steps.append(walking.select(*KEY, pl.lit(len(steps) + 1, dtype=pl.Int32).alias("level")))
        remaining = _one_step_up(walking, known)
        if remaining.height == walking.height:
            steps.append(remaining.select(*KEY, pl.lit(CYCLE, dtype=pl.Int32).alias("level")))
            break
        walking = remaining
    return pl.concat(steps).group_by(KEY, maintain_order=True).agg(pl.col("level").last())


def _one_step_up(walking: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    parents = known.rename({"parent_source": "next_source", "parent_source_id": "next_id"})
    return (
        walking.join(parents, left_on=["parent_source", "parent_source_id"], right_on=KEY, how="inner")
        .filter(pl.col("next_id").is_not_null())
        .select(*KEY, pl.col("next_source").alias("parent_source"), pl.col("next_id").alias("parent_source_id"))
    )
