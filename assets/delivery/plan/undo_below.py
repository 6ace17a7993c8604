"""Leave records active that an undo would switch off above others of ours that stay active.

undo plan, links, mart, the target as it is  ->  keep_above_active()  ->  the plan; these records are conflicts
"""

from typing import Final

import polars as pl

from assets.delivery.plan.exclude import exclude
from assets.delivery.schemas import KEY, UNCERTAIN
from assets.delivery.target import Action

CONFLICT: Final = "conflict"
NAMED: Final = 3  # records that a reason lists


def keep_above_active(
    plan: pl.DataFrame, links: pl.DataFrame, mart: pl.DataFrame, target_state: pl.DataFrame, code: str = CONFLICT
) -> pl.DataFrame:
    """Exclude the deactivations of records above active ones that the plan does not deactivate as well.

    A later run, or a change notification, may have created or moved a record below one that the undone run created.

    Args:
        plan: PLAN_COLUMNS: an undo.
        links: LINK_SCHEMA: the links of its workflow.
        mart: The current mart.
        target_state: The target as it is.
        code: The reason code of the excluded rows.
    """
    below = _below(links, mart, target_state)
    while True:
        off = plan.filter((pl.col("action") == Action.DEACTIVATE) & pl.col("payload").is_not_null())
        staying = below.filter(~pl.col("target_id").is_in(off["target_id"].implode()))
        above = pl.concat([
            off.join(staying, left_on=["source", "target_id"], right_on=["parent_source", "shown_below"]),
            off.join(staying, left_on=KEY, right_on=["parent_source", "parent_source_id"]).filter(
                pl.col("shown_below").is_null()
            ),
        ], how="diagonal").select(*KEY, "name")  # fmt: skip
        if above.is_empty():
            return plan
        names = above.group_by(KEY).agg(pl.col("name").unique().sort(), pl.col("name").n_unique().alias("count"))
        many = pl.col("count") > NAMED
        more = pl.when(many).then(pl.format(" and {} more", pl.col("count") - NAMED)).otherwise(pl.lit(""))
        listed = pl.col("name").list.head(NAMED).list.join(", ")
        text = pl.format("records below it stay active: {}{}; left as it is", listed, more)
        plan = exclude(plan, names, code, text)


def _below(links: pl.DataFrame, mart: pl.DataFrame, target_state: pl.DataFrame) -> pl.DataFrame:
    """Return the active records of ours that have a parent: target_id, parent by the target and by NetSuite, name."""
    places = mart.select(*KEY, "parent_source", "parent_source_id").drop_nulls("parent_source_id")
    active = target_state.filter("is_active").select("target_id", "parent_id")
    confirmed = pl.when(pl.col("parent_target_id") != UNCERTAIN).then("parent_target_id")
    known = links.select(*KEY, "target_id", confirmed.alias("confirmed"))
    return (
        known.join(places, on=KEY)
        .join(active, on="target_id")
        .select(
            "target_id",
            "parent_source",
            "parent_source_id",
            pl.coalesce("parent_id", "confirmed").alias("shown_below"),
            pl.format("{} {}", "source", "source_id").alias("name"),
        )
    )
