"""All ids are compared periodically, which finds changes that NetSuite does not report."""

import pytest

from resources.errors import ContractError
from resources.netsuite.connect import open_netsuite
from tests.assets.netsuite.conftest import NetSuiteAccount

HOUR_S = 3600


@pytest.fixture
def unreported(account: NetSuiteAccount) -> NetSuiteAccount:
    """An account that does not report deletions, extracted once; one customer was deleted later."""
    account.switch(hidden_tables=["deletedrecord"])
    account.customers(*range(1, 31))
    account.extract()
    account.sandbox.netsuite.delete("customer", "customer", 7)
    return account


def test_ids_are_compared_once_a_day(unreported: NetSuiteAccount) -> None:
    """The time of the last comparison is in the warehouse, so that restarts do not delay the next one."""
    unreported.later(23 * HOUR_S)
    early = unreported.extract()
    unreported.later(2 * HOUR_S)
    with open_netsuite(sandbox=str(unreported.sandbox.folder)) as unreported.client:
        due = unreported.extract()
        again = unreported.extract()

    assert [(each.reconciled, each.deleted) for each in (early, due, again)] == [(False, 0), (True, 1), (False, 0)]
    assert due.mode == "incremental"
    assert "7" not in unreported.live("customers")


def test_missed_rows_are_read(unreported: NetSuiteAccount) -> None:
    """A row that becomes visible long after its timestamp is outside every overlap."""
    with unreported.warehouse.writer() as con:
        con.execute("delete from raw_netsuite__customers where id in ('3', '4')")
    unreported.later(25 * HOUR_S)

    report = unreported.extract()

    assert (report.inserted, report.deleted, len(unreported.live("customers"))) == (2, 1, 29)


def test_too_many_vanished_rows_stop_the_load(unreported: NetSuiteAccount) -> None:
    """A restricted role is more likely; nothing is written, including changes, until an operator has checked."""
    for key in range(8, 20):
        unreported.sandbox.netsuite.delete("customer", "customer", key)
    unreported.later(25 * HOUR_S)
    unreported.sandbox.netsuite.update("customer", 1, phone="1")

    with pytest.raises(ContractError, match="13 of 30 live rows"):
        unreported.extract()

    assert len(unreported.live("customers")) == 30
    unreported.configure(vanish_share=1)
    assert unreported.extract().deleted == 13


@pytest.mark.parametrize(("hours", "is_due"), [(0, False), (1, True), (100, False)])
def test_the_interval_is_a_setting(unreported: NetSuiteAccount, hours: float, *, is_due: bool) -> None:
    """0: only on request."""
    unreported.configure(reconcile_hours=hours)
    unreported.later(25 * HOUR_S)

    assert unreported.extract().reconciled is is_due


def test_removed_addresses_are_found(account: NetSuiteAccount) -> None:
    """NetSuite does not report deletions of sub-records, and the customer's timestamp may not change."""
    account.customers(1, 2)
    for key in (10, 11, 12):
        account.address(key, 1 + key % 2)
    account.extract("customers")
    account.extract("addresses")
    account.sandbox.netsuite.delete("address", "customeraddressbook", 11)
    account.later(25 * HOUR_S)

    report = account.extract("addresses")

    assert (report.reconciled, report.deleted, account.live("addresses", "internalid")) == (True, 1, {"10", "12"})


def test_watermarks_without_a_reconciliation_time_are_reconciled_at_once(unreported: NetSuiteAccount) -> None:
    """Warehouses of early versions lack the column."""
    with unreported.warehouse.writer() as con:
        con.execute("alter table sync_watermarks drop column reconciled_at")
    unreported.later(HOUR_S)

    assert [unreported.extract().reconciled, unreported.extract().reconciled] == [True, False]
