"""Let what happens to a parent decide for its children, from the top level downwards.

matched rows  ->  settle_parents()  ->  parent_target_id, blocked_by; a retired parent takes its children with it
"""

import polars as pl

from assets.delivery.mart.transform import DELIVER, RETIRE
from assets.delivery.schemas import OURS, PLACE_SCHEMA

# what children need to know of their parents; `_state` is "there", "stuck" or RETIRE
ABOVE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "parent_source": pl.String,
    "parent_source_id": pl.String,
    "_state": pl.String,
    "parent_target_id": pl.String,
    "level": pl.Int32,
}


def settle_parents(
    matched: pl.DataFrame, places: pl.DataFrame | None = None, above: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Let what happens to a parent decide for its children, from the top level downwards.

    Adds parent_target_id and blocked_by (null, or the reason). A child of a retired parent is retired with it. Parents
    that another workflow delivers (`places`: PLACE_SCHEMA) are there as long as the target has them.
    """
    done: list[pl.DataFrame] = []
    places = pl.DataFrame(schema=PLACE_SCHEMA) if places is None else places
    there = pl.when(pl.col("target_id").is_not_null()).then(pl.lit("there")).otherwise(pl.lit("stuck"))
    settled = places.select(
        pl.col("source").alias("parent_source"),
        pl.col("source_id").alias("parent_source_id"),
        there.alias("_state"),
        pl.col("target_id").alias("parent_target_id"),
        pl.lit(-1, dtype=pl.Int32).alias("level"),
        pl.col("reason").alias("_why"),
    )
    if above is not None:
        settled = pl.concat([settled, above.with_columns(pl.lit(None, dtype=pl.String).alias("_why"))])
    for level in sorted(matched["level"].unique().to_list()):
        parents = settled.filter(pl.col("level") < level).drop("level")
        rows = matched.filter(pl.col("level") == level).join(
            parents, on=["parent_source", "parent_source_id"], how="left", maintain_order="left"
        )
        child = pl.col("parent_source_id").is_not_null()
        delivered = pl.col("disposition") == DELIVER
        retired = child & delivered & pl.col("_state").eq_missing(pl.lit(RETIRE))
        absent = child & delivered & ~retired & pl.col("_state").is_null()
        stuck = child & delivered & (pl.col("_state") == "stuck")
        adopted = retired & ~OURS & pl.col("matched_by").is_not_null()  # what retires never adopts
        rows = rows.with_columns(
            pl.when(adopted).then(None).otherwise("target_id").alias("target_id"),
            pl.when(adopted).then(0).otherwise("candidates").cast(pl.UInt32).alias("candidates"),
            pl.when(retired).then(pl.lit(RETIRE)).otherwise("disposition").alias("disposition"),
            pl.when(retired).then(pl.lit("parent_inactive")).otherwise("reason_code").alias("reason_code"),
            pl.when(retired).then(pl.lit("switched off with its parent")).otherwise("reason").alias("reason"),
            pl.when(absent).then(pl.lit("the parent is not among the source records"))
            .when(stuck).then(pl.coalesce(
                pl.format("{} {} is not in the target: {}", "parent_source", "parent_source_id", "_why"),
                pl.lit("the parent is not in the target and will not be"),
            ))
            .otherwise(None).alias("blocked_by"),
        ).drop("_state", "_why")  # fmt: skip
        done.append(rows)
        settled = pl.concat([settled, _as_parents(rows)])
    return (
        pl.concat(done)
        if done
        else matched.with_columns(
            pl.lit(None, dtype=pl.String).alias("parent_target_id"),
            pl.lit(None, dtype=pl.String).alias("blocked_by"),
        )
    )


def _as_parents(rows: pl.DataFrame) -> pl.DataFrame:
    arrives = (pl.col("disposition") == DELIVER) & pl.col("blocked_by").is_null() & (pl.col("candidates") == 0)
    arrives &= ~pl.col("same_refused")
    state = (
        pl.when(pl.col("disposition") == RETIRE).then(pl.lit(RETIRE))
        .when(arrives | (OURS & pl.col("target_id").is_not_null())).then(pl.lit("there"))
        .otherwise(pl.lit("stuck"))
    )  # fmt: skip
    return rows.select(
        pl.col("source").alias("parent_source"),
        pl.col("source_id").alias("parent_source_id"),
        state.alias("_state"),
        pl.col("target_id").alias("parent_target_id"),
        "level",
        pl.lit(None, dtype=pl.String).alias("_why"),
    )
