"""First load, no changes, edits, conversions: the rows that a run reads and writes."""

from collections.abc import Callable

import duckdb
import pytest

from assets.netsuite.extract.extract import prepare
from resources.errors import TransientError
from tests.assets.netsuite.conftest import NetSuiteAccount


def test_the_first_load_fills_three_tables_in_one_pass(account: NetSuiteAccount) -> None:
    """Leads, prospects and customers are one NetSuite table; values stay as sent."""
    account.customers(1, 2, stage="Customer", parent=None)
    account.customers(3, stage="Lead")
    account.customers(4, stage="Prospect", isinactive=True)

    report = account.extract()

    assert (report.mode, report.read, report.inserted) == ("full", 4, 4)
    assert report.rows == {"raw_netsuite__customers": 2, "raw_netsuite__leads": 1, "raw_netsuite__prospects": 1}
    row = account.raw("prospects")["4"]
    assert (row["isinactive"], row["entityid"], row["email"], row["_run_id"]) == ("T", "C4", None, "run 1")


def test_a_run_without_changes_writes_nothing_in_few_calls(account: NetSuiteAccount) -> None:
    """The overlap reads rows twice; the hash prevents a second write."""
    account.customers(*range(1, 30))
    account.extract()
    before = account.raw("customers")

    report = account.extract()

    assert (report.mode, report.read, report.unchanged) == ("incremental", 29, 29)
    assert (report.inserted, report.updated, report.deleted, report.moved) == (0, 0, 0, 0)
    assert report.calls <= 4
    assert account.raw("customers") == before


def test_nothing_is_read_after_the_overlap(account: NetSuiteAccount) -> None:
    """An account without changes costs a few calls, whatever its size."""
    account.customers(*range(1, 30))
    account.later(3600)
    account.extract()
    account.later()

    report = account.extract()

    assert (report.read, report.calls) == (0, 4)  # server time, changes, deletions, rows without a date


def test_an_edit_rewrites_one_row(account: NetSuiteAccount) -> None:
    """The row is written with the id of the run."""
    account.customers(1, 2)
    account.later(3600)
    account.extract()
    account.later()
    account.sandbox.netsuite.update("customer", 2, phone="123", email=None)

    report = account.extract()

    assert (report.read, report.updated) == (1, 1)
    assert account.raw("customers")["2"]["phone"] == "123"
    assert account.raw("customers")["2"]["_run_id"] == "run 2"
    assert account.raw("customers")["1"]["_run_id"] == "run 1"


@pytest.mark.parametrize("null_as_text", [False, True])
def test_a_cleared_field_becomes_null(account: NetSuiteAccount, *, null_as_text: bool) -> None:
    """NetSuite leaves empty columns out of the response; a blank text would name a record that does not exist."""
    account.switch(null_as_text=null_as_text)
    account.customers(1, phone="123", currency=None)
    account.extract()
    account.later()
    account.sandbox.netsuite.update("customer", 1, phone=None)

    account.extract()

    row = account.raw("customers")["1"]
    assert (row["phone"], row["currency"]) == (None, None)


@pytest.mark.parametrize("moves_date", [True, False])
def test_a_conversion_moves_the_row(account: NetSuiteAccount, *, moves_date: bool) -> None:
    """The row is in one table at any time; if the timestamp does not change, the next full load finds it."""
    account.switch(conversion_moves_date=moves_date)
    account.customers(1, stage="Lead")
    account.extract()
    account.later(3600)
    account.sandbox.netsuite.update("customer", 1, searchstage="Customer")

    report = account.extract(full=not moves_date)

    assert (report.moved, report.updated, report.inserted) == (1, 1, 0)
    assert (account.live("customers"), account.raw("leads")) == ({"1"}, {})


def test_changes_in_the_second_of_the_watermark_are_not_lost(account: NetSuiteAccount) -> None:
    """NetSuite's timestamps are whole seconds: a change in the second of the watermark may follow the read."""
    account.configure(overlap_s=0)
    account.customers(1)
    account.extract()
    account.sandbox.netsuite.update("customer", 1, phone="1")

    account.extract()

    assert account.raw("customers")["1"]["phone"] == "1"


