"""First load, nothing new, edits, conversions: what a run reads and what it writes."""

from typing import Any

import duckdb
import pytest

from assets.netsuite.extract.extract import Extraction
from resources.errors import TransientError
from resources.sandbox.sandbox import Sandbox


def test_the_first_load_fills_three_tables_in_one_pass(play: Any) -> None:
    """Leads, prospects and customers are one NetSuite table; values stay as sent."""
    play.customers(1, 2, stage="Customer", parent=None)
    play.customers(3, stage="Lead")
    play.customers(4, stage="Prospect", isinactive=True)

    report = play.extract()

    assert (report.mode, report.read, report.inserted) == ("full", 4, 4)
    assert report.rows == {"raw_netsuite__customers": 2, "raw_netsuite__leads": 1, "raw_netsuite__prospects": 1}
    row = play.raw("prospects")["4"]
    assert (row["isinactive"], row["entityid"], row["email"], row["_run_id"]) == ("T", "C4", None, "run 1")


def test_a_run_without_changes_writes_nothing_and_asks_little(play: Any) -> None:
    """The overlap reads rows twice; the hash keeps them from being written twice."""
    play.customers(*range(1, 30))
    play.extract()
    before = play.raw("customers")

    report = play.extract()

    assert (report.mode, report.read, report.unchanged) == ("incremental", 29, 29)
    assert (report.inserted, report.updated, report.deleted, report.moved) == (0, 0, 0, 0)
    assert report.calls <= 4
    assert play.raw("customers") == before


def test_after_the_overlap_nothing_is_read(play: Any) -> None:
    """A quiet account costs a few calls, whatever its size."""
    play.customers(*range(1, 30))
    play.later(3600)
    play.extract()
    play.later()

    report = play.extract()

    assert (report.read, report.calls) == (0, 3)  # server time, changes, kinds of deletions


def test_an_edit_rewrites_one_row(play: Any) -> None:
    """And says which run did it."""
    play.customers(1, 2)
    play.later(3600)
    play.extract()
    play.later()
    play.sandbox.netsuite.update("customer", 2, phone="123", email=None)

    report = play.extract()

    assert (report.read, report.updated) == (1, 1)
    assert play.raw("customers")["2"]["phone"] == "123"
    assert play.raw("customers")["2"]["_run_id"] == "run 2"
    assert play.raw("customers")["1"]["_run_id"] == "run 1"


def test_an_emptied_field_becomes_null(play: Any) -> None:
    """NetSuite leaves empty columns out of the answer."""
    play.customers(1, phone="123")
    play.extract()
    play.later()
    play.sandbox.netsuite.update("customer", 1, phone=None)

    play.extract()

    assert play.raw("customers")["1"]["phone"] is None


@pytest.mark.parametrize("moves_date", [True, False])
def test_a_conversion_moves_the_row(play: Any, moves_date: bool) -> None:  # noqa: FBT001
    """It is in one table at any time; where the date does not move, the next full load finds it."""
    play.switch(conversion_moves_date=moves_date)
    play.customers(1, stage="Lead")
    play.extract()
    play.later(3600)
    play.sandbox.netsuite.update("customer", 1, searchstage="Customer")

    report = play.extract(full=not moves_date)

    assert (report.moved, report.updated, report.inserted) == (1, 1, 0)
    assert (play.live("customers"), play.raw("leads")) == ({"1"}, {})


def test_rows_of_the_same_second_as_the_watermark_are_not_lost(play: Any) -> None:
    """NetSuite's time stamps are whole seconds: a change in the second of the watermark may come after the reading."""
    play.settings = type(play.settings)(overlap_s=0)
    play.customers(1)
    play.extract()
    play.sandbox.netsuite.update("customer", 1, phone="1")

    play.extract()

    assert play.raw("customers")["1"]["phone"] == "1"


def test_more_rows_than_a_page_with_one_time_stamp_are_all_read(play: Any) -> None:
    """A mass update gives thousands of rows one time stamp; paging by time would lose or repeat some."""
    moment = play.sandbox.clock.now()
    rows = ({"id": key, "searchstage": "Customer", "lastmodifieddate": moment} for key in range(1, 12_346))
    play.sandbox.netsuite.insert("customer", rows)

    report = play.extract()
    again = play.extract()

    assert (report.inserted, again.read, again.unchanged) == (12_345, 12_345, 12_345)
    assert len(play.live("customers")) == 12_345


def test_a_run_that_was_overtaken_writes_nothing(play: Any, sandbox: Sandbox) -> None:
    """A slow run must not put older rows over those of a faster one."""
    play.customers(1)
    play.extract()
    slow = Extraction(play.warehouse, play.client, "customers", play.settings, "slow")
    play.later()
    sandbox.netsuite.update("customer", 1, phone="new")
    play.extract()

    with pytest.raises(TransientError, match="another run"):
        slow.run(full=False)

    assert play.raw("customers")["1"]["_run_id"] == "run 2"


def test_rows_without_their_watermark_are_not_kept(play: Any, sandbox: Sandbox) -> None:
    """They are one transaction: a crash between the two repeats work and loses none."""
    play.customers(1)
    play.extract()
    play.later(3600)
    sandbox.netsuite.update("customer", 1, phone="new")
    with play.warehouse.writer() as con:
        con.execute("alter table sync_watermarks add column obstacle integer default 1")
        con.execute("alter table sync_watermarks alter obstacle drop default")
    with play.warehouse.writer() as con:
        con.execute("alter table sync_watermarks alter obstacle set not null")

    with pytest.raises(duckdb.ConstraintException):
        play.extract()

    assert play.raw("customers")["1"]["phone"] is None
    with play.warehouse.writer() as con:
        con.execute("alter table sync_watermarks drop column obstacle")
    assert play.extract().updated == 1


@pytest.mark.parametrize(("column", "spelled"), [("searchstage", str.title), ("stage", str.upper)])
def test_the_stage_is_found_under_either_name_and_case(play: Any, column: str, spelled: Any) -> None:
    """Accounts were seen with searchstage 'Lead' and with stage 'LEAD'."""
    play.switch(stage_column=column)
    play.customers(1, stage=spelled("lead"))

    report = play.extract()

    assert report.rows["raw_netsuite__leads"] == 1
    assert report.warnings == ()


def test_without_a_stage_column_the_status_tells(play: Any) -> None:
    """The last resort, and one that is told of."""
    play.switch(hidden_columns=["customer.searchstage", "customer.stage"])
    play.add("entitystatus", {"key": 7, "name": "Qualified", "entitytype": "lead"})
    play.customers(1, entitystatus=7)
    play.customers(2)

    report = play.extract()

    assert (play.live("leads"), play.live("customers")) == ({"1"}, {"2"})
    assert any("no known stage" in warning for warning in report.warnings)
