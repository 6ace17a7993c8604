"""The table of cases that gives every record its action, reason code and reason.

compared records  ->  choose_actions()  ->  action, reason_code, reason
"""

import polars as pl

from assets.delivery.cases import Case, SqlCase, first_match, sql_first_match
from assets.delivery.diff.edits import EDITED_OR_SENT
from assets.delivery.schemas import (
    BLOCK,
    HOLD,
    LEFT_SILENTLY,
    LOST_CREATE,
    MANUAL,
    MOVED_KEY,
    NEAR,
    NOT_ASKED,
    NOT_SHOWN,
    OURS,
    QUARANTINE,
    REJECTED_REASON,
    RETIRE,
    SKIP,
    TOUCHED,
    TargetShape,
)
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Action

# The cases in which nothing is written, in order; the prefilter evaluates the same text in DuckDB.
NOT_SELECTED = SqlCase(f"disposition = '{SKIP}'", Action.SKIPPED)
QUARANTINED = SqlCase(f"disposition = '{QUARANTINE}'", Action.QUARANTINED)
UNREAD = SqlCase(f"disposition = '{BLOCK}'", Action.BLOCKED)
# of a held record, the prefilter has only those that are not in the target, or inactive there
NEVER_CREATED = SqlCase(f"disposition in ('{RETIRE}', '{HOLD}') and target_id is null", Action.SKIPPED)
INACTIVE = SqlCase(
    f"disposition in ('{RETIRE}', '{HOLD}')", Action.UNCHANGED, reason="reason || '; already inactive in the target'"
)
IDENTICAL = SqlCase("true", Action.UNCHANGED, "'identical'", "'the target already has these values'")
NO_WRITE_SQL = sql_first_match([NOT_SELECTED, QUARANTINED, UNREAD, NEVER_CREATED, INACTIVE, IDENTICAL])

EXISTS = pl.col("target_id").is_not_null()
DIFFERS = pl.col("changes").list.len() > 0
FIELDS = TOUCHED.list.join(", ")
RESTORED = pl.col("restored").is_not_null()
EDITED_HOW = pl.when(RESTORED).then(pl.lit(EDITED_OR_SENT)).otherwise(pl.lit("edited in the target"))
# no field that differs shows what our last write left there
ALL_EDITED = (TOUCHED.list.set_difference(pl.col("edited").str.split(", ")).list.len() == 0).fill_null(value=False)
UNKNOWN = RESTORED & ALL_EDITED  # an edit, or what a run sent after the backup


def choose_actions(
    compared: pl.DataFrame, target: TargetShape, spec: WorkflowSpec, *, monitored: bool = True
) -> pl.DataFrame:
    """Add the action, and the reason with its code, of every record; see `decide`."""
    undone = "undone (run {}); not sent again until the NetSuite record or the workflow changes"
    unmonitored = pl.format("differs only in fields that are not monitored: {}", pl.col("unmonitored").list.join(", "))
    cases = [
        _reported(),
        NOT_SELECTED.case,
        QUARANTINED.case,
        UNREAD.case,
        Case(pl.col("candidates") > 0, Action.AMBIGUOUS, _ambiguity_code(), _ambiguity()),
        Case(pl.col("held"), Action.SKIPPED, "undone", pl.format(undone, pl.col("undone_run").str.head(8))),
        *_retired(target),
        Case(pl.col("blocked_by").is_not_null(), Action.BLOCKED, "parent_missing", pl.col("blocked_by")),
        *_not_ours_yet(spec),
        *_differing(target, spec, monitored=monitored),
        Case(pl.col("unmonitored").list.len() > 0, Action.UNCHANGED, "not_monitored", unmonitored),
    ]
    action, code, reason = first_match(cases, IDENTICAL.case)
    decided = compared.with_columns(action.alias("action"), code.alias("reason_code"), reason.alias("reason"))
    says_drift = pl.col("reason_code").is_in(["drift", "drift_reported", "drift_adopted"])
    as_well = pl.format("{}; {}: {}", "reason", EDITED_HOW, "edited")
    return decided.with_columns(
        pl.when(pl.col("edited").is_not_null() & ~says_drift).then(as_well).otherwise("reason").alias("reason")
    )


