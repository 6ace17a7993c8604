"""The schedules of groups.yaml."""

from collections.abc import Collection

import dagster as dg

from orchestration.account_partitions import run_requests
from orchestration.automation.groups import GroupsFile
from orchestration.settings import MillpondSettings


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
            found.append(timing.schedule(f"{job}_schedule{suffix}", job, f"Runs {job}.", requests))
    return found
