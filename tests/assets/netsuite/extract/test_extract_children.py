"""Addresses and subsidiaries of customers: polled by themselves, and read again with their customer."""

from typing import Any

import pytest

from resources.errors import ContractError


def both(play: Any) -> None:
    """Customers first, as in a run."""
    play.extract("customers")
    play.extract("addresses")


def test_an_edited_address_arrives_though_its_customer_did_not_move(play: Any) -> None:
    """Whether the customer's time stamp moves with its address is not documented."""
    play.customers(1)
    play.address(10, 1)
    both(play)
    play.later(3600)
    play.sandbox.netsuite.update("customeraddressbookentityaddress", 10, city="Malmö")

    report = play.extract("addresses")

    assert (report.mode, report.updated) == ("incremental", 1)
    assert play.raw("addresses", "internalid")["10"]["city"] == "Malmö"


def test_a_default_moved_to_another_entry_is_seen_with_the_customer(play: Any) -> None:
    """The entries carry no time stamp: only the changed customer tells."""
    play.customers(1)
    play.address(10, 1)
    both(play)
    play.later(3600)
    play.sandbox.netsuite.update("customeraddressbook", 10, defaultbilling=False)
    play.sandbox.netsuite.update("customer", 1, phone="1")

    both(play)

    assert play.raw("addresses", "internalid")["10"]["defaultbilling"] == "F"


def test_a_removed_address_goes_with_the_next_change_of_its_customer(play: Any) -> None:
    """Deletions of sub-records are not in `deletedrecord`."""
    play.customers(1, 2)
    for key, customer in ((10, 1), (11, 1), (12, 2)):
        play.address(key, customer)
    both(play)
    play.later(3600)
    play.sandbox.netsuite.delete("address", "customeraddressbook", 11)
    play.sandbox.netsuite.update("customer", 1, phone="1")

    play.extract("customers")
    report = play.extract("addresses")

    assert (report.deleted, play.live("addresses", "internalid")) == (1, {"10", "12"})


def test_a_contact_has_its_own_address_book(play: Any) -> None:
    """Read like the customers', with the contact as the parent; an edited and a removed address come, others stay."""
    play.add("contact", *({"id": key, "entityid": f"K{key}", "company": 1, "isinactive": False} for key in (5, 6)))
    for key, contact in ((10, 5), (11, 5), (12, 6)):
        play.add("contactaddressbookentityaddress", {"nkey": key, "recordowner": contact, "addr1": f"Street {key}"})
        play.add("contactaddressbook", {"internalid": key, "entity": contact, "addressbookaddress": key})
    for record_type in ("contacts", "contact_addresses"):
        play.extract(record_type)
    play.later(3600)
    play.sandbox.netsuite.update("contactaddressbookentityaddress", 12, addr1="Storgatan 1")
    play.sandbox.netsuite.delete("", "contactaddressbook", 11)
    play.sandbox.netsuite.update("contact", 5, phone="1")

    play.extract("contacts")
    report = play.extract("contact_addresses")

    assert (report.mode, report.updated, report.deleted) == ("incremental", 1, 1)
    assert play.live("contact_addresses", "internalid") == {"10", "12"}
    assert play.raw("contact_addresses", "internalid")["12"]["addr1"] == "Storgatan 1"


def test_an_account_without_address_books_of_contacts_has_none(play: Any) -> None:
    """That SuiteQL has the table is inferred: where it has not, contacts come without a street and nothing stops."""
    play.switch(hidden_tables=["contactaddressbook"])

    report = play.extract("contact_addresses")

    assert (report.mode, play.raw("contact_addresses", "internalid")) == ("missing", {})
    assert "optional" in report.warnings[0]


def test_a_role_that_sees_no_address_at_all_deletes_none(play: Any) -> None:
    """A restricted role may get zero rows instead of an error."""
    play.customers(1)
    play.address(10, 1)
    both(play)
    play.later(3600)
    play.sandbox.netsuite.delete("address", "customeraddressbook", 10)
    play.sandbox.netsuite.update("customer", 1, phone="1")
    play.extract("customers")

    with pytest.raises(ContractError, match="1 of 1 live rows"):
        play.extract("addresses")

    assert play.live("addresses", "internalid") == {"10"}


def test_customers_that_did_not_change_cost_no_calls_for_their_children(play: Any) -> None:
    """A second run right after the first load must not read every child again."""
    play.customers(*range(1, 50))
    for key in range(1, 50):
        play.add("customersubsidiaryrelationship", {"id": key, "entity": key, "subsidiary": 1, "isprimarysub": True})
    play.later(3600)
    play.extract("customers")
    play.extract("customer_subsidiaries")
    play.later()

    report = play.extract("customer_subsidiaries")

    assert (report.read, report.calls) == (0, 2)


def test_children_of_many_changed_customers_are_read_in_lists_of_a_thousand(play: Any) -> None:
    """NetSuite takes at most 1000 values in one IN."""
    rows = [{"id": key, "searchstage": "Customer", "entityid": f"C{key}"} for key in range(1, 2502)]
    play.add("customer", *rows)
    play.add("customersubsidiaryrelationship", *({"entity": row["id"], "subsidiary": 1} for row in rows))
    play.extract("customers")
    play.extract("customer_subsidiaries")
    play.later(3600)
    for row in rows:
        row["phone"] = "1"
    with play.warehouse.writer() as con:
        con.execute("update raw_netsuite__customers set _extracted_at = _extracted_at + interval 2 hours")

    report = play.extract("customer_subsidiaries")

    assert (report.read, report.unchanged, report.deleted) == (2501, 2501, 0)
