"""The log of Dagster's daemon: what sensors do, and not each of their looks."""

import logging
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration.configuration.settings import ROOT
from orchestration.daemon import DaemonLog

LOOK = "Checking for new runs for sensor: alerts"
IDLE = "Sensor alerts skipped: 0 open; nothing changed"


def logged(*texts: str, level: int = logging.INFO) -> list[str]:
    """Return what of these texts is logged, one after the other."""
    log = DaemonLog()
    records = [logging.LogRecord("dagster.daemon.SensorDaemon", level, "", 0, text, (), None) for text in texts]
    return [each.getMessage() for each in records if log.filter(each)]


def test_a_sensor_that_finds_nothing_is_logged_once() -> None:
    """Again if it finds nothing for another reason; a sensor of another name has reasons of its own."""
    other, further = "Sensor alerts skipped: 1 open", "Sensor close_dead_runs skipped: every run is alive"
    silent = "No run requests returned for publish_after_failure, skipping"

    assert logged(LOOK, IDLE, LOOK, IDLE, further, other, further, LOOK, other, IDLE, silent, silent) == [
        IDLE, further, other, IDLE, silent,
    ]  # fmt: skip


def test_a_queue_that_waits_is_logged_once() -> None:
    """Dagster says so each second; and every ten that it looks at each run."""
    full, look = "4 runs are currently in progress. Maximum is 4, won't launch more.", "Checking run 1a2b"
    launched = "Launched 1 runs."

    assert logged(full, look, full, launched, full, look, "Collected 4 runs for monitoring") == [full, launched]


def test_what_a_sensor_does_is_always_logged() -> None:
    """Launches and failures, however often they repeat."""
    launched = "Completed launch of run 1 for change_notifications"

    assert logged(launched, launched) == [launched, launched]
    assert logged(LOOK, IDLE, IDLE, level=logging.WARNING) == [LOOK, IDLE, IDLE]


@pytest.mark.parametrize("file", ["dagster.yaml", "orchestration/deploy/dagster.yaml"])
def test_events_of_a_run_are_stored_and_not_logged(
    file: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Warnings of a run are in the log of `millpond ui`; its steps are on its page only."""

    @dg.op
    def warn(context: dg.OpExecutionContext) -> None:
        context.log.warning("a value was cut")

    @dg.job
    def job() -> None:
        warn()

    settings = {
        "telemetry": {"enabled": False},
        "python_logs": yaml.safe_load((ROOT / file).read_text())["python_logs"],
    }
    with dg.DagsterInstance.ephemeral(str(tmp_path), settings=settings) as instance:
        done = job.execute_in_process(instance=instance)
        stored = {each.dagster_event.event_type_value for each in instance.all_logs(done.run_id) if each.dagster_event}

    logged = capfd.readouterr().err
    assert "DEBUG" not in logged
    assert "a value was cut" in logged
    assert {"PIPELINE_START", "STEP_START", "STEP_SUCCESS", "PIPELINE_SUCCESS"} <= stored