def test_more_rows_than_a_page_with_one_timestamp_are_all_read(account: NetSuiteAccount) -> None:
    """A mass update gives thousands of rows one timestamp; paging by time would lose or repeat some."""
    moment = account.sandbox.clock.now()
    rows = ({"id": key, "searchstage": "Customer", "lastmodifieddate": moment} for key in range(1, 12_346))
    account.sandbox.netsuite.insert("customer", rows)

    report = account.extract()
    again = account.extract()

    assert (report.inserted, again.read, again.unchanged) == (12_345, 12_345, 12_345)
    assert len(account.live("customers")) == 12_345


def test_an_overtaken_run_writes_nothing(account: NetSuiteAccount) -> None:
    """A slow run must not replace the rows of a faster one with older rows."""
    account.customers(1)
    account.extract()
    slow = prepare(account.warehouse, account.client, "customers", account.settings, "slow")
    account.later()
    account.sandbox.netsuite.update("customer", 1, phone="new")
    account.extract()

    with pytest.raises(TransientError, match="another run"):
        slow.run(full=False)

    assert account.raw("customers")["1"]["_run_id"] == "run 2"


def test_rows_and_watermark_are_one_transaction(account: NetSuiteAccount) -> None:
    """A crash between the two repeats work and loses nothing."""
    account.customers(1)
    account.extract()
    account.later(3600)
    account.sandbox.netsuite.update("customer", 1, phone="new")
    with account.warehouse.writer() as con:
        con.execute("alter table sync_watermarks add column obstacle integer default 1")
        con.execute("alter table sync_watermarks alter obstacle drop default")
    with account.warehouse.writer() as con:
        con.execute("alter table sync_watermarks alter obstacle set not null")

    with pytest.raises(duckdb.ConstraintException):
        account.extract()

    assert account.raw("customers")["1"]["phone"] is None
    with account.warehouse.writer() as con:
        con.execute("alter table sync_watermarks drop column obstacle")
    assert account.extract().updated == 1


@pytest.mark.parametrize(("column", "spelling"), [("searchstage", str.title), ("stage", str.upper)])
def test_the_stage_is_found_under_either_name_and_spelling(
    account: NetSuiteAccount, column: str, spelling: Callable[[str], str]
) -> None:
    """Accounts with searchstage 'Lead' and with stage 'LEAD' exist."""
    account.switch(stage_column=column)
    account.customers(1, stage=spelling("lead"))

    report = account.extract()

    assert report.rows["raw_netsuite__leads"] == 1
    assert report.warnings == ()


def test_the_status_gives_the_stage_if_there_is_no_stage_column(account: NetSuiteAccount) -> None:
    """This is the last resort, and it is reported."""
    account.switch(hidden_columns=["customer.searchstage", "customer.stage"])
    account.add("entitystatus", {"key": 7, "name": "Qualified", "entitytype": "lead"})
    account.customers(1, entitystatus=7)
    account.customers(2)

    report = account.extract()

    assert (account.live("leads"), account.live("customers")) == ({"1"}, {"2"})
    assert any("no known stage" in warning for warning in report.warnings)


@pytest.mark.parametrize("bad", [b"\xd6", b"\\ud83d", b"\\u0000"], ids=["a byte", "half of a pair", "NUL"])
def test_a_value_that_is_no_text_stops_nothing_and_is_named(account: NetSuiteAccount, bad: bytes) -> None:
    """The value is read with U+FFFD in its place, all others as they are."""
    account.customers(1, 3, comments="fine")
    account.customers(2, comments="before <bad> after", phone="1")
    account.switch(bad_text=bad.hex(), byte_order_mark=True)

    report = account.extract()

    rows = account.raw("customers")
    assert (report.inserted, rows["2"]["comments"], rows["2"]["phone"]) == (3, "before \ufffd after", "1")
    assert {rows["1"]["comments"], rows["3"]["comments"]} == {"fine"}
    (warning,) = report.warnings
    assert warning.endswith("correct them in NetSuite: comments of 2")
