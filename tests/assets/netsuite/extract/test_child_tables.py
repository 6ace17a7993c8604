"""Addresses and subsidiaries: polled by their own timestamps, and read again with their parent."""

import pytest

from resources.errors import ContractError
from tests.assets.netsuite.conftest import NetSuiteAccount


def extract_both(account: NetSuiteAccount) -> None:
    """Extract customers, then addresses, as in a run."""
    account.extract("customers")
    account.extract("addresses")


def test_an_edited_address_is_read_although_its_customer_has_not_changed(account: NetSuiteAccount) -> None:
    """It is not documented whether a change of an address updates the customer's timestamp."""
    account.customers(1)
    account.address(10, 1)
    extract_both(account)
    account.later(3600)
    account.sandbox.netsuite.update("customeraddressbookentityaddress", 10, city="Malmö")

    report = account.extract("addresses")

    assert (report.mode, report.updated) == ("incremental", 1)
    assert account.raw("addresses", "internalid")["10"]["city"] == "Malmö"


def test_a_changed_default_address_is_read_with_the_customer(account: NetSuiteAccount) -> None:
    """Address book entries have no timestamp: only the changed customer indicates it."""
    account.customers(1)
    account.address(10, 1)
    extract_both(account)
    account.later(3600)
    account.sandbox.netsuite.update("customeraddressbook", 10, defaultbilling=False)
    account.sandbox.netsuite.update("customer", 1, phone="1")

    extract_both(account)

    assert account.raw("addresses", "internalid")["10"]["defaultbilling"] == "F"


def test_a_removed_address_is_marked_with_the_next_change_of_its_customer(account: NetSuiteAccount) -> None:
    """Deletions of sub-records are not in `deletedrecord`."""
    account.customers(1, 2)
    for key, customer in ((10, 1), (11, 1), (12, 2)):
        account.address(key, customer)
    extract_both(account)
    account.later(3600)
    account.sandbox.netsuite.delete("address", "customeraddressbook", 11)
    account.sandbox.netsuite.update("customer", 1, phone="1")

    account.extract("customers")
    report = account.extract("addresses")

    assert (report.deleted, account.live("addresses", "internalid")) == (1, {"10", "12"})


def test_contacts_have_address_books_of_their_own(account: NetSuiteAccount) -> None:
    """They are read like those of customers: edited addresses are updated, removed ones marked, others unchanged."""
    account.add("contact", *({"id": key, "entityid": f"K{key}", "company": 1, "isinactive": False} for key in (5, 6)))
    for key, contact in ((10, 5), (11, 5), (12, 6)):
        account.add("contactaddressbookentityaddress", {"nkey": key, "recordowner": contact, "addr1": f"Street {key}"})
        account.add("contactaddressbook", {"internalid": key, "entity": contact, "addressbookaddress": key})
    for record_type in ("contacts", "contact_addresses"):
        account.extract(record_type)
    account.later(3600)
    account.sandbox.netsuite.update("contactaddressbookentityaddress", 12, addr1="Storgatan 1")
    account.sandbox.netsuite.delete("", "contactaddressbook", 11)
    account.sandbox.netsuite.update("contact", 5, phone="1")

    account.extract("contacts")
    report = account.extract("contact_addresses")

    assert (report.mode, report.updated, report.deleted) == ("incremental", 1, 1)
    assert account.live("contact_addresses", "internalid") == {"10", "12"}
    assert account.raw("contact_addresses", "internalid")["12"]["addr1"] == "Storgatan 1"


def test_an_account_without_contact_address_books_is_supported(account: NetSuiteAccount) -> None:
    """That SuiteQL has the table is inferred; without it, contacts have no addresses and nothing stops."""
    account.switch(hidden_tables=["contactaddressbook"])

    report = account.extract("contact_addresses")

    assert (report.mode, account.raw("contact_addresses", "internalid")) == ("missing", {})
    assert "optional" in report.warnings[0]


def test_a_role_that_sees_no_address_deletes_none(account: NetSuiteAccount) -> None:
    """A restricted role may get zero rows instead of an error."""
    account.customers(1)
    account.address(10, 1)
    extract_both(account)
    account.later(3600)
    account.sandbox.netsuite.delete("address", "customeraddressbook", 10)
    account.sandbox.netsuite.update("customer", 1, phone="1")
    account.extract("customers")

    with pytest.raises(ContractError, match="1 of 1 live rows"):
        account.extract("addresses")

    assert account.live("addresses", "internalid") == {"10"}


def test_unchanged_customers_cost_no_calls_for_their_children(account: NetSuiteAccount) -> None:
    """A second run right after the first load must not read every child again."""
    account.customers(*range(1, 50))
    for key in range(1, 50):
        account.add("customersubsidiaryrelationship", {"id": key, "entity": key, "subsidiary": 1, "isprimarysub": True})
    account.later(3600)
    account.extract("customers")
    account.extract("customer_subsidiaries")
    account.later()

    report = account.extract("customer_subsidiaries")

    assert (report.read, report.calls) == (0, 3), "server time, changes, rows without a date"


def test_children_of_many_customers_are_read_in_lists_of_a_thousand(account: NetSuiteAccount) -> None:
    """NetSuite accepts at most 1000 values in one IN."""
    rows = [{"id": key, "searchstage": "Customer", "entityid": f"C{key}"} for key in range(1, 2502)]
    account.add("customer", *rows)
    account.add("customersubsidiaryrelationship", *({"entity": row["id"], "subsidiary": 1} for row in rows))
    account.extract("customers")
    account.extract("customer_subsidiaries")
    account.later(3600)
    with account.warehouse.writer() as con:
        con.execute("update raw_netsuite__customers set _extracted_at = _extracted_at + interval 2 hours")

    report = account.extract("customer_subsidiaries")

    assert (report.read, report.unchanged, report.deleted) == (2501, 2501, 0)
