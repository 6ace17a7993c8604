"""Give every source record exactly one action, with its reason and what would change.

mart (desired) + twin (actual) + links (last confirmed)  ->  decide()  ->  plan (frame, one row per source record)

Pure functions over frames: the same inputs give the same plan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import polars as pl

from assets.delivery.mapping import DELIVER, QUARANTINE, RETIRE, SKIP
from assets.delivery.spec import MatchBy, WorkflowSpec
from assets.delivery.target import Action, TargetField

KEY = ["source", "source_id"]
PARENT = "(parent)"  # how a moved parent shows among the changed fields

PLAN_COMMENTS = {
    "source": "Staging table that the record comes from, without its prefix.",
    "source_id": "NetSuite internal id.",
    "action": "create, adopt, update, deactivate, reactivate, unchanged, skipped, blocked, quarantined or ambiguous.",
    "reason_code": "Why, as a code.",
    "reason": "Why, in words.",
    "target_id": "Internal id of the target's record; null when there is none yet.",
    "matched_by": "How the target's record was recognised: external_id, link, or the field that matched.",
    "parent_source": "Source of the parent record.",
    "parent_source_id": "NetSuite internal id of the parent record.",
    "parent_target_id": "Internal id of the parent's record in the target, when it is there already.",
    "level": "Depth in the workflow's tree; parents are sent first.",
    "changes": "What would change: field, before, after.",
    "payload": "The whole record as it shall be, as JSON.",
    "payload_hash": "Fingerprint of the mapped values.",
    "source_hash": "Fingerprint of the source columns that the mapping reads.",
}
PLAN_COLUMNS = list(PLAN_COMMENTS)

_OURS = pl.col("matched_by").is_in(["external_id", "link"])
_TOUCHED = pl.col("changes").list.eval(pl.element().struct.field("field"))
_KNOWN_PARENT = pl.coalesce("twin.parent_id", "linked_parent")

REFUSED = "the target refused it: {}"

LINK_SCHEMA = {
    "source": pl.String,
    "source_id": pl.String,
    "target_id": pl.String,
    "parent_target_id": pl.String,
    "payload_hash": pl.String,
    "workflow_version": pl.String,
}

REFUSED_SCHEMA = {
    "source": pl.String,
    "source_id": pl.String,
    "refused_hash": pl.String,
    "refused_version": pl.String,
    "refused_code": pl.String,
    "refused_reason": pl.String,
}


@dataclass(frozen=True)
class TargetShape:
    """What decide needs to know of a target."""

    key_field: str
    active_field: str
    fields: Mapping[str, TargetField]


def decide(
    spec: WorkflowSpec,
    target: TargetShape,
    mart: pl.DataFrame,
    twin: pl.DataFrame,
    links: pl.DataFrame,
    refused: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Decide for every row of the mart.

    Args:
        spec: The workflow.
        target: Key field, active field and field limits.
        mart: As `mapping.shape` returns it.
        twin: TWIN_COLUMNS and the workflow's fields: every record that the target has.
        links: LINK_SCHEMA: what was last confirmed for each source record.
        refused: REFUSED_SCHEMA: what the target refused; it is not sent again until source or workflow changed.

    Returns:
        PLAN_COLUMNS; as many rows as the mart, in the order parents before children.
    """
    fields = [name for name in spec.columns if name in mart.columns]
    judged = _validate(mart, target, fields)
    matched = _match(judged, twin, links, target, spec.match_order)
    actual = twin.rename({name: f"twin.{name}" for name in twin.columns})
    matched = matched.join(actual, left_on="target_id", right_on="twin.target_id", how="left", maintain_order="left")
    refused = pl.DataFrame(schema=REFUSED_SCHEMA) if refused is None else refused
    matched = matched.join(refused, on=KEY, how="left").with_columns(_same_refused(spec.version))
    settled = _settle_parents(matched)
    compared = _compare(settled, target, fields, spec)
    acted = _act(compared, target, spec.version)
    return acted.sort("level", "source", pl.col("source_id").str.len_chars(), "source_id").select(PLAN_COLUMNS)


