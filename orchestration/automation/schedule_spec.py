"""The timing of a schedule: a cron line, or weekdays and hours as in Oracle's connector.

weekdays: [mon, tue], hours: [06:00, 13]  ->  Timing.crons  ->  a schedule of `schedules.py`

Each time of day becomes its own cron line. Only for such lines, not for those with several hours, is Dagster's iterator
right when clocks change: a skipped hour runs at the next existing one, a repeated hour runs once.
"""

import re
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from assets.delivery.spec.base import Strict
from resources.time_zones import time_zones

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FULL_NAMES = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_HOURS_PER_DAY = 24
# minute, hour, day of month, month, weekday; from the 29th on a date may not exist, which Dagster judges
CRON_LIMITS = ((0, 59), (0, 23), (1, 28), (1, 12), (0, 6))
_CRON_ITEM = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")


def is_plain_cron(cron: str) -> bool:
    """Return whether a cron line is one of numbers, `*`, ranges and steps that Dagster certainly accepts."""
    fields = cron.split(" ")
    return len(fields) == len(CRON_LIMITS) and all(
        _is_plain_item(item, *limits)
        for field, limits in zip(fields, CRON_LIMITS, strict=True)
        for item in field.split(",")
    )


def _is_plain_item(item: str, lowest: int, highest: int) -> bool:
    found = _CRON_ITEM.fullmatch(item)
    if not found:
        return False
    first, last = int(found[1] or lowest), int(found[2] or found[1] or highest)
    is_step = found[3] is None or (1 <= int(found[3]) <= highest and (found[1] is None or found[2] is not None))
    return lowest <= first <= last <= highest and is_step


def _as_day(given: object) -> str:
    name = str(given).strip().lower()
    if name in FULL_NAMES:
        return DAYS[FULL_NAMES.index(name)]
    if name not in DAYS:
        raise ValueError(f"no weekday `{given}`; use {', '.join(DAYS[1:])} or {DAYS[0]}")
    return name


def _as_time(given: object) -> str:
    """`HH:MM`, also of a bare hour."""
    text = str(given).strip()
    if text.isdecimal() and int(text) < _HOURS_PER_DAY:
        return f"{int(text):02}:00"
    found = _CLOCK.fullmatch(text)
    if not found:
        raise ValueError(f"no time of day `{given}`; use an hour from 0 to 23, or a time such as 06:30")
    return f"{int(found[1]):02}:{found[2]}"


Weekday = Annotated[str, BeforeValidator(_as_day)]
TimeOfDay = Annotated[str, BeforeValidator(_as_time)]


class Timing(Strict):
    """When a job runs automatically."""

    cron: str | None = Field(None, description="A cron line, instead of weekdays and hours.")
    weekdays: list[Weekday] | None = Field(None, min_length=1, description="Of mon to sun; every day when omitted.")
    hours: list[TimeOfDay] | None = Field(None, min_length=1, description="Hours, or times such as 06:30.")
    timezone: str = Field("UTC", description="Time zone of the cron line or the hours.")
    on: bool = Field(default=False, description="Whether the schedule starts switched on.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.cron is None) == (self.hours is None):
            raise ValueError("use either `cron`, or `hours` with optional `weekdays`")
        if self.cron is not None and self.weekdays:
            raise ValueError("`cron` includes the weekdays; remove `weekdays`, or use `hours` instead of `cron`")
        if self.cron is None and self.timezone not in time_zones():
            raise ValueError(f"no time zone `{self.timezone}`; use one such as Europe/Stockholm")
        return self

    @model_validator(mode="after")
    def _is_valid_in_dagster(self) -> Self:
        if self.cron is None or (is_plain_cron(self.cron) and self.timezone in time_zones()):
            return self
        import dagster as dg  # late: few cron lines need it, and every command reads groups.yaml

        try:
            dg.ScheduleDefinition(
                name="check", job_name="check", cron_schedule=self.crons, execution_timezone=self.timezone
            )
        except dg.DagsterInvalidDefinitionError as error:
            example = "`0 5 * * 1-5` for cron and `Europe/Stockholm` for timezone"
            raise ValueError(
                f"cron `{self.cron}` in timezone `{self.timezone}` is not valid; use, for example, {example}"
            ) from error
        return self

    @property
    def crons(self) -> str | list[str]:
        """One cron line, or one per time of day."""
        if self.cron is not None:
            return self.cron
        days = sorted({DAYS.index(day) for day in self.weekdays or DAYS})
        on_days = "*" if len(days) == len(DAYS) else ",".join(map(str, days))
        times = sorted({(int(time[:2]), int(time[3:])) for time in self.hours or ()})
        lines = [f"{minute} {hour} * * {on_days}" for hour, minute in times]
        return lines[0] if len(lines) == 1 else lines
