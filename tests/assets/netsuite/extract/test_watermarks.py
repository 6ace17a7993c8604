"""Time zones and clock changes, around which incremental reads could lose records."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.netsuite.extract.watermarks import Watermark
from resources.clock import utc_now
from resources.netsuite.connect import open_netsuite
from tests.assets.netsuite.conftest import NetSuiteAccount


def watermark(moment: datetime, offset_s: float | None) -> Watermark:
    """Return a watermark with an overlap of 15 minutes."""
    return Watermark("customer", moment, 900, "", None if offset_s is None else int(offset_s), moment, "run")


@pytest.mark.parametrize(
    ("zone", "date_format"),
    [
        ("UTC", "YYYY-MM-DD"),
        ("America/Los_Angeles", "M/D/YYYY"),
        ("Asia/Kolkata", "D-Mon-YYYY"),
        ("Pacific/Kiritimati", "DD.MM.YYYY"),
    ],
)
def test_a_change_is_found_in_every_zone_and_date_format(account: NetSuiteAccount, zone: str, date_format: str) -> None:
    """NetSuite reads literals and shows bare dates in the integration user's zone and format."""
    account.switch(session_zone=zone, date_format=date_format)
    account.customers(1, 2)
    account.later(3600)
    account.extract()
    account.later()
    changed_at = utc_now(account.sandbox.clock).replace(microsecond=0)
    account.sandbox.netsuite.update("customer", 2, phone="1")
    account.later()

    report = account.extract()

    assert (report.read, report.updated) == (1, 1)
    modified_at = datetime.fromisoformat(account.raw("customers")["2"]["lastmodifieddate"])
    assert abs((modified_at - changed_at).total_seconds()) < 5


@pytest.mark.parametrize(
    ("zone", "clock_change", "minutes"),
    [
        ("Europe/Stockholm", datetime(2027, 3, 28, 1, tzinfo=UTC), 50),
        ("Europe/Stockholm", datetime(2027, 10, 31, 1, tzinfo=UTC), 50),
        ("Europe/Stockholm", datetime(2027, 3, 28, 1, tzinfo=UTC), 330),
        ("America/Los_Angeles", datetime(2027, 11, 7, 9, tzinfo=UTC), 330),
    ],
)
def test_no_change_is_lost_around_a_clock_change(
    account: NetSuiteAccount, zone: str, clock_change: datetime, minutes: int
) -> None:
    """One hour is skipped in spring and repeated in autumn; a record is edited soon after each run."""
    account.switch(session_zone=zone)
    account.customers(*range(1, 9))
    account.sandbox.clock.advance_to(clock_change - timedelta(hours=5))
    account.extract()
    for step in range(1, 9):
        account.later(300)
        account.sandbox.netsuite.update("customer", step, phone="changed")
        account.later(minutes * 60 - 300)
        with open_netsuite(sandbox=str(account.sandbox.folder)) as account.client:  # each run reads the offset again
            account.extract()

    assert {row["phone"] for row in account.raw("customers").values()} == {"changed"}


def test_25_hours_are_read_again_if_the_zone_is_unknown() -> None:
    """They cover every zone in which the literal could be read."""
    moment = datetime(2026, 11, 16, 12, tzinfo=UTC)
    mark = watermark(moment, None)

    assert mark.changed_from(timedelta(hours=2), moment) == "2026-11-15 11:00:00"
    assert mark.changed_from(None, moment) == "2026-11-15 11:00:00"


@pytest.mark.parametrize(("then_s", "now_s", "hour"), [(3600, 7200, 12), (7200, 3600, 12), (3600, 3600, 12)])
def test_the_earlier_of_two_offsets_is_used(then_s: int, now_s: int, hour: int) -> None:
    """The watermark may be on the other side of a clock change."""
    moment = datetime(2026, 11, 16, 12, tzinfo=UTC)

    literal = watermark(moment, then_s).changed_from(timedelta(seconds=now_s), moment)

    assert literal == f"2026-11-16 {hour}:45:00"


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
    """From Arizona to California over the night of the change: seven hours behind before and after."""
    now, zone = then + timedelta(days=1), ZoneInfo(entered)
    before, after = then.astimezone(ZoneInfo(left)).utcoffset(), now.astimezone(zone).utcoffset()
    assert before is not None

    literal = watermark(then, before.total_seconds()).changed_from(after, now)

    since = datetime.fromisoformat(literal).replace(tzinfo=zone)
    assert then - timedelta(hours=3) <= since <= then - timedelta(minutes=15)


@cache
def clock_changes(name: str) -> list[datetime]:
    """Return the hours of a year after which a zone's offset changes."""
    zone = ZoneInfo(name)
    hours = (datetime(2027, 1, 1, tzinfo=UTC) + timedelta(hours=number) for number in range(365 * 24))
    ahead = [(hour, hour.astimezone(zone).utcoffset()) for hour in hours]
    return [hour for (hour, offset), (_, following) in pairwise(ahead) if offset != following]


ZONES = st.sampled_from([name for name in sorted(available_timezones()) if "/" in name and name[:3] != "Etc"])


@given(
    left=ZONES,
    entered=ZONES,
    stays=st.booleans(),
    change=st.integers(0, 3),
    hours=st.floats(-8, 8),
    days=st.sampled_from([0.01, 0.1, 0.5, 1, 7, 100]),
)
def test_no_zone_and_no_clock_change_loses_a_moment(
    left: str, entered: str, change: int, hours: float, days: float, *, stays: bool
) -> None:
    """Whichever zone the user leaves and enters, and however NetSuite reads an hour that exists twice."""
    zone = ZoneInfo(left if stays else entered)
    changes = clock_changes(zone.key) or [datetime(2026, 6, 1, tzinfo=UTC)]
    moment = changes[change % len(changes)] + timedelta(hours=hours)
    now = moment + timedelta(days=days)
    before, after = moment.astimezone(ZoneInfo(left)).utcoffset(), now.astimezone(zone).utcoffset()
    assert before is not None
    assert after is not None

    literal = datetime.fromisoformat(watermark(moment, before.total_seconds()).changed_from(after, now))

    readings = [literal.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    assert max(readings) <= moment - timedelta(seconds=900)


@pytest.mark.parametrize("hour", [0, 1, 2, 3])
def test_literals_avoid_the_hours_in_which_clocks_change(hour: int) -> None:
    """02:30 may exist twice or not at all; it is not documented how NetSuite reads it."""
    moment = datetime(2027, 3, 28, hour, 45, tzinfo=UTC)

    assert watermark(moment, 0).changed_from(timedelta(), moment) == "2027-03-27 23:30:00"
