"""The changes of a report say what became of each, and the page stays small."""

import json

import polars as pl
import pytest

from assets.delivery.ledger.tables import ensure_ledger
from assets.warehouse.run_report.page import render
from assets.warehouse.run_report.queries import RunReport, collect_report
from resources.warehouse.tables import insert_frame, replace_table
from resources.warehouse.warehouse import Warehouse

FIELDS = ["run_id", "workflow", "plan_id", "state", "position"]
MAX_PAGE = 5_000_000  # a page still opens on a telephone


def stored(warehouse: Warehouse, runs: list[tuple[object, ...]], writes: dict[str, str], value: str = "b") -> None:
    """Store runs, and a plan `p` of the run `made` with these actions by source id."""
    changes = pl.DataFrame({"source_id": list(writes), "action": list(writes.values())}).with_columns(
        source=pl.lit("customers"), plan_id=pl.lit("p"), run_id=pl.lit("made"), reason=pl.lit("because"),
        parent_source=pl.lit(None, dtype=pl.String), parent_source_id=pl.lit(None, dtype=pl.String),
        changes=pl.lit([{"field": "name", "before": "a", "after": value}]),
    )  # fmt: skip
    with warehouse.writer() as con:
        ensure_ledger(con)
        replace_table(con, "plan_flow", changes)
        insert_frame(con, "sync_runs", pl.DataFrame(runs, schema=FIELDS, orient="row"))
        con.execute("update sync_runs set started_at = timestamp '2026-11-16 06:00:00', seconds = 1, calls = 1")
        con.execute(
            "insert into sync_plans by name select 'p' as plan_id, 'flow' as workflow, 'made' as made_by, 1 as position"
        )


def answered(warehouse: Warehouse, run_id: str, *rows: tuple[str, str, str]) -> None:
    """Store attempts of a run: source id, state, reason."""
    attempts = pl.DataFrame(rows, schema=["source_id", "state", "reason"], orient="row").with_columns(
        source=pl.lit("customers"), workflow=pl.lit("flow"), run_id=pl.lit(run_id),
        position=pl.int_range(pl.len(), dtype=pl.Int64),
    )  # fmt: skip
    with warehouse.writer() as con:
        insert_frame(con, "sync_attempts", attempts)


def report_of(warehouse: Warehouse, run_id: str, *, hides: bool = False) -> RunReport:
    """Return the report of a run."""
    found = collect_report(warehouse, run_id, hides=hides)
    assert found is not None
    return found


def outcomes(report: RunReport) -> dict[str, tuple[str, str]]:
    """Return outcome and answer by source id."""
    return {each["id"]: (each["outcome"], each["answer"]) for each in report.changes}


WRITES = {"1269": "create", "2": "update", "3": "create", "4": "deactivate", "5": "create"}


@pytest.mark.parametrize("sender", ["made", "an approved plan"])
def test_only_what_the_target_carried_out_is_listed_as_done(warehouse: Warehouse, sender: str) -> None:
    """A rejected record was not created; a run that sends an approved plan of another run reports it as well."""
    stored(
        warehouse,
        [("made", "flow", None, "planned", 1), (sender, "flow", "p", "partial", 2)][sender == "made" :],
        WRITES,
    )
    answered(
        warehouse, sender, ("1269", "intent", ""), ("2", "intent", ""), ("4", "intent", ""), ("5", "intent", ""),
        ("1269", "rejected", "too long"), ("2", "confirmed", ""), ("4", "unknown", "timeout"), ("5", "found", "seen"),
    )  # fmt: skip

    report = report_of(warehouse, sender)

    assert outcomes(report) == {
        "1269": ("create rejected", "too long"), "2": ("updated", ""), "3": ("create not sent", ""),
        "4": ("deactivate without a known outcome", "timeout"), "5": ("created", ""),
    }  # fmt: skip
    assert [each["outcome"] for each in report.changes][-2:] == ["created", "updated"], "what failed is first"
    assert "too long" not in json.dumps(report_of(warehouse, sender, hides=True).changes)


def test_what_was_never_tried_has_the_reason_of_its_decision(warehouse: Warehouse) -> None:
    """As of the end of that run: what the day's quota stopped is deferred, whether it was tried or not."""
    stored(warehouse, [("made", "flow", "p", "partial", 9), ("later", "flow", "q", "finished", 20)], WRITES)
    answered(warehouse, "made", ("4", "intent", ""), ("4", "not_sent", "until tomorrow"), ("5", "confirmed", ""))
    decided = [
        ("1269", "deferred", "until tomorrow", 7), ("2", "blocked", "its customer was rejected", 7),
        ("3", "update", "changed", 3), ("4", "deferred", "until tomorrow", 7), ("5", "deferred", "until tomorrow", 2),
        ("1269", "create", "sent", 15), ("2", "update", "sent", 15),
    ]  # fmt: skip
    rows = pl.DataFrame(decided, schema=["source_id", "action", "reason", "from_position"], orient="row")
    with warehouse.writer() as con:
        insert_frame(con, "sync_decisions", rows.with_columns(source=pl.lit("customers"), workflow=pl.lit("flow")))

    assert outcomes(report_of(warehouse, "made")) == {
        "1269": ("create deferred", "until tomorrow"), "2": ("update not sent", "its customer was rejected"),
        "3": ("create not sent", ""), "4": ("deactivate deferred", "until tomorrow"), "5": ("created", ""),
    }  # fmt: skip
    assert {each["answer"] for each in report_of(warehouse, "made", hides=True).changes} == {""}


def test_a_run_that_only_planned_has_done_nothing(warehouse: Warehouse) -> None:
    """Whoever sends the plan later: that is another run's report."""
    stored(warehouse, [("made", "flow", None, "planned", 1), ("later", "flow", "p", "finished", 2)], {"1": "create"})
    answered(warehouse, "later", ("1", "confirmed", ""))

    assert outcomes(report_of(warehouse, "made")) == {"1": ("create planned", "")}
    assert outcomes(report_of(warehouse, "later")) == {"1": ("created", "")}


def test_a_page_of_any_number_of_records_opens_on_a_telephone(warehouse: Warehouse) -> None:
    """The first ones, the number of the others, and where they are."""
    stored(warehouse, [("made", "flow", "p", "finished", 1)], {str(each): "create" for each in range(6_000)}, "é" * 900)
    with warehouse.writer() as con:
        con.execute(
            "insert into sync_decisions by name select 'flow' as workflow, 'customers' as source,"
            " cast(range as varchar) as source_id, 'quarantined' as action, repeat('why ', 40) as reason,"
            " 'code' as reason_code from range(25_000)"
        )
    report = report_of(warehouse, "made")
    page = render(report)

    assert len(page.encode()) <= MAX_PAGE
    assert len(report.changes) + report.changes_omitted == 6_000
    assert len(report.records) + report.records_omitted == 25_000
    assert min(len(report.changes), len(report.records)) > 300
    assert f"{report.changes_omitted:,} more are" in page
    assert "/console/runs/made" in page
