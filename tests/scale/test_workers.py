"""Dead workers: each run ends, and steps that do not depend on the lost step continue."""

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

from orchestration.configuration.settings import ROOT
from tests.scale.cluster import DEPLOY, Cluster
from tests.scale.services import Services, process

pytest.importorskip("dagster_celery", reason="`make test-scale` has an environment with Celery")

PATIENCE_S = 120


@pytest.fixture
def cluster(tmp_path: Path, stores: Services) -> Cluster:
    """A cluster without records."""
    return Cluster(tmp_path, stores, "unused").prepare()


def command(*arguments: str) -> list[str]:
    """Return a Dagster command over the small jobs."""
    return [sys.executable, "-W", "ignore", "-m", *arguments, "-m", "tests.scale.jobs"]


@contextmanager
def started(cluster: Cluster, job: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Execute one of the small jobs in its own process; end it with the test."""
    execute = [*command("dagster", "job", "execute"), "-j", job]
    with process(execute, cluster.home / "run.log", env={**os.environ, **cluster.settings}, cwd=ROOT) as run:
        yield run


def states(cluster: Cluster) -> tuple[str, dict[str, str]]:
    """Return the status of the latest run and of each of its steps."""
    with dg.DagsterInstance.from_config(str(cluster.home / "dagster")) as instance:
        run = instance.get_runs(limit=1)[0]
        stats = instance.get_run_step_stats(run.run_id)
        return run.status.value, {each.step_key: each.status.value if each.status else "" for each in stats}


def test_steps_that_do_not_depend_on_a_lost_step_continue(cluster: Cluster) -> None:
    """One worker is killed while the other one executes the other branch; the run ends."""
    with cluster.workers(2), started(cluster, "one_branch_dies") as run:
        assert run.wait(PATIENCE_S) != 0

    assert states(cluster)[1] == {"dies": "FAILURE", "takes_long": "SUCCESS", "follows_the_other_step": "SUCCESS"}
    assert "signal 9 (SIGKILL)" in (cluster.home / "run.log").read_text()


def test_a_lost_step_is_retried_by_its_policy(cluster: Cluster) -> None:
    """The policy applies as it does on one machine."""
    with cluster.workers(1), started(cluster, "retried") as run:
        assert run.wait(PATIENCE_S) == 0

    assert states(cluster)[1] == {"dies_once": "SUCCESS", "follows": "SUCCESS"}


def test_a_step_that_succeeded_before_its_worker_died_is_not_repeated(cluster: Cluster) -> None:
    """Dagster's events have its result, which Celery never received."""
    with cluster.workers(1), started(cluster, "ended_before_death") as run:
        assert run.wait(PATIENCE_S) == 0

    assert states(cluster)[1] == {"dies_after_its_end": "SUCCESS", "follows": "SUCCESS"}


@pytest.mark.parametrize("restarted", [False, True])
def test_a_run_ends_when_its_machine_is_lost(cluster: Cluster, *, restarted: bool) -> None:
    """No worker responds, or a new one of the same name that does not know the step."""
    with cluster.workers(1) as parent, started(cluster, "machine_lost") as run:
        os.waitid(os.P_PID, parent, os.WEXITED | os.WNOWAIT)
        if restarted:
            with cluster.workers(1):
                assert run.wait(PATIENCE_S) != 0
        assert run.wait(PATIENCE_S) != 0

    assert states(cluster)[1] == {"loses_the_machine": "FAILURE"}
    message = "started the task and no longer knows it" if restarted else "has not responded for"
    assert message in (cluster.home / "run.log").read_text()


@contextmanager
def daemon(cluster: Cluster) -> Iterator[None]:
    """Run Dagster's daemon, which monitors runs."""
    monitor = command("dagster._daemon", "run")
    with process(monitor, cluster.home / "daemon.log", env={**os.environ, **cluster.settings}, cwd=ROOT):
        yield


def test_a_launched_run_ends_when_its_machine_is_lost(cluster: Cluster) -> None:
    """The launcher of `orchestration/deploy/dagster.yaml` queries the worker; Celery's state remains "started"."""
    settings = cluster.home / "dagster" / "dagster.yaml"
    launcher = yaml.safe_load((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"))["run_launcher"]
    watching = {"run_launcher": launcher, "run_monitoring": {"enabled": True, "poll_interval_seconds": 1}}
    settings.write_text(settings.read_text(encoding="utf-8") + yaml.safe_dump(watching), encoding="utf-8")
    launch = [*command("dagster", "job", "launch"), "-j", "whole_run"]

    with daemon(cluster), cluster.workers(1) as parent:
        subprocess.run(launch, env={**os.environ, **cluster.settings}, cwd=ROOT, check=True, capture_output=True)
        wait_until(lambda: "waits" in states(cluster)[1])
        os.killpg(parent, signal.SIGKILL)
    assert states(cluster)[0] == "STARTED"

    with cluster.workers(1), daemon(cluster):
        wait_until(lambda: states(cluster)[0] == "FAILURE")


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is met."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)
