"""Small jobs whose steps lose their workers; `MILLPOND_HOME` is where they leave a note."""

import os
import signal
import threading
import time
from pathlib import Path

import dagster as dg

from orchestration.scale.celery_executor import executor_on_workers

PATIENCE_S = 6.0
celery = executor_on_workers(os.environ["MILLPOND_CELERY_BROKER"], PATIENCE_S)


def die() -> None:
    """As a process does that the kernel has no memory for."""
    os.kill(os.getpid(), signal.SIGKILL)


@dg.op
def dies() -> int:
    """Loses its process."""
    die()
    return 1


@dg.op
def lasts() -> int:
    """Is still at it when the other one is told to be lost."""
    time.sleep(4)
    return 2


@dg.op
def follows(before: int) -> int:
    """Waits for another."""
    return before


@dg.job(executor_def=celery)
def one_branch_dies() -> None:
    """Two branches; the second ends after the first one's death."""
    follows.alias("follows_the_dead")(dies())
    follows.alias("follows_the_living")(lasts())


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def dies_once() -> int:
    """Loses its process the first time."""
    note = Path(os.environ["MILLPOND_HOME"]) / "died"
    if not note.exists():
        note.touch()
        die()
    return 1


@dg.job(executor_def=celery)
def tried_again() -> None:
    """Ends well."""
    follows(dies_once())


@dg.op
def dies_after_its_end(context: dg.OpExecutionContext) -> int:
    """Ends well, and its process dies before Celery hears of it."""

    def watch() -> None:
        ended = dg.DagsterEventType.STEP_SUCCESS
        while not context.instance.all_logs(context.run_id, of_type=ended):
            pass
        die()

    threading.Thread(target=watch, daemon=True).start()
    return 7


@dg.job(executor_def=celery)
def ended_in_time() -> None:
    """Ends well."""
    follows(dies_after_its_end())


@dg.op
def takes_the_machine_along() -> int:
    """Every process of the worker is gone at once, as when a machine loses its power."""
    os.killpg(os.getpgid(0), signal.SIGKILL)
    return 1


@dg.job(executor_def=celery)
def machine_vanishes() -> None:
    """Nobody can say what became of the step."""
    follows(takes_the_machine_along())


@dg.op
def waits() -> None:
    """Would go on for long."""
    time.sleep(600)


@dg.job(executor_def=dg.in_process_executor)
def whole_run() -> None:
    """In one worker."""
    waits()


definitions = dg.Definitions(jobs=[one_branch_dies, tried_again, ended_in_time, machine_vanishes, whole_run])
