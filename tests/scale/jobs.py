"""Small jobs whose steps lose their workers; they leave a marker file in `MILLPOND_HOME`."""

import os
import signal
import threading
import time
from pathlib import Path

import dagster as dg

from orchestration.scale.celery_executor import celery_executor

PATIENCE_S = 6.0
celery = celery_executor(os.environ["MILLPOND_CELERY_BROKER"], PATIENCE_S)


def die() -> None:
    """End this process like one that the kernel kills for lack of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


@dg.op
def dies() -> int:
    """Lose the process."""
    die()
    return 1


@dg.op
def takes_long() -> int:
    """Keep running while the other branch's step is found lost."""
    time.sleep(4)
    return 2


@dg.op
def follows(before: int) -> int:
    """Depend on another step."""
    return before


@dg.job(executor_def=celery)
def one_branch_dies() -> None:
    """Two branches, the first of which dies."""
    follows.alias("follows_the_dead_step")(dies())
    follows.alias("follows_the_other_step")(takes_long())


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def dies_once() -> int:
    """Lose the process in the first attempt."""
    marker = Path(os.environ["MILLPOND_HOME"]) / "died"
    if not marker.exists():
        marker.touch()
        die()
    return 1


@dg.job(executor_def=celery)
def retried() -> None:
    """The retry succeeds."""
    follows(dies_once())


@dg.op
def dies_after_its_end(context: dg.OpExecutionContext) -> int:
    """Succeed, and lose the process before Celery receives the result."""

    def watch() -> None:
        ended = dg.DagsterEventType.STEP_SUCCESS
        while not context.instance.all_logs(context.run_id, of_type=ended):
            pass
        die()

    threading.Thread(target=watch, daemon=True).start()
    return 7


@dg.job(executor_def=celery)
def ended_before_death() -> None:
    """The step succeeds for Dagster, and is lost for Celery."""
    follows(dies_after_its_end())


@dg.op
def loses_the_machine() -> int:
    """End every process of the worker at once, as a power failure does."""
    os.killpg(os.getpgid(0), signal.SIGKILL)
    return 1


@dg.job(executor_def=celery)
def machine_lost() -> None:
    """No process can report the step's result."""
    follows(loses_the_machine())


@dg.op
def waits() -> None:
    """Wait much longer than the test."""
    time.sleep(600)


@dg.job(executor_def=dg.in_process_executor)
def whole_run() -> None:
    """One worker executes all steps."""
    waits()


definitions = dg.Definitions(jobs=[one_branch_dies, retried, ended_before_death, machine_lost, whole_run])
