"""Find the target's record of each source record: by our key, by the link, then by the workflow's rules.

mart, twin, links  ->  match()  ->  target_id, matched_by, candidates; several that could be it are counted, not guessed
"""

from collections.abc import Sequence

import polars as pl

from assets.delivery.frames import KEY, LINK_SCHEMA, TargetShape
from assets.delivery.mapping import DELIVER, QUARANTINE, RETIRE, SKIP
from assets.delivery.spec import MatchBy

NAMED = 5  # ids of contenders that a reason lists


def match(
    mart: pl.DataFrame, twin: pl.DataFrame, links: pl.DataFrame, target: TargetShape, rules: Sequence[MatchBy]
) -> pl.DataFrame:
    """Find the target's record of each source record: by our key, by the link, then by the workflow's rules.

    Adds target_id, matched_by, candidates (int: how many records claimed to be it), contenders (their ids, the first
    ones) and the link's columns.
    A record that carries somebody else's key is somebody else's, whatever we wrote there once.
    """
    links = links.select(LINK_SCHEMA.keys()).rename({
        "target_id": "linked_id", "payload_hash": "confirmed_hash", "workflow_version": "confirmed_version",
        "parent_target_id": "linked_parent",
    })  # fmt: skip
    live, rest = [DELIVER, RETIRE], [SKIP, QUARANTINE]
    key, linked = pl.col(target.key_field), pl.col("linked_id")
    claims = pl.col("disposition").is_in(live) & key.is_not_null()
    sharing = claims.sum().over(key)
    twice = claims & (sharing > 1)
    matched = mart.join(links, on=KEY, how="left", maintain_order="left").with_columns(
        pl.lit(None, dtype=pl.String).alias("target_id"),
        pl.when(twice).then(pl.lit("external_id")).alias("matched_by"),
        pl.when(twice).then(sharing).otherwise(0).cast(pl.UInt32).alias("candidates"),
        pl.lit(None, dtype=pl.String).alias("contenders"),
    )
    ours = mart[target.key_field].drop_nulls().implode()
    owned = twin.filter(pl.col("external_id").is_in(ours))
    free = twin.filter(pl.col("external_id").is_null())
    foreign = twin.filter(~pl.col("external_id").is_in(ours))["target_id"].implode()
    for dispositions in (live, rest):  # the rest only know their record; they never contend for it
        matched = _claim(matched, _untaken(owned, matched), key, pl.col("external_id"), "external_id", dispositions)
        matched = _claim(matched, _untaken(free, matched), linked, pl.col("target_id"), "link", dispositions)
    taken_over = pl.col("target_id").is_null() & (pl.col("disposition") == DELIVER) & linked.is_in(foreign)
    matched = matched.with_columns(
        pl.when(taken_over).then(pl.lit("link")).otherwise("matched_by").alias("matched_by"),
        pl.when(taken_over).then(2).otherwise("candidates").cast(pl.UInt32).alias("candidates"),
        pl.when(taken_over).then(pl.format("target {}", linked)).otherwise("contenders").alias("contenders"),
    )
    stray = free.filter(~pl.col("target_id").is_in(matched["linked_id"].drop_nulls().implode()))
    for rule in rules:
        mine, theirs = pl.col(rule.field), pl.col(rule.field)
        if rule.ignore_case:
            mine, theirs = mine.str.to_lowercase(), theirs.str.to_lowercase()
        matched = _claim(matched, _untaken(stray, matched), mine, theirs, rule.field, [DELIVER])
    return matched


def _untaken(twin: pl.DataFrame, matched: pl.DataFrame) -> pl.DataFrame:
    return twin.filter(~pl.col("target_id").is_in(matched["target_id"].drop_nulls().implode()))


def _claim(
    matched: pl.DataFrame,
    twin: pl.DataFrame,
    mine: pl.Expr,
    theirs: pl.Expr,
    name: str,
    dispositions: Sequence[str],
) -> pl.DataFrame:
    """Match what is not matched yet; several on either side are counted, not guessed."""
    offers = twin.select(theirs.alias("_claim"), pl.col("target_id").alias("_offer")).drop_nulls()
    offers = offers.group_by("_claim").agg(pl.col("_offer").first(), pl.len().alias("_offers"))
    waiting = pl.col("target_id").is_null() & (pl.col("candidates") == 0)
    open_rows = waiting & pl.col("disposition").is_in(dispositions)
    rows = matched.with_columns(pl.when(open_rows).then(mine).alias("_claim"))
    rows = rows.with_columns(pl.len().over("_claim").alias("_claimants")).join(
        offers, on="_claim", how="left", maintain_order="left"
    )
    contested = pl.col("_offer").is_not_null() & ((pl.col("_offers") > 1) | (pl.col("_claimants") > 1))
    found = pl.col("_offer").is_not_null() & ~contested
    rows = rows.join(_contenders(rows.filter(contested), twin, theirs), on="_claim", how="left", maintain_order="left")
    return rows.with_columns(
        pl.when(found).then("_offer").otherwise("target_id").alias("target_id"),
        pl.when(found | contested).then(pl.lit(name)).otherwise("matched_by").alias("matched_by"),
        pl.when(contested).then(pl.max_horizontal("_offers", "_claimants")).otherwise("candidates").alias("candidates"),
        pl.when(contested).then("_contenders").otherwise("contenders").alias("contenders"),
    ).drop("_claim", "_claimants", "_offer", "_offers", "_contenders")


def _contenders(contested: pl.DataFrame, twin: pl.DataFrame, theirs: pl.Expr) -> pl.DataFrame:
    """Who claims the same, by `_claim`: the target's records, and NetSuite's when there are several."""
    claims = contested["_claim"].unique()
    targets = twin.select(theirs.alias("_claim"), pl.col("target_id").alias("id"))
    targets = targets.filter(pl.col("_claim").is_in(claims.implode())).group_by("_claim").agg(_first("target", "id"))
    sources = contested.group_by("_claim").agg(_first("NetSuite", "source_id"), pl.len().alias("several"))
    sources = sources.select("_claim", pl.when(pl.col("several") > 1).then("NetSuite"))
    told = targets.join(sources, on="_claim", how="left")
    return told.select(
        "_claim", pl.concat_str("target", "NetSuite", separator="; ", ignore_nulls=True).alias("_contenders")
    )


def _first(system: str, ids: str) -> pl.Expr:
    """The first ids in words: `target 12, 34`."""
    return pl.format("{} {}", pl.lit(system), pl.col(ids).sort().head(NAMED).str.join(", ")).alias(system)
