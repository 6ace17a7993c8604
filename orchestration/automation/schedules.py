"""Runs by the clock: what groups.yaml asks for."""

from collections.abc import Iterable, Mapping

import dagster as dg

from orchestration.account_partitions import requests_of
from orchestration.automation.jobs import Group
from orchestration.automation.schedule_spec import Timing
from orchestration.settings import MillpondSettings


def group_schedules(
    groups: Mapping[str, Group], jobs: Iterable[str], settings: MillpondSettings
) -> list[dg.ScheduleDefinition]:
    """The schedules of the groups: `<group>_schedule`, and `<group>_schedule_2` and so on where there are several."""
    there, requests = set(jobs), requests_of(settings)
    return [
        timing.schedule(
            f"{name}_schedule{f'_{number}' if number > 1 else ''}", name, f"Runs the group {name}.", requests
        )
        for name, group in groups.items()
        if name in there
        for number, timing in enumerate(group.timings, 1)
    ]


def own_schedules(timings: Mapping[str, Timing], settings: MillpondSettings) -> list[dg.ScheduleDefinition]:
    """The schedules of the jobs that belong to no group: reconciling and tidying up."""
    requests = requests_of(settings)
    return [timing.schedule(f"{job}_schedule", job, f"Runs {job}.", requests) for job, timing in timings.items()]
