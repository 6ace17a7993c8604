"""Count how deep each record lies in the tree of a workflow.

source records with their parents  ->  levels_of()  ->  1 for the top, CIRCLE for those that go round in a circle
"""

import polars as pl

from assets.delivery.schemas import KEY

CIRCLE = 0  # level of a record that is its own ancestor, or hangs below one

FAMILY_SCHEMA = dict.fromkeys([*KEY, "parent_source", "parent_source_id"], pl.String)


def levels_of(family: pl.DataFrame) -> pl.DataFrame:
    """Count each record's depth by walking up its parents; those who never arrive get level CIRCLE.

    Every step up leaves fewer records walking than the one before; when it does not, the rest go round in circles.

    Args:
        family: FAMILY_SCHEMA: every source record, with its parent's key or null.

    Returns:
        source, source_id, level; only the records that are not on the first level.
    """
    above = family.unique(KEY, maintain_order=True)
    walking = above.filter(pl.col("parent_source_id").is_not_null())
    steps = [walking.select(*KEY, pl.lit(1, dtype=pl.Int32).alias("level")).clear()]
    while walking.height:
        steps.append(walking.select(*KEY, pl.lit(len(steps) + 1, dtype=pl.Int32).alias("level")))
        further = _one_step_up(walking, above)
        if further.height == walking.height:
            steps.append(further.select(*KEY, pl.lit(CIRCLE, dtype=pl.Int32).alias("level")))
            break
        walking = further
    return pl.concat(steps).group_by(KEY, maintain_order=True).agg(pl.col("level").last())


def _one_step_up(walking: pl.DataFrame, above: pl.DataFrame) -> pl.DataFrame:
    parents = above.rename({"parent_source": "next_source", "parent_source_id": "next_id"})
    return (
        walking.join(parents, left_on=["parent_source", "parent_source_id"], right_on=KEY, how="inner")
        .filter(pl.col("next_id").is_not_null())
        .select(*KEY, pl.col("next_source").alias("parent_source"), pl.col("next_id").alias("parent_source_id"))
    )
