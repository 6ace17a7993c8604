"""The change notification sensors: a run as soon as something was saved, one at a time, and a run of all after a burst."""

import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from assets.delivery.spec.switches import Switches
from orchestration.automation.jobs import ALL
from orchestration.definitions import definitions, load_workflows
from orchestration.realtime.job import REALTIME
from orchestration.realtime.queue import NotificationQueue
from orchestration.realtime.sensor import BURST_TAG, Watch
from orchestration.settings import ROOT
from resources.warehouse.warehouse import Warehouse
from tests.orchestration.conftest import Home

FAILED, DONE, STARTED = (dg.DagsterRunStatus[name] for name in ("FAILURE", "SUCCESS", "STARTED"))


@dataclass
class Watcher:
    """The sensors over a folder, and Dagster's own records."""

    folder: Path
    instance: dg.DagsterInstance
    burst: int = 5

    def __post_init__(self) -> None:
        self.warehouse = Warehouse(self.folder / "warehouse")
        workflows, _ = load_workflows(ROOT / "orchestration" / "workflows")
        self.watch = Watch(self.folder, workflows, self.burst, 0)

    def hear(self, *, realtime: bool = True) -> None:
        """Switch the real time of one workflow."""
        Switches(self.warehouse.folder).say("suiteprojects__customers", realtime=realtime)

    def notification(self, *record_ids: int) -> None:
        """Records were saved."""
        for each in record_ids:
            nonce = f"nonce {each} {time.time_ns()}"
            NotificationQueue(self.folder).keep(
                "customers", str(each), is_deleted=False, nonce=nonce, now=time.time(), remember_s=600
            )

    def look(self) -> dg.RunRequest | str:
        """The sensor `change_notifications`."""
        return self.watch.look(self.instance, self.warehouse)

    def look_at_burst(self) -> dg.RunRequest | str:
        """The sensor `change_notifications_burst`."""
        return self.watch.look_at_burst(self.instance, self.warehouse)

    def note(self, job: str, status: dg.DagsterRunStatus, **tags: str) -> dg.DagsterRun:
        """A run in some state, without its work."""
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
    """One workflow follows change notifications."""
    made = Watcher(tmp_path, dg.DagsterInstance.local_temp(str(tmp_path)))
    made.hear()
    return made


def test_without_a_hint_nothing_is_run_and_the_reason_is_told(watcher: Watcher) -> None:
    """Each of these is what an operator would otherwise look for."""
    never = watcher.look()
    NotificationQueue(watcher.folder)
    quiet = watcher.look()
    watcher.notification(7)
    watcher.hear(realtime=False)
    deaf = watcher.look()

    assert never == "no change notification was ever kept: start `millpond webhook`"
    assert quiet == "no change notification waits"
    assert deaf == "no workflow follows change notifications: `millpond activate WORKFLOW --realtime`"
    watcher.hear()
    assert isinstance(watcher.look(), dg.RunRequest)


def test_saves_are_collected_into_one_run(watcher: Watcher) -> None:
    """While it is under way no other is asked for; what comes meanwhile is next."""
    watcher.notification(7, 8, 7)
    asked = watcher.look()
    assert isinstance(asked, dg.RunRequest)
    assert asked.tags["millpond/because"] == "2 records saved in NetSuite"

    run = watcher.note(REALTIME, STARTED)
    assert watcher.look() == "a run brings records just now; what comes meanwhile is next"
    watcher.instance.report_run_failed(run)
    assert watcher.look() == "the last run failed; again in a moment"
    watcher.notification(9)
    assert isinstance(watcher.look(), dg.RunRequest)  # somebody else's save does not wait for it


def test_a_burst_is_left_to_one_run_of_all(watcher: Watcher) -> None:
    """Which answers every change notification from before it was asked for, and none from after."""
    watcher.notification(*range(1, 7))
    assert watcher.look() == "6 records wait, more than 5: a run of all takes them"
    asked = watcher.look_at_burst()
    assert isinstance(asked, dg.RunRequest)
    assert asked.tags[BURST_TAG] == "6"

    watcher.notification(7)
    run = watcher.note(ALL, STARTED, millpond_hints_up_to="6")
    assert {watcher.look(), watcher.look_at_burst()} == {"a run of all answers a burst of change notifications"}
    watcher.instance.report_dagster_event(dg.DagsterEvent("PIPELINE_SUCCESS", job_name=ALL), run_id=run.run_id)
    assert watcher.look_at_burst() == "no burst"
    assert NotificationQueue(watcher.folder).waiting() == 1
    assert isinstance(watcher.look(), dg.RunRequest)


def test_a_burst_whose_run_failed_goes_in_portions(watcher: Watcher) -> None:
    """A workflow that is broken keeps no saved record of the others waiting for ever."""
    watcher.notification(*range(1, 7))
    run = watcher.note(ALL, FAILED, millpond_hints_up_to="6")

    told = watcher.look_at_burst()
    assert told == f"run {run.run_id[:8]} failed on a burst; its records are brought in portions"
    assert isinstance(watcher.look(), dg.RunRequest)


def test_the_sensors_are_on_from_the_beginning(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost nothing as long as nobody sends change notifications; the daemon's own way in is the same."""
    monkeypatch.setenv("MILLPOND_REALTIME_WAIT_S", "0")
    loaded = definitions()
    repository = loaded.get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(
            instance=instance, repository_def=repository, resources=dict(loaded.resources or {})
        )
        told = {}
        for name in ("change_notifications", "change_notifications_burst"):
            sensor = repository.get_sensor_def(name)
            assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
            with context:
                told[name] = sensor.evaluate_tick(context).skip_message

    assert set(told.values()) == {"no change notification was ever kept: start `millpond webhook`"}
    assert not (home.folder / "notifications.sqlite").exists()
