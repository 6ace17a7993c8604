"""Close runs whose process died, so that nothing waits for them.

runs in progress  ->  the process ids that Dagster logged  ->  process gone?  ->  run failed, pool slots freed

Dagster notices that a run's process died only while the code server that started it lives. After a power failure, or
for a run of the command line, the run stays in progress forever, keeps its slot in the pool `duckdb`, and blocks every
later run. A later process with the same id is recognized by its start time, unless the clock was set since.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from orchestration.dagster_internals import DefaultRunLauncher
from resources.clock import Clock, WallClock, steady

IN_PROGRESS = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
LAUNCHED_BY_CLI = {"millpond/launched_by": "cli"}
DIED = "the run's process died; the next run checks the target for what this one sent"
START_TOLERANCE_S = 1.0  # between a process's start time in the kernel and the clock
EVERY_S = 30
CLOCK_KEY = "millpond/clock"  # in Dagster's store: when this machine seemed to start


def close_dead_runs(instance: dg.DagsterInstance, clock: Clock | None = None) -> list[str]:
    """Mark runs whose process died as failed, and return their ids; only on Linux, which has /proc."""
    if not Path("/proc/self/stat").exists():
        return []
    closed, booted_at = [], _earliest_boot(instance, clock or WallClock())
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=IN_PROGRESS)):
        if _is_local(instance, run) and _is_dead(instance, run.run_id, booted_at):
            _close(instance, run)
            closed.append(run.run_id)
    # slots of runs that ended while their process died
    for run_id in instance.event_log_storage.get_concurrency_run_ids():
        ended = instance.get_run_by_id(run_id)
        if ended is None or (ended.is_finished and _is_dead(instance, run_id, booted_at)):
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return closed


def _is_local(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether the run's process is one of this machine."""
    return LAUNCHED_BY_CLI.items() <= run.tags.items() or isinstance(instance.run_launcher, DefaultRunLauncher)


def _earliest_boot(instance: dg.DagsterInstance, clock: Clock) -> float:
    """Return the earliest time at which the machine seemed to start, by all settings of its clock since."""
    reading = steady(clock)
    boot = clock.now().timestamp() - reading.seconds
    storage = instance.daemon_cursor_storage
    stored = json.loads(storage.get_cursor_values({CLOCK_KEY}).get(CLOCK_KEY, "{}"))
    earliest = min(boot, float(stored.get(reading.origin, boot)))
    storage.set_cursor_values({CLOCK_KEY: json.dumps({reading.origin: earliest})})
    return earliest


def _is_dead(instance: dg.DagsterInstance, run_id: str, booted_at: float) -> bool:
    """Return whether every logged process of the run is gone; a run that is only starting has logged none."""
    processes = list(_processes(instance, run_id))
    return bool(processes) and not any(_is_alive(number, at, booted_at) for number, at in processes)


def _processes(instance: dg.DagsterInstance, run_id: str) -> Iterator[tuple[int, float]]:
    """Ids of the run's processes, and when they were logged."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        number = event.engine_event_data.metadata.get("pid") if event else None
        if number is not None and str(number.value).isdigit():
            yield int(str(number.value)), entry.timestamp


def _is_alive(number: int, at: float, booted_at: float) -> bool:
    """Return whether a process with this id is alive that started before the given time."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (OSError, ValueError):
        return False
    state, start_ticks = fields[0], int(fields[19])
    started = booted_at + start_ticks / os.sysconf("SC_CLK_TCK")
    return state != "Z" and started <= at + START_TOLERANCE_S


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
    description="Marks runs whose process died as failed, so that nothing waits for them.",
)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Close dead runs every 30 seconds; `millpond run` and `millpond ui` do the same when they start."""
    closed = close_dead_runs(context.instance)
    return dg.SkipReason(f"closed: {', '.join(each[:8] for each in closed)}" if closed else "every run is alive")
