"""Find the target record of each source record: by manual link, our key, the confirmed link, then the workflow's rules.

mart, target state, links, manual links  ->  match()  ->  target_id, matched_by, candidates

Several records that could be the one are counted, not guessed: they wait until a person runs `millpond link`.
"""

from collections.abc import Sequence

import polars as pl

from assets.delivery.cases import set_where
from assets.delivery.diff.records import Records
from assets.delivery.schemas import BLOCK, DELIVER, HOLD, KEY, LINK_SCHEMA, MANUAL, MOVED_KEY, QUARANTINE, RETIRE, SKIP
from assets.delivery.spec.policies import MatchRule
from assets.delivery.spec.workflow_spec import WorkflowSpec

NAMED = 5  # claimants that a reason lists


def match(records: Records, manual_links: pl.DataFrame, key_field: str, spec: WorkflowSpec) -> pl.DataFrame:
    """Find the target record of each source record.

    A target record with the key of another system is not ours, even if it was linked before, unless a rule with another
    `on_id_conflict` finds it. A rule before the key may contradict a match by key that no run has confirmed, and so may
    the link of another record that is to be delivered: someone moved or copied the key.

    Args:
        records: Keys, dispositions, and the fields of the rules.
        manual_links: MANUAL_LINK_SCHEMA.
        key_field: The target's field with our key.
        spec: The rules.

    Returns:
        The mart with target_id, matched_by, candidates (int: the number of records that claim the match), claimants
        (the ids of the first ones) and the link's columns.
    """
    mart, target_state = records.mart, records.target_state
    links = records.links.select(LINK_SCHEMA.keys()).rename({
        "target_id": "linked_id", "payload_hash": "confirmed_hash", "workflow_version": "confirmed_version",
        "parent_target_id": "linked_parent",
    })  # fmt: skip
    live, other = [DELIVER, RETIRE], [SKIP, QUARANTINE, BLOCK, HOLD]
    key, linked = pl.col(key_field), pl.col("linked_id")
    matched = _shared_keys(mart.join(links, on=KEY, how="left", maintain_order="left"), key)
    matched = _by_manual_link(matched, target_state, key_field, manual_links)
    chosen = matched["target_id"].drop_nulls().implode()
    ours = mart[key_field].drop_nulls().implode()
    owned = target_state.filter(pl.col("external_id").is_in(ours))
    free = target_state.filter(pl.col("external_id").is_null())
    for dispositions in (live, other):  # records that are not live know their target record, but never compete for it
        matched = _claim(matched, _unmatched(owned, matched), key, pl.col("external_id"), "external_id", dispositions)
        matched = _claim(matched, _unmatched(free, matched), linked, pl.col("target_id"), "link", dispositions)
    matched = _without_moved_keys(matched, chosen)
    foreign = target_state.filter(~pl.col("external_id").is_in(ours))
    unowned = _unmatched(owned, matched)  # with the key of another record, which does not have it either
    matched = _without_lost_keys(matched, pl.concat([foreign["target_id"], unowned["target_id"]]).implode())
    unclaimed = target_state.filter(
        ~pl.col("external_id").is_in(ours).fill_null(value=False),
        ~pl.col("target_id").is_in(matched["linked_id"].drop_nulls().implode()),
    )
    for rule in spec.rules_before_key:
        matched = _contradicted(matched, unclaimed, rule)
    for rule in spec.match_rules:
        matched = _by_rule(matched, _unmatched(unclaimed, matched), rule)
    return matched.drop("linked_as_new")


def _shared_keys(mart: pl.DataFrame, key: pl.Expr) -> pl.DataFrame:
    """Add the columns of a match; live records that share a key are candidates for the same target record."""
    live = pl.col("disposition").is_in([DELIVER, RETIRE]) & key.is_not_null()
    sharing = live.sum().over(key)
    shared = live & (sharing > 1)
    none = pl.lit(None, dtype=pl.String)
    return mart.with_columns(
        none.alias("target_id"),
        pl.when(shared).then(pl.lit("external_id")).alias("matched_by"),
        pl.when(shared).then(sharing).otherwise(0).cast(pl.UInt32).alias("candidates"),
        none.alias("claimants"),
    )


