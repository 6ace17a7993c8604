"""Schedules: weekdays and hours as in the connector, and clock changes."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy  # not exported
from dagster._utils.schedules import schedule_execution_time_iterator
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestration.automation.groups import load_groups
from orchestration.automation.schedule_spec import CRON_LIMITS, Timing, is_plain_cron
from orchestration.definitions import definitions
from tests.orchestration.conftest import edited_workflows

STOCKHOLM, NEW_YORK = "Europe/Stockholm", "America/New_York"
# the nights of clock changes in 2026 and 2027, forward and back
FORWARD = {STOCKHOLM: (datetime(2026, 3, 29), datetime(2027, 3, 28)), NEW_YORK: (datetime(2026, 3, 8),)}  # noqa: DTZ001 - days
BACK = {STOCKHOLM: (datetime(2026, 10, 25), datetime(2027, 10, 31)), NEW_YORK: (datetime(2026, 11, 1),)}  # noqa: DTZ001 - days
NIGHTS = [(zone, day) for nights in (FORWARD, BACK) for zone, days in nights.items() for day in days]


def ticks(timing: Timing, begin: datetime, days: int) -> list[datetime]:
    """Return the ticks of Dagster's own iterator, which the daemon uses, in the zone's time."""
    zone = ZoneInfo(timing.timezone)
    start, end = begin.replace(tzinfo=zone), (begin + timedelta(days=days)).replace(tzinfo=zone)
    found = schedule_execution_time_iterator(start.timestamp(), timing.crons, timing.timezone)
    return [each.astimezone(zone) for each in takewhile(lambda each: each.timestamp() < end.timestamp(), found)]


@pytest.mark.parametrize(
    ("content", "crons"),
    [
        ({"hours": [6]}, "0 6 * * *"),
        ({"weekdays": ["mon", "Tuesday"], "hours": ["06:00", 13]}, ["0 6 * * 1,2", "0 13 * * 1,2"]),
        ({"weekdays": ["sun"], "hours": ["13:30"]}, "30 13 * * 0"),
        ({"weekdays": ["fri", "fri"], "hours": ["7:05", "07:05"]}, "5 7 * * 5"),
        ({"cron": "0 5 * * 1-5"}, "0 5 * * 1-5"),
    ],
)
def test_weekdays_and_hours_become_cron_lines(content: dict[str, object], crons: str | list[str]) -> None:
    """One line per time of day; duplicates count once."""
    assert Timing.model_validate(content).crons == crons


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weekdays": ["mo"], "hours": [6]}, "no weekday `mo`; use mon, tue"),
        ({"hours": [24]}, "no time of day `24`; use an hour from 0 to 23"),
        ({"hours": ["25:00"]}, "no time of day `25:00`"),
        ({"hours": [True]}, "no time of day `True`"),
        ({"hours": []}, "at least 1 item"),
        ({"weekdays": ["mon"]}, "use either `cron`, or `hours`"),
        ({"cron": "0 5 * * *", "hours": [5]}, "use either `cron`, or `hours`"),
        ({"cron": "0 5 * * *", "weekdays": ["mon"]}, "`cron` includes the weekdays"),
        ({"hours": [5], "timezone": "Mars"}, "no time zone `Mars`"),
        ({"hours": [5], "zone": "UTC"}, "Extra inputs are not permitted"),
    ],
)
def test_an_invalid_timing_is_rejected(content: dict[str, object], message: str) -> None:
    """A schedule that differs from its text would be noticed weeks later."""
    with pytest.raises(ValidationError) as raised:
        Timing.model_validate(content)

    assert message in str(raised.value)


@pytest.mark.parametrize(("zone", "night"), NIGHTS)
@pytest.mark.parametrize("time", ["00:30", "01:30", "02:00", "02:30", "03:00", "23:30"])
def test_no_tick_is_lost_or_repeated_when_clocks_change(zone: str, night: datetime, time: str) -> None:
    """One tick per day at its time; if that time does not exist, at the first moment after the gap."""
    timing = Timing.model_validate({"hours": [time], "timezone": zone})
    found = ticks(timing, night - timedelta(days=2), 5)

    assert [each.date() for each in found] == [(night + timedelta(days=number)).date() for number in range(-2, 3)]
    late = [each for each in found if f"{each:%H:%M}" != time]
    assert all((each.date() == night.date() and f"{each:%H:%M}" == "03:00") or each.hour == 3 for each in late)
    assert len(late) <= 1


@pytest.mark.parametrize(("zone", "night"), NIGHTS)
def test_several_times_of_a_night_keep_their_order_and_number(zone: str, night: datetime) -> None:
    """Two times that coincide are one run; in autumn no time is repeated."""
    timing = Timing.model_validate({"hours": [0, 1, 2, 3, 4], "timezone": zone})
    found = ticks(timing, night, 1)
    moments = [each.astimezone(UTC) for each in found]

    assert moments == sorted(set(moments))
    times = [f"{each:%H:%M}" for each in found if each.date() == night.date()]
    expected = ["00:00", "01:00", "02:00", "03:00", "04:00"]
    assert times == (expected if night in BACK[zone] else [each for each in expected if each != "02:00"])


@pytest.mark.parametrize("zone", [STOCKHOLM, NEW_YORK, "UTC"])
def test_every_monday_of_a_year_has_one_tick(zone: str) -> None:
    """The Monday update of Precoro, by weekdays and hours and by its cron line."""
    begin = datetime(2026, 1, 1)  # noqa: DTZ001 - a day
    by_hours = ticks(Timing.model_validate({"weekdays": ["mon"], "hours": [6], "timezone": zone}), begin, 365)
    by_cron = ticks(Timing.model_validate({"cron": "0 6 * * 1", "timezone": zone}), begin, 365)

    assert by_hours == by_cron
    assert len(by_hours) == 52
    assert {f"{each:%a %H:%M}" for each in by_hours} == {"Mon 06:00"}


@pytest.mark.usefixtures("home")
def test_groups_yaml_accepts_times_all_workflows_and_several_schedules(tmp_path: Path) -> None:
    """As in a connector's Automate tab: rows of weekday, hour and group."""
    groups = """
reconcile: {hours: [2], timezone: Europe/Stockholm, on: true}
groups:
  everything:
    workflows: [All]
    schedules:
      - {weekdays: [mon, wed], hours: [06:00, 13:30], timezone: Europe/Stockholm, on: true}
      - {weekdays: [sat], hours: [9], timezone: America/New_York}
    freshness_hours: 12
  spending: {workflows: [precoro__options], schedule: {hours: [5]}, freshness_hours: 3}
"""
    with edited_workflows(tmp_path / "workflows", groups) as folder:
        made = definitions()
        found = {each.name: each for each in made.schedules or [] if isinstance(each, dg.ScheduleDefinition)}
        known = {path.parent.name for path in folder.glob("*/defs.yaml")}
        loaded = load_groups(folder, sorted(known))
        specs = {spec.key.to_user_string(): spec for spec in made.resolve_all_asset_specs()}

    assert loaded.problems == ()
    assert set(loaded.groups["everything"].workflows) == known
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
    ("text", "message"),
    [
        (
            "groups:\n  x:\n    workflows: [All]\n    schedule:\n      weekdays: [mon, tu]\n      hours: [6]\n",
            ":5: groups.x.schedule.weekdays.1",
        ),
        ("reconcile: {hours: [99]}\ngroups: {}\n", ":1: reconcile.hours.0"),
        ("groups:\n  reconcile: {workflows: [All]}\n", ":2: groups.reconcile"),
    ],
)
def test_a_mistake_is_reported_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    """`millpond validate` and the asset `groups_yaml` report it; an invalid schedule does not run."""
    (tmp_path / "groups.yaml").write_text(text)

    groups = load_groups(tmp_path, ["a"])

    assert len(groups.problems) == 1
    assert groups.problems[0].startswith(f"{tmp_path}/groups.yaml{message}")
    assert groups.schedules == {}


