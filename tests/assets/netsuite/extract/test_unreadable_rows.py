"""A row that makes every page fail is left out, named and asked for again; all others load."""

from datetime import UTC, datetime

import pytest

from assets.netsuite.extract.extract import extract_selected
from assets.netsuite.extract.unreadable_rows import MAX_ROWS
from resources.errors import ContractError
from resources.netsuite.errors import UnexpectedError
from tests.assets.netsuite.conftest import NetSuiteAccount


def named(account: NetSuiteAccount, key: int) -> bool:
    """Extract, and return whether the warnings name a row."""
    account.later()
    return any(f"customers {key}: NetSuite cannot show these rows" in each for each in account.extract().warnings)


@pytest.mark.parametrize("bad", [1, 12])
def test_one_unreadable_row_does_not_stop_the_first_load(account: NetSuiteAccount, bad: int) -> None:
    """All others are loaded; nothing claims that the table was read completely."""
    account.customers(*range(1, 13))
    account.switch(failing_rows=(f"customer.{bad}",))

    first = account.extract()

    assert account.live("customers") == {str(each) for each in range(1, 13) if each != bad}
    assert not first.reconciled
    assert named(account, bad)

    account.switch(failing_rows=())
    account.later()
    last = account.extract(reconcile=True)

    assert account.live("customers") == {str(each) for each in range(1, 13)}
    assert last.reconciled
    assert not last.warnings


def test_an_unreadable_row_keeps_its_values_and_its_change_arrives_later(account: NetSuiteAccount) -> None:
    """It has not vanished, whatever the read: changes, all ids, everything."""
    account.customers(*range(1, 6))
    account.extract()
    account.later()
    account.switch(failing_rows=("customer.3",))
    account.sandbox.netsuite.update("customer", 3, companyname="Changed 3")
    account.sandbox.netsuite.update("customer", 4, companyname="Changed 4")
    readings = account.readings()

    for full, reconcile in ((False, False), (False, True), (True, False)):
        account.later(3600)
        report = account.extract(full=full, reconcile=reconcile)
        assert report.deleted == 0
        assert not report.reconciled
        assert report.warnings
    names = {key: row["companyname"] for key, row in account.raw("customers").items()}
    assert (names["3"], names["4"]) == ("Company 3", "Changed 4")
    assert account.readings()["3"] == readings["3"]

    account.switch(failing_rows=())
    account.later()
    account.extract()
    assert account.raw("customers")["3"]["companyname"] == "Changed 3"


def test_a_real_time_read_brings_the_other_records(account: NetSuiteAccount) -> None:
    """The notification of the row that cannot be read does not hold up the others."""
    account.customers(1, 2, 3)
    account.switch(failing_rows=("customer.2",))

    assert extract_selected(account.warehouse, account.client, "customers", ["1", "2", "3"], run_id="r") == {"1", "3"}


def test_a_notified_deletion_of_a_row_that_is_still_listed_is_not_believed(account: NetSuiteAccount) -> None:
    """NetSuite cannot show the row, but it shows its id."""
    account.customers(1, 2, 3)
    account.extract()
    account.switch(failing_rows=("customer.2",))
    deleted = {"2": datetime.now(UTC)}

    extract_selected(account.warehouse, account.client, "customers", ["1", "2"], run_id="r", reported_deleted=deleted)

    assert account.live("customers") == {"1", "2", "3"}


def test_all_ids_count_as_compared_although_a_row_cannot_be_read(account: NetSuiteAccount) -> None:
    """The next run does not list them all again; what is certified waits for the row."""
    account.customers(1, 2, 3)
    account.extract()
    account.switch(failing_rows=("customer.2",))
    account.later(3600)
    account.extract(reconcile=True)

    with account.warehouse.writer(transaction=False) as con:
        query = "select reconciled_at > watermark_at + interval 30 minutes from sync_watermarks"
        compared = con.execute(f"{query} where source_table = 'customer'").fetchall()
    assert compared == [(True,)]


def test_an_outage_and_a_table_of_bad_rows_stop_the_read(account: NetSuiteAccount) -> None:
    """More rows than a few are no single values, and a row of a child table may not be left out."""
    account.customers(*range(1, MAX_ROWS + 12))
    account.address(1, 1)
    account.switch(failing_rows=tuple(f"customer.{key}" for key in range(1, MAX_ROWS + 3)))
    with pytest.raises((UnexpectedError, ContractError)):
        account.extract()

    account.switch(failing_rows=("customeraddressbook.1",))
    account.extract("customer_subsidiaries")
    with pytest.raises(UnexpectedError):
        account.extract("addresses")
