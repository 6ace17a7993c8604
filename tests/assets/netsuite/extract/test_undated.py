"""A row without a date of change is never reported by a query for changes: it is read in every run, and named."""

import pytest

from assets.netsuite.extract.read_warnings import latest_warnings
from tests.assets.netsuite.conftest import NetSuiteAccount

TEXT = "without lastmodifieddate"


@pytest.fixture
def mixed(account: NetSuiteAccount) -> NetSuiteAccount:
    """An account with two dated customers and one without a date, each with an address, extracted once."""
    account.customers(1, 2)
    account.customers(3, lastmodifieddate=None)
    for key in (1, 2, 3):
        account.address(key, key)
    account.later(3600)
    account.extract()
    account.extract("addresses")
    account.later(3600)
    return account


def save(account: NetSuiteAccount, table: str, key: int, **fields: str) -> None:
    """Change a record without giving it a date."""
    account.sandbox.netsuite.update(table, key, lastmodifieddate=None, **fields)


def test_a_change_of_a_record_without_a_date_is_read_in_the_next_run(mixed: NetSuiteAccount) -> None:
    """It went unnoticed until its turn in the nightly reading, up to a week later."""
    save(mixed, "customer", 3, comments="saved")

    report = mixed.extract()

    assert mixed.raw("customers")["3"]["comments"] == "saved"
    assert (report.read, report.updated) == (1, 1)  # the dated ones are not read again


def test_a_new_record_without_a_date_is_read_in_the_next_run(mixed: NetSuiteAccount) -> None:
    """Nothing in the warehouse shows it."""
    mixed.customers(9, lastmodifieddate=None)

    assert mixed.extract().inserted == 1


def test_records_without_a_date_are_named_in_every_run(mixed: NetSuiteAccount) -> None:
    """The operator learns which ones, although nothing changed."""
    report = mixed.extract()

    (text,) = [each for each in report.warnings if TEXT in each]
    assert text.startswith("1 row without lastmodifieddate, NetSuite ids 3;")
    with mixed.warehouse.writer() as con:
        assert any(TEXT in text for _, text in latest_warnings(con))


def test_a_role_that_never_saw_the_date_loses_no_change(account: NetSuiteAccount) -> None:
    """As without the permission for the field from the first day on: no row has a date."""
    account.switch(blank_columns=["customer.lastmodifieddate"])
    account.customers(1, 2)
    account.extract()
    account.later(3600)
    account.sandbox.netsuite.update("customer", 2, comments="saved")

    report = account.extract()

    assert (report.mode, account.raw("customers")["2"]["comments"]) == ("incremental", "saved")
    assert any("2 rows" in each and TEXT in each for each in report.warnings)


def test_rows_that_belong_to_a_record_without_a_date_are_read_in_every_run(mixed: NetSuiteAccount) -> None:
    """NetSuite reports a change of an address by its customer's date, which is blank."""
    mixed.sandbox.netsuite.delete("address", "customeraddressbook", 3)
    mixed.extract()

    assert mixed.extract("addresses").deleted == 1


def test_an_account_with_dates_is_not_warned(account: NetSuiteAccount) -> None:
    """A warning that is always there is not read."""
    account.customers(1, 2)
    account.extract()
    account.later(3600)

    assert not [each for each in account.extract().warnings if TEXT in each]


def test_too_many_are_left_to_the_nightly_reading(mixed: NetSuiteAccount) -> None:
    """A run stays bounded; the warning says by when their changes are found."""
    mixed.configure(undated_rows=0)
    save(mixed, "customer", 3, comments="saved")

    report = mixed.extract()

    assert report.read == 0
    assert any(TEXT in each and "MILLPOND_VERIFY_DAYS" in each for each in report.warnings)
    mixed.later(86_400 * 2)
    mixed.reconcile()
    assert mixed.raw("customers")["3"]["comments"] == "saved"
