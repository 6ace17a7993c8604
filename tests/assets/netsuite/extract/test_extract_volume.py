"""Large tables: beyond NetSuite's cap, never by offset, never more calls at once than are granted."""

from typing import Any

import pytest

from resources.netsuite.resource import open_netsuite


def fill(play: Any, count: int, step: int = 1) -> None:
    """Customers of a mass import: one time stamp."""
    moment = play.sandbox.clock.now()
    rows = ({"id": key * step, "searchstage": "Lead", "lastmodifieddate": moment} for key in range(1, count + 1))
    play.sandbox.netsuite.insert("customer", rows)


def statuses(play: Any) -> list[int]:
    """Of every call so far."""
    return [call["status"] for call in play.sandbox.netsuite.calls()]


def test_a_full_load_passes_the_cap_of_a_query(play: Any) -> None:
    """NetSuite shows 100,000 rows of a query; here it shows 2,000. Each page is a query of its own."""
    play.switch(row_cap=2000, page_cap=2)
    fill(play, 9_500, step=3)

    report = play.extract()

    assert (report.inserted, len(play.live("leads"))) == (9_500, 9_500)
    assert report.calls <= 4 + 10 + 4, "pages that are hardly filled cost as much as full ones"


@pytest.mark.parametrize(("asked", "limits"), [(20, {}), (20, {"integration_limit": 3}), (2, {}), (1, {})])
def test_calls_at_once_stay_below_what_is_granted(play: Any, asked: int, limits: dict[str, int]) -> None:
    """One slot of the account is left to others; a refusal would show as a 429."""
    play.switch(concurrency_limit=4, foreign_slots=1, latency_ms=5, **limits)
    fill(play, 12_000)

    with open_netsuite(sandbox=str(play.sandbox.folder), concurrency=asked) as play.client:
        report = play.extract()
        most = play.client.lanes.most

    assert (report.inserted, most) == (12_000, min(asked, 3))
    assert 429 not in statuses(play)


def test_without_a_look_at_the_limits_the_setting_stands(play: Any) -> None:
    """Only administrators may ask; too high a setting is found out by refusals, and followed."""
    play.switch(governance_visible=False, concurrency_limit=2, latency_ms=5)
    fill(play, 15_000)

    with open_netsuite(sandbox=str(play.sandbox.folder), concurrency=8) as play.client:
        report = play.extract()
        lanes = play.client.lanes

    assert report.inserted == 15_000
    assert (lanes.most, lanes.open < 8) == (8, True)


def test_refusals_in_a_row_are_waited_out(play: Any) -> None:
    """Other integrations come and go."""
    play.switch(burst_every=9, burst_calls=3)
    fill(play, 15_000)

    assert play.extract().inserted == 15_000
    assert 429 in statuses(play)


def test_lanes_are_shared_by_the_tables_of_a_run(play: Any) -> None:
    """What one table learned of the limit holds for the next one."""
    play.switch(concurrency_limit=3)
    fill(play, 2_500)
    with open_netsuite(sandbox=str(play.sandbox.folder), concurrency=9) as play.client:
        play.extract()
        play.extract("contacts")

        assert play.client.lanes.most == 2
    limits = [call for call in play.sandbox.netsuite.calls() if call["path"].endswith("governanceLimits")]
    assert len(limits) == 1


def test_a_load_with_little_memory_spills_to_disk(play: Any) -> None:
    """Memory that DuckDB may use is bounded; rows of a large table go through the disk."""
    play.settings = type(play.settings)(memory_mb=40)
    fill(play, 12_000)

    first, again = play.extract(), play.extract(full=True)

    assert (first.inserted, again.unchanged, again.deleted) == (12_000, 12_000, 0)
    assert list((play.warehouse.folder / "scratch").iterdir()) == []
