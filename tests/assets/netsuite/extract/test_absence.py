"""A row that NetSuite no longer shows is only absent, unless something says that it was deleted."""

import pytest

from resources.errors import ContractError
from tests.assets.netsuite.conftest import NetSuiteAccount

EVIDENCE = "_deletion_evidence"


def hide(account: NetSuiteAccount, table: str, *keys: int) -> None:
    """Take the role's access to these records, and give back that to all others."""
    account.switch(hidden_records=[f"{table}.{key}" for key in keys])


def evidence(account: NetSuiteAccount, name: str = "customers", key: str = "id") -> dict[str, str | None]:
    """Return the evidence of every row that is not live."""
    return {each: row[EVIDENCE] for each, row in account.raw(name, key).items() if row["_deleted_at"] is not None}


@pytest.fixture
def thirty(account: NetSuiteAccount) -> NetSuiteAccount:
    """An account of 30 customers, extracted once."""
    account.customers(*range(1, 31))
    account.extract()
    account.later(3600)
    return account


@pytest.mark.parametrize("options", [{"reconcile": True}, {"full": True}])
def test_a_record_without_a_deletion_note_is_absent(thirty: NetSuiteAccount, options: dict[str, bool]) -> None:
    """A role that lost a subsidiary and a deletion look alike in a list of ids."""
    hide(thirty, "customer", 7, 8)
    thirty.sandbox.netsuite.delete("customer", "customer", 9)

    report = thirty.extract(**options)

    assert evidence(thirty) == {"7": "absent", "8": "absent", "9": "note"}
    assert any("2 records no longer shown" in each and "7, 8" in each for each in report.warnings)


@pytest.mark.parametrize("options", [{"reconcile": True}, {"full": True}])
def test_many_deletions_with_a_note_do_not_stop_the_load(thirty: NetSuiteAccount, options: dict[str, bool]) -> None:
    """A note is no sign of a lost permission; the guard counts the records without one."""
    hide(thirty, "customer", 7, 8)
    for key in range(9, 24):
        thirty.sandbox.netsuite.delete("customer", "customer", key)

    thirty.extract(**options)

    assert evidence(thirty) == {"7": "absent", "8": "absent", **{str(key): "note" for key in range(9, 24)}}


@pytest.mark.parametrize("options", [{"reconcile": True}, {"full": True}])
def test_a_lost_subsidiary_beside_real_deletions_stops_the_load(
    thirty: NetSuiteAccount, options: dict[str, bool]
) -> None:
    """However many have a note."""
    hide(thirty, "customer", *range(1, 13))
    for key in range(13, 28):
        thirty.sandbox.netsuite.delete("customer", "customer", key)

    with pytest.raises(ContractError, match="12 of 30 live rows would vanish"):
        thirty.extract(**options)

    assert not evidence(thirty)


def test_a_record_that_is_shown_again_is_read_by_the_next_run(thirty: NetSuiteAccount) -> None:
    """Neither its date of change nor a note shows it; the next comparison of all ids is a day away."""
    hide(thirty, "customer", 7)
    thirty.reconcile()
    hide(thirty, "customer")
    thirty.later()

    report = thirty.extract()

    assert (report.reconciled, report.updated, evidence(thirty), report.warnings) == (False, 1, {}, ())


def test_a_note_that_comes_later_replaces_absence(thirty: NetSuiteAccount) -> None:
    """The role gets the permission 'Deleted Records', or a restricted record is deleted."""
    thirty.switch(hidden_tables=["deletedrecord"])
    thirty.sandbox.netsuite.delete("customer", "customer", 7)
    thirty.reconcile()
    before = evidence(thirty)
    thirty.switch(hidden_tables=[])
    thirty.later(60 * 3600)

    thirty.extract()

    assert (before, evidence(thirty)) == ({"7": "absent"}, {"7": "note"})


def test_a_note_of_an_earlier_life_is_none(thirty: NetSuiteAccount) -> None:
    """A record restored under its id keeps the note of its deletion."""
    thirty.sandbox.netsuite.delete("customer", "customer", 7)
    thirty.extract()
    thirty.later(72 * 3600)
    thirty.customers(7)
    thirty.extract()
    thirty.later(3600)
    hide(thirty, "customer", 7)

    thirty.reconcile()

    assert evidence(thirty) == {"7": "absent"}


@pytest.mark.parametrize(("name", "table"), [("departments", "department"), ("subsidiaries", "subsidiary")])
def test_tables_that_are_read_in_full_need_notes_too(account: NetSuiteAccount, name: str, table: str) -> None:
    """They are delivered as nodes of hierarchies."""
    account.add(table, *({"id": key, "name": f"D{key}"} for key in range(1, 31)))
    account.extract(name)
    hide(account, table, 7)
    account.sandbox.netsuite.delete(table, table, 8)

    account.extract(name)

    assert evidence(account, name) == {"7": "absent", "8": "note"}


def test_a_row_is_gone_if_its_visible_parent_was_read_without_it(account: NetSuiteAccount) -> None:
    """NetSuite leaves no notes of addresses; those of a customer that is hidden too are only absent."""
    account.customers(1, 2, 3)
    for key in (10, 11, 12, 13):
        account.address(key, 1 + key % 3)
    for record_type in ("customers", "addresses"):
        account.extract(record_type)
    account.sandbox.netsuite.delete("", "customeraddressbook", 11)
    account.switch(hidden_records=["customer.1", "customeraddressbook.12"])

    account.reconcile("addresses")

    assert evidence(account, "addresses", "internalid") == {"11": "parent", "12": "absent"}
