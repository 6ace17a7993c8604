"""Close runs whose process is dead, so that nothing waits for them.

runs under way  ->  the process that Dagster noted  ->  gone?  ->  failed, its places in pools free

Dagster notices the death of a run's process as long as the code server lives that started it. After a power cut, or
for a run of the command line, nobody does: the run stays under way for ever, keeps its place in the pool `duckdb`, and
everything behind it waits. A process is told from a later one with the same number by when it began.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.launcher import DefaultRunLauncher  # runs in processes of this machine

UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
BY_TAG, BY_CLI = "millpond/by", "cli"
DIED = "the process that ran it is gone; what it sent is read back by the next run"
SLACK_S = 1.0  # between the beginning of a process as the kernel counts it, and the clock
EVERY_S = 30


def close_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Say of runs whose process is gone that they failed; returns their ids. Only on Linux: elsewhere none is known."""
    if not Path("/proc/self/stat").exists():
        return []
    closed = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNDER_WAY)):
        if _is_ours(instance, run) and _is_dead(instance, run.run_id):
            _close(instance, run)
            closed.append(run.run_id)
    # a place that a run kept which ended while its process died
    for run_id in instance.event_log_storage.get_concurrency_run_ids():
        ended = instance.get_run_by_id(run_id)
        if ended is None or (ended.is_finished and _is_dead(instance, run_id)):
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return closed


def _is_ours(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether it runs on this machine, so that its process can be looked for."""
    return run.tags.get(BY_TAG) == BY_CLI or isinstance(instance.run_launcher, DefaultRunLauncher)


def _is_dead(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether every process that said it works for this run is gone; one that is only starting has said nothing."""
    noted = list(_processes(instance, run_id))
    return bool(noted) and not any(_lives(number, at) for number, at in noted)


def _processes(instance: dg.DagsterInstance, run_id: str) -> Iterator[tuple[int, float]]:
    """Numbers of the processes that worked for a run, and when they said so."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        told = event.engine_event_data.metadata.get("pid") if event else None
        if told is not None and str(told.value).isdigit():
            yield int(str(told.value)), entry.timestamp


def _lives(number: int, at: float) -> bool:
    """Whether a process with this number lives that had begun by then."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        up_s = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError):
        return False
    state, began_ticks = fields[0], int(fields[19])
    began = time.time() - up_s + began_ticks / os.sysconf("SC_CLK_TCK")
    return state != "Z" and began <= at + SLACK_S


def _close(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message=DIED)
    else:
        instance.report_run_failed(run, message=DIED)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


@dg.sensor(
    name="close_dead_runs",
    minimum_interval_seconds=EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Says of runs whose process is gone that they failed, so that nothing waits for them.",
)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Every half a minute; `millpond run` and `millpond ui` do the same before they begin."""
    closed = close_dead_runs(context.instance)
    return dg.SkipReason(f"closed: {', '.join(each[:8] for each in closed)}" if closed else "every run is alive")