def _reported() -> Case:
    """Return the case of a record that should not be in the target, is active there, and is to be reported."""
    code = pl.col("reason_code")
    policy = pl.when(code.is_in(["inactive", "deleted"])).then(code).otherwise(pl.lit("out_of_scope"))
    advice = "{}, but active in the target: deactivate it there, or set lifecycle.{} to deactivate"
    when = (pl.col("disposition") == SKIP) & EXISTS & pl.col("target_state.is_active").ne_missing(pl.lit(value=False))
    when &= ~code.is_in(LEFT_SILENTLY)
    return Case(when, Action.QUARANTINED, code, pl.format(advice, pl.col("reason"), policy))


def _retired(target: TargetShape) -> list[Case]:
    retired, code, reason = pl.col("disposition") == RETIRE, pl.col("reason_code"), pl.col("reason")
    unmapped = pl.format("{}, but cannot be deactivated: map the field {}", reason, pl.lit(target.active_field))
    active = retired & pl.col("target_state.is_active")
    held = (pl.col("disposition") == HOLD) & pl.col("target_state.is_active").ne_missing(pl.lit(value=False))
    known = retired & ~EXISTS & pl.col("candidates").eq(0)
    hidden = pl.format(
        "{}, but the target no longer shows the linked record, and does not list it as deleted, so that it may be"
        " active: give the integration user access to it again, for example in its filter set", reason,
    )  # fmt: skip
    unknown = pl.format("{}; whether it is inactive in the target could not be checked; the next run continues", reason)
    return [
        Case(known & (pl.col("deleted_code") == NOT_SHOWN), Action.QUARANTINED, NOT_SHOWN, hidden),
        Case(known & (pl.col("deleted_code") == NOT_ASKED), Action.SKIPPED, NOT_ASKED, unknown),
        NEVER_CREATED.case,
        Case(held, Action.QUARANTINED, code, reason),
        Case(retired & DIFFERS, Action.DEACTIVATE, code, reason),
        Case(active, Action.QUARANTINED, "cannot_deactivate", unmapped),
        INACTIVE.case,
    ]


def _not_ours_yet(spec: WorkflowSpec) -> list[Case]:
    """Return the cases of records that the target rejected, does not have, or has without our key."""
    code = pl.concat_str(
        pl.lit("rejected"), pl.col("rejected_code").replace("", None), separator="_", ignore_nulls=True
    )
    rejected = pl.col("rejected_before") & (~EXISTS | DIFFERS)
    by_rule = pl.format("already in the target, matched by {}", pl.col("matched_by"))
    how = pl.when(pl.col("matched_by") == MANUAL).then(pl.lit("linked manually")).otherwise(by_rule)
    deleted = (
        "the linked record was deleted in the target: `millpond link` with `new` creates it again, or with another"
        " record's id; or deactivate it in NetSuite"
    )
    hidden = (
        "the target no longer shows the linked record, and does not list it as deleted: give the integration user"
        " access to it again, for example in its filter set; or, if it is gone, `millpond link` with `new` creates it"
        " again"
    )
    gone = pl.when(pl.col("deleted_code") == NOT_SHOWN).then(pl.lit(hidden)).otherwise(pl.lit(deleted))
    uncreated = "not in the target, and this workflow creates no records"
    return [
        Case(rejected, Action.QUARANTINED, code, pl.format(REJECTED_REASON, pl.col("rejected_reason"))),
        Case(pl.col("gone"), Action.QUARANTINED, pl.col("deleted_code"), gone),
        Case(~EXISTS & pl.lit(not spec.create), Action.SKIPPED, "no_match", uncreated),
        Case(~EXISTS, Action.CREATE, "new", "not in the target yet"),
        Case(~OURS, Action.ADOPT, "matched", how),
    ]


