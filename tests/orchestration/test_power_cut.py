"""All processes die at once, or the daemon dies during a tick; the next start continues automatically."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest

from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.dagster_instance import open_instance
from orchestration.dagster_internals import PARTITION_TAG
from resources.sandbox.generator.seed import seed
from tests.orchestration.conftest import at_home
from tests.orchestration.home_state import environment
from tests.orchestration.web.test_ui import (
    LAUNCH,
    MILLPOND,
    SIGNED_IN,
    TOKEN,
    descendants,
    free_port,
    is_up,
    running,
    wait_until,
)

pytestmark = pytest.mark.long

JOB, POOL = "precoro__options", "duckdb"
LOCATION = """
import dagster as dg
from orchestration.account_partitions import partitions_of, run_requests
from orchestration.configuration.settings import MillpondSettings
from orchestration.automation.schedule_spec import Timing
from orchestration.automation.schedules import schedule_of

settings = MillpondSettings()

@dg.job(partitions_def=partitions_of(settings))
def nightly_job():
    pass

timing = Timing(weekdays=["mon", "tue"], hours=["02:00"], on=True)
nightly = schedule_of(timing, "nightly", "nightly_job", run_requests(settings))
defs = dg.Definitions(jobs=[nightly_job], schedules=[nightly])
"""
ITERATE = """
import logging, sys, signal
from datetime import datetime
import dagster as dg
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
import dagster._daemon  # first: the next import would be circular otherwise
from dagster._scheduler.scheduler import launch_scheduled_runs

folder, crash, *moments = sys.argv[1:]
target = PythonFileTarget(
    python_file=f"{folder}/location.py", attribute=None, working_directory=folder, location_name="x"
)
with dg.DagsterInstance.from_config(folder) as instance, WorkspaceProcessContext(instance, target) as context:
    times = {}
    for number, moment in enumerate(moments):
        flags = {"nightly": {crash: signal.SIGKILL}} if crash and number == len(moments) - 1 else None
        now = datetime.fromisoformat(moment)
        list(launch_scheduled_runs(context, logging.getLogger(), now, times, debug_crash_flags=flags))
"""


def launch(http: httpx.Client) -> str:
    """Launch the job as the button does, and return the run's id."""
    selector = {"repositoryName": "__repository__", "repositoryLocationName": "millpond", "jobName": JOB}
    request = {"query": LAUNCH, "variables": {"p": {"selector": selector, "runConfigData": {}, "mode": "default"}}}
    response: dict[str, Any] = http.post("/graphql", json=request).json()
    return str(response["data"]["launchPipelineExecution"]["run"]["runId"])


def test_after_a_power_failure_the_run_is_closed_and_retried(tmp_path: Path) -> None:
    """Webserver, daemon, code servers and the run are killed at once; a restart is enough."""
    port = free_port()
    command = [*MILLPOND, "ui", "--port", str(port)]
    with at_home(tmp_path / "home") as home, environment(DAGSTER_HOME="", MILLPOND_UI_TOKEN=TOKEN):
        seed(home.sandbox, customers=30, companies=None, seed=3)
        with (
            running(command, tmp_path / "first.log", MILLPOND_HOME=str(home.folder)) as process,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers=SIGNED_IN) as http,
        ):
            wait_until(lambda: is_up(http), 120, "the webserver does not respond")
            run_id = launch(http)
            with open_instance(MillpondSettings()) as instance:

                def used_slots() -> int:
                    return instance.event_log_storage.get_concurrency_info(POOL).active_slot_count

                wait_until(lambda: used_slots() == 1, 180, "the run does not start")
                for number in [*descendants(process.pid), process.pid]:
                    with suppress(ProcessLookupError):
                        os.kill(number, signal.SIGKILL)
                killed = instance.get_run_by_id(run_id)
                assert killed is not None
                assert (killed.status, used_slots()) == (dg.DagsterRunStatus.STARTED, 1)

        with (
            running(command, tmp_path / "second.log", MILLPOND_HOME=str(home.folder)),
            open_instance(MillpondSettings()) as instance,
        ):

            def runs() -> list[dg.DagsterRun]:
                return list(instance.get_runs(filters=dg.RunsFilter(job_name=JOB)))

            wait_until(
                lambda: any(each.is_success for each in runs()), 240, (tmp_path / "second.log").read_text()[-2000:]
            )
            by_id = {each.run_id: each for each in runs()}
            retries = [each for each in by_id.values() if each.parent_run_id == run_id]
            used_after = instance.event_log_storage.get_concurrency_info(POOL).active_slot_count

    assert by_id[run_id].status is dg.DagsterRunStatus.FAILURE
    assert [each.status for each in retries] == [dg.DagsterRunStatus.SUCCESS]
    assert len(by_id) == 2
    assert used_after == 0


@pytest.mark.parametrize("accounts", ["", "acme,globex"])
@pytest.mark.parametrize("crash", ["TICK_CREATED", "TICK_HELD", "RUN_CREATED", "RUN_LAUNCHED", "TICK_SUCCESS"])
def test_a_daemon_that_dies_during_a_tick_neither_loses_nor_repeats_runs(
    tmp_path: Path, crash: str, accounts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each crash point of Dagster's scheduler; the next daemon continues the tick."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "location.py").write_text(LOCATION)
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    before, due, after = "2026-11-16T01:00:00+00:00", "2026-11-16T02:00:05+00:00", "2026-11-16T02:01:00+00:00"

    def child(crash: str, *moments: str) -> int:
        command = [sys.executable, "-W", "ignore", "-c", ITERATE, str(tmp_path), crash, *moments]
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "MILLPOND_ACCOUNTS": accounts}
        with (tmp_path / "log").open("w") as log:  # a code server that it leaves behind would keep a pipe open
            done = subprocess.run(
                command, cwd=tmp_path, env=variables, stdout=log, stderr=log, check=False, timeout=300
            )
        assert done.returncode in {0, -signal.SIGKILL}, (tmp_path / "log").read_text()[-2000:]
        return done.returncode

    died = child(crash, before, due)
    ended = child("", after)

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        runs = sorted(each.tags.get(PARTITION_TAG, each.tags["dagster/schedule_name"]) for each in instance.get_runs())
        (state,) = instance.all_instigator_state()
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    assert (died, ended) == (-signal.SIGKILL, 0)
    assert runs == (accounts.split(",") if accounts else ["nightly"])
    assert [each.status.value for each in ticks] == ["SUCCESS"]
