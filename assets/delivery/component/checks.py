"""What the UI says of a plan and of a sink beside what stops them: checks, and the page of one run.

counts of a plan  ->  parents, lengths, other values, duplicates, drift       none of them stops anything
the ledger after a run  ->  rows accounted for, fates, lag; summary, diff preview, quarantine by cause, quota, report
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from assets.asset_metadata import PREVIEW_ROWS, changed_fields, duration, markdown_table
from assets.delivery.ledger.ledger import COUNTED, open_intents
from assets.delivery.plan.planner import Workflow
from assets.delivery.target import WRITING, Action
from resources.warehouse.tables import quoted
from resources.warehouse.warehouse import Warehouse

PARENTS, LENGTHS = ("parent_missing", "no_parent"), ("too_long",)
HELD = tuple(action.value for action in (Action.QUARANTINED, Action.BLOCKED, Action.AMBIGUOUS, Action.FAILED))
LAG_H = 24.0  # a run that ends so long after it read NetSuite says little of today
REPORT_URL = "/reports/run-{}.html"  # the guard before the webserver finds the run's page

PLAN_CHECKS = {
    "parents_there": "No record waits for a parent that the target does not have.",
    "lengths_fit": "No value is longer than its field.",
    "values_fit": "No record is quarantined for another value that the target would not take.",
    "no_duplicates": "No record could be several records of the target.",
    "no_drift": "Nobody has edited in the target what NetSuite decides on.",
}
SINK_CHECKS = {
    "all_sent": "Nothing failed and nothing is left over.",
    "rows_accounted_for": "Every source record of the plan has exactly one outcome.",
    "fates_known": "Of everything that was ever sent it is known whether it arrived.",
    "no_lag": f"NetSuite was read less than {LAG_H:g} hours before the last record was confirmed.",
}


def warning_specs(asset: str, checks: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    """Checks that tell and do not stop."""
    return [dg.AssetCheckSpec(name, asset=asset, description=text) for name, text in checks.items()]


def plan_checks(counted: pl.DataFrame) -> list[dg.AssetCheckResult]:
    """From the plan's counts: action, reason_code, records."""
    action, code = pl.col("action"), pl.col("reason_code").fill_null("")
    quarantined = action == Action.QUARANTINED.value
    chosen = {
        "parents_there": (action == Action.BLOCKED.value) | code.is_in(PARENTS),
        "lengths_fit": quarantined & code.is_in(LENGTHS),
        "values_fit": quarantined & ~code.is_in([*PARENTS, *LENGTHS]),
        "no_duplicates": action == Action.AMBIGUOUS.value,
        "no_drift": code.str.starts_with("drift"),
    }
    return [_told(name, counted.filter(which)) for name, which in chosen.items()]


def _told(name: str, found: pl.DataFrame) -> dg.AssetCheckResult:
    records = int(found["records"].sum())
    causes = ", ".join(f"{count} {code or action}" for action, code, count in found.sort("records").rows())
    return _warning(name, passed=not records, description=causes or "none", metadata={"records": records})


def _warning(name: str, *, passed: bool, description: str, metadata: Mapping[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name, passed=passed, severity=dg.AssetCheckSeverity.WARN, description=description, metadata=metadata
    )


@dataclass(frozen=True)
class Page:
    """What the ledger says of one run of one workflow."""

    run: Mapping[str, Any]
    held: Sequence[tuple[str, str, int, str]]
    changed: Sequence[tuple[str, str, str, list[str], str]]
    unknown: int
    read_at: datetime | None


def read_page(warehouse: Warehouse, workflow: Workflow, run_id: str) -> Page:
    """One short look into the warehouse."""
    with warehouse.writer(transaction=False) as con:
        cursor = con.execute("select * from sync_runs where run_id = ? and workflow = ?", [run_id, workflow.name])
        names = [each[0] for each in cursor.description or ()]
        rows = cursor.fetchall()
        return Page(
            dict(zip(names, rows[0], strict=True)) if rows else {},
            con.execute(_HELD, [workflow.name]).fetchall(),
            con.execute(_CHANGED.format(plan=quoted(workflow.plan)), [run_id, workflow.name]).fetchall(),
            open_intents(con, workflow.name).height,
            _read_at(con),
        )


def _read_at(con: duckdb.DuckDBPyConnection) -> datetime | None:
    found: datetime | None = con.execute("select min(watermark_at) from sync_watermarks").fetchall()[0][0]
    return found


_HELD = f"""
select action, coalesce(reason_code, ''), count(*) as records,
    array_to_string((list(source_id order by from_at, try_cast(source_id as bigint)))[:5], ', ')
from sync_decisions where workflow = ? and to_run is null and action in {HELD}
group by action, reason_code order by records desc, action
"""
_CHANGED = f"""
select source, source_id, action, [each.field for each in changes], coalesce(reason_code, '')
from {{plan}} where plan_id = (select any_value(plan_id) from sync_plans where sent_by = ? and workflow = ?)
    and action in {tuple(action.value for action in WRITING)}
order by action, source, try_cast(source_id as bigint) limit {PREVIEW_ROWS}
"""


def sink_checks(page: Page, decided: int, failed: int) -> list[dg.AssetCheckResult]:
    """The four checks of a sink, of which only the rows' is an error."""
    counted = sum(page.run.get(name) or 0 for name in COUNTED.values())
    ended = page.run.get("finished_at")
    lag_s = (ended - page.read_at).total_seconds() if ended and page.read_at else None
    return [
        _warning(
            "all_sent", passed=failed == 0, description=f"{failed} failed or left over", metadata={"failed": failed}
        ),
        dg.AssetCheckResult(
            check_name="rows_accounted_for",
            passed=counted == decided,
            description=f"{counted} outcomes for {decided} source records",
            metadata={"outcomes": counted, "source_records": decided},
        ),
        _warning(
            "fates_known", passed=page.unknown == 0, description=f"{page.unknown} of unknown fate",
            metadata={"unknown": page.unknown},
        ),
        _warning(
            "no_lag", passed=lag_s is None or lag_s < LAG_H * 3600,
            description="not known" if lag_s is None else f"NetSuite as of {duration(max(lag_s, 0))} before the end",
            metadata={"seconds": round(lag_s or 0, 1)},
        ),
    ]  # fmt: skip


def sink_metadata(page: Page, run_id: str, calls_left: int | None) -> dict[str, Any]:
    """The page of one run: what was done, what was changed, what is held back and why, what it took."""
    done = [(name, page.run[name]) for name in COUNTED.values() if page.run.get(name)]
    changed = [
        (source, number, action, changed_fields(fields), code) for source, number, action, fields, code in page.changed
    ]
    left = [] if calls_left is None else [("left for the day", calls_left)]
    spent = [("calls", page.run.get("calls") or 0), *left]
    return {
        "report": dg.MetadataValue.url(REPORT_URL.format(run_id[:8])),
        "summary": dg.MetadataValue.md(markdown_table(["outcome", "records"], done) if done else "no records"),
        "changed": dg.MetadataValue.md(
            markdown_table(["source", "NetSuite id", "action", "fields", "why"], changed) if changed else "nothing"
        ),
        "held_back": dg.MetadataValue.md(
            markdown_table(["state", "cause", "records", "first NetSuite ids"], page.held) if page.held else "nothing"
        ),
        "quota": dg.MetadataValue.md(markdown_table(["requests", ""], spent)),
        "as_of": dg.MetadataValue.timestamp(page.read_at.replace(tzinfo=UTC)) if page.read_at else "not known",
    }
