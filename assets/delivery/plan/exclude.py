"""Leave records out of a plan: they keep their row, send nothing, and give the reason.

plan, exclusions in order of precedence  ->  exclude_all()  ->  the plan, with fewer rows that write
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from assets.delivery.schemas import KEY
from assets.delivery.target import Action


class Exclusion(NamedTuple):
    """Records to leave out for one reason.

    Attributes:
        keys: KEY, unique, and any columns that `reason` uses.
        reason: The reason as text, or an expression over the columns of `keys` where it differs by record.
        reported: Whether the records are left out also where the plan only reports them.
    """

    keys: pl.DataFrame
    code: str
    reason: str | pl.Expr
    reported: bool = False


def exclude(
    plan: pl.DataFrame,
    keys: pl.DataFrame,
    code: str,
    reason: str | pl.Expr,
    reported: bool = False,  # noqa: FBT001, FBT002
) -> pl.DataFrame:
    """Skip the rows of a plan (PLAN_COLUMNS) that would write and have one of these keys; see `Exclusion`.

    Returns:
        The plan, rows and columns in the same order; excluded rows have the action `skipped`, no payload, no changes.
    """
    if keys.is_empty():
        return plan
    text = pl.lit(reason) if isinstance(reason, str) else reason
    excluded = keys.select(*KEY, text.alias("_reason"), pl.lit(value=True).alias("_excluded"))
    marked = plan.join(excluded, on=KEY, how="left", maintain_order="left")
    in_reach = pl.col("payload").is_not_null() | (pl.lit(reported) & (pl.col("action") != Action.SKIPPED.value))
    hit = pl.col("_excluded").fill_null(value=False) & in_reach
    return marked.with_columns(
        pl.when(hit).then(pl.lit(Action.SKIPPED.value)).otherwise("action").alias("action"),
        pl.when(hit).then(pl.lit(code)).otherwise("reason_code").alias("reason_code"),
        pl.when(hit).then("_reason").otherwise("reason").alias("reason"),
        pl.when(~hit).then("payload"),
        pl.when(hit).then(pl.col("changes").list.head(0)).otherwise("changes").alias("changes"),
    ).select(plan.columns)


def exclude_all(plan: pl.DataFrame, exclusions: Sequence[Exclusion]) -> pl.DataFrame:
    """Apply exclusions in order: the first one that names a record gives its reason."""
    for exclusion in exclusions:
        plan = exclude(plan, *exclusion)
    return plan