def _same_refused(version: str) -> pl.Expr:
    same = (pl.col("refused_hash") == pl.col("payload_hash")) & (pl.col("refused_version") == version)
    return same.fill_null(value=False).alias("same_refused")


def _left_alone(spec: WorkflowSpec) -> dict[str, list[str]]:
    """Fields of records that exist which are not ours: written once only, or not mapped by that source at all."""
    left: dict[str, list[str]] = {}
    for record in spec.records:
        always = {row.field for row in record.rows if row.on == "always"}
        for name in spec.columns:
            if name not in always:
                left.setdefault(name, []).append(record.source)
    return left


def _validate(mart: pl.DataFrame, target: TargetShape, fields: Sequence[str]) -> pl.DataFrame:
    """Quarantine what the target is known to refuse, and what could not be found again; nothing is cut to fit."""
    key = target.key_field
    judged = _quarantine(mart, pl.col(key).is_null(), "key_blank", f"{key} is blank: it could not be found again")
    for name in fields:
        limit = target.fields.get(name)
        if limit is None:
            continue
        if limit.max_length is not None:
            long = pl.col(name).str.len_chars() > limit.max_length
            judged = _quarantine(
                judged, long, "too_long", f"{name} is longer than the target's {limit.max_length} characters"
            )
        if limit.required:
            judged = _quarantine(
                judged, pl.col(name).is_null(), "required_blank", f"{name} is blank and the target needs it"
            )
    return judged


def _quarantine(mart: pl.DataFrame, condition: pl.Expr, code: str, reason: str) -> pl.DataFrame:
    hit = condition & pl.col("disposition").eq(DELIVER)
    return mart.with_columns(
        pl.when(hit).then(pl.lit(code)).otherwise(pl.col("reason_code")).alias("reason_code"),
        pl.when(hit).then(pl.lit(reason)).otherwise(pl.col("reason")).alias("reason"),
        pl.when(hit).then(pl.lit(QUARANTINE)).otherwise(pl.col("disposition")).alias("disposition"),
    )


