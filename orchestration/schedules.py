"""Runs by the clock: one schedule per group that asks for one."""

from collections.abc import Iterable

import dagster as dg

from orchestration.jobs import Group


def group_schedules(groups: dict[str, Group], jobs: Iterable[str]) -> list[dg.ScheduleDefinition]:
    """The schedules of groups.yaml; `on` says whether they start switched on."""
    there = set(jobs)
    return [
        dg.ScheduleDefinition(
            name=f"{name}_schedule",
            job_name=name,
            cron_schedule=group.schedule.cron,
            execution_timezone=group.schedule.timezone,
            default_status=_status(on=group.schedule.on),
            description=f"Runs the group {name}.",
        )
        for name, group in groups.items()
        if group.schedule and name in there
    ]


def _status(*, on: bool) -> dg.DefaultScheduleStatus:
    return dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED
