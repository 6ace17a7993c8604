"""Find the target's record of each source record: by a person's word, our key, the link, then the workflow's rules.

mart, target state, links, pins  ->  match()  ->  target_id, matched_by, candidates; several that could be it are counted, not
guessed: they wait for a person, who says `millpond link`
"""

from collections.abc import Sequence

import polars as pl

from assets.delivery.mart.transform import DELIVER, QUARANTINE, RETIRE, SKIP
from assets.delivery.schemas import BY_HAND, KEY, LINK_SCHEMA, PIN_SCHEMA, TargetShape
from assets.delivery.spec.policies import MatchBy

NAMED = 5  # ids of contenders that a reason lists


def match(
    mart: pl.DataFrame,
    target_state: pl.DataFrame,
    links: pl.DataFrame,
    target: TargetShape,
    rules: Sequence[MatchBy],
    *,
    doubting: Sequence[MatchBy] = (),
    pins: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Find the target's record of each source record.

    Adds target_id, matched_by, candidates (int: how many records claimed to be it), contenders (their ids, the first
    ones) and the link's columns.
    A record that carries somebody else's key is somebody else's, whatever we wrote there once, unless the rule that
    finds it says otherwise.

    Args:
        mart: Source records: KEY, disposition, the target's key field and those of the rules.
        target state: The target's records: target_id, external_id and the fields of the rules.
        links: LINK_SCHEMA: what was confirmed before.
        target: Its key field.
        rules: In order; of these the ones in `doubting` may contradict our key.
        doubting: Rules that stand before the key: another record that meets one makes a first meeting ambiguous.
        pins: PIN_SCHEMA: what a person decided.
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
    matched = _pinned(
        matched, target_state, target.key_field, pl.DataFrame(schema=PIN_SCHEMA) if pins is None else pins
    )
    ours = mart[target.key_field].drop_nulls().implode()
    owned = target_state.filter(pl.col("external_id").is_in(ours))
    free = target_state.filter(pl.col("external_id").is_null())
    foreign = target_state.filter(~pl.col("external_id").is_in(ours))["target_id"].implode()
    for dispositions in (live, rest):  # the rest only know their record; they never contend for it
        matched = _claim(matched, _untaken(owned, matched), key, pl.col("external_id"), "external_id", dispositions)
        matched = _claim(matched, _untaken(free, matched), linked, pl.col("target_id"), "link", dispositions)
    open_rows = pl.col("target_id").is_null() & (pl.col("disposition") == DELIVER) & ~pl.col("made_new")
    taken_over = open_rows & linked.is_in(foreign)
    matched = matched.with_columns(
        pl.when(taken_over).then(pl.lit("link")).otherwise("matched_by").alias("matched_by"),
        pl.when(taken_over).then(2).otherwise("candidates").cast(pl.UInt32).alias("candidates"),
        pl.when(taken_over).then(pl.format("target {}", linked)).otherwise("contenders").alias("contenders"),
    )
    stray = target_state.filter(
        ~pl.col("external_id").is_in(ours).fill_null(value=False),
        ~pl.col("target_id").is_in(matched["linked_id"].drop_nulls().implode()),
    )
    for rule in doubting:
        matched = _doubted(matched, stray, rule)
    for rule in rules:
        matched = _by_rule(matched, _untaken(stray, matched), rule)
    return matched.drop("made_new")


def _pinned(matched: pl.DataFrame, target_state: pl.DataFrame, target_key: str, pins: pl.DataFrame) -> pl.DataFrame:
    """Take a person's word first; adds made_new: a person said that none of the target's records is it.

    A record that carries another source record's key is not given away for it.
    """
    key = pl.col(target_key)
    keys = target_state.select(pl.col("target_id").alias("pinned_id"), pl.col("external_id").alias("_key"), there=True)
    said = pins.with_columns(pl.lit(value=True).alias("_said")).join(keys, on="pinned_id", how="left")
    rows = matched.join(said, on=KEY, how="left", maintain_order="left")
    one = pl.col("_said").fill_null(value=False) & (pl.col("disposition") == DELIVER) & (pl.col("candidates") == 0)
    made_new = one & pl.col("pinned_id").is_null()
    named = one & pl.col("pinned_id").is_not_null()
    sharing = pl.when(named).then(pl.col("pinned_id")).is_duplicated() & named
    ours = matched[target_key].drop_nulls().implode()
    held = pl.col("_key").is_in(ours).fill_null(value=False) & key.ne_missing(pl.col("_key"))
    good = named & pl.col("there").is_not_null() & ~sharing & ~held
    how = pl.when(key.eq_missing(pl.col("_key"))).then(pl.lit("external_id")).otherwise(pl.lit(BY_HAND))
    return rows.with_columns(
        pl.when(good).then("pinned_id").otherwise("target_id").alias("target_id"),
        pl.when(good).then(how).when(named).then(pl.lit(BY_HAND)).otherwise("matched_by").alias("matched_by"),
        pl.when(named & ~good).then(1 + sharing).otherwise("candidates").cast(pl.UInt32).alias("candidates"),
        made_new.alias("made_new"),
    ).drop("_said", "_key", "there", "pinned_id")


def _sides(rule: MatchBy) -> tuple[pl.Expr, pl.Expr]:
    mine, theirs = pl.col(rule.field), pl.col(rule.field)
    return (mine.str.to_lowercase(), theirs.str.to_lowercase()) if rule.ignore_case else (mine, theirs)


def _by_rule(matched: pl.DataFrame, stray: pl.DataFrame, rule: MatchBy) -> pl.DataFrame:
    """Match by one rule; what becomes of records that hold another id is for the rule to say."""
    mine, theirs = _sides(rule)
    other = pl.col("external_id").is_not_null()
    other |= pl.col(rule.stored_id).is_not_null() if rule.stored_id else pl.lit(value=False)
    offers = stray.filter(~other) if rule.other_id == "skip" else stray
    before = matched["target_id"]
    matched = _claim(matched, offers, mine, theirs, rule.field, [DELIVER], but=pl.col("made_new"))
    if rule.other_id != "ask":
        return matched
    holding = stray.filter(other)["target_id"].implode()
    ask = pl.col("target_id").is_in(holding).fill_null(value=False) & before.is_null()
    return matched.with_columns(
        pl.when(ask).then(1).otherwise("candidates").cast(pl.UInt32).alias("candidates"),
        pl.when(ask).then(None).otherwise("target_id").alias("target_id"),
        pl.when(ask).then(pl.format("target {}", "target_id")).otherwise("contenders").alias("contenders"),
    )


def _doubted(matched: pl.DataFrame, stray: pl.DataFrame, rule: MatchBy) -> pl.DataFrame:
    """A record that has our key, but that no run confirmed yet, while another one meets a rule that comes before."""
    mine, theirs = _sides(rule)
    met = stray.select(theirs.alias("_met")).drop_nulls()["_met"].implode()
    first = pl.col("linked_id").ne_missing(pl.col("target_id")) & (pl.col("matched_by") == "external_id")
    doubt = first & pl.col("target_id").is_not_null() & (pl.col("disposition") == DELIVER) & mine.is_in(met)
    doubt = doubt.fill_null(value=False)
    return matched.with_columns(
        pl.when(doubt).then(None).otherwise("target_id").alias("target_id"),
        pl.when(doubt).then(pl.lit(rule.field)).otherwise("matched_by").alias("matched_by"),
        pl.when(doubt).then(pl.format("target {}", "target_id")).otherwise("contenders").alias("contenders"),
        pl.when(doubt).then(2).otherwise("candidates").cast(pl.UInt32).alias("candidates"),
    )


def _untaken(target_state: pl.DataFrame, matched: pl.DataFrame) -> pl.DataFrame:
    return target_state.filter(~pl.col("target_id").is_in(matched["target_id"].drop_nulls().implode()))


def _claim(
    matched: pl.DataFrame,
    target_state: pl.DataFrame,
    mine: pl.Expr,
    theirs: pl.Expr,
    name: str,
    dispositions: Sequence[str],
    *,
    but: pl.Expr | None = None,
) -> pl.DataFrame:
    """Match what is not matched yet; several on either side are counted, not guessed."""
    offers = target_state.select(theirs.alias("_claim"), pl.col("target_id").alias("_offer")).drop_nulls()
    offers = offers.group_by("_claim").agg(pl.col("_offer").first(), pl.len().alias("_offers"))
    waiting = pl.col("target_id").is_null() & (pl.col("candidates") == 0)
    open_rows = waiting & pl.col("disposition").is_in(dispositions)
    open_rows = open_rows & ~but if but is not None else open_rows
    rows = matched.with_columns(pl.when(open_rows).then(mine).alias("_claim"))
    rows = rows.with_columns(pl.len().over("_claim").alias("_claimants")).join(
        offers, on="_claim", how="left", maintain_order="left"
    )
    contested = pl.col("_offer").is_not_null() & ((pl.col("_offers") > 1) | (pl.col("_claimants") > 1))
    found = pl.col("_offer").is_not_null() & ~contested
    rows = rows.join(
        _contenders(rows.filter(contested), target_state, theirs), on="_claim", how="left", maintain_order="left"
    )
    return rows.with_columns(
        pl.when(found).then("_offer").otherwise("target_id").alias("target_id"),
        pl.when(found | contested).then(pl.lit(name)).otherwise("matched_by").alias("matched_by"),
        pl.when(contested).then(pl.max_horizontal("_offers", "_claimants")).otherwise("candidates").alias("candidates"),
        pl.when(contested).then("_contenders").otherwise("contenders").alias("contenders"),
    ).drop("_claim", "_claimants", "_offer", "_offers", "_contenders")


def _contenders(contested: pl.DataFrame, target_state: pl.DataFrame, theirs: pl.Expr) -> pl.DataFrame:
    """Who claims the same, by `_claim`: the target's records, and NetSuite's when there are several."""
    claims = contested["_claim"].unique()
    targets = target_state.select(theirs.alias("_claim"), pl.col("target_id").alias("id"))
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
