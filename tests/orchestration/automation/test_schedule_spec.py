"""When groups run: weekdays and hours as in the connector, and clocks that change."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy  # not exported
from dagster._utils.schedules import schedule_execution_time_iterator
from pydantic import ValidationError

from orchestration.automation.jobs import load_groups, load_nightly
from orchestration.automation.schedule_spec import Timing
from orchestration.definitions import definitions
from tests.orchestration.conftest import edited_workflows

STOCKHOLM, NEW_YORK = "Europe/Stockholm", "America/New_York"
# the nights in which clocks change: 2026 and 2027, forward and back
FORWARD = {STOCKHOLM: (datetime(2026, 3, 29), datetime(2027, 3, 28)), NEW_YORK: (datetime(2026, 3, 8),)}  # noqa: DTZ001 - days
BACK = {STOCKHOLM: (datetime(2026, 10, 25), datetime(2027, 10, 31)), NEW_YORK: (datetime(2026, 11, 1),)}  # noqa: DTZ001 - days
NIGHTS = [(zone, day) for nights in (FORWARD, BACK) for zone, days in nights.items() for day in days]


def ticks(timing: Timing, begin: datetime, days: int) -> list[datetime]:
    """What Dagster's own iterator, which the daemon follows, makes of it; in the zone's time."""
    zone = ZoneInfo(timing.timezone)
    start, end = begin.replace(tzinfo=zone), (begin + timedelta(days=days)).replace(tzinfo=zone)
    found = schedule_execution_time_iterator(start.timestamp(), timing.crons, timing.timezone)
    return [each.astimezone(zone) for each in takewhile(lambda each: each.timestamp() < end.timestamp(), found)]


@pytest.mark.parametrize(
    ("said", "crons"),
    [
        ({"hours": [6]}, "0 6 * * *"),
        ({"weekdays": ["mon", "Tuesday"], "hours": ["06:00", 13]}, ["0 6 * * 1,2", "0 13 * * 1,2"]),
        ({"weekdays": ["sun"], "hours": ["13:30"]}, "30 13 * * 0"),
        ({"weekdays": ["fri", "fri"], "hours": ["7:05", "07:05"]}, "5 7 * * 5"),
        ({"cron": "0 5 * * 1-5"}, "0 5 * * 1-5"),
    ],
)
def test_weekdays_and_hours_become_cron_lines(said: dict[str, object], crons: str | list[str]) -> None:
    """One line for each time of day; what is said twice counts once."""
    assert Timing.model_validate(said).crons == crons


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"weekdays": ["mo"], "hours": [6]}, "no weekday `mo`; there are mon, tue"),
        ({"hours": [24]}, "no time of day `24`; write an hour from 0 to 23"),
        ({"hours": ["25:00"]}, "no time of day `25:00`"),
        ({"hours": [True]}, "no time of day `True`"),
        ({"hours": []}, "at least 1 item"),
        ({"weekdays": ["mon"]}, "give either `cron`, or `hours`"),
        ({"cron": "0 5 * * *", "hours": [5]}, "give either `cron`, or `hours`"),
        ({"cron": "0 5 * * *", "weekdays": ["mon"]}, "`cron` says the weekdays too"),
        ({"hours": [5], "timezone": "Mars"}, "no time zone `Mars`"),
        ({"hours": [5], "zone": "UTC"}, "Extra inputs are not permitted"),
    ],
)
def test_what_nobody_can_follow_is_refused(said: dict[str, object], told: str) -> None:
    """A schedule that does not mean what was written is noticed weeks later."""
    with pytest.raises(ValidationError) as refused:
        Timing.model_validate(said)

    assert told in str(refused.value)


@pytest.mark.parametrize(("zone", "night"), NIGHTS)
@pytest.mark.parametrize("time", ["00:30", "01:30", "02:00", "02:30", "03:00", "23:30"])
def test_no_tick_is_lost_or_doubled_when_clocks_change(zone: str, night: datetime, time: str) -> None:
    """One tick each day, at its time; where that time does not exist, at the first moment after the gap."""
    timing = Timing.model_validate({"hours": [time], "timezone": zone})
    found = ticks(timing, night - timedelta(days=2), 5)

    assert [each.date() for each in found] == [(night + timedelta(days=number)).date() for number in range(-2, 3)]
    late = [each for each in found if f"{each:%H:%M}" != time]
    assert all((each.date() == night.date() and f"{each:%H:%M}" == "03:00") or each.hour == 3 for each in late)
    assert len(late) <= 1


@pytest.mark.parametrize(("zone", "night"), NIGHTS)
def test_several_slots_of_a_night_keep_their_order_and_number(zone: str, night: datetime) -> None:
    """Two slots that fall on the same moment are one run; in autumn no slot comes twice."""
    timing = Timing.model_validate({"hours": [0, 1, 2, 3, 4], "timezone": zone})
    found = ticks(timing, night, 1)
    moments = [each.astimezone(UTC) for each in found]

    assert moments == sorted(set(moments))
    shown = [f"{each:%H:%M}" for each in found if each.date() == night.date()]
    wanted = ["00:00", "01:00", "02:00", "03:00", "04:00"]
    assert shown == (wanted if night in BACK[zone] else [each for each in wanted if each != "02:00"])


@pytest.mark.parametrize("zone", [STOCKHOLM, NEW_YORK, "UTC"])
def test_a_year_of_mondays_has_a_tick_each(zone: str) -> None:
    """The Monday Precoro update, by weekdays and hours as by its cron line."""
    begin = datetime(2026, 1, 1)  # noqa: DTZ001 - a day
    by_hours = ticks(Timing.model_validate({"weekdays": ["mon"], "hours": [6], "timezone": zone}), begin, 365)
    by_cron = ticks(Timing.model_validate({"cron": "0 6 * * 1", "timezone": zone}), begin, 365)

    assert by_hours == by_cron
    assert len(by_hours) == 52
    assert {f"{each:%a %H:%M}" for each in by_hours} == {"Mon 06:00"}


@pytest.mark.usefixtures("home")
def test_groups_yaml_takes_slots_all_and_several_schedules(tmp_path: Path) -> None:
    """As a connector's Automate tab says it: rows of weekday, hour and group."""
    groups = """
reconcile: {hours: [2], timezone: Europe/Stockholm, on: true}
groups:
  everything:
    workflows: [All]
    schedules:
      - {weekdays: [mon, wed], hours: [06:00, 13:30], timezone: Europe/Stockholm, on: true}
      - {weekdays: [sat], hours: [9], timezone: America/New_York}
    fresh_h: 12
  spending: {workflows: [precoro__options], schedule: {hours: [5]}, fresh_h: 3}
"""
    with edited_workflows(tmp_path / "workflows", groups) as folder:
        made = definitions()
        found = {each.name: each for each in made.schedules or [] if isinstance(each, dg.ScheduleDefinition)}
        known = {path.parent.name for path in folder.glob("*/defs.yaml")}
        loaded, problems = load_groups(folder, sorted(known))
        specs = {spec.key.to_user_string(): spec for spec in made.resolve_all_asset_specs()}

    assert problems == []
    assert set(loaded["everything"].workflows) == known
    assert set(found) == {"everything_schedule", "everything_schedule_2", "spending_schedule", "reconcile_schedule"}
    first, second = found["everything_schedule"], found["everything_schedule_2"]
    assert (first.cron_schedule, first.execution_timezone) == (["0 6 * * 1,3", "30 13 * * 1,3"], STOCKHOLM)
    assert (second.cron_schedule, second.execution_timezone) == ("0 9 * * 6", NEW_YORK)
    assert first.job_name == second.job_name == "everything"
    assert first.default_status is dg.DefaultScheduleStatus.RUNNING
    assert second.default_status is dg.DefaultScheduleStatus.STOPPED
    for name, hours in (("sync_precoro__options", 3), ("plan_suiteprojects__customers", 12)):
        policy = specs[name].freshness_policy
        assert isinstance(policy, TimeWindowFreshnessPolicy)
        assert policy.fail_window.to_timedelta() == timedelta(hours=hours), name


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "groups:\n  x:\n    workflows: [All]\n    schedule:\n      weekdays: [mon, tu]\n      hours: [6]\n",
            ":5: groups.x.schedule.weekdays.1",
        ),
        ("reconcile: {hours: [99]}\ngroups: {}\n", ":1: reconcile.hours.0"),
        ("groups:\n  reconcile: {workflows: [All]}\n", ":2: groups.reconcile"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    """`millpond validate` and the asset that stands in for groups.yaml say the same; the house's jobs do not run."""
    (tmp_path / "groups.yaml").write_text(text)

    _, problems = load_groups(tmp_path, ["a"])

    assert len(problems) == 1
    assert problems[0].startswith(f"{tmp_path}/groups.yaml{told}")
    assert "reconcile:" not in text or load_nightly(tmp_path) == {}
