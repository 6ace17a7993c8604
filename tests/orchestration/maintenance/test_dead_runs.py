"""Runs whose process died are closed, and nothing waits for them."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import should_retry

from orchestration.automation.groups import OPERATOR_JOBS
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.dagster_instance import open_instance
from orchestration.definitions import definitions
from orchestration.maintenance.dead_runs import DIED, LAUNCHED_BY_CLI, close_dead_runs
from resources.clock import WallClock
from tests.assets.delivery.jumping_clock import JumpingClock
from tests.orchestration.conftest import QUIET
from tests.orchestration.home_state import environment

DIES = (
    "import sys; from orchestration.cli.run import run_job\n"
    "from resources import failpoints; failpoints.arm('mart_made'); sys.exit(run_job('precoro__options'))"
)
POOL = "duckdb"


def slots(instance: dg.DagsterInstance) -> int:
    """Return the number of used pool slots."""
    return instance.event_log_storage.get_concurrency_info(POOL).active_slot_count


@pytest.mark.long
@pytest.mark.usefixtures("seeded")
def test_the_pool_slot_of_a_killed_run_is_freed() -> None:
    """`millpond run` dies while it builds a table: Dagster alone would wait for it forever."""
    with environment(DAGSTER_HOME=""):
        child = subprocess.run([sys.executable, "-W", "ignore", "-c", DIES], cwd=ROOT, capture_output=True, check=False)
        assert child.returncode == -signal.SIGKILL, child.stderr.decode()[-2000:]
        with open_instance(MillpondSettings()) as instance:
            (run,) = instance.get_runs()
            before = run.status, slots(instance)
            closed = close_dead_runs(instance)
            after = instance.get_run_by_id(run.run_id), slots(instance)
            again = close_dead_runs(instance)
            mine = definitions().resolve_job_def("maintenance")
            messages = [entry.message for entry in instance.all_logs(run.run_id)]
            result = mine.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)

    assert before == (dg.DagsterRunStatus.STARTED, 1)
    assert closed == [run.run_id]
    assert after[0] is not None
    assert (after[0].status, after[1]) == (dg.DagsterRunStatus.FAILURE, 0)
    assert again == []
    assert DIED in messages
    assert result.success


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """A Dagster instance in files, with the project's settings."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    return dg.DagsterInstance.from_config(str(tmp_path))


def add_run(instance: dg.DagsterInstance, number: int | None, status: str = "STARTED", **tags: str) -> dg.DagsterRun:
    """Add a run whose process has this id."""
    job = dg.Definitions(jobs=[dg.define_asset_job("nightly", "raw")], assets=[_raw]).resolve_job_def("nightly")
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus[status], tags=tags)
    if number is not None:
        instance.report_engine_event("Started process for run", run, EngineEventData.in_process(number))
    return run


@dg.asset(name="raw")
def _raw() -> None:
    """Do nothing."""


def dead_process() -> int:
    """Return the id of a process that ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_run_that_is_alive_or_only_starting_is_not_closed(stored: dg.DagsterInstance) -> None:
    """Freeing the pool slot of a live run would let two runs write at once."""
    with stored as instance:
        add_run(instance, os.getpid())
        add_run(instance, None, "STARTING")
        add_run(instance, dead_process(), "NOT_STARTED")

        assert close_dead_runs(instance) == []


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_run_is_not_dead_because_the_clock_was_set(stored: dg.DagsterInstance, hours: int) -> None:
    """Its process seems to have started later than it was logged, or earlier."""
    clock = JumpingClock(WallClock())
    with stored as instance:
        add_run(instance, os.getpid())
        closed = close_dead_runs(instance, clock)
        clock.offset += timedelta(hours=hours)
        closed += close_dead_runs(instance, clock)

    assert closed == []


def test_a_later_process_with_the_same_id_does_not_count(stored: dg.DagsterInstance) -> None:
    """Process ids start again after a restart of the machine."""
    with stored as instance:
        run = add_run(instance, None)
        instance.report_engine_event("Started process for run", run, EngineEventData.in_process(os.getpid()))
        # the event is an hour old, as if from before a restart
        entry = instance.all_logs(run.run_id)[-1]
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as later:
            other = add_run(instance, later.pid)
            instance.event_log_storage.delete_events(other.run_id)
            instance.event_log_storage.store_event(
                entry._replace(
                    run_id=other.run_id, timestamp=entry.timestamp - 3600, dagster_event=_with_pid(entry, later.pid)
                )
            )
            closed = close_dead_runs(instance)
            later.communicate(b"\n")

    assert closed == [other.run_id]


def _with_pid(entry: dg.EventLogEntry, number: int) -> dg.DagsterEvent:
    assert entry.dagster_event is not None
    return entry.dagster_event._replace(event_specific_data=EngineEventData.in_process(number))


def test_a_canceling_run_becomes_canceled(stored: dg.DagsterInstance) -> None:
    """That is what the operator asked for."""
    with stored as instance:
        run = add_run(instance, dead_process(), "CANCELING")

        assert close_dead_runs(instance) == [run.run_id]
        ended = instance.get_run_by_id(run.run_id)
        assert ended is not None
        assert ended.status is dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize(("tags", "is_retried"), [({}, True), ({**LAUNCHED_BY_CLI, "dagster/max_retries": "0"}, False)])
def test_a_killed_run_is_retried_unless_it_was_started_by_a_command(
    stored: dg.DagsterInstance, tags: dict[str, str], *, is_retried: bool
) -> None:
    """A power failure must not cost a scheduled run; an operator at a terminal sees the failure."""
    with stored as instance:
        run = add_run(instance, dead_process(), **tags)
        close_dead_runs(instance)
        ended = instance.get_run_by_id(run.run_id)

        assert ended is not None
        assert should_retry(ended, instance) is is_retried


def test_a_failed_run_is_not_retried(stored: dg.DagsterInstance) -> None:
    """Its steps were already retried."""

    @dg.asset
    def broken() -> None:
        raise dg.Failure("a mistake", allow_retries=False)

    with stored as instance:
        result = dg.materialize([broken], instance=instance, raise_on_error=False, run_config=QUIET)
        ended = instance.get_run_by_id(result.run_id)

        assert ended is not None
        assert not should_retry(ended, instance)


@pytest.mark.usefixtures("home")
def test_a_retried_run_repeats_all_steps() -> None:
    """The target state that the first run read is outdated, and its plan would be rejected."""
    jobs = definitions().resolve_all_job_defs()
    made = {job.name: job.tags.get("dagster/retry_strategy") for job in jobs if not job.name.startswith("__")}

    others = {"digest", "maintenance", "realtime", *OPERATOR_JOBS}
    assert {name for name, strategy in made.items() if strategy != "ALL_STEPS"} == others
