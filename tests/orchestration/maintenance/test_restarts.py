"""A run, the webserver or the daemon dies; the next start goes on, and nothing waits for the dead."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import should_retry

from orchestration.dagster_instance import open_instance
from orchestration.definitions import definitions
from orchestration.maintenance.dead_runs import BY_CLI, BY_TAG, DIED, close_dead_runs
from orchestration.settings import ROOT, MillpondSettings
from tests.orchestration.bad_day import environment
from tests.orchestration.conftest import QUIET

DIES = (
    "import sys; from rich.console import Console; from orchestration.cli.run import run_group\n"
    "from resources import failpoints; failpoints.arm('mart_made'); sys.exit(run_group('precoro__options', Console()))"
)
POOL = "duckdb"


def slots(instance: dg.DagsterInstance) -> int:
    """How many places of the pool are taken."""
    return instance.event_log_storage.get_concurrency_info(POOL).active_slot_count


@pytest.mark.long
@pytest.mark.usefixtures("seeded")
def test_the_place_of_a_killed_run_is_free_for_the_next_one() -> None:
    """`millpond run` dies while it makes a table: Dagster alone would wait for it for ever."""
    with environment(DAGSTER_HOME=""):
        child = subprocess.run([sys.executable, "-W", "ignore", "-c", DIES], cwd=ROOT, capture_output=True, check=False)
        assert child.returncode == -signal.SIGKILL, child.stderr.decode()[-2000:]
        with open_instance(MillpondSettings()) as instance:
            (run,) = instance.get_runs()
            before = run.status, slots(instance)
            closed = close_dead_runs(instance)
            after = instance.get_run_by_id(run.run_id), slots(instance)
            again = close_dead_runs(instance)
            mine = definitions().resolve_job_def("tidy")
            told = [entry.message for entry in instance.all_logs(run.run_id)]
            result = mine.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)

    assert before == (dg.DagsterRunStatus.STARTED, 1)
    assert closed == [run.run_id]
    assert after[0] is not None
    assert (after[0].status, after[1]) == (dg.DagsterRunStatus.FAILURE, 0)
    assert again == []
    assert DIED in told
    assert result.success


@pytest.fixture
def noted(tmp_path: Path) -> dg.DagsterInstance:
    """Dagster's records in files, as the project sets them up."""
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    return dg.DagsterInstance.from_config(str(tmp_path))


def under_way(instance: dg.DagsterInstance, number: int | None, status: str = "STARTED", **tags: str) -> dg.DagsterRun:
    """A run that is under way in a process with this number."""
    job = dg.Definitions(jobs=[dg.define_asset_job("night", "raw")], assets=[_raw]).resolve_job_def("night")
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus[status], tags=tags)
    if number is not None:
        instance.report_engine_event("Started process for run", run, EngineEventData.in_process(number))
    return run


@dg.asset(name="raw")
def _raw() -> None:
    """Nothing."""


def dead_number() -> int:
    """The number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_run_that_lives_or_is_only_starting_is_left_alone(noted: dg.DagsterInstance) -> None:
    """To take a place from a living run would let two write at once."""
    with noted as instance:
        under_way(instance, os.getpid())
        under_way(instance, None, "STARTING")
        under_way(instance, dead_number(), "NOT_STARTED")

        assert close_dead_runs(instance) == []


def test_a_later_process_with_the_same_number_is_another_one(noted: dg.DagsterInstance) -> None:
    """After a restart of the machine numbers begin anew."""
    with noted as instance:
        run = under_way(instance, None)
        instance.report_engine_event("Started process for run", run, EngineEventData.in_process(os.getpid()))
        # the event is as old as the run before the power cut
        entry = instance.all_logs(run.run_id)[-1]
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as later:
            other = under_way(instance, later.pid)
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


def test_one_that_was_being_cancelled_is_cancelled(noted: dg.DagsterInstance) -> None:
    """A person asked for that, and got it."""
    with noted as instance:
        run = under_way(instance, dead_number(), "CANCELING")

        assert close_dead_runs(instance) == [run.run_id]
        ended = instance.get_run_by_id(run.run_id)
        assert ended is not None
        assert ended.status is dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize(("tags", "again"), [({}, True), ({BY_TAG: BY_CLI, "dagster/max_retries": "0"}, False)])
def test_a_killed_run_is_started_once_more_and_one_of_the_command_line_is_not(
    noted: dg.DagsterInstance, tags: dict[str, str], *, again: bool
) -> None:
    """A power cut at two must not cost the night; who sits at a terminal sees it and starts again."""
    with noted as instance:
        run = under_way(instance, dead_number(), **tags)
        close_dead_runs(instance)
        ended = instance.get_run_by_id(run.run_id)

        assert ended is not None
        assert should_retry(ended, instance) is again


def test_a_run_that_failed_by_itself_is_not_started_again(noted: dg.DagsterInstance) -> None:
    """Its steps were tried again already; the rest is for a person."""

    @dg.asset
    def broken() -> None:
        raise dg.Failure("a mistake", allow_retries=False)

    with noted as instance:
        result = dg.materialize([broken], instance=instance, raise_on_error=False, run_config=QUIET)
        ended = instance.get_run_by_id(result.run_id)

        assert ended is not None
        assert not should_retry(ended, instance)


@pytest.mark.usefixtures("home")
def test_a_run_that_is_started_again_begins_at_the_beginning() -> None:
    """What the dead one read of a target is old: a plan made of it would be refused."""
    jobs = definitions().resolve_all_job_defs()
    made = {job.name: job.tags.get("dagster/retry_strategy") for job in jobs if not job.name.startswith("__")}

    of_one_step = {"tidy", "release_plan", "realtime", "switch_workflow"}
    assert {name for name, strategy in made.items() if strategy != "ALL_STEPS"} == of_one_step
