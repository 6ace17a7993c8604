"""Missing columns are found in few calls, cached for an hour, and reported in every run."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from assets.netsuite.extract.capabilities import missing_columns
from resources.clock import utc_now
from resources.errors import RequestRejectedError, TransientError
from resources.netsuite.connect import open_netsuite
from tests.assets.netsuite.conftest import NetSuiteAccount

HOUR_S = 3600
MISSING = ["customer.fax", "customer.comments", "customer.url"]
CUSTOM = ("custentity_region", "custentity_of_another_account", "custentity_gone")


def rejections(account: NetSuiteAccount) -> int:
    """Return the number of calls that NetSuite rejected."""
    return Counter(call["status"] // 100 for call in account.sandbox.netsuite.call_log())[4]


def test_missing_columns_cost_rejected_calls_only_once(account: NetSuiteAccount) -> None:
    """A run every 15 minutes must not ask for them each time; the warning is repeated."""
    account.switch(hidden_columns=MISSING)
    account.customers(1)
    first = account.extract()
    before = rejections(account)
    account.later()
    with open_netsuite(sandbox=str(account.sandbox.folder)) as account.client:
        second = account.extract()

    assert (before, rejections(account) - before) == (3, 0)
    assert (len(first.warnings), second.warnings, second.mode) == (3, first.warnings, "incremental")


def test_a_column_that_appears_is_read_within_an_hour(account: NetSuiteAccount) -> None:
    """The role was given a permission: cached findings expire."""
    account.switch(hidden_columns=MISSING)
    account.customers(1, fax="5")
    account.extract()
    account.switch(hidden_columns=[])
    account.later(HOUR_S / 2)
    soon = account.extract()
    account.later(HOUR_S / 2)
    later = account.extract()

    assert (len(soon.warnings), later.warnings, later.mode) == (3, (), "full")
    assert account.raw("customers")["1"]["fax"] == "5"


def test_a_column_that_vanishes_is_known_to_be_missing_at_once(account: NetSuiteAccount) -> None:
    """Also if the columns were checked a moment before: what is mapped from it is not sent any more."""
    account.customers(1, fax="5")
    account.extract()
    account.switch(hidden_columns=MISSING)
    account.customers(2)
    account.extract()

    with account.warehouse.writer(transaction=False) as con:
        assert len(missing_columns(con, "customers")) == len(MISSING)


def test_changed_settings_are_checked_at_once(account: NetSuiteAccount) -> None:
    """Cached findings apply only to the columns that were requested."""
    account.customers(1, custentity_region="North")
    account.extract()
    account.custom_columns("custentity_region")

    account.extract()

    assert account.raw("customers")["1"]["custentity_region"] == "North"


@pytest.mark.parametrize(("has_catalog", "expected"), [(True, 2), (False, 3)])
def test_unknown_custom_fields_are_dropped_together(
    account: NetSuiteAccount, *, has_catalog: bool, expected: int
) -> None:
    """The metadata catalog lists them at once; without it, each costs one rejected call, once."""
    account.switch(metadata_visible=has_catalog)
    account.custom_columns(*CUSTOM)
    account.customers(1, custentity_region="North")

    report = account.extract()

    skipped = [warning.split()[1] for warning in report.warnings if "skipped" in warning]
    assert skipped == [f"customer.{name}" for name in CUSTOM[1:]]
    assert account.raw("customers")["1"]["custentity_region"] == "North"
    assert rejections(account) == expected


@pytest.mark.parametrize("missing", [["customer.fax"], MISSING, ["customer.searchstage", "customer.stage"]])
def test_columns_that_netsuite_does_not_name_are_found_by_bisection(
    account: NetSuiteAccount, missing: list[str]
) -> None:
    """Some accounts answer 500 to an unknown column; the number of calls to find it is bounded."""
    account.switch(hidden_columns=missing, unknown_column_500=True)
    account.customers(1, phone="1")

    report = account.extract()
    account.later(HOUR_S / 2)
    cached = account.extract()
    account.later(HOUR_S)
    checked_again = account.extract()

    empty = {f"customer.{name}" for name, value in account.raw("customers")["1"].items() if value is None}
    assert {name for name in missing if name != "customer.stage"} <= empty
    assert account.raw("customers")["1"]["phone"] == "1"
    assert report.calls <= 80
    assert cached.calls <= 5, (
        "server time, changes, rows without a date, types of deletions; without a stage the statuses too"
    )
    assert checked_again.calls <= 10 + 2 * len(missing), "each column is tried once more, together and alone"
    assert (cached.mode, checked_again.mode) == ("incremental", "incremental")


def test_the_alternative_stage_column_is_found_by_bisection(account: NetSuiteAccount) -> None:
    """The column has another name, and NetSuite answers 500."""
    account.switch(stage_column="stage", unknown_column_500=True)
    account.customers(1, stage="LEAD")

    assert account.extract().rows["raw_netsuite__leads"] == 1


def test_bisection_stops_if_a_required_column_is_missing(account: NetSuiteAccount) -> None:
    """The optional columns are not the cause: NetSuite's error is raised."""
    account.switch(hidden_columns=["customer.entityid"], unknown_column_500=True)

    with pytest.raises((RequestRejectedError, TransientError), match="query customer"):
        account.extract()


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Los_Angeles"])
def test_local_times_are_converted_if_sys_extract_utc_fails(account: NetSuiteAccount, zone: str) -> None:
    """They are converted by today's offset, which may be an hour off, so the overlap is longer."""
    account.switch(sys_extract_utc_works=False, session_zone=zone)
    account.customers(1, 2)
    created_at = utc_now(account.sandbox.clock)
    first = account.extract()
    account.later(5 * HOUR_S)
    account.extract()
    account.later(HOUR_S)
    account.sandbox.netsuite.update("customer", 2, phone="1")
    report = account.extract()

    converted = datetime.fromisoformat(account.raw("customers")["1"]["lastmodifieddate"])
    assert abs(converted - created_at) < timedelta(seconds=5)
    assert any("SYS_EXTRACT_UTC" in warning for warning in first.warnings)
    assert (report.mode, report.updated, account.raw("customers")["2"]["phone"]) == ("incremental", 1, "1")
    marks = account.warehouse.read("select overlap_s, zone_offset_s from sync_watermarks").rows()
    offset = account.client.session_zone_offset
    assert offset is not None
    assert marks == [(7200, offset.total_seconds())]


def test_stored_capabilities_can_be_read_and_deleted(account: NetSuiteAccount) -> None:
    """An operator who gave the role a permission deletes the rows, and the next run checks again."""
    account.switch(hidden_columns=["customer.fax"])
    account.customers(1, fax="5")
    account.extract(full=True)
    stored = dict(account.warehouse.read("select capability, answer from netsuite_capabilities").rows())
    account.switch(hidden_columns=[])
    with account.warehouse.writer() as con:
        con.execute("delete from netsuite_capabilities")

    report = account.extract()

    assert '"missing":["fax"]' in stored["columns customers"]
    assert '"accountConcurrencyLimit":5' in stored["limits"]
    assert (report.mode, report.warnings) == ("full", ())


def test_the_capability_cache_can_be_disabled(account: NetSuiteAccount) -> None:
    """0 hours: check in each run."""
    account.configure(capability_hours=0)
    account.switch(hidden_columns=["customer.fax"])
    account.customers(1)
    account.extract()
    account.later()
    account.extract()

    assert rejections(account) == 2
