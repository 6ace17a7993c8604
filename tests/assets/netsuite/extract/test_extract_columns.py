"""Accounts differ in columns, tables and features; what is missing is told of, not guessed."""

from typing import Any

import pytest

from assets.netsuite.suiteql_file import Query
from resources.errors import RequestRejectedError
from resources.netsuite.errors import MissingTableError


@pytest.mark.parametrize("wording", ["identifier", "field"])
def test_an_optional_column_that_is_unknown_is_left_out_and_told_of(play: Any, wording: str) -> None:
    """The raw table has the column all the same, so that the staging table still works."""
    play.switch(hidden_columns=["customer.fax", "customer.comments"], unknown_column_text=wording)
    play.customers(1)

    report = play.extract()

    assert report.inserted == 1
    assert play.raw("customers")["1"]["fax"] is None
    assert sorted(report.warnings) == [
        "column customer.comments is unknown to NetSuite and was left out",
        "column customer.fax is unknown to NetSuite and was left out",
    ]


def test_a_needed_column_that_is_unknown_names_itself_and_the_mend(play: Any) -> None:
    """Without the number of a customer nothing downstream makes sense."""
    play.switch(hidden_columns=["customer.entityid"])

    with pytest.raises(RequestRejectedError, match=r"table customer has no column .*entityid.*let the role see"):
        play.extract()


def test_a_column_that_disappears_keeps_its_last_values(play: Any) -> None:
    """A lost permission must not blank a field in every target."""
    play.customers(1, fax="5")
    play.extract()
    play.switch(hidden_columns=["customer.fax"])

    report = play.extract()

    assert (report.mode, play.raw("customers")["1"]["fax"]) == ("full", "5")


def test_a_column_that_is_seen_again_is_read_at_once(play: Any) -> None:
    """Its values grow old while it is left out; one call a run looks whether it is back."""
    play.customers(1, fax="5", comments="a")
    play.extract()
    play.switch(hidden_columns=["customer.fax", "customer.comments"])
    play.extract()
    play.sandbox.netsuite.update("customer", 1, fax="6", comments="b", phone="7")
    play.later()

    without = play.extract()
    meanwhile = play.raw("customers")["1"]
    assert (meanwhile["phone"], meanwhile["fax"], meanwhile["comments"]) == ("7", "5", "a")
    play.switch(hidden_columns=["customer.comments"])
    some = play.extract()
    play.switch(hidden_columns=[])
    back = play.extract()

    told = [report.mode for report in (without, some, back)]
    assert told == ["incremental", "full", "full"]
    assert (play.raw("customers")["1"]["fax"], play.raw("customers")["1"]["comments"]) == ("6", "b")
    assert back.warnings == ()


def test_a_column_that_never_was_there_costs_no_call_at_each_run(play: Any) -> None:
    """Most accounts lack one or another; only what the warehouse has values of can grow old."""
    play.switch(hidden_columns=["customer.fax"])
    play.customers(1)
    play.extract()
    play.later()
    calls = play.extract().calls
    play.switch(hidden_columns=[])
    play.later(3600)
    found = play.extract()
    play.later()

    assert (found.mode, calls) == ("full", play.extract().calls)


def test_a_date_that_is_seen_again_is_read_as_a_date(play: Any) -> None:
    """The format goes with the column, not with the first look at the catalogue."""
    play.switch(custom_fields=["customer.custentity_end:date"], date_format="D/M/YYYY")
    play.settings = play.settings.with_columns("customers", ["custentity_end"])
    play.customers(1, custentity_end="2027-04-03")
    play.extract()
    play.switch(hidden_columns=["customer.custentity_end"])
    play.later(7200)
    play.extract()
    play.switch(hidden_columns=[])

    assert play.extract().mode == "full"
    assert play.raw("customers")["1"]["custentity_end"] == "2027-04-03"


def test_a_new_custom_column_is_filled_for_every_row(play: Any) -> None:
    """Rows that did not change since have a value as well."""
    play.customers(1, 2, custentity_region="North")
    play.later(3600)
    play.extract()
    play.later(3600)
    play.settings = play.settings.with_columns("customers", ["custentity_region"])

    report = play.extract()

    assert (report.mode, report.updated) == ("full", 2)
    assert {row["custentity_region"] for row in play.raw("customers").values()} == {"North"}
    assert play.extract().mode == "incremental"


@pytest.mark.parametrize("name", ["custentity_a, (select 1)", "email", "custentity_x from customer", ""])
def test_only_ids_of_custom_fields_come_into_the_text(name: str) -> None:
    """Settings are written by people; values are bound, names are checked."""
    with pytest.raises(ValueError, match="custom field"):
        Query.of("customers").with_columns([name])


def test_a_missing_table_stops_its_own_thing_only(play: Any) -> None:
    """Accounts without OneWorld have no subsidiaries, and customers all the same."""
    play.switch(hidden_tables=["subsidiary"])
    play.customers(1)

    with pytest.raises(MissingTableError, match=r"'Subsidiaries'.*'OneWorld'"):
        play.extract("subsidiaries")

    assert play.extract("customers").inserted == 1


def test_an_optional_table_stays_empty_until_it_appears(play: Any) -> None:
    """A feature that is off is no error when the operator said so; switched on later, it is read whole."""
    play.switch(hidden_tables=["customersubsidiaryrelationship"])
    play.settings = type(play.settings)(optional_tables=frozenset({"customer_subsidiaries"}))
    play.customers(1)
    play.add("customersubsidiaryrelationship", {"id": 1, "entity": 1, "subsidiary": 1})

    missing = play.extract("customer_subsidiaries")
    play.later(3600)
    play.switch(hidden_tables=[])
    there = play.extract("customer_subsidiaries")

    assert (missing.mode, missing.read) == ("missing", 0)
    assert any("OneWorld" in warning for warning in missing.warnings)
    assert (there.mode, there.inserted) == ("full", 1)


def test_an_optional_table_that_was_there_is_missed(play: Any) -> None:
    """A permission that was lost is not a feature that was never on."""
    play.settings = type(play.settings)(optional_tables=frozenset({"departments"}))
    play.add("department", {"id": 1, "name": "Sales"})
    play.extract("departments")
    play.switch(hidden_tables=["department"])

    with pytest.raises(MissingTableError):
        play.extract("departments")


@pytest.mark.parametrize(
    ("thing", "table", "key"),
    [
        ("subsidiaries", "subsidiary", "id"),
        ("departments", "department", "id"),
        ("classifications", "classification", "id"),
        ("locations", "location", "id"),
        ("currencies", "currency", "id"),
        ("entity_statuses", "entitystatus", "key"),
    ],
)
def test_small_tables_are_read_whole_each_time(play: Any, record_type: str, table: str, key: str) -> None:
    """One call, and a row that is gone is noticed."""
    play.add(table, *({key: each, "name": f"N{each}"} for each in (1, 2, 3)))
    first = play.extract(record_type)
    play.sandbox.netsuite.delete(table, table, 2)

    second = play.extract(record_type)

    assert (first.mode, first.inserted, first.warnings) == ("whole", 3, ())
    assert (second.unchanged, second.deleted, second.calls) == (2, 1, 1)
