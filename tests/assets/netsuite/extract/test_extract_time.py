"""Time zones and clock changes: where incremental readers lose records."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.netsuite.change_probe import changed_since
from assets.netsuite.extract.watermarks import Watermark
from resources.netsuite.resource import open_netsuite


@pytest.mark.parametrize(
    ("zone", "date_format"),
    [
        ("UTC", "YYYY-MM-DD"),
        ("America/Los_Angeles", "M/D/YYYY"),
        ("Asia/Kolkata", "D-Mon-YYYY"),
        ("Pacific/Kiritimati", "DD.MM.YYYY"),
    ],
)
def test_a_change_is_found_in_every_zone_and_date_format(play: Any, zone: str, date_format: str) -> None:
    """Literals are read, and bare dates shown, as the integration user likes."""
    play.switch(session_zone=zone, date_format=date_format)
    play.customers(1, 2)
    play.later(3600)
    play.extract()
    play.later()
    moment = play.sandbox.clock.now().replace(tzinfo=None, microsecond=0)
    play.sandbox.netsuite.update("customer", 2, phone="1")
    play.later()

    report = play.extract()

    assert (report.read, report.updated) == (1, 1)
    shown = datetime.fromisoformat(play.raw("customers")["2"]["lastmodifieddate"])
    assert abs((shown - moment).total_seconds()) < 5


@pytest.mark.parametrize(
    ("zone", "change", "minutes"),
    [
        ("Europe/Stockholm", datetime(2027, 3, 28, 1, tzinfo=UTC), 50),
        ("Europe/Stockholm", datetime(2027, 10, 31, 1, tzinfo=UTC), 50),
        ("Europe/Stockholm", datetime(2027, 3, 28, 1, tzinfo=UTC), 330),
        ("America/Los_Angeles", datetime(2027, 11, 7, 9, tzinfo=UTC), 330),
    ],
)
def test_no_change_is_lost_around_a_clock_change(play: Any, zone: str, change: datetime, minutes: int) -> None:
    """An hour is skipped in spring and told twice in autumn; a record is edited soon after each run."""
    play.switch(session_zone=zone)
    play.customers(*range(1, 9))
    play.sandbox.clock.advance_to(change - timedelta(hours=5))
    play.extract()
    for step in range(1, 9):
        play.later(300)
        play.sandbox.netsuite.update("customer", step, phone="seen")
        play.later(minutes * 60 - 300)
        with open_netsuite(sandbox=str(play.sandbox.folder)) as play.client:  # each run asks for the offset anew
            play.extract()

    assert {row["phone"] for row in play.raw("customers").values()} == {"seen"}


def test_without_a_known_zone_a_day_is_read_again() -> None:
    """25 hours cover every zone, whichever the literal is read in."""
    moment = datetime(2026, 11, 16, 12, tzinfo=UTC)
    mark = Watermark("customer", moment, 900, "", None, moment, "r")

    assert mark.literal(timedelta(hours=2), moment) == "2026-11-15 11:00:00"
    assert mark.literal(None, moment) == "2026-11-15 11:00:00"


@pytest.mark.parametrize(("then", "now", "since"), [(3600, 7200, 12), (7200, 3600, 12), (3600, 3600, 12)])
def test_the_earlier_of_two_offsets_is_taken(then: int, now: int, since: int) -> None:
    """The watermark may lie on the other side of a clock change."""
    moment = datetime(2026, 11, 16, 12, tzinfo=UTC)
    mark = Watermark("customer", moment, 900, "", then, moment, "r")

    assert mark.literal(timedelta(seconds=now), moment) == f"2026-11-16 {since}:45:00"


@pytest.mark.parametrize(
    ("left", "entered", "then"),
    [
        ("America/St_Johns", "America/Los_Angeles", datetime(2027, 3, 13, 22, tzinfo=UTC)),
        ("America/Phoenix", "America/Los_Angeles", datetime(2027, 3, 13, 22, tzinfo=UTC)),
        ("Africa/Lagos", "Europe/Lisbon", datetime(2027, 3, 27, 22, tzinfo=UTC)),
        ("Australia/Brisbane", "Australia/Sydney", datetime(2027, 4, 3, 10, tzinfo=UTC)),
        ("Asia/Kolkata", "Asia/Kolkata", datetime(2027, 3, 27, 12, tzinfo=UTC)),
    ],
)
def test_a_user_may_move_to_a_zone_whose_clocks_have_changed(left: str, entered: str, then: datetime) -> None:
    """From Arizona to California over the night of the change: seven hours behind then and there, and here and now."""
    now, zone = then + timedelta(days=1), ZoneInfo(entered)
    before, after = then.astimezone(ZoneInfo(left)).utcoffset(), now.astimezone(zone).utcoffset()
    assert before is not None
    mark = Watermark("customer", then, 900, "", int(before.total_seconds()), then, "r")

    since = datetime.fromisoformat(mark.literal(after, now)).replace(tzinfo=zone)

    assert then - timedelta(hours=3) <= since <= then - timedelta(minutes=15)


@cache
def clock_changes(name: str) -> list[datetime]:
    """The hours of a year after which a zone is ahead of UTC by something else."""
    zone = ZoneInfo(name)
    hours = (datetime(2027, 1, 1, tzinfo=UTC) + timedelta(hours=number) for number in range(365 * 24))
    ahead = [(hour, hour.astimezone(zone).utcoffset()) for hour in hours]
    return [hour for (hour, offset), (_, following) in pairwise(ahead) if offset != following]


PLACES = st.sampled_from([name for name in sorted(available_timezones()) if "/" in name and name[:3] != "Etc"])


@given(
    left=PLACES,
    entered=PLACES,
    stays=st.booleans(),
    change=st.integers(0, 3),
    hours=st.floats(-8, 8),
    days=st.sampled_from([0.01, 0.1, 0.5, 1, 7, 100]),
)
def test_no_zone_and_no_night_loses_a_moment(
    left: str, entered: str, change: int, hours: float, days: float, *, stays: bool
) -> None:
    """Whichever zone the user came from and went to, and however NetSuite reads an hour that is there twice."""
    zone = ZoneInfo(left if stays else entered)
    changes = clock_changes(zone.key) or [datetime(2026, 6, 1, tzinfo=UTC)]
    moment = changes[change % len(changes)] + timedelta(hours=hours)
    now = moment + timedelta(days=days)
    before, after = moment.astimezone(ZoneInfo(left)).utcoffset(), now.astimezone(zone).utcoffset()
    assert before is not None
    assert after is not None
    mark = Watermark("customer", moment, 900, "", int(before.total_seconds()), moment, "r")

    literal = datetime.fromisoformat(mark.literal(after, now))

    read = [literal.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    assert max(read) <= moment - timedelta(seconds=900)


@pytest.mark.parametrize("hour", [0, 1, 2, 3])
def test_times_at_which_clocks_change_are_not_asked_for(hour: int) -> None:
    """02:30 may not exist, or exist twice; how NetSuite reads it then is not documented."""
    moment = datetime(2027, 3, 28, hour, 45, tzinfo=UTC)

    assert Watermark("customer", moment, 900, "", 0, moment, "r").literal(timedelta(), moment) == "2027-03-27 23:30:00"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_the_cheap_look_names_what_changed(play: Any, zone: str) -> None:
    """A sensor asks every minute: few calls, no rows."""
    play.switch(session_zone=zone)
    play.customers(1, 2)
    play.add("job", {"id": 10, "entityid": "P", "customer": 1})
    play.later()
    since = play.sandbox.clock.now()
    play.later(60)

    quiet = changed_since(play.client, since)
    play.sandbox.netsuite.update("job", 10, companyname="x")
    play.sandbox.netsuite.delete("customer", "customer", 2)
    calls = play.client.calls
    changed = changed_since(play.client, since)

    assert quiet == {}
    assert list(changed) == ["job", "deletedrecord"]
    assert play.client.calls - calls == 1


@pytest.mark.parametrize(
    ("switches", "calls"), [({"union_allowed": False}, 5), ({"hidden_tables": ("contact",)}, 5), ({}, 1)]
)
def test_where_one_call_is_refused_each_table_is_asked_for(play: Any, switches: dict[str, Any], calls: int) -> None:
    """A role without contacts, or an account that refuses UNION, must not stop the sensor."""
    play.switch(**switches)
    play.customers(1)
    play.later()
    since = play.sandbox.clock.now()
    play.later(60)
    changed_since(play.client, since)
    play.sandbox.netsuite.update("customer", 1, companyname="x")
    before = play.client.calls

    assert list(changed_since(play.client, since)) == ["customer"]
    assert play.client.calls - before == calls
