"""Give every source record exactly one action, with its reason and what would change.

mart (desired) + target state (actual) + links (last confirmed)  ->  decide()  ->  plan (frame, one row per source record)

Pure functions over frames: the same inputs give the same plan.
"""

from functools import reduce

import polars as pl

from assets.delivery.diff.compare import Beside, compare, forget_edited, validate
from assets.delivery.diff.matching import match
from assets.delivery.diff.parents import settle_parents
from assets.delivery.mart.transform import QUARANTINE, RETIRE, SKIP
from assets.delivery.schemas import (
    BY_HAND,
    HOLD_SCHEMA,
    KEY,
    OURS,
    PLAN_COLUMNS,
    REFUSED,
    REFUSED_SCHEMA,
    TOUCHED,
    TargetShape,
)
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import TARGET_STATE_COLUMNS, Action


def decide(
    spec: WorkflowSpec,
    target: TargetShape,
    mart: pl.DataFrame,
    target_state: pl.DataFrame,
    links: pl.DataFrame,
    refused: pl.DataFrame | None = None,
    holds: pl.DataFrame | None = None,
    pins: pl.DataFrame | None = None,
    places: pl.DataFrame | None = None,
    above: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Decide for every row of the mart.

    Args:
        spec: The workflow.
        target: Key field, active field and field limits.
        mart: As `mapping.shape` returns it.
        target state: TARGET_STATE_COLUMNS and the workflow's fields: every record that the target has.
        links: LINK_SCHEMA: what was last confirmed for each source record.
        refused: REFUSED_SCHEMA: what the target refused; it is not sent again until source or workflow changed.
        holds: HOLD_SCHEMA: what an undo put back; it is left alone until source or workflow changed.
        pins: PIN_SCHEMA: what a person decided about which record is which.
        places: PLACE_SCHEMA: parents that other workflows deliver.
        above: ABOVE_SCHEMA: what is known already of parents that are not in this part of the mart.

    Returns:
        PLAN_COLUMNS; as many rows as the mart, in the order parents before children.
    """
    fields = [name for name in spec.columns if name in mart.columns]
    judged = validate(mart, target, fields)
    # a frame of many columns is heavy to join: most of them are looked at one by one, where they are
    rules = spec.match_order
    keyed = {target.key_field, *(rule.field for rule in rules), *(rule.stored_id for rule in rules if rule.stored_id)}
    slim = judged.drop([name for name in fields if name not in keyed]).with_row_index("_mart")
    slim_target_state = target_state.select(
        [*TARGET_STATE_COLUMNS, *(name for name in keyed if name in target_state.columns)]
    )
    matched = match(slim, slim_target_state, links, target, rules, doubting=spec.doubting, pins=pins)
    actual = target_state.select("target_id", "is_active", "parent_id").with_row_index("_target_state")
    actual = actual.rename({name: f"target_state.{name}" for name in ("target_id", "is_active", "parent_id")})
    matched = matched.join(
        actual, left_on="target_id", right_on="target_state.target_id", how="left", maintain_order="left"
    )
    matched = _remember(matched, refused, holds, spec.version)
    settled = settle_parents(matched, places, above)
    compared = forget_edited(compare(settled, Beside(judged, target_state), target, fields, spec))
    acted = _act(compared, target, spec)
    # what is not sent needs no payload; the mart has its values
    sent = pl.col("action").is_in([action.value for action in Action if action.writes])
    acted = acted.with_columns(pl.when(sent).then("payload"))
    return acted.sort("level", "source", pl.col("source_id").str.len_chars(), "source_id").select(PLAN_COLUMNS)


def _remember(
    matched: pl.DataFrame, refused: pl.DataFrame | None, holds: pl.DataFrame | None, version: str
) -> pl.DataFrame:
    """Add what the ledger knows against sending the same values again: same_refused, held."""

    def same(word: str) -> pl.Expr:
        unchanged = (pl.col(f"{word}_hash") == pl.col("payload_hash")) & (pl.col(f"{word}_version") == version)
        return unchanged.fill_null(value=False)

    refused = pl.DataFrame(schema=REFUSED_SCHEMA) if refused is None else refused
    holds = pl.DataFrame(schema=HOLD_SCHEMA) if holds is None else holds
    matched = matched.join(refused, on=KEY, how="left", maintain_order="left")
    matched = matched.join(holds, on=KEY, how="left", maintain_order="left")
    alike = pl.col("held_disposition").eq_missing(pl.col("disposition"))
    return matched.with_columns(same("refused").alias("same_refused"), (same("held") & alike).alias("held"))


def _act(compared: pl.DataFrame, target: TargetShape, spec: WorkflowSpec) -> pl.DataFrame:
    """Name the action and its reason."""
    there = pl.col("target_id").is_not_null()
    differs = pl.col("changes").list.len() > 0
    wakes = TOUCHED.list.contains(target.active_field) & (pl.col("target_state.is_active") == pl.lit(value=False))
    edited = pl.col("confirmed_hash").eq_missing(pl.col("payload_hash"))
    told = pl.format("{} in the target: {}", pl.col("changes").list.len(), TOUCHED.list.join(", "))
    keep = pl.col("reason_code"), pl.col("reason")
    drifted = differs & OURS & edited & pl.col("confirmed_version").eq_missing(pl.lit(spec.version))
    cases: list[tuple[pl.Expr, Action, pl.Expr, pl.Expr]] = [
        (pl.col("disposition") == SKIP, Action.SKIPPED, *keep),
        (pl.col("disposition") == QUARANTINE, Action.QUARANTINED, *keep),
        (
            pl.col("candidates") > 0,
            Action.AMBIGUOUS,
            pl.lit("several_candidates"),
            _AMBIGUOUS,
        ),
        (
            pl.col("held"),
            Action.SKIPPED,
            pl.lit("undone"),
            pl.format(
                "undone (run {}); left alone until NetSuite or the workflow changes", pl.col("undone_run").str.head(8)
            ),
        ),
        ((pl.col("disposition") == RETIRE) & ~there, Action.SKIPPED, *keep),
        ((pl.col("disposition") == RETIRE) & differs, Action.DEACTIVATE, *keep),
        (
            (pl.col("disposition") == RETIRE) & pl.col("target_state.is_active"),
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
        (
            ~there & pl.lit(not spec.create),
            Action.SKIPPED,
            pl.lit("no_match"),
            pl.lit("the target has no such record, and this workflow adds none"),
        ),
        (~there, Action.CREATE, pl.lit("new"), pl.lit("not in the target yet")),
        (
            ~OURS,
            Action.ADOPT,
            pl.lit("matched"),
            pl.when(pl.col("matched_by") == BY_HAND)
            .then(pl.lit("a person said that it is this record"))
            .otherwise(pl.format("the target has it already, by the same {}", pl.col("matched_by"))),
        ),
        (
            pl.col("kept_so"),
            Action.UNCHANGED,
            pl.lit("kept_so"),
            pl.format("the target keeps it so; {}", told),
        ),
        *_drift_policy(spec, drifted, told),
        (differs & wakes, Action.REACTIVATE, pl.lit("live_again"), pl.format("live in NetSuite; {}", told)),
        (
            drifted,
            Action.UPDATE,
            pl.lit("drift"),
            pl.format("edited in the target since; {}", told),
        ),
        (
            differs & pl.col("confirmed_version").is_not_null() & (pl.col("confirmed_version") != spec.version),
            Action.UPDATE,
            pl.lit("workflow_changed"),
            pl.format("the workflow was edited; {}", told),
        ),
        (differs, Action.UPDATE, pl.lit("source_changed"), pl.format("differs: {}", told)),
        (
            pl.col("unwatched").list.len() > 0,
            Action.UNCHANGED,
            pl.lit("not_monitored"),
            pl.format("differs only in fields that are not monitored: {}", pl.col("unwatched").list.join(", ")),
        ),
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


def _drift_policy(
    spec: WorkflowSpec, drifted: pl.Expr, told: pl.Expr
) -> list[tuple[pl.Expr, Action, pl.Expr, pl.Expr]]:
    """What becomes of an edit by hand when the workflow does not restore it."""
    if spec.drift == "restore":
        return []
    words = {"report": "left as it is", "adopt": "taken as it is until NetSuite changes"}[spec.drift]
    reason = pl.format("edited in the target since, {}; {}", pl.lit(words), told)
    return [(drifted, Action.UNCHANGED, pl.lit(f"drift_{spec.drift}ed"), reason)]


_WHO = (pl.lit(" (") + pl.col("contenders") + pl.lit(")")).fill_null("")
_SAME = pl.lit(" the same ") + pl.col("matched_by") + _WHO
# joined by +, not by pl.format: that one, nested in itself, fails on some frames (polars 2.1)
_AMBIGUOUS = (
    pl.when(pl.col("matched_by") == BY_HAND)
    .then(pl.lit("the record that was linked by hand is not there, or is linked twice; `millpond link` another one"))
    .when(pl.col("candidates") == 1)
    .then(pl.lit("a record with") + _SAME + pl.lit(" holds another id; `millpond link` says whether it is it"))
    .otherwise(
        pl.col("candidates").cast(pl.String)
        + pl.lit(" records claim")
        + _SAME
        + pl.lit("; `millpond link` says which is it")
    )
)


def _cell(value: Action | pl.Expr) -> pl.Expr:
    return pl.lit(value.value) if isinstance(value, Action) else value
