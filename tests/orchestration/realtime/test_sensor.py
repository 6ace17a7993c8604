"""The sensors of change notifications: one real-time run at a time, and a full run after a burst."""

import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from assets.delivery.spec.switches import Switches
from orchestration.automation.groups import ALL, REALTIME
from orchestration.configuration.settings import ROOT
from orchestration.definitions import definitions
from orchestration.realtime.queue import NotificationQueue
from orchestration.realtime.sensor import BURST_RUNNING, BURST_TAG, NotificationWatch
from orchestration.workflow_files import load_workflows
from resources.warehouse.warehouse import Warehouse
from tests.orchestration.conftest import Home

FAILED, DONE, STARTED = (dg.DagsterRunStatus[name] for name in ("FAILURE", "SUCCESS", "STARTED"))


@dataclass
class Watcher:
    """The sensors on a folder, and a Dagster instance."""

    folder: Path
    instance: dg.DagsterInstance
    burst: int = 5

    def __post_init__(self) -> None:
        self.warehouse = Warehouse(self.folder / "warehouse")
        workflows, _ = load_workflows(ROOT / "orchestration" / "workflows")
        self.watch = NotificationWatch(self.folder, workflows, self.burst, 0)

    def set_realtime(self, *, realtime: bool = True) -> None:
        """Switch the real-time updates of one workflow."""
        Switches(self.warehouse.folder).override("suiteprojects__customers", realtime=realtime)

    def notify(self, *record_ids: int) -> None:
        """Add notifications of saved records."""
        for each in record_ids:
            nonce = f"nonce {each} {time.time_ns()}"
            NotificationQueue(self.folder).add(
                "customers", str(each), is_deleted=False, nonce=nonce, now=time.time(), remember_s=600
            )

    def check(self) -> dg.RunRequest | str:
        """Evaluate the sensor `change_notifications`."""
        return self.watch.check(self.instance, self.warehouse)

    def check_burst(self) -> dg.RunRequest | str:
        """Evaluate the sensor `change_notifications_burst`."""
        return self.watch.check_burst(self.instance, self.warehouse)

    def add_run(self, job: str, status: dg.DagsterRunStatus, **tags: str) -> dg.DagsterRun:
        """Add a run in some status, without executing it."""
        named = {name.replace("_", "/", 1): value for name, value in tags.items()}
        run_id = f"{time.time_ns():032x}"
        run_id = "-".join((run_id[:8], run_id[8:12], "4000", "8000", run_id[20:]))
        run = self.instance.add_run(dg.DagsterRun(job_name=job, run_id=run_id, status=STARTED, tags=named))
        if status is FAILED:
            self.instance.report_run_failed(run)
        elif status is DONE:
            event = dg.DagsterEvent("PIPELINE_SUCCESS", job_name=job)
            self.instance.report_dagster_event(event, run_id=run_id)
        return run


@pytest.fixture
def watcher(tmp_path: Path) -> Watcher:
    """One workflow has real-time updates."""
    made = Watcher(tmp_path, dg.DagsterInstance.local_temp(str(tmp_path)))
    made.set_realtime()
    return made


@pytest.mark.long
def test_without_a_notification_the_skip_reason_says_why(watcher: Watcher) -> None:
    """Each reason names what to do, or that there is nothing to do."""
    never = watcher.check()
    NotificationQueue(watcher.folder)
    empty = watcher.check()
    watcher.notify(7)
    watcher.set_realtime(realtime=False)
    inactive = watcher.check()

    assert never == "no change notification was ever received: start `millpond webhook`"
    assert empty == "no pending change notification"
    assert inactive == "no workflow has real-time updates: `millpond activate WORKFLOW --realtime`"
    watcher.set_realtime()
    assert isinstance(watcher.check(), dg.RunRequest)


def test_saves_are_collected_into_one_run(watcher: Watcher) -> None:
    """No second run is requested while it is in progress; later notifications are next."""
    watcher.notify(7, 8, 7)
    requested = watcher.check()
    assert isinstance(requested, dg.RunRequest)
    assert requested.tags["millpond/reason"] == "2 records saved in NetSuite"

    run = watcher.add_run(REALTIME, STARTED)
    assert watcher.check() == "a real-time run is in progress; later notifications are next"
    watcher.instance.report_run_failed(run)
    assert watcher.check() == "the last real-time run failed; retried shortly"
    watcher.notify(9)
    assert isinstance(watcher.check(), dg.RunRequest)  # a new save does not wait


def test_a_burst_is_left_to_one_full_run(watcher: Watcher) -> None:
    """It covers the notifications before its request, and none after."""
    watcher.notify(*range(1, 7))
    assert watcher.check() == "6 pending records, more than 5: left to a full run"
    requested = watcher.check_burst()
    assert isinstance(requested, dg.RunRequest)
    assert requested.tags[BURST_TAG] == "6"

    watcher.notify(7)
    run = watcher.add_run(ALL, STARTED, millpond_notifications_up_to="6")
    assert {watcher.check(), watcher.check_burst()} == {BURST_RUNNING}
    watcher.instance.report_dagster_event(dg.DagsterEvent("PIPELINE_SUCCESS", job_name=ALL), run_id=run.run_id)
    assert watcher.check_burst() == "no burst"
    assert NotificationQueue(watcher.folder).pending() == 1
    assert isinstance(watcher.check(), dg.RunRequest)


def test_a_burst_whose_full_run_failed_is_synced_in_batches(watcher: Watcher) -> None:
    """A broken workflow must not block the records of the others forever."""
    watcher.notify(*range(1, 7))
    run = watcher.add_run(ALL, FAILED, millpond_notifications_up_to="6")

    reason = watcher.check_burst()
    assert reason == f"run {run.run_id[:8]} failed on a burst; its records are synced in batches"
    assert isinstance(watcher.check(), dg.RunRequest)


def test_the_sensors_are_on_by_default(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost nothing while there are no notifications; evaluated as by the daemon."""
    monkeypatch.setenv("MILLPOND_REALTIME_WAIT_S", "0")
    loaded = definitions()
    repository = loaded.get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(
            instance=instance, repository_def=repository, resources=dict(loaded.resources or {})
        )
        reasons = {}
        for name in ("change_notifications", "change_notifications_burst"):
            sensor = repository.get_sensor_def(name)
            assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
            with context:
                reasons[name] = sensor.evaluate_tick(context).skip_message

    assert set(reasons.values()) == {"no change notification was ever received: start `millpond webhook`"}
    assert not (home.folder / "notifications.sqlite").exists()
