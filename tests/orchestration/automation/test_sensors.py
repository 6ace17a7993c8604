"""The change sensor: one run per change in NetSuite, and none otherwise."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from assets.netsuite.record_types import RECORD_TYPES
from orchestration.definitions import definitions
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.generator.seed import seed
from resources.sandbox.simulation.day import simulate_day
from tests.orchestration.conftest import QUIET, Home, at_home

JOB = "customers"


@dataclass
class Watcher:
    """The sensor as the daemon evaluates it, with its cursor kept from tick to tick."""

    home: Home
    instance: dg.DagsterInstance
    cursor: str | None = None

    def tick(self) -> dg.RunRequest | str:
        """Evaluate once; return the run request, or the skip reason."""
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
        """Run the part of the job that moves the watermarks; other tests cover the rest."""
        job = definitions().resolve_job_def(JOB)
        raw = [
            dg.AssetKey(table)
            for record_type in ("customers", "projects", "contacts")
            for table in RECORD_TYPES[record_type].raw_tables
        ]
        answer = job.execute_in_process(instance=self.instance, run_config=QUIET, asset_selection=raw)
        assert answer.success

    def add_run(self, status: dg.DagsterRunStatus, number: int = 1) -> dg.DagsterRun:
        """Add a run of the job in some status, without executing it."""
        run_id = f"0000000{number}-0000-4000-8000-000000000000"
        return self.instance.add_run(dg.DagsterRun(job_name=JOB, run_id=run_id, status=status))

    def change(self, number: int = 1) -> None:
        """Simulate a day in NetSuite."""
        assert simulate_day(self.home.sandbox, number).events


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Watcher]:
    """A sensor on an empty warehouse."""
    with at_home(tmp_path) as home, dg.DagsterInstance.ephemeral() as instance:
        seed(home.sandbox, customers=15, companies=None, seed=2)
        yield Watcher(home, instance)


@pytest.fixture
def watcher(fresh: Watcher) -> Watcher:
    """A sensor after its first run."""
    fresh.tick()
    fresh.run()
    return fresh


def test_an_empty_warehouse_requests_the_first_run_once(fresh: Watcher) -> None:
    """The first run starts automatically; if it fails, the sensor does not repeat it forever."""
    first, again = fresh.tick(), fresh.tick()

    assert isinstance(first, dg.RunRequest)
    assert "nothing was read yet" in first.tags["millpond/reason"]
    assert again == "a run was requested"


@pytest.mark.long
def test_each_change_requests_one_run(watcher: Watcher) -> None:
    """No change, a change, a run, no change again, another change."""
    quiet = watcher.tick()
    watcher.change(1)
    changed, repeated = watcher.tick(), watcher.tick()
    watcher.run()
    after, nothing = watcher.tick(), watcher.tick()
    watcher.change(2)
    changed_again = watcher.tick()

    assert isinstance(quiet, str)
    assert quiet.startswith("no change in NetSuite since 20")
    assert isinstance(changed, dg.RunRequest)
    assert "customer" in changed.tags["millpond/reason"]
    assert [type(each) for each in (repeated, after, nothing)] == [str, str, str]
    assert isinstance(changed_again, dg.RunRequest)


@pytest.mark.long
def test_a_failed_run_is_not_requested_again_before_the_next_change(watcher: Watcher) -> None:
    """A mistake in a workflow file would otherwise start a failing run every few minutes."""
    watcher.change(1)
    requested = watcher.tick()
    watcher.add_run(dg.DagsterRunStatus.FAILURE)
    skipped = [watcher.tick() for _ in range(3)]
    watcher.change(2)
    next_change = watcher.tick()

    assert isinstance(requested, dg.RunRequest)
    assert len(set(skipped)) == 1
    assert f"run 00000001 failed: fix the cause and start {JOB}, or the next change starts it" in str(skipped[0])
    assert isinstance(next_change, dg.RunRequest)


@pytest.mark.long
def test_no_run_is_requested_while_one_is_in_progress(watcher: Watcher) -> None:
    """The two would wait for each other; a later tick finds the changes."""
    watcher.change()
    cursor = watcher.cursor

    for number, status in enumerate(("STARTING", "STARTED", "CANCELING")):
        run = watcher.add_run(dg.DagsterRunStatus[status], number)
        assert watcher.tick() == f"a run of {JOB} is still in progress", status
        assert watcher.cursor == cursor
        watcher.instance.report_run_failed(run)
    assert isinstance(watcher.tick(), dg.RunRequest)


@pytest.mark.long
def test_an_unreachable_netsuite_is_a_skip_reason_and_keeps_the_cursor(watcher: Watcher) -> None:
    """The tick does not fail, and the change is still new afterwards."""
    watcher.change()
    cursor = watcher.cursor
    watcher.home.sandbox.faults.plan("netsuite", Fault(FaultKind.NOT_APPLIED_500, times=1000))

    down = watcher.tick()
    assert isinstance(down, str)
    assert down.startswith("NetSuite cannot be checked for changes: netsuite: ")
    assert "500" in down
    assert watcher.cursor == cursor

    watcher.home.sandbox.faults.clear()
    assert isinstance(watcher.tick(), dg.RunRequest)


@pytest.mark.long
def test_an_unreadable_cursor_counts_as_none(watcher: Watcher) -> None:
    """Cursors can be edited in the UI; the worst result is an additional run."""
    watcher.change()

    for cursor in ("", "None", "[1, 2]", '{"customer": "x"}', "no json"):
        watcher.cursor = cursor
        assert isinstance(watcher.tick(), dg.RunRequest), cursor


@pytest.mark.long
def test_a_recreated_warehouse_is_filled_again(watcher: Watcher) -> None:
    """The first request for an earlier warehouse does not count for this one."""
    watcher.change()
    assert isinstance(watcher.tick(), dg.RunRequest)
    watcher.home.warehouse.file.unlink()

    assert isinstance(watcher.tick(), dg.RunRequest)
