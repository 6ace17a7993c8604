"""Retention deletes history that ended long ago, and nothing that is still needed."""

from datetime import datetime, timedelta

import pytest

from assets.delivery.errors import SyncError
from assets.delivery.ledger.plans import A_PART
from assets.delivery.ledger.runs import canary_halts, is_proven
from assets.warehouse.retention import prune
from resources.clock import utc_now
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer
from tests.assets.delivery.jumping_clock import JumpingClock
from tests.assets.delivery.run_workflow import WorkflowRunner

DAY_S = 86400.0


def years(runner: WorkflowRunner) -> list[datetime]:
    """Create a record and rename it twice, a year apart; return the times a year after each run."""
    moments = []
    for name in ("First", "Second", "Third"):
        runner.stage(customer("1", company_name=name), customer("2")).run()
        runner.clock.sleep(365 * DAY_S)
        moments.append(utc_now(runner.clock))
    return moments


def pruned(runner: WorkflowRunner, cut: datetime) -> dict[str, int]:
    """Prune before a time and return the tables that lost rows."""
    with runner.warehouse.writer() as con:
        return {name: rows for name, rows in prune(con, cut).items() if rows}


@pytest.mark.long
def test_history_before_the_cut_is_deleted(precoro: WorkflowRunner) -> None:
    """Decisions, attempts and runs of the first year are deleted, those of the second are kept."""
    _, second, _ = years(precoro)
    before = precoro.table("sync_attempts")

    deleted = pruned(precoro, second)

    left = precoro.table("sync_attempts")
    assert deleted["sync_attempts"] == before.height - left.height > 0
    assert deleted["sync_decisions"] > 0
    assert set(left.filter(left["source_id"] == "1")["run_id"]) == {"run 2"}
    assert set(left.filter(left["source_id"] == "2")["run_id"]) == {"run 0"}, "the last attempt of a record is kept"
    assert precoro.table("sync_decisions")["to_at"].null_count() == 2


def test_what_was_written_under_a_clock_that_was_set_back_is_not_old(precoro: WorkflowRunner) -> None:
    """The last run's times are two years before those of the runs before it; its changes can be undone."""
    clock = JumpingClock(precoro.clock)
    precoro.clock = clock
    precoro.stage(customer("1", company_name="First"), customer("2")).run()
    precoro.clock.sleep(30 * DAY_S)
    cut = utc_now(precoro.clock) - timedelta(days=60)
    clock.offset = timedelta(days=-730)
    precoro.stage(customer("1", company_name="Second"), customer("2")).run()
    precoro.stage(customer("1", company_name="Third"), customer("2")).run()

    assert pruned(precoro, cut) == {}
    assert precoro.undo("run 1").plan.height == 1


@pytest.mark.long
def test_the_next_run_decides_as_before(precoro: WorkflowRunner) -> None:
    """No canary starts again, nothing is sent again, and changes are sent."""
    runner = precoro
    *_, last = years(runner)

    assert pruned(runner, last)

    same = runner.stage(customer("1", company_name="Third"), customer("2")).run()
    assert {action for action, _ in same.values()} == {"unchanged"}
    runner.stage(*(customer(str(number), company_name=f"New {number}") for number in range(1, 9)))
    planned = runner.plan("later")
    assert planned.tripped == []
    synced = runner.send("later")
    assert synced.stop is None
    assert synced.writes == 8


@pytest.mark.long
def test_an_attempt_without_an_outcome_is_kept(precoro: WorkflowRunner) -> None:
    """The next run looks up an attempt without an outcome, however old it is."""
    years(precoro)
    with precoro.warehouse.writer() as con:
        con.execute("delete from sync_attempts where source_id = '1' and state <> 'intent' and run_id = 'run 1'")

    pruned(precoro, utc_now(precoro.clock))

    left = precoro.table("sync_attempts").filter(source_id="1", run_id="run 1")
    assert left["state"].to_list() == ["intent"]
    assert left["image"][0] is not None


@pytest.mark.long
def test_a_pruned_run_cannot_be_undone(precoro: WorkflowRunner) -> None:
    """Otherwise only half of it would be undone: of the last attempt of each record, the changes are deleted."""
    first, *_ = years(precoro)
    pruned(precoro, first)

    with pytest.raises(SyncError, match="has no confirmed writes to undo"):
        precoro.undo("run 0")
    assert precoro.undo("run 2").plan.height == 1


@pytest.mark.long
def test_a_halt_that_was_not_accepted_is_kept(precoro: WorkflowRunner) -> None:
    """A canary's finding holds the next plan back, even after years."""
    years(precoro)
    with precoro.warehouse.writer() as con:
        con.execute("update sync_runs set state = 'halted', note = 'lost something' where run_id = 'run 2'")

    pruned(precoro, utc_now(precoro.clock) + timedelta(days=1))

    assert precoro.table("sync_runs").filter(state="halted")["run_id"].to_list() == ["run 2"]


@pytest.mark.long
@pytest.mark.parametrize(
    "later",
    [
        "update sync_plans set kind = 'realtime'",
        "update sync_runs set unchanged = 0",
        f"update sync_plans set note = '{A_PART}'",
    ],
)
def test_what_a_run_proves_is_kept_beside_later_ones_that_prove_nothing(precoro: WorkflowRunner, later: str) -> None:
    """The latest run is a real-time one, or sent a part of a plan, and accepts no canary's finding either."""
    years(precoro)
    with precoro.warehouse.writer() as con:
        con.execute(f"{later} where plan_id = (select plan_id from sync_runs where run_id = 'run 2')")
        con.execute("update sync_runs set state = 'halted' where run_id = 'run 1'")

    pruned(precoro, utc_now(precoro.clock) + timedelta(days=1))

    assert precoro.table("sync_runs")["run_id"].to_list() == ["run 0", "run 1", "run 2"]
    with precoro.warehouse.writer(transaction=False) as con:
        assert is_proven(con, "flow", precoro.spec.version)
        assert not any(accepted for _, accepted in canary_halts(con, "flow", precoro.spec.version))


@pytest.mark.long
def test_pruning_twice_deletes_nothing_more(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Retention runs every night."""
    first, *_ = years(precoro)
    pruned(precoro, first)
    calls = len(sandbox.precoro.call_log())

    assert pruned(precoro, first) == {}
    assert len(sandbox.precoro.call_log()) == calls
