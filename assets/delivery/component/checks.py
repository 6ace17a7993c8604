"""The asset checks of a workflow: their specs, and their results.

mart, plan    MART_CHECKS, PLAN_GATES     errors; a failed check stops the downstream assets
plan, sync    PLAN_CHECKS, SYNC_CHECKS    warnings, except rows_accounted_for
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from assets.delivery.component.asset_spec import CONSOLE_PLAN, GUARD
from assets.delivery.component.sync_summary import SyncSummary
from assets.delivery.ledger.shadows import active_shadow
from assets.delivery.plan.guards import Tripped
from assets.delivery.plan.planner import Planned
from assets.delivery.plan.soundness import count_decisions, count_mart
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import Action
from assets.result_texts import duration

PARENTS = ("parent_missing", "no_parent")
LAG_H = 24.0  # a run that ends this long after reading NetSuite delivers outdated data

MART_CHECKS = {
    "key_is_unique": "Every delivered record has a key, and no two have the same one.",
    "rows_accounted_for": "Every source record is in the mart exactly once, delivered or with the reason why not.",
}
PLAN_GATES = {
    "one_decision_each": "Every source record has exactly one decision.",
    GUARD: "The plan stays within the workflow's limits; a failed check stops the delivery.",
}
PLAN_CHECKS = {
    "every_record_fits": "No record waits for a parent, and none has a value that the target would reject: correct it"
    " in NetSuite, or the workflow file.",
    "target_as_expected": "No record matches several of the target, and no value that NetSuite decides on was edited"
    " there: look at the target.",
}
SYNC_CHECKS = {
    "all_sent": "No record failed; the next run sends the deferred ones.",
    "rows_accounted_for": "Every source record of the plan has exactly one outcome.",
    "outcomes_known": "Every request that was ever sent has a known outcome.",
    "no_lag": f"NetSuite was read less than {LAG_H:g} hours before the run ended.",
}


def check_specs(asset: str, checks: Mapping[str, str], *, blocking: bool = False) -> list[dg.AssetCheckSpec]:
    """Return the specs of an asset's checks; a blocking check that fails stops the downstream assets."""
    return [dg.AssetCheckSpec(name, asset=asset, description=text, blocking=blocking) for name, text in checks.items()]


def check_result(
    name: str, description: str, *, passed: bool, warn: bool = False, **metadata: Any
) -> dg.AssetCheckResult:
    """Return the result of a check; `warn` makes a failure a warning."""
    severity = dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckResult(
        check_name=name, passed=passed, severity=severity, description=description, metadata=metadata
    )


def mart_checks(con: duckdb.DuckDBPyConnection, workflow: Workflow, key_field: str) -> list[dg.AssetCheckResult]:
    """Evaluate MART_CHECKS on the table mart_<workflow>."""
    counts = count_mart(con, workflow, key_field)
    unusable = counts.blank + counts.shared
    return [
        check_result("key_is_unique", counts.keys, passed=not unusable, blank=counts.blank, duplicated=counts.shared),
        check_result(
            "rows_accounted_for", counts.accounted, passed=counts.are_complete, source_records=counts.sources,
            mart_rows=counts.rows,
        ),
    ]  # fmt: skip


def plan_gates(con: duckdb.DuckDBPyConnection, workflow: Workflow, planned: Planned) -> list[dg.AssetCheckResult]:
    """Evaluate PLAN_GATES: the stored plan against the mart that it was made from, and the guards."""
    counts = count_decisions(con, workflow, planned.plan_id)
    passed = counts.are_sound and counts.records == planned.records
    shadow = active_shadow(con, workflow.name)
    return [
        check_result(
            "one_decision_each", str(counts), passed=passed, records=counts.records, undecided=counts.undecided
        ),
        _unguarded(shadow.sentence, planned.plan_id) if shadow else _guard(planned.plan_id, planned.tripped),
    ]


def _unguarded(sentence: str, plan_id: str) -> dg.AssetCheckResult:
    """Return the guard of a plan in shadow mode, whose limits stop nothing: it is compared, and expires unsent."""
    return check_result(GUARD, sentence, passed=True, plan_id=plan_id)


def _guard(plan_id: str, tripped: Sequence[Tripped]) -> dg.AssetCheckResult:
    listed = "\n".join(f"- {each.reason}" for each in tripped)
    approval = (
        f"Plan {plan_id} waits for approval: send it with `millpond apply {plan_id}`, or drop it with"
        f" `millpond reject {plan_id}`; the jobs apply_plan and reject_plan do the same, with `plan_id: {plan_id}`."
    )
    text = " ".join([*(f"{each.reason}." for each in tripped), approval]) if tripped else "within the limits"
    return check_result(
        GUARD, text, passed=not tripped, tripped=dg.MetadataValue.md(listed or "none"), plan_id=plan_id,
        review=dg.MetadataValue.url(CONSOLE_PLAN.format(plan_id)),
    )  # fmt: skip


def plan_checks(counts: pl.DataFrame) -> list[dg.AssetCheckResult]:
    """Evaluate PLAN_CHECKS on a plan's counts: action, reason_code, records."""
    action, code = pl.col("action"), pl.col("reason_code").fill_null("")
    found = {
        "every_record_fits": action.is_in([Action.BLOCKED.value, Action.QUARANTINED.value]) | code.is_in(PARENTS),
        "target_as_expected": (action == Action.AMBIGUOUS.value) | code.str.starts_with("drift"),
    }
    return [_counted(name, counts.filter(rows)) for name, rows in found.items()]


def _counted(name: str, counts: pl.DataFrame) -> dg.AssetCheckResult:
    records = int(counts["records"].sum())
    causes = ", ".join(f"{count} {code or action}" for action, code, count in counts.sort("records").rows())
    return check_result(name, causes or "none", passed=not records, warn=True, records=records)


def sync_checks(summary: SyncSummary, decided: int, counts: Mapping[str, int]) -> list[dg.AssetCheckResult]:
    """Evaluate SYNC_CHECKS on a run that decided on `decided` records with these counts by outcome."""
    failed, deferred, unknown, lag_s = counts["failed"], counts["deferred"], summary.unknown, summary.lag_s
    outcomes, recent = sum(summary.counts.values()), lag_s is None or lag_s < LAG_H * 3600
    left, totals = f"{failed} failed, {deferred} deferred", f"{outcomes} outcomes for {decided} source records"
    open_requests = f"{unknown} requests without a known outcome"
    lag = "not known" if lag_s is None else f"NetSuite was read {duration(max(lag_s, 0))} before the run ended"
    return [
        check_result("all_sent", left, passed=not failed, warn=True, failed=failed, deferred=deferred),
        check_result(
            "rows_accounted_for", totals, passed=outcomes == decided, outcomes=outcomes, source_records=decided
        ),
        check_result("outcomes_known", open_requests, passed=not unknown, warn=True, unknown=unknown),
        check_result("no_lag", lag, passed=recent, warn=True, seconds=round(lag_s or 0, 1)),
    ]