def cron_fields(lowest: int, highest: int) -> st.SearchStrategy[str]:
    """Return fields of a cron line, most of them valid."""
    number = st.integers(max(0, lowest - 1), highest + 3).map(str)
    span = st.tuples(number, number).map("-".join)
    step = st.tuples(st.one_of(st.just("*"), number, span), st.integers(0, highest + 3).map(str)).map("/".join)
    return st.lists(st.one_of(st.just("*"), number, span, step), min_size=1, max_size=3).map(",".join)


@given(line=st.tuples(*(cron_fields(*limits) for limits in CRON_LIMITS)).map(" ".join))
def test_dagster_accepts_every_plain_cron_line(line: str) -> None:
    """Such a line is not given to Dagster when groups.yaml is read, as loading Dagster takes seconds."""
    if is_plain_cron(line):
        assert dg.ScheduleDefinition(name="x", job_name="x", cron_schedule=line).cron_schedule == line


@pytest.mark.parametrize("line", ["0 5 * * 1-5", "*/15 * * * *", "0 2 1 * *", "30 6,18 * * *"])
def test_usual_cron_lines_are_plain(line: str) -> None:
    """The others are given to Dagster."""
    assert is_plain_cron(line)
    assert not is_plain_cron(f"{line} *")
    assert not is_plain_cron(line.replace("0", "61", 1).replace("*/15", "*/99"))
