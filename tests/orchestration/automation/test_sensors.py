"""The change sensor: a run when NetSuite changed, no run otherwise, and never the same one again and again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from assets.netsuite.assets import RAW_ASSETS
from orchestration.definitions import definitions
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.generator.seed import seed
from resources.sandbox.simulation.day import day
from tests.orchestration.conftest import QUIET, Home, at_home

JOB = "customers"


@dataclass
class Watcher:
    """The sensor as the daemon drives it: its cursor is kept from tick to tick."""

    home: Home
    instance: dg.DagsterInstance
    cursor: str | None = None

    def tick(self) -> dg.RunRequest | str:
        """One evaluation: the run that is asked for, or why there is none."""
        loaded = definitions()
        repository = loaded.get_repository_def()
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=repository,
            resources=dict(loaded.resources or {}),
        )
        with context:
            answer = repository.get_sensor_def(f"{JOB}_changes").evaluate_tick(context)
        self.cursor = answer.cursor
        return answer.run_requests[0] if answer.run_requests else answer.skip_message or ""

    def run(self) -> None:
        """The part of a requested run that moves the watermarks; the job's other steps are tried elsewhere."""
        job = definitions().resolve_job_def(JOB)
        raw = [
            asset.key
            for record_type in ("customers", "projects", "contacts")
            for asset in RAW_ASSETS[record_type].specs
        ]
        answer = job.execute_in_process(instance=self.instance, run_config=QUIET, asset_selection=raw)
        assert answer.success

    def note(self, status: dg.DagsterRunStatus, number: int = 1) -> dg.DagsterRun:
        """A run of the job that is in some state, without its work."""
        run_id = f"0000000{number}-0000-4000-8000-000000000000"
        return self.instance.add_run(dg.DagsterRun(job_name=JOB, run_id=run_id, status=status))

    def change(self, number: int = 1) -> None:
        """A day goes by in NetSuite."""
        assert day(self.home.sandbox, number).events


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Watcher]:
    """Nothing was read yet."""
    with at_home(tmp_path) as home, dg.DagsterInstance.ephemeral() as instance:
        seed(home.sandbox, customers=15, companies=None, seed=2)
        yield Watcher(home, instance)


@pytest.fixture
def watcher(fresh: Watcher) -> Watcher:
    """The first run is through and asked for nothing more."""
    fresh.tick()
    fresh.run()
    return fresh


def test_an_empty_pond_asks_for_the_first_run_once(fresh: Watcher) -> None:
    """Nobody has to start the first read; when it fails, a person looks instead of the sensor trying for ever."""
    first, again = fresh.tick(), fresh.tick()

    assert isinstance(first, dg.RunRequest)
    assert "nothing was read yet" in first.tags["millpond/because"]
    assert again == "a run was asked for"


def test_changes_are_asked_for_once_and_quiet_times_not_at_all(watcher: Watcher) -> None:
    """The sensor's whole life: quiet, a change, a run, quiet again, another change."""
    quiet = watcher.tick()
    watcher.change(1)
    changed, repeated = watcher.tick(), watcher.tick()
    watcher.run()
    after, nothing = watcher.tick(), watcher.tick()
    watcher.change(2)
    changed_again = watcher.tick()

    assert isinstance(quiet, str)
    assert quiet.startswith("nothing new in NetSuite since 20")
    assert isinstance(changed, dg.RunRequest)
    assert "customer" in changed.tags["millpond/because"]
    assert [type(each) for each in (repeated, after, nothing)] == [str, str, str]
    assert isinstance(changed_again, dg.RunRequest)


@pytest.mark.long
def test_a_failed_run_is_not_asked_for_again_until_something_changes(watcher: Watcher) -> None:
    """A mistake in a workflow file would otherwise start a run every few minutes, all night."""
    watcher.change(1)
    asked = watcher.tick()
    watcher.note(dg.DagsterRunStatus.FAILURE)
    skipped = [watcher.tick() for _ in range(3)]
    watcher.change(2)
    next_change = watcher.tick()

    assert isinstance(asked, dg.RunRequest)
    assert len(set(skipped)) == 1
    assert f"run 00000001 failed: look at it and start {JOB} by hand, or the next change will" in str(skipped[0])
    assert isinstance(next_change, dg.RunRequest)


def test_no_run_is_asked_for_while_one_is_under_way(watcher: Watcher) -> None:
    """Two runs would wait for each other; what changed meanwhile is seen by the next tick."""
    watcher.change()
    cursor = watcher.cursor

    for number, status in enumerate(("STARTING", "STARTED", "CANCELING")):
        run = watcher.note(dg.DagsterRunStatus[status], number)
        assert watcher.tick() == f"a run of {JOB} is still under way", status
        assert watcher.cursor == cursor
        watcher.instance.report_run_failed(run)
    assert isinstance(watcher.tick(), dg.RunRequest)


def test_when_netsuite_is_down_the_reason_is_told_and_nothing_is_forgotten(watcher: Watcher) -> None:
    """A tick that cannot ask is no failure; the change is still new afterwards."""
    watcher.change()
    cursor = watcher.cursor
    watcher.home.sandbox.faults.plan("netsuite", Fault(FaultKind.REFUSED_500, times=1000))

    down = watcher.tick()
    assert isinstance(down, str)
    assert down.startswith("NetSuite does not say whether anything changed: netsuite: ")
    assert "500" in down
    assert watcher.cursor == cursor

    watcher.home.sandbox.faults.clear()
    assert isinstance(watcher.tick(), dg.RunRequest)


@pytest.mark.long
def test_a_cursor_that_nobody_can_read_counts_as_none(watcher: Watcher) -> None:
    """People edit cursors in the UI; the worst that happens is one run too many."""
    watcher.change()

    for cursor in ("", "None", "[1, 2]", '{"customer": "x"}', "no json"):
        watcher.cursor = cursor
        assert isinstance(watcher.tick(), dg.RunRequest), cursor


@pytest.mark.long
def test_a_pond_that_was_made_anew_is_filled_again(watcher: Watcher) -> None:
    """The first request of an earlier warehouse does not count for this one."""
    watcher.change()
    assert isinstance(watcher.tick(), dg.RunRequest)
    watcher.home.warehouse.stage.unlink()

    assert isinstance(watcher.tick(), dg.RunRequest)
