"""Workers that die: each run ends, and what does not depend on the lost step goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration.settings import ROOT
from tests.scale.lane import DEPLOY, Lane
from tests.scale.services import Services, process

pytest.importorskip("dagster_celery", reason="`make test-scale` has an environment with Celery")

PATIENCE_S = 120


@pytest.fixture
def lane(tmp_path: Path, stores: Services) -> Lane:
    """Workers, and no customers."""
    return Lane(tmp_path, stores, "unused").prepare()


def command(*words: str) -> list[str]:
    """Dagster on the small jobs."""
    return [sys.executable, "-W", "ignore", "-m", *words, "-m", "tests.scale.jobs"]


@contextmanager
def begun(lane: Lane, job: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A run of one of the small jobs, in a process of its own; ended with the test."""
    execute = [*command("dagster", "job", "execute"), "-j", job]
    with process(execute, lane.home / "run.log", env={**os.environ, **lane.settings}, cwd=ROOT) as run:
        yield run


def states(lane: Lane) -> tuple[str, dict[str, str]]:
    """How the run is, and each of its steps."""
    with dg.DagsterInstance.from_config(str(lane.home / "dagster")) as instance:
        run = instance.get_runs(limit=1)[0]
        told = instance.get_run_step_stats(run.run_id)
        return run.status.value, {each.step_key: each.status.value if each.status else "" for each in told}


def test_what_does_not_depend_on_a_lost_step_goes_on(lane: Lane) -> None:
    """One worker is killed while another goes on with the other branch; the run ends."""
    with lane.workers(2), begun(lane, "one_branch_dies") as run:
        assert run.wait(PATIENCE_S) != 0

    assert states(lane)[1] == {"dies": "FAILURE", "lasts": "SUCCESS", "follows_the_living": "SUCCESS"}
    assert "signal 9 (SIGKILL)" in (lane.home / "run.log").read_text()


def test_a_lost_step_is_tried_again_where_its_asset_says_so(lane: Lane) -> None:
    """As with processes on one machine."""
    with lane.workers(1), begun(lane, "tried_again") as run:
        assert run.wait(PATIENCE_S) == 0

    assert states(lane)[1] == {"dies_once": "SUCCESS", "follows": "SUCCESS"}


def test_a_step_that_ended_before_its_worker_died_has_ended(lane: Lane) -> None:
    """Dagster's records tell what Celery may not."""
    with lane.workers(1), begun(lane, "ended_in_time") as run:
        assert run.wait(PATIENCE_S) == 0

    assert states(lane)[1] == {"dies_after_its_end": "SUCCESS", "follows": "SUCCESS"}


@pytest.mark.parametrize("restarted", [False, True])
def test_a_machine_that_vanishes_ends_its_run(lane: Lane, *, restarted: bool) -> None:
    """Whether nobody answers, or one of the same name that knows nothing."""
    with lane.workers(1) as keeper, begun(lane, "machine_vanishes") as run:
        os.waitid(os.P_PID, keeper, os.WEXITED | os.WNOWAIT)
        if restarted:
            with lane.workers(1):
                assert run.wait(PATIENCE_S) != 0
        assert run.wait(PATIENCE_S) != 0

    assert states(lane)[1] == {"takes_the_machine_along": "FAILURE"}
    told = "knows nothing of it any more" if restarted else "has not answered for"
    assert told in (lane.home / "run.log").read_text()


@contextmanager
def daemon(lane: Lane) -> Iterator[None]:
    """Dagster's daemon, which looks after runs."""
    watch = command("dagster._daemon", "run")
    with process(watch, lane.home / "daemon.log", env={**os.environ, **lane.settings}, cwd=ROOT):
        yield


def test_a_whole_run_whose_machine_vanished_is_closed(lane: Lane) -> None:
    """The launcher of `orchestration/deploy/dagster.yaml` asks the worker; Celery's records say "started" for ever."""
    settings = lane.home / "dagster" / "dagster.yaml"
    launcher = yaml.safe_load((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"))["run_launcher"]
    watching = {"run_launcher": launcher, "run_monitoring": {"enabled": True, "poll_interval_seconds": 1}}
    settings.write_text(settings.read_text(encoding="utf-8") + yaml.safe_dump(watching), encoding="utf-8")
    launch = [*command("dagster", "job", "launch"), "-j", "whole_run"]

    with daemon(lane), lane.workers(1) as keeper:
        subprocess.run(launch, env={**os.environ, **lane.settings}, cwd=ROOT, check=True, capture_output=True)
        wait_for(lambda: "waits" in states(lane)[1])
        os.killpg(keeper, signal.SIGKILL)
    assert states(lane)[0] == "STARTED"

    with lane.workers(1), daemon(lane):
        wait_for(lambda: states(lane)[0] == "FAILURE")


def wait_for(happened: Callable[[], bool]) -> None:
    """Look until it has."""
    give_up = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.5)