def _differing(target: TargetShape, spec: WorkflowSpec, *, monitored: bool) -> list[Case]:
    """Return the cases of records of ours that differ, with the cause."""
    confirmed = pl.col("confirmed_hash").eq_missing(pl.col("payload_hash"))
    # another file can be the cause, such as one that monitors more fields; but not of what was edited since
    same_file = pl.col("confirmed_version").eq_missing(pl.lit(spec.version))
    drifted = DIFFERS & OURS & confirmed & (same_file | ALL_EDITED)
    if not monitored:  # what was not monitored was never sent, so that it differs without an edit in the target
        drifted &= pl.col("edited").is_not_null()
    drifted |= DIFFERS & OURS & UNKNOWN
    inactive = pl.col("target_state.is_active") == pl.lit(value=False)
    reactivates = DIFFERS & TOUCHED.list.contains(target.active_field) & inactive
    edited = DIFFERS & pl.col("confirmed_version").is_not_null() & (pl.col("confirmed_version") != spec.version)
    return [
        Case(pl.col("normalized"), Action.UNCHANGED, "kept_so", pl.format("normalized by the target: {}", FIELDS)),
        *_unrestored(spec, drifted),
        Case(reactivates, Action.REACTIVATE, "live_again", pl.format("active in NetSuite; differs in: {}", FIELDS)),
        Case(drifted, Action.UPDATE, "drift", pl.format("{}: {}", EDITED_HOW, FIELDS)),
        Case(edited, Action.UPDATE, "workflow_changed", pl.format("the workflow changed; differs in: {}", FIELDS)),
        Case(DIFFERS, Action.UPDATE, "source_changed", pl.format("differs in: {}", FIELDS)),
    ]


def _unrestored(spec: WorkflowSpec, drifted: pl.Expr) -> list[Case]:
    """Return the case of an edit in the target that the workflow does not undo."""
    if spec.drift == "restore":
        return []
    outcome = {"report": "not restored", "adopt": "accepted until the NetSuite record changes"}[spec.drift]
    reason = pl.format("{} and {}: {}", EDITED_HOW, pl.lit(outcome), FIELDS)
    return [Case(drifted, Action.UNCHANGED, f"drift_{spec.drift}ed", reason)]


def _ambiguity_code() -> pl.Expr:
    return pl.when(pl.col("matched_by") == NEAR).then(pl.lit(NEAR)).otherwise(pl.lit("several_candidates"))


def _ambiguity() -> pl.Expr:
    # joined by +, not by pl.format: nested in itself it fails on some frames (polars 2.1)
    claimants = (pl.lit(" (") + pl.col("claimants") + pl.lit(")")).fill_null("")
    same = pl.lit(" the same ") + pl.col("matched_by") + claimants
    other_id = pl.lit(" has a different NetSuite id; confirm the match with `millpond link`")
    several = pl.lit("; choose one with `millpond link`")
    nearly = "differs in case, spaces or Unicode form only from "
    which = pl.lit(nearly) + pl.col("claimants") + pl.lit("; choose it with `millpond link`, or `new`, or rename one")
    corrected = ": correct the id in the target, or choose the record with `millpond link`, or `new` if there is none"
    invalid = "the manually linked record is missing or linked twice; link another one with `millpond link`"
    return (
        pl.when(pl.col("matched_by") == MANUAL)
        .then(pl.lit(invalid))
        .when(pl.col("matched_by") == NEAR)
        .then(which)
        .when(pl.col("matched_by") == MOVED_KEY)
        .then(pl.col("claimants") + pl.lit(corrected))
        .when(pl.col("matched_by") == LOST_CREATE)
        .then(pl.col("claimants") + pl.lit("; choose one with `millpond link`, or `new` if none"))
        .when(pl.col("candidates") == 1)
        .then(pl.lit("a target record with") + same + other_id)
        .otherwise(pl.col("candidates").cast(pl.String) + pl.lit(" records share") + same + several)
    )
