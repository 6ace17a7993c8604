"""Time zones and clock changes: where incremental readers lose records."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assets.netsuite.changes import changed_since
from assets.netsuite.watermarks import Watermark
from resources.netsuite.resource import open_netsuite

ZONES = ["UTC", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati", "Europe/Stockholm"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("date_format", ["M/D/YYYY", "DD.MM.YYYY"])
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
    ("zone", "change"),
    [
        ("Europe/Stockholm", datetime(2027, 3, 28, 1, tzinfo=UTC)),
        ("Europe/Stockholm", datetime(2027, 10, 31, 1, tzinfo=UTC)),
        ("America/Los_Angeles", datetime(2027, 3, 14, 10, tzinfo=UTC)),
        ("America/Los_Angeles", datetime(2027, 11, 7, 9, tzinfo=UTC)),
    ],
)
def test_no_change_is_lost_around_a_clock_change(play: Any, zone: str, change: datetime) -> None:
    """An hour is skipped in spring and told twice in autumn; runs every 20 minutes, an edit before each."""
    play.switch(session_zone=zone)
    play.customers(1)
    play.sandbox.clock.advance_to(change - timedelta(hours=2))
    with open_netsuite(sandbox=str(play.sandbox.folder)) as client:
        play.client = client
        play.extract()
    for step in range(13):
        play.later(600)
        play.sandbox.netsuite.update("customer", 1, phone=str(step))
        play.later(600)
        with open_netsuite(sandbox=str(play.sandbox.folder)) as client:  # each run asks for the offset anew
            play.client = client
            play.extract()
    play.later(3600)
    with open_netsuite(sandbox=str(play.sandbox.folder)) as client:
        play.client = client
        play.extract()

    assert play.raw("customers")["1"]["phone"] == "12"


def test_without_a_known_zone_a_day_is_read_again() -> None:
    """25 hours cover every zone, whichever the literal is read in."""
    moment = datetime(2026, 11, 16, 12, tzinfo=UTC)
    mark = Watermark("customer", moment, 900, "", None, moment, "r")

    assert mark.literal(timedelta(hours=2)) == "2026-11-15 11:00:00"
    assert mark.literal(None) == "2026-11-15 11:00:00"


def test_the_earlier_of_two_offsets_is_taken() -> None:
    """The watermark may lie on the other side of a clock change."""
    moment = datetime(2026, 11, 16, 12, tzinfo=UTC)
    mark = Watermark("customer", moment, 900, "", 7200, moment, "r")

    assert mark.literal(timedelta(hours=1)) == "2026-11-16 12:45:00"
    assert mark.literal(timedelta(hours=2)) == "2026-11-16 13:45:00"


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Kolkata"])
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

    assert quiet == []
    assert changed == ["job", "deletedrecord"]
    assert play.client.calls - calls == 4
