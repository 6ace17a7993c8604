"""What ended long ago is taken out of the warehouse, and nothing that is true or still asked for."""

from datetime import datetime, timedelta

import pytest

from assets.delivery.ledger.plans import SyncError
from assets.delivery.plan.planner import moment_of
from assets.warehouse.retention import thin
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer
from tests.assets.delivery.run_workflow import Flow

DAY_S = 86400.0


def years(flow: Flow) -> list[datetime]:
    """A record is made, renamed twice, a year apart each; the moments after each run."""
    moments = []
    for name in ("First", "Second", "Third"):
        flow.stage(customer("1", company_name=name), customer("2")).run()
        flow.clock.sleep(365 * DAY_S)
        moments.append(moment_of(flow.clock))
    return moments


def thinned(flow: Flow, cut: datetime) -> dict[str, int]:
    """Thin at a moment; the tables that lost rows."""
    with flow.warehouse.writer() as con:
        return {name: rows for name, rows in thin(con, cut).items() if rows}


def test_what_was_over_before_the_cut_goes(precoro: Flow) -> None:
    """The decisions, sends and runs of the first year are forgotten, those of the second are not."""
    _, second, _ = years(precoro)
    before = precoro.table("sync_attempts")

    gone = thinned(precoro, second)

    left = precoro.table("sync_attempts")
    assert gone["sync_attempts"] == before.height - left.height > 0
    assert gone["sync_decisions"] > 0
    assert set(left.filter(left["source_id"] == "1")["run_id"]) == {"run 2"}
    assert set(left.filter(left["source_id"] == "2")["run_id"]) == {"run 0"}, "the last word on a record stays"
    assert precoro.table("sync_decisions")["to_at"].null_count() == 2


def test_the_next_run_decides_as_it_would_have(precoro: Flow) -> None:
    """No canary begins anew, nothing is sent again, and a change is a change."""
    flow = precoro
    *_, last = years(flow)

    assert thinned(flow, last)

    same = flow.stage(customer("1", company_name="Third"), customer("2")).run()
    assert {action for action, _ in same.values()} == {"unchanged"}
    flow.stage(*(customer(str(number), company_name=f"New {number}") for number in range(1, 9)))
    planned = flow.plan("later")
    assert planned.tripped == []
    synced = flow.send("later")
    assert synced.stop is None
    assert synced.writes == 8


def test_what_has_no_end_stays(precoro: Flow) -> None:
    """A send of which nobody knows how it ended is read back by the next run, however late."""
    years(precoro)
    with precoro.warehouse.writer() as con:
        con.execute("delete from sync_attempts where source_id = '1' and state <> 'intent' and run_id = 'run 1'")

    thinned(precoro, moment_of(precoro.clock))

    left = precoro.table("sync_attempts").filter(source_id="1", run_id="run 1")
    assert left["state"].to_list() == ["intent"]
    assert left["image"][0] is not None


def test_a_run_that_is_forgotten_cannot_be_undone(precoro: Flow) -> None:
    """Half of a run would be taken back otherwise: the last word on each record is kept without what it changed."""
    first, *_ = years(precoro)
    thinned(precoro, first)

    with pytest.raises(SyncError, match="confirmed nothing"):
        precoro.undo("run 0")
    assert precoro.undo("run 2").plan.height == 1


def test_a_halt_that_nobody_accepted_stays(precoro: Flow) -> None:
    """What a canary found holds the next plan back after years, too."""
    years(precoro)
    with precoro.warehouse.writer() as con:
        con.execute("update sync_runs set state = 'halted', note = 'lost something' where run_id = 'run 2'")

    thinned(precoro, moment_of(precoro.clock) + timedelta(days=1))

    assert precoro.table("sync_runs").filter(state="halted")["run_id"].to_list() == ["run 2"]


def test_thinning_twice_takes_nothing_more(precoro: Flow, sandbox: Sandbox) -> None:
    """It is called every night."""
    first, *_ = years(precoro)
    thinned(precoro, first)
    calls = len(sandbox.precoro.log())

    assert thinned(precoro, first) == {}
    assert len(sandbox.precoro.log()) == calls
