"""Everything dies at once, or the daemon in the middle of a tick; what is started next goes on by itself."""

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

from orchestration.account_partitions import PARTITION
from orchestration.dagster_instance import open_instance
from orchestration.settings import ROOT, MillpondSettings
from resources.sandbox.generator.seed import seed
from tests.orchestration.bad_day import environment
from tests.orchestration.conftest import at_home
from tests.orchestration.web.test_ui import LAUNCH, MILLPOND, SIGNED_IN, TOKEN, family, free_port, is_up, running, until

pytestmark = pytest.mark.long

JOB, POOL = "precoro__options", "duckdb"
LOCATION = """
import dagster as dg
from orchestration.account_partitions import partitions_of, requests_of
from orchestration.settings import MillpondSettings
from orchestration.automation.schedule_spec import Timing

settings = MillpondSettings()

@dg.job(partitions_def=partitions_of(settings))
def night():
    pass

timing = Timing(weekdays=["mon", "tue"], hours=["02:00"], on=True)
defs = dg.Definitions(jobs=[night], schedules=[timing.schedule("nightly", "night", "", requests_of(settings))])
"""
ITERATE = """
import logging, sys, signal
from datetime import datetime
import dagster as dg
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
import dagster._daemon  # first: the other one imports it in a circle
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
    """Launch the job as the button does; the run's id."""
    selector = {"repositoryName": "__repository__", "repositoryLocationName": "millpond", "jobName": JOB}
    asked = {"query": LAUNCH, "variables": {"p": {"selector": selector, "runConfigData": {}, "mode": "default"}}}
    told: dict[str, Any] = http.post("/graphql", json=asked).json()
    return str(told["data"]["launchPipelineExecution"]["run"]["runId"])


def test_after_a_power_cut_the_run_is_closed_and_made_again(tmp_path: Path) -> None:
    """Webserver, daemon, code servers and the run are killed at once; nobody does anything but start again."""
    port = free_port()
    command = [*MILLPOND, "ui", "--port", str(port)]
    with at_home(tmp_path / "home") as home, environment(DAGSTER_HOME="", MILLPOND_UI_TOKEN=TOKEN):
        seed(home.sandbox, customers=30, companies=None, seed=3)
        with (
            running(command, tmp_path / "first.log", MILLPOND_HOME=str(home.folder)) as process,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers=SIGNED_IN) as http,
        ):
            until(lambda: is_up(http), 120, "the webserver does not answer")
            run_id = launch(http)
            with open_instance(MillpondSettings()) as instance:

                def taken() -> int:
                    return instance.event_log_storage.get_concurrency_info(POOL).active_slot_count

                until(lambda: taken() == 1, 180, "the run does not begin")
                for number in [*family(process.pid), process.pid]:
                    with suppress(ProcessLookupError):
                        os.kill(number, signal.SIGKILL)
                left = instance.get_run_by_id(run_id)
                assert left is not None
                assert (left.status, taken()) == (dg.DagsterRunStatus.STARTED, 1)

        with (
            running(command, tmp_path / "second.log", MILLPOND_HOME=str(home.folder)),
            open_instance(MillpondSettings()) as instance,
        ):

            def runs() -> list[dg.DagsterRun]:
                return list(instance.get_runs(filters=dg.RunsFilter(job_name=JOB)))

            until(lambda: any(each.is_success for each in runs()), 240, (tmp_path / "second.log").read_text()[-2000:])
            by_id = {each.run_id: each for each in runs()}
            again = [each for each in by_id.values() if each.parent_run_id == run_id]
            taken_after = instance.event_log_storage.get_concurrency_info(POOL).active_slot_count

    assert by_id[run_id].status is dg.DagsterRunStatus.FAILURE
    assert [each.status for each in again] == [dg.DagsterRunStatus.SUCCESS]
    assert len(by_id) == 2
    assert taken_after == 0


@pytest.mark.parametrize("accounts", ["", "acme,globex"])
@pytest.mark.parametrize("crash", ["TICK_CREATED", "TICK_HELD", "RUN_CREATED", "RUN_LAUNCHED", "TICK_SUCCESS"])
def test_a_daemon_that_dies_in_a_tick_loses_none_and_doubles_none(tmp_path: Path, crash: str, accounts: str) -> None:
    """At each place where Dagster's scheduler can be hit; the next one takes the tick up where it was."""
    (tmp_path / "location.py").write_text(LOCATION)
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    before, due, after = "2026-11-16T01:00:00+00:00", "2026-11-16T02:00:05+00:00", "2026-11-16T02:01:00+00:00"

    def child(crash: str, *moments: str) -> int:
        command = [sys.executable, "-W", "ignore", "-c", ITERATE, str(tmp_path), crash, *moments]
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "MILLPOND_ACCOUNTS": accounts}
        with (tmp_path / "log").open("w") as log:  # a pipe would be held open by the code server that it leaves behind
            done = subprocess.run(
                command, cwd=tmp_path, env=variables, stdout=log, stderr=log, check=False, timeout=300
            )
        assert done.returncode in {0, -signal.SIGKILL}, (tmp_path / "log").read_text()[-2000:]
        return done.returncode

    died = child(crash, before, due)
    ended = child("", after)

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        runs = sorted(each.tags.get(PARTITION, each.tags["dagster/schedule_name"]) for each in instance.get_runs())
        (state,) = instance.all_instigator_state()
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    assert (died, ended) == (-signal.SIGKILL, 0)
    assert runs == (accounts.split(",") if accounts else ["nightly"])
    assert [each.status.value for each in ticks] == ["SUCCESS"]
