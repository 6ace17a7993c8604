"""The summary of a run: one row per workflow, what the quota deferred, and what is held back."""

import re

import polars as pl
import pytest

from assets.delivery.ledger.runs import update_run
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import PLAN_COLUMNS, SourceKey
from assets.delivery.spec.workflow import Workflow
from orchestration.cli import output
from orchestration.cli.summary import print_held_back, print_named, print_summary
from resources.warehouse.tables import insert_frame, replace_table
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, customers, desired, mart, option_tree

NOTE = "deferred until 2026-11-17 06:00 UTC: the day's quota is used up; the next run sends it (precoro: HTTP 429)"


def test_deferred_records_are_not_called_failed(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    """They go on by themselves, at a time that is named; a workflow that a guard stopped has created nothing."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        update_run(
            con, "run", "flow", {"plan_id": "p", "state": "partial", "created": 3, "deferred": 609, "note": NOTE}
        )
        update_run(con, "run", "guarded", {"state": "planned", "created": 6})

    print_summary(warehouse, "run")

    printed = capsys.readouterr().out
    assert f"flow: 609 {NOTE}\n" in printed
    assert "609 deferred" in printed
    assert "6 create " in printed
    assert not any(word in printed for word in ("failed", "stopped", "6 created"))


def hold(warehouse: Warehouse, rows: pl.DataFrame) -> None:
    """Fill a warehouse with decisions of the workflow `flow` on four customers."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        named = (customer(each, company_name=f"Name {each}") for each in "1234")
        replace_table(con, "stg_netsuite__customers", customers(*named))
        replace_table(con, "mart_flow", mart(*(desired(each) for each in "1234")))
        texts = {"workflow": "flow", "source": "customers", "reason_code": "code", "reason": "because"}
        insert_frame(con, "sync_decisions", rows.with_columns(pl.lit(text).alias(name) for name, text in texts.items()))


@pytest.mark.parametrize("name", ["", "  Name {}"], ids=["pipe", "terminal"])
def test_what_needs_attention_is_listed_the_new_first(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Only the new ones count for the exit code; a blocked record does not. Names are for a terminal, not for a log."""
    monkeypatch.setattr(output.console, "_force_terminal", bool(name))
    workflow = Workflow("flow", option_tree())
    rows = pl.DataFrame(
        [("1", "quarantined", "before"), ("2", "ambiguous", "run"), ("3", "blocked", "run"), ("4", "create", "run")],
        schema=["source_id", "action", "from_run"],
        orient="row",
    )
    hold(warehouse, rows)

    new = print_held_back(warehouse, workflow, {"flow": workflow}, "run")

    assert new == 1
    assert re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines() == [
        "flow: records that need attention: 2 (`millpond explain ID`)",
        f"  customers 2{name.format(2)}: new: ambiguous, because",
        f"  customers 1{name.format(1)}: quarantined, because",
        "flow: 1 customer blocked: because (3)",
    ]


def test_after_a_guard_the_plans_decisions_are_listed(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    """Not those of the run before, which the table above does not count."""
    workflow = Workflow("flow", option_tree())
    rows = pl.DataFrame(
        [("1", "quarantined", "before"), ("4", "quarantined", "before")],
        schema=["source_id", "action", "from_run"],
        orient="row",
    )
    hold(warehouse, rows.with_columns(from_at=pl.datetime(2026, 11, 16)))
    held = {"source": "customers", "action": "quarantined", "reason_code": "code", "reason": "because"}
    texts = dict.fromkeys(["plan_id", *PLAN_COLUMNS], pl.String)
    planned = pl.DataFrame([{"plan_id": "p", **held, "source_id": each} for each in "12"], schema=texts)
    with warehouse.writer() as con:
        replace_table(con, "plan_flow", planned)
        con.execute("insert into sync_plans (plan_id, workflow, state, made_by) values ('p', 'flow', 'waiting', 'run')")

    assert print_held_back(warehouse, workflow, {"flow": workflow}, "run") == 1
    assert capsys.readouterr().out.splitlines() == [
        "flow: records that need attention: 2 (`millpond explain ID`)",
        "  customers 2: new: quarantined, because",
        "  customers 1: quarantined, because",
    ]


@pytest.mark.parametrize(
    ("asked", "held", "lines"),
    [
        ("4", 0, ["flow: 3 other records are held back; `millpond plan flow` lists the causes"]),
        ("13", 2, [
            "flow: 2 of 2 records held back (`millpond explain ID`)",
            "  customers 1: quarantined, because",
            "  customers 3: new: blocked, because",
            "flow: 1 customer blocked: because (3)",
            "flow: 1 other record is held back; `millpond plan flow` lists the causes",
        ]),
        ("1234", 3, None),
    ],
)  # fmt: skip
def test_of_named_records_nothing_else_is_listed(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str], asked: str, held: int, lines: list[str] | None
) -> None:
    """Each that is held back counts, new or not, as someone waits for it; the others are a number."""
    rows = [("1", "quarantined", "before"), ("2", "ambiguous", "run"), ("3", "blocked", "run"), ("4", "create", "run")]
    hold(warehouse, pl.DataFrame(rows, schema=["source_id", "action", "from_run"], orient="row"))
    workflow = Workflow("flow", option_tree())

    named = print_named(
        warehouse, workflow, {"flow": workflow}, "run", [SourceKey("customers", each) for each in asked]
    )

    printed = capsys.readouterr().out.splitlines()
    assert named == held
    assert printed == lines if lines else not any("other" in line for line in printed)