def _match(
    mart: pl.DataFrame, twin: pl.DataFrame, links: pl.DataFrame, target: TargetShape, rules: Sequence[MatchBy]
) -> pl.DataFrame:
    """Find the target's record of each source record: by our key, by the link, then by the workflow's rules.

    Adds target_id, matched_by, candidates (int: how many records claimed to be it) and the link's columns.
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
    return rows.with_columns(
        pl.when(found).then("_offer").otherwise("target_id").alias("target_id"),
        pl.when(found | contested).then(pl.lit(name)).otherwise("matched_by").alias("matched_by"),
        pl.when(contested).then(pl.max_horizontal("_offers", "_claimants")).otherwise("candidates").alias("candidates"),
    ).drop("_claim", "_claimants", "_offer", "_offers")


def _settle_parents(matched: pl.DataFrame) -> pl.DataFrame:
    """Let what happens to a parent decide for its children, from the top level downwards.

    Adds parent_target_id and blocked_by (null, or the reason). A child of a retired parent is retired with it.
    """
    done: list[pl.DataFrame] = []
    settled = pl.DataFrame(
        schema={
            "parent_source": pl.String,
            "parent_source_id": pl.String,
            "_state": pl.String,
            "parent_target_id": pl.String,
        }
    )
    for level in sorted(matched["level"].unique().to_list()):
        rows = matched.filter(pl.col("level") == level).join(
            settled, on=["parent_source", "parent_source_id"], how="left", maintain_order="left"
        )
        child = pl.col("parent_source_id").is_not_null()
        delivered = pl.col("disposition") == DELIVER
        retired = child & delivered & pl.col("_state").eq_missing(pl.lit(RETIRE))
        absent = child & delivered & ~retired & pl.col("_state").is_null()
        stuck = child & delivered & (pl.col("_state") == "stuck")
        adopted = retired & ~_OURS & pl.col("matched_by").is_not_null()  # what retires never adopts
        rows = rows.with_columns(
            pl.when(adopted).then(None).otherwise("target_id").alias("target_id"),
            pl.when(adopted).then(0).otherwise("candidates").cast(pl.UInt32).alias("candidates"),
            pl.when(retired).then(pl.lit(RETIRE)).otherwise("disposition").alias("disposition"),
            pl.when(retired).then(pl.lit("parent_inactive")).otherwise("reason_code").alias("reason_code"),
            pl.when(retired).then(pl.lit("switched off with its parent")).otherwise("reason").alias("reason"),
            pl.when(absent).then(pl.lit("the parent is not among the source records"))
            .when(stuck).then(pl.lit("the parent is not in the target and will not be"))
            .otherwise(None).alias("blocked_by"),
        ).drop("_state")  # fmt: skip
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
        .when(arrives | (_OURS & pl.col("target_id").is_not_null())).then(pl.lit("there"))
        .otherwise(pl.lit("stuck"))
    )  # fmt: skip
    return rows.select(
        pl.col("source").alias("parent_source"),
        pl.col("source_id").alias("parent_source_id"),
        state.alias("_state"),
        pl.col("target_id").alias("parent_target_id"),
    )


def _compare(settled: pl.DataFrame, target: TargetShape, fields: Sequence[str], spec: WorkflowSpec) -> pl.DataFrame:
    """Put desired beside actual; adds changes (list of field, before, after) and payload (JSON)."""
    there = pl.col("target_id").is_not_null() & pl.col("disposition").is_in([DELIVER, RETIRE])
    retiring = pl.col("disposition") == RETIRE
    left_alone = _left_alone(spec)
    desired, changes = [], []
    for name in fields:
        before = pl.col(f"twin.{name}")
        alone = pl.col("source").is_in(left_alone.get(name, [])) & there
        wanted = pl.when(retiring | alone).then(before).otherwise(pl.col(name))
        if name == target.active_field:
            wanted = pl.when(retiring).then(pl.lit("0")).otherwise(wanted)
        desired.append(wanted.alias(name))
        differs = there & wanted.ne_missing(before)
        change = pl.struct(pl.lit(name).alias("field"), before.alias("before"), wanted.alias("after"))
        changes.append(pl.when(differs).then(change))
    change = pl.struct(
        pl.lit(PARENT).alias("field"), _KNOWN_PARENT.alias("before"), pl.col("parent_target_id").alias("after")
    )
    changes.append(pl.when(there & _moved(spec)).then(change))
    payload = pl.struct(desired) if desired else pl.struct(pl.lit(None))
    compared = settled.with_columns(
        pl.concat_list(changes).list.drop_nulls().alias("changes"),
        payload.struct.json_encode().alias("payload"),
    )
    return _monitored(compared, target, spec)


def _moved(spec: WorkflowSpec) -> pl.Expr:
    """Whether the parent is another one now; `after` is null for the top and for a parent that is yet to be made."""
    ours = pl.col("source").is_in([record.source for record in spec.records if record.parent])
    settled = (pl.col("disposition") == DELIVER) & pl.col("blocked_by").is_null()
    return ours & settled & _KNOWN_PARENT.is_not_null() & _KNOWN_PARENT.ne_missing(pl.col("parent_target_id"))


def _monitored(compared: pl.DataFrame, target: TargetShape, spec: WorkflowSpec) -> pl.DataFrame:
    """Drop the changes of records of which no monitored field changed."""
    if spec.monitored == "mapped":
        return compared
    watched = [*spec.monitored, target.key_field, target.active_field, PARENT]
    seen = _TOUCHED.list.eval(pl.element().is_in(watched)).list.any()
    nothing = pl.col("changes").list.head(0)
    return compared.with_columns(pl.when(seen).then("changes").otherwise(nothing).alias("changes"))


def _act(compared: pl.DataFrame, target: TargetShape, version: str) -> pl.DataFrame:
    """Name the action and its reason."""
    there = pl.col("target_id").is_not_null()
    differs = pl.col("changes").list.len() > 0
    wakes = _TOUCHED.list.contains(target.active_field) & (pl.col("twin.is_active") == pl.lit(value=False))
    edited = pl.col("confirmed_hash").eq_missing(pl.col("payload_hash"))
    told = pl.format("{} in the target: {}", pl.col("changes").list.len(), _TOUCHED.list.join(", "))
    keep = pl.col("reason_code"), pl.col("reason")
    cases: list[tuple[pl.Expr, Action, pl.Expr, pl.Expr]] = [
        (pl.col("disposition") == SKIP, Action.SKIPPED, *keep),
        (pl.col("disposition") == QUARANTINE, Action.QUARANTINED, *keep),
        (
            pl.col("candidates") > 0,
            Action.AMBIGUOUS,
            pl.lit("several_candidates"),
            pl.format("{} records claim the same {}; link one by hand", pl.col("candidates"), pl.col("matched_by")),
        ),
        ((pl.col("disposition") == RETIRE) & ~there, Action.SKIPPED, *keep),
        ((pl.col("disposition") == RETIRE) & differs, Action.DEACTIVATE, *keep),
        (
            (pl.col("disposition") == RETIRE) & pl.col("twin.is_active"),
            Action.QUARANTINED,
            pl.lit("cannot_deactivate"),
            pl.format("{}; map the field {} so that it can be switched off", "reason", pl.lit(target.active_field)),
        ),
        (
            pl.col("disposition") == RETIRE,
            Action.UNCHANGED,
            pl.col("reason_code"),
            pl.format("{}; already off", pl.col("reason")),
        ),
        (pl.col("blocked_by").is_not_null(), Action.BLOCKED, pl.lit("parent_missing"), pl.col("blocked_by")),
        (
            pl.col("same_refused") & (~there | differs),
            Action.QUARANTINED,
            pl.concat_str(
                [pl.lit("rejected"), pl.col("refused_code").replace("", None)], separator="_", ignore_nulls=True
            ),
            pl.format(REFUSED, pl.col("refused_reason")),
        ),
        (~there, Action.CREATE, pl.lit("new"), pl.lit("not in the target yet")),
        (
            ~_OURS,
            Action.ADOPT,
            pl.lit("matched"),
            pl.format("the target has it already, by the same {}", pl.col("matched_by")),
        ),
        (differs & wakes, Action.REACTIVATE, pl.lit("live_again"), pl.format("live in NetSuite; {}", told)),
        (
            differs & edited & pl.col("confirmed_version").eq_missing(pl.lit(version)),
            Action.UPDATE,
            pl.lit("drift"),
            pl.format("edited in the target since; {}", told),
        ),
        (
            differs & pl.col("confirmed_version").is_not_null() & (pl.col("confirmed_version") != version),
            Action.UPDATE,
            pl.lit("workflow_changed"),
            pl.format("the workflow was edited; {}", told),
        ),
        (differs, Action.UPDATE, pl.lit("source_changed"), pl.format("differs: {}", told)),
    ]
    default = (Action.UNCHANGED, pl.lit("identical"), pl.lit("the target already has these values"))

    def pick(position: int) -> pl.Expr:
        start = _cell(default[position - 1])
        return reduce(
            lambda rest, case: pl.when(case[0].fill_null(value=False)).then(_cell(case[position])).otherwise(rest),
            reversed(cases),
            start,
        )

    return compared.with_columns(pick(1).alias("action"), pick(2).alias("reason_code"), pick(3).alias("reason"))


def _cell(value: Action | pl.Expr) -> pl.Expr:
    return pl.lit(value.value) if isinstance(value, Action) else value
