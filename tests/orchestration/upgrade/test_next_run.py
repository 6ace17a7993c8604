"""The upgraded home continues where version 0.1 stopped: nothing is sent twice, and nothing pending is lost."""

from typing import Any

import pytest

from orchestration.cli.exit_codes import WAITS
from orchestration.cli.run import run_job
from resources.sandbox.sandbox import Sandbox
from tests.orchestration.upgrade.conftest import Installation, answer_of

PLAN, UNDO_PLAN = "d744965e9654", "162189233133"
# records of which 0.2 has another reason, named in docs/upgrade.md: a currency that the target lacks is found before
# sending, and `lifecycle: report` holds back
OTHERWISE = {
    ("suiteprojects__customers", "1005"): ("quarantined", "not_in_list"),
    ("suiteprojects__customers", "1030"): ("quarantined", "not_in_list"),
    ("suiteprojects__customers", "1042"): ("quarantined", "flag_not_set"),
    ("suiteprojects__projects", "1069"): ("quarantined", "not_in_list"),
}
# the run that was killed after its send, which version 0.1 also decided on in its next run
KILLED = {("precoro__options", "1071"), ("precoro_uk__picked", "1071"), ("suiteprojects__projects", "1071")}


def show_inactive(upgraded: Installation) -> None:
    """Let NetSuite show whether records are inactive, as it always does; the stand-in of 0.1 left that blank."""
    netsuite = Sandbox(upgraded.home / "sandbox").netsuite
    for table in ("customrecord_service_line", "item"):
        for row in netsuite.rows(table):
            netsuite.update(table, row["id"], isinactive=False)


@pytest.mark.long
def test_the_next_run_sends_nothing(upgraded: Installation, answers: dict[str, Any]) -> None:
    """A run of `all` makes the decisions of version 0.1, but for those of new rules, and writes to neither target."""
    show_inactive(upgraded)
    writes = upgraded.writes
    code = run_job("all")
    expected = answers["next_run_all"]
    warehouse = upgraded.warehouse
    (run_id,) = warehouse.read("select run_id from sync_runs order by started_at desc limit 1").row(0)
    columns = ", ".join(expected["runs"]["columns"][3:])
    runs = warehouse.read(f"select workflow, state, {columns} from sync_runs where run_id = ? order by 1", [run_id])
    decisions = warehouse.read(
        "select workflow, action, reason_code, count(*) as n from sync_decisions where to_run is null"
        " group by all order by all"
    )
    opened = warehouse.read("select workflow, source_id from sync_decisions where from_run = ? order by 1", [run_id])
    closed = warehouse.read("select count(*) from sync_decisions where to_run = ?", [run_id]).item()

    decided = warehouse.read("select * from sync_decisions where from_run = ? and source_id <> '1071'", [run_id])
    changed = {workflow for workflow, _ in OTHERWISE}

    assert code == WAITS  # a guard held back the plan of one workflow, as in version 0.1
    assert upgraded.writes == writes
    assert [row for row in runs.rows() if row[0] not in changed] == [
        (workflow, state, *rest) for workflow, state, _, *rest in expected["runs"]["rows"] if workflow not in changed
    ]
    assert [list(row) for row in decisions.rows() if row[0] not in changed] == [
        row for row in expected["open_decisions"]["rows"] if row[0] not in changed
    ]
    assert {
        (row["workflow"], row["source_id"]): (row["action"], row["reason_code"])
        for row in decided.iter_rows(named=True)
    } == OTHERWISE
    assert set(opened.rows()) == OTHERWISE.keys() | KILLED
    assert closed == len(OTHERWISE)
    full = warehouse.read("select record_type from netsuite_reads where run_id = ? and mode = 'full'", [run_id])
    assert full["record_type"].to_list() == ["customers"], "0.2 reads more of their columns"


@pytest.mark.long
@pytest.mark.parametrize("plan_id", [PLAN, UNDO_PLAN])
def test_a_waiting_plan_sends_what_it_would_have_sent(
    upgraded: Installation, answers: dict[str, Any], capsys: pytest.CaptureFixture[str], plan_id: str
) -> None:
    """A plan of version 0.1 that waits for approval, and one that undoes a run: one write each, once."""
    before, expected = upgraded.writes, answers["applied"][plan_id]
    code, _ = answer_of(["apply", plan_id], capsys)
    after = upgraded.writes

    assert code == expected["exit"]
    assert (after[0] - before[0], after[1] - before[1]) == (expected["suiteprojects"], expected["precoro"])
    assert answer_of(["apply", plan_id], capsys)[0] == 2
    assert upgraded.writes == after


def test_a_run_of_version_0_1_can_be_undone(upgraded: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """Before-images of version 0.1, which are encrypted, make the same undo plan: its record was undone already."""
    run = upgraded.warehouse.read(
        "select undone_run from sync_plans where undone_run is not null and state = 'waiting'"
    ).item()
    code, text = answer_of(["undo", run], capsys)
    (kind, undone, writes) = upgraded.warehouse.read(
        "select kind, undone_run, writes from sync_plans order by made_at desc, plan_id limit 1"
    ).row(0)

    assert code == 0, text
    assert "the target already shows the values from before the run: 1" in text
    assert (kind, undone) == ("undo", run)
    assert writes >= 1


def test_a_rejected_plan_keeps_its_reason(upgraded: Installation) -> None:
    """Text that a person wrote is unchanged."""
    assert upgraded.warehouse.read("select note from sync_plans where state = 'rejected'").item() == "wrong subsidiary"