def _without_moved_keys(matched: pl.DataFrame, chosen: pl.Series) -> pl.DataFrame:
    """Make matches by key ambiguous whose target record was last confirmed as that of another record to deliver.

    Args:
        matched: Records, matched by key and link.
        chosen: The target ids that a person linked, imploded.
    """
    owners = matched.filter(pl.col("disposition") == DELIVER).drop_nulls("linked_id")
    owners = owners.group_by(pl.col("linked_id").alias("target_id")).agg(pl.col("source_id").min().alias("_owner"))
    rows = matched.join(owners, on="target_id", how="left", maintain_order="left")
    moved = pl.col("_owner").is_not_null() & pl.col("linked_id").ne_missing(pl.col("target_id"))
    moved &= ~pl.col("target_id").is_in(chosen)
    claims = pl.format("target {} has this record's id, but was confirmed as NetSuite {}", "target_id", "_owner")
    rows = set_where(rows, moved, matched_by=MOVED_KEY, candidates=2, claimants=claims)
    return set_where(rows, moved, target_id=None).drop("_owner")


def _without_lost_keys(matched: pl.DataFrame, others: pl.Series) -> pl.DataFrame:
    """Make records without a match ambiguous whose confirmed target record has the id of another record now.

    Args:
        matched: Records, matched by key and link.
        others: The ids of the target records with another key, imploded.
    """
    unmatched = pl.col("target_id").is_null() & (pl.col("disposition") == DELIVER) & ~pl.col("linked_as_new")
    taken_over = unmatched & (pl.col("candidates") == 0) & pl.col("linked_id").is_in(others)
    claims = pl.format("target {}, which was confirmed as this record, has another id now", "linked_id")
    return set_where(matched, taken_over, matched_by=MOVED_KEY, candidates=2, claimants=claims)


def _by_manual_link(
    matched: pl.DataFrame, target_state: pl.DataFrame, key_field: str, manual_links: pl.DataFrame
) -> pl.DataFrame:
    """Match by manual link first; adds linked_as_new: a person decided that the target has no record of it.

    A target record that carries another source record's key is not given away.
    """
    key, chosen_id = pl.col(key_field), pl.col("manual_target_id")
    keys = target_state.select(pl.col("target_id").alias("manual_target_id"), pl.col("external_id").alias("_key"))
    linked = manual_links.with_columns(pl.lit(value=True).alias("_linked"))
    linked = linked.join(keys.with_columns(pl.lit(value=True).alias("_exists")), on="manual_target_id", how="left")
    rows = matched.join(linked, on=KEY, how="left", maintain_order="left")
    decided = pl.col("_linked").is_not_null() & (pl.col("disposition") == DELIVER) & (pl.col("candidates") == 0)
    chosen = decided & chosen_id.is_not_null()
    shared = pl.when(chosen).then(chosen_id).is_duplicated() & chosen
    ours = matched[key_field].drop_nulls().implode()
    owned_by_other = pl.col("_key").is_in(ours).fill_null(value=False) & key.ne_missing(pl.col("_key"))
    valid = chosen & pl.col("_exists").is_not_null() & ~shared & ~owned_by_other
    how = pl.when(key.eq_missing(pl.col("_key"))).then(pl.lit("external_id")).otherwise(pl.lit(MANUAL))
    rows = rows.with_columns(
        (decided & chosen_id.is_null()).alias("linked_as_new"),
        pl.when(chosen).then(valid).alias("_valid"),
        (1 + shared).alias("_claims"),
    )
    rows = set_where(rows, pl.col("_valid"), target_id=chosen_id, matched_by=how)
    rows = set_where(rows, ~pl.col("_valid"), matched_by=MANUAL, candidates=pl.col("_claims"))
    return rows.drop("_linked", "_key", "_exists", "manual_target_id", "_valid", "_claims")


def _values(rule: MatchRule) -> pl.Expr:
    value = pl.col(rule.field)
    return value.str.to_lowercase() if rule.ignore_case else value


def _by_rule(matched: pl.DataFrame, unclaimed: pl.DataFrame, rule: MatchRule) -> pl.DataFrame:
    """Match by one rule; `on_id_conflict` decides about records that hold another id."""
    conflict = pl.col("external_id").is_not_null()
    conflict |= pl.col(rule.id_field).is_not_null() if rule.id_field else pl.lit(value=False)
    offers = unclaimed.filter(~conflict) if rule.on_id_conflict == "skip" else unclaimed
    before = matched["target_id"]
    value = _values(rule)
    matched = _claim(matched, offers, value, value, rule.field, [DELIVER], unless=pl.col("linked_as_new"))
    if rule.on_id_conflict != "ask":
        return matched
    conflicting = unclaimed.filter(conflict)["target_id"].implode()
    ask = pl.col("target_id").is_in(conflicting).fill_null(value=False) & before.is_null()
    return set_where(matched, ask, candidates=1, target_id=None, claimants=pl.format("target {}", "target_id"))


