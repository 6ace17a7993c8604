"""Accounts differ in columns, tables and features: whatever is missing is reported, not guessed."""

import re
from dataclasses import replace

import pytest

from assets.netsuite.extract.strategy import Extracted, Strategy
from assets.netsuite.record_types import record_type_of
from assets.netsuite.suiteql_file import Query
from resources.errors import IntegrationError, RequestRejectedError
from resources.netsuite.errors import MissingTableError
from tests.assets.netsuite.conftest import NetSuiteAccount


@pytest.mark.parametrize("wording", ["identifier", "field"])
def test_a_missing_optional_column_is_skipped_and_reported(account: NetSuiteAccount, wording: str) -> None:
    """The raw table still has the column, so that the staging table works."""
    account.switch(hidden_columns=["customer.fax", "customer.comments"], unknown_column_text=wording)
    account.customers(1)

    report = account.extract()

    assert report.inserted == 1
    assert account.raw("customers")["1"]["fax"] is None
    assert sorted(report.warnings) == [
        "column customer.comments does not exist in NetSuite; skipped",
        "column customer.fax does not exist in NetSuite; skipped",
    ]


def test_a_column_that_is_lost_during_an_extraction_blanks_nothing(
    account: NetSuiteAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that were asked for later lack it: nothing is loaded, and the next run keeps its values."""
    account.customers(1, phone="1")
    account.extract()
    account.sandbox.netsuite.update("customer", 1, companyname="Renamed")
    has_undated = Strategy._with_undated

    def lose_phone(strategy: Strategy, extracted: Extracted) -> Extracted:
        account.switch(hidden_columns=["customer.phone"])
        rows = strategy._reader.rows_with("c.id", ["1"])
        return has_undated(strategy, replace(extracted, spools=[*extracted.spools, rows]))

    monkeypatch.setattr(Strategy, "_with_undated", lose_phone)
    with pytest.raises(RequestRejectedError, match="phone"):
        account.extract()
    monkeypatch.undo()

    assert account.extract().warnings == ("column customer.phone does not exist in NetSuite; skipped",)
    row = account.raw("customers")["1"]
    assert (row["phone"], row["companyname"]) == ("1", "Renamed")


# errors that name no column, or another one than the unknown one
REFUSALS: list[tuple[int, str]] = [
    (400, "Invalid or unsupported search."),
    (400, "Ogiltig sökning: fältet finns inte."),
    (400, "Unbekannter Bezeichner 'fax'"),
    (400, "Unknown identifier 'c'. Available identifiers are: {c=customer}."),
    (400, "Field 'name' for record 'customercategory' was not found."),
    (400, "Field 'id' for record 'customercategory' was not found."),
    (400, "Record 'customercategory' was not found."),
    (400, ""),
    (403, "You do not have permission to view this field."),
    (404, "Not found."),
    (500, "Ett oväntat fel uppstod."),
]


@pytest.mark.long
@pytest.mark.parametrize(("status", "text"), REFUSALS)
def test_a_rejected_column_is_found_whatever_the_words(account: NetSuiteAccount, status: int, text: str) -> None:
    """An error that names nothing, or something else, costs a few more calls and never the table."""
    hidden = ["customer.fax", "customer.terms", "customer.searchstage"]
    account.switch(hidden_columns=hidden, unknown_column_text=text, unknown_column_status=status)
    account.customers(1, phone="1")

    report = account.extract()

    skipped = {warning.split()[1] for warning in report.warnings if "skipped" in warning}
    assert skipped == set(hidden)
    assert (report.inserted, account.raw("customers")["1"]["phone"]) == (1, "1")


def test_many_rejected_columns_are_found(account: NetSuiteAccount) -> None:
    """The number of missing columns has no limit, as long as the required ones are there."""
    optional = set(Query.of("customers").names) - record_type_of("customers").required
    hidden = sorted(optional - {"phone", "comments"})
    account.switch(
        hidden_columns=[f"customer.{name}" for name in hidden], unknown_column_text="Invalid or unsupported search."
    )
    account.customers(1, phone="1")

    account.extract()

    row = account.raw("customers")["1"]
    assert {name for name in optional if row[name] is not None} == {"phone"}


@pytest.mark.parametrize("text", ["Invalid or unsupported search.", "Unknown identifier 'sys_extract_utc'."])
def test_a_rejected_column_is_found_where_utc_does_not_work(account: NetSuiteAccount, text: str) -> None:
    """Both are rejected in the same words."""
    account.switch(hidden_columns=["customer.fax"], unknown_column_text=text, sys_extract_utc_works=False)
    account.customers(1, phone="1")

    report = account.extract()

    assert account.raw("customers")["1"]["phone"] == "1"
    assert [warning.split()[0] for warning in report.warnings] == ["column", "SYS_EXTRACT_UTC"]


@pytest.mark.parametrize(("status", "text"), [(400, "Invalid or unsupported search."), (403, "No."), (500, "No.")])
def test_a_rejected_required_column_is_netsuites_error(account: NetSuiteAccount, status: int, text: str) -> None:
    """The optional columns are not the cause; NetSuite's sentence is passed on."""
    account.switch(hidden_columns=["customer.entityid"], unknown_column_text=text, unknown_column_status=status)

    with pytest.raises(IntegrationError, match=f"query customer: HTTP {status} .*{re.escape(text)}"):
        account.extract()


def test_the_error_for_a_missing_required_column_names_the_fix(account: NetSuiteAccount) -> None:
    """Without a customer's number nothing downstream makes sense."""
    account.switch(hidden_columns=["customer.entityid"])

    with pytest.raises(RequestRejectedError, match=r"table customer has no column .*entityid.*let the role see"):
        account.extract()


def test_a_column_that_disappears_keeps_its_last_values(account: NetSuiteAccount) -> None:
    """A lost permission must not clear a field in every target."""
    account.customers(1, fax="5")
    account.extract()
    account.switch(hidden_columns=["customer.fax"])

    report = account.extract()

    assert (report.mode, account.raw("customers")["1"]["fax"]) == ("full", "5")


def test_a_column_that_reappears_is_read_at_once(account: NetSuiteAccount) -> None:
    """Its values become outdated while it is missing; one call per run checks whether it is back."""
    account.customers(1, fax="5", comments="a")
    account.extract()
    account.switch(hidden_columns=["customer.fax", "customer.comments"])
    account.extract()
    account.sandbox.netsuite.update("customer", 1, fax="6", comments="b", phone="7")
    account.later()

    without = account.extract()
    row = account.raw("customers")["1"]
    assert (row["phone"], row["fax"], row["comments"]) == ("7", "5", "a")
    account.switch(hidden_columns=["customer.comments"])
    one_back = account.extract()
    account.switch(hidden_columns=[])
    all_back = account.extract()

    assert [report.mode for report in (without, one_back, all_back)] == ["incremental", "full", "full"]
    assert (account.raw("customers")["1"]["fax"], account.raw("customers")["1"]["comments"]) == ("6", "b")
    assert all_back.warnings == ()


def test_a_column_that_never_existed_costs_no_call_per_run(account: NetSuiteAccount) -> None:
    """Most accounts lack one or another; only columns with values in the warehouse can become outdated."""
    account.switch(hidden_columns=["customer.fax"])
    account.customers(1)
    account.extract()
    account.later()
    calls = account.extract().calls
    account.switch(hidden_columns=[])
    account.later(3600)
    appeared = account.extract()
    account.later()

    assert (appeared.mode, calls) == ("full", account.extract().calls)


def test_a_date_column_that_reappears_is_read_as_a_date(account: NetSuiteAccount) -> None:
    """The format belongs to the column, not to the first read of the catalog."""
    account.switch(custom_fields=["customer.custentity_end:date"], date_format="D/M/YYYY")
    account.custom_columns("custentity_end")
    account.customers(1, custentity_end="2027-04-03")
    account.extract()
    account.switch(hidden_columns=["customer.custentity_end"])
    account.later(7200)
    account.extract()
    account.switch(hidden_columns=[])

    assert account.extract().mode == "full"
    assert account.raw("customers")["1"]["custentity_end"] == "2027-04-03"


@pytest.mark.parametrize("seconds", [60, 7200], ids=["known", "checked again"])
def test_a_date_field_that_is_made_anew_as_text_is_read_at_once(account: NetSuiteAccount, seconds: int) -> None:
    """Its format belongs to the earlier type: NetSuite rejects it, and the field is not missing."""
    account.switch(custom_fields=["customer.custentity_end:timestamp"])
    account.custom_columns("custentity_end")
    account.customers(1, custentity_end="2027-04-03 10:00:00")
    account.extract()
    account.switch(custom_fields=["customer.custentity_end:text"])
    account.sandbox.netsuite.update("customer", 1, custentity_end="in spring")
    account.later(seconds)

    report = account.extract()

    assert (report.mode, report.warnings) == ("full", ())
    assert account.raw("customers")["1"]["custentity_end"] == "in spring"
    assert account.extract().mode == "incremental"


def test_a_new_custom_column_is_filled_for_every_row(account: NetSuiteAccount) -> None:
    """Rows that have not changed get their values as well."""
    account.customers(1, 2, custentity_region="North")
    account.later(3600)
    account.extract()
    account.later(3600)
    account.custom_columns("custentity_region")

    report = account.extract()

    assert (report.mode, report.updated) == ("full", 2)
    assert {row["custentity_region"] for row in account.raw("customers").values()} == {"North"}
    assert account.extract().mode == "incremental"


@pytest.mark.parametrize("name", ["custentity_a, (select 1)", "email", "custentity_x from customer", ""])
def test_only_custom_field_ids_enter_the_query_text(name: str) -> None:
    """People write settings: values are bound, names are validated."""
    with pytest.raises(ValueError, match="custom field"):
        Query.of("customers").with_columns([name])


def test_a_missing_table_stops_only_its_own_record_type(account: NetSuiteAccount) -> None:
    """Accounts without OneWorld have customers but no subsidiaries."""
    account.switch(hidden_tables=["subsidiary"])
    account.customers(1)

    with pytest.raises(MissingTableError, match=r"'Subsidiaries'.*'OneWorld'"):
        account.extract("subsidiaries")

    assert account.extract("customers").inserted == 1


def test_an_optional_table_stays_empty_until_it_appears(account: NetSuiteAccount) -> None:
    """A disabled feature is no error if the operator said so; once enabled, the table is read in full."""
    account.switch(hidden_tables=["customersubsidiaryrelationship"])
    account.configure(optional_tables=frozenset({"customer_subsidiaries"}))
    account.customers(1)
    account.add("customersubsidiaryrelationship", {"id": 1, "entity": 1, "subsidiary": 1})

    missing = account.extract("customer_subsidiaries")
    account.later(3600)
    account.switch(hidden_tables=[])
    appeared = account.extract("customer_subsidiaries")

    assert (missing.mode, missing.read) == ("missing", 0)
    assert any("OneWorld" in warning for warning in missing.warnings)
    assert (appeared.mode, appeared.inserted) == ("full", 1)


# a table that the role may not see, in other words than the documented ones
HIDDEN: list[tuple[int, str]] = [
    (400, "Ogiltig sökning: posten hittades inte."),
    (400, "Invalid or unsupported search."),
    (400, "Record 'customer' was not found."),
    (400, "Unknown identifier 'id'"),
    (403, "You do not have permission to view this record."),
    (404, "Not found."),
    (404, ""),
    (500, "Ett oväntat fel uppstod."),
]


@pytest.mark.parametrize(("status", "text"), HIDDEN)
def test_a_refused_table_is_missing_whatever_the_words(account: NetSuiteAccount, status: int, text: str) -> None:
    """An optional one stays empty; of another one the error names the permission, and NetSuite's own words."""
    hidden = ["customersubsidiaryrelationship", "department"]
    account.customers(1)
    account.switch(hidden_tables=hidden, hidden_table_text=text, hidden_table_status=status)
    account.configure(optional_tables=frozenset({"customer_subsidiaries"}))

    report = account.extract("customer_subsidiaries")
    with pytest.raises(MissingTableError, match=r"table department was not found.*'Departments'") as caught:
        account.extract("departments")

    assert (report.mode, report.read) == ("missing", 0)
    assert any("the table is optional and stays empty" in warning for warning in report.warnings)
    assert (text in str(caught.value)) is not ("'" in text)  # NetSuite's words, unless they are about something else


@pytest.mark.parametrize(("status", "text"), HIDDEN)
def test_rejected_deletions_stop_no_table_whatever_the_words(account: NetSuiteAccount, status: int, text: str) -> None:
    """Without the permission for deleted records, changes are still read."""
    account.customers(1, phone="1")
    account.extract()
    account.switch(hidden_tables=["deletedrecord"], hidden_table_text=text, hidden_table_status=status)
    account.later()
    account.sandbox.netsuite.update("customer", 1, phone="2")

    report = account.extract()

    assert account.raw("customers")["1"]["phone"] == "2"
    assert any("deletions are not visible" in warning for warning in report.warnings)


def test_a_table_is_not_missing_while_nothing_is_answered(account: NetSuiteAccount) -> None:
    """A NetSuite that refuses every query says nothing of one table."""
    account.customers(1)
    account.configure(optional_tables=frozenset({"customer_subsidiaries"}))
    account.switch(hidden_tables=["customersubsidiaryrelationship", "dual"], hidden_table_text="Fel.")

    with pytest.raises(RequestRejectedError, match="Fel") as caught:
        account.extract("customer_subsidiaries")
    assert not isinstance(caught.value, MissingTableError)


def test_an_optional_table_that_disappears_is_an_error(account: NetSuiteAccount) -> None:
    """A lost permission is not a feature that was never enabled."""
    account.configure(optional_tables=frozenset({"departments"}))
    account.add("department", {"id": 1, "name": "Sales"})
    account.extract("departments")
    account.switch(hidden_tables=["department"])

    with pytest.raises(MissingTableError):
        account.extract("departments")


@pytest.mark.long
@pytest.mark.parametrize(
    ("record_type", "table", "key"),
    [
        ("subsidiaries", "subsidiary", "id"),
        ("departments", "department", "id"),
        ("classifications", "classification", "id"),
        ("locations", "location", "id"),
        ("currencies", "currency", "id"),
        ("entity_statuses", "entitystatus", "key"),
    ],
)
def test_small_tables_are_read_in_full_each_time(
    account: NetSuiteAccount, record_type: str, table: str, key: str
) -> None:
    """One call; one more asks for the deletion notes of rows that are no longer shown."""
    account.add(table, *({key: each, "name": f"N{each}"} for each in (1, 2, 3)))
    first = account.extract(record_type)
    account.sandbox.netsuite.delete(table, table, 2)

    second, third = account.extract(record_type), account.extract(record_type)

    assert (first.mode, first.inserted, first.warnings) == ("full_table", 3, ())
    assert (second.unchanged, second.deleted, second.calls) == (2, 1, 2)
    assert (third.unchanged, third.deleted, third.calls) == (2, 0, 1)
