"""What an account lacks is found out in few calls, remembered for some hours, and told at each run."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from assets.netsuite.extract.column_probe import MOST_TRIES
from resources.errors import RequestRejectedError, TransientError
from resources.netsuite.resource import open_netsuite

HOUR = 3600
LACKS = ["customer.fax", "customer.comments", "customer.url"]
CUSTOM = ("custentity_region", "custentity_of_another_account", "custentity_gone")


def refused(play: Any) -> int:
    """Calls that NetSuite refused so far."""
    return Counter(call["status"] // 100 for call in play.sandbox.netsuite.calls())[4]


def test_missing_columns_cost_refused_calls_once(play: Any) -> None:
    """A run every quarter of an hour must not ask for them each time; the warning comes each time."""
    play.switch(hidden_columns=LACKS)
    play.customers(1)
    first = play.extract()
    before = refused(play)
    play.later()
    with open_netsuite(sandbox=str(play.sandbox.folder)) as play.client:
        second = play.extract()

    assert (before, refused(play) - before) == (3, 0)
    assert (len(first.warnings), second.warnings, second.mode) == (3, first.warnings, "incremental")


def test_a_column_that_appears_is_read_within_an_hour(play: Any) -> None:
    """A permission was given: what was found out goes stale."""
    play.switch(hidden_columns=LACKS)
    play.customers(1, fax="5")
    play.extract()
    play.switch(hidden_columns=[])
    play.later(HOUR / 2)
    soon = play.extract()
    play.later(HOUR / 2)
    later = play.extract()

    assert (len(soon.warnings), later.warnings, later.mode) == (3, (), "full")
    assert play.raw("customers")["1"]["fax"] == "5"


def test_other_settings_ask_again_at_once(play: Any) -> None:
    """What was found out is for the columns that were asked for."""
    play.customers(1, custentity_region="North")
    play.extract()
    play.settings = play.settings.with_columns("customers", ["custentity_region"])

    play.extract()

    assert play.raw("customers")["1"]["custentity_region"] == "North"


@pytest.mark.parametrize(("catalogue", "cost"), [(True, 2), (False, 3)])
def test_custom_fields_of_another_account_are_left_out_together(
    play: Any,
    catalogue: bool,  # noqa: FBT001
    cost: int,
) -> None:
    """The metadata catalogue names them at once; without it each costs a refused call, once."""
    play.switch(metadata_visible=catalogue)
    play.settings = play.settings.with_columns("customers", CUSTOM)
    play.customers(1, custentity_region="North")

    report = play.extract()

    left_out = [warning.split()[1] for warning in report.warnings if "left out" in warning]
    assert left_out == [f"customer.{name}" for name in CUSTOM[1:]]
    assert play.raw("customers")["1"]["custentity_region"] == "North"
    assert refused(play) == cost


@pytest.mark.parametrize("lacks", [["customer.fax"], LACKS, ["customer.searchstage", "customer.stage"]])
def test_columns_that_netsuite_does_not_name_are_found_by_halving(play: Any, lacks: list[str]) -> None:
    """Some accounts answer 500 to an unknown column; the calls that it takes to find it are bounded."""
    play.switch(hidden_columns=lacks, unknown_column_500=True)
    play.customers(1, phone="1")

    report = play.extract()
    play.later(HOUR / 2)
    again = play.extract()
    play.later(HOUR)
    looked_after = play.extract()

    missing = {f"customer.{name}" for name, value in play.raw("customers")["1"].items() if value is None}
    assert {name for name in lacks if name != "customer.stage"} <= missing
    assert play.raw("customers")["1"]["phone"] == "1"
    assert report.calls <= 2 * MOST_TRIES
    assert again.calls <= 4, "server time, changes, kinds of deletions; without a stage the statuses too"
    assert looked_after.calls <= 10 + 2 * len(lacks), "each is asked for once more, together and alone"
    assert (again.mode, looked_after.mode) == ("incremental", "incremental")


def test_the_stage_is_found_under_its_other_name_without_a_hint(play: Any) -> None:
    """The column is called otherwise, and NetSuite says 500."""
    play.switch(stage_column="stage", unknown_column_500=True)
    play.customers(1, stage="LEAD")

    assert play.extract().rows["raw_netsuite__leads"] == 1


def test_a_needed_column_that_netsuite_does_not_name_is_no_riddle(play: Any) -> None:
    """The optional columns are not to blame: the refusal is passed on."""
    play.switch(hidden_columns=["customer.entityid"], unknown_column_500=True)

    with pytest.raises((RequestRejectedError, TransientError), match="query customer"):
        play.extract()


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Los_Angeles"])
def test_without_sys_extract_utc_local_times_are_converted(play: Any, zone: str) -> None:
    """By the offset of today: good within an hour, so more is read twice."""
    play.switch(sys_extract_utc_works=False, session_zone=zone)
    play.customers(1, 2)
    moment = play.sandbox.clock.now().replace(tzinfo=None)
    first = play.extract()
    play.later(5 * HOUR)
    play.extract()
    play.later(HOUR)
    play.sandbox.netsuite.update("customer", 2, phone="1")
    report = play.extract()

    shown = datetime.fromisoformat(play.raw("customers")["1"]["lastmodifieddate"])
    assert abs(shown - moment) < timedelta(seconds=5)
    assert any("SYS_EXTRACT_UTC" in warning for warning in first.warnings)
    assert (report.mode, report.updated, play.raw("customers")["2"]["phone"]) == ("incremental", 1, "1")
    marks = play.warehouse.read("select overlap_s, zone_offset_s from sync_watermarks").rows()
    assert marks == [(7200, play.client.session_zone_offset.total_seconds())]


def test_what_was_found_out_can_be_read_and_forgotten(play: Any) -> None:
    """An operator who gave a permission deletes the row, and the next run looks."""
    play.switch(hidden_columns=["customer.fax"])
    play.customers(1, fax="5")
    play.extract(full=True)
    told = dict(play.warehouse.read("select probe, answer from netsuite_probes").rows())
    play.switch(hidden_columns=[])
    with play.warehouse.writer() as con:
        con.execute("delete from netsuite_probes")

    report = play.extract()

    assert '"left_out":["fax"]' in told["columns customers"]
    assert '"accountConcurrencyLimit":5' in told["limits"]
    assert (report.mode, report.warnings) == ("full", ())


def test_remembering_can_be_switched_off(play: Any) -> None:
    """0 hours: ask at each run."""
    play.settings = replace(play.settings, probe_hours=0)
    play.switch(hidden_columns=["customer.fax"])
    play.customers(1)
    play.extract()
    play.later()
    play.extract()

    assert refused(play) == 2