def _contradicted(matched: pl.DataFrame, unclaimed: pl.DataFrame, rule: MatchRule) -> pl.DataFrame:
    """Make a match by key ambiguous that no run has confirmed yet, while another record meets an earlier rule."""
    value = _values(rule)
    met = unclaimed.select(value.alias("_met")).drop_nulls()["_met"].implode()
    unconfirmed = pl.col("linked_id").ne_missing(pl.col("target_id")) & (pl.col("matched_by") == "external_id")
    uncertain = unconfirmed & pl.col("target_id").is_not_null() & (pl.col("disposition") == DELIVER) & value.is_in(met)
    claimants = pl.format("target {}", "target_id")
    return set_where(matched, uncertain, target_id=None, matched_by=rule.field, claimants=claimants, candidates=2)


def _unmatched(target_state: pl.DataFrame, matched: pl.DataFrame) -> pl.DataFrame:
    return target_state.filter(~pl.col("target_id").is_in(matched["target_id"].drop_nulls().implode()))


def _claim(
    matched: pl.DataFrame,
    target_state: pl.DataFrame,
    mine: pl.Expr,
    theirs: pl.Expr,
    name: str,
    dispositions: Sequence[str],
    *,
    unless: pl.Expr | None = None,
) -> pl.DataFrame:
    """Match records that have no match yet; several on either side are counted, not guessed."""
    offers = target_state.select(theirs.alias("_claim"), pl.col("target_id").alias("_offer")).drop_nulls()
    offers = offers.group_by("_claim").agg(pl.col("_offer").first(), pl.len().alias("_offers"))
    waiting = pl.col("target_id").is_null() & (pl.col("candidates") == 0)
    claiming = waiting & pl.col("disposition").is_in(dispositions)
    claiming = claiming & ~unless if unless is not None else claiming
    rows = matched.with_columns(pl.when(claiming).then(mine).alias("_claim"))
    rows = rows.with_columns(pl.len().over("_claim").alias("_claims")).join(
        offers, on="_claim", how="left", maintain_order="left"
    )
    offered = pl.col("_offer").is_not_null()
    contested = offered & ((pl.col("_offers") > 1) | (pl.col("_claims") > 1))
    claimants = _claimants(rows.filter(contested), target_state, theirs)
    rows = rows.join(claimants, on="_claim", how="left", maintain_order="left")
    rows = set_where(rows, offered, matched_by=name)
    rows = set_where(rows, offered & ~contested, target_id=pl.col("_offer"))
    most = pl.max_horizontal("_offers", "_claims")
    rows = set_where(rows, contested, candidates=most, claimants=pl.col("_claimants"))
    return rows.drop("_claim", "_claims", "_offer", "_offers", "_claimants")


def _claimants(contested: pl.DataFrame, target_state: pl.DataFrame, theirs: pl.Expr) -> pl.DataFrame:
    """Return the records with the same value, by `_claim`: the target's, and NetSuite's where there are several."""
    claims = contested["_claim"].unique()
    targets = target_state.select(theirs.alias("_claim"), pl.col("target_id").alias("id"))
    targets = targets.filter(pl.col("_claim").is_in(claims.implode())).group_by("_claim").agg(_first("target", "id"))
    sources = contested.group_by("_claim").agg(_first("NetSuite", "source_id"), pl.len().alias("records"))
    sources = sources.select("_claim", pl.when(pl.col("records") > 1).then("NetSuite"))
    return targets.join(sources, on="_claim", how="left").select(
        "_claim", pl.concat_str("target", "NetSuite", separator="; ", ignore_nulls=True).alias("_claimants")
    )


def _first(system: str, ids: str) -> pl.Expr:
    """Return the first ids as text: `target 12, 34`."""
    return pl.format("{} {}", pl.lit(system), pl.col(ids).sort().head(NAMED).str.join(", ")).alias(system)
