"""The schedules of groups.yaml."""

from collections.abc import Collection, Sequence

import dagster as dg

from orchestration.account_partitions import run_requests
from orchestration.automation.groups import GroupsFile
from orchestration.automation.schedule_spec import Timing
from orchestration.configuration.settings import MillpondSettings


def schedules(groups: GroupsFile, jobs: Collection[str], settings: MillpondSettings) -> list[dg.ScheduleDefinition]:
    """Return the schedules of the jobs that exist: `<job>_schedule`, then `<job>_schedule_2` and so on."""
    requests = run_requests(settings)
    timings = [
        *((name, timing) for name, group in groups.groups.items() for timing in group.timings),
        *groups.schedules.items(),
    ]
    found: list[dg.ScheduleDefinition] = []
    for job, timing in timings:
        number = 1 + sum(each.job_name == job for each in found)
        suffix = f"_{number}" if number > 1 else ""
        if job in jobs:
            found.append(schedule_of(timing, f"{job}_schedule{suffix}", job, requests))
    return found


def schedule_of(timing: Timing, name: str, job: str, requests: Sequence[dg.RunRequest]) -> dg.ScheduleDefinition:
    """Return the schedule of a job, on or off at first; each tick requests these runs."""
    status = dg.DefaultScheduleStatus.RUNNING if timing.on else dg.DefaultScheduleStatus.STOPPED
    return dg.ScheduleDefinition(
        name=name,
        job_name=job,
        cron_schedule=timing.crons,
        execution_timezone=timing.timezone,
        default_status=status,
        description=f"Runs {job}.",
        execution_fn=lambda _: (each for each in requests),
    )
