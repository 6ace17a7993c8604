"""Records are inserted, changed and deleted outside the API."""

import sqlite3
from contextlib import closing
from datetime import date

import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.sandbox import Sandbox
from tests.resources.sandbox.netsuite.api_client import SetSwitches, utc


def test_entities_share_one_range_of_ids(account: NetSuiteSandbox) -> None:
    """A customer and a project never have the same id, and no id is reused."""
    account.insert("customer", [{}, {"id": 50}])
    account.insert("job", [{}])
    account.delete("job", "job", 51)
    account.insert("contact", [{}])

    assert [each["id"] for each in account.rows("customer")] == [1, 50]
    assert [each["id"] for each in account.rows("contact")] == [52]


def test_missing_columns_of_an_earlier_version_are_added(account: NetSuiteSandbox, sandbox: Sandbox) -> None:
    """SQLite would read the quoted name of a missing column as text, without an error."""
    account.insert("job", [{"id": 1, "custentity_department": 5}])
    with closing(sqlite3.connect(sandbox.folder / "netsuite.sqlite")) as older:
        older.execute('alter table job drop column "custentity_class"')
        older.commit()

    (row,) = Sandbox(sandbox.folder).netsuite.rows("job")

    assert (row["custentity_department"], row["custentity_class"]) == (5, None)


def test_values_are_returned_as_python_values(account: NetSuiteSandbox) -> None:
    """A test reads the values that the generator wrote."""
    row = {
        "id": 7,
        "companyname": "Acme",
        "isperson": True,
        "creditlimit": 1.5,
        "startdate": date(2026, 1, 2),
        "datecreated": utc("2026-01-02 03:04:05"),
        "lastmodifieddate": utc("2026-01-02 03:04:06"),
    }
    account.insert("customer", [row])

    stored = account.rows("customer")[0]

    assert {name: stored[name] for name in row} == row
    assert stored["email"] is None


def test_dates_default_to_now(account: NetSuiteSandbox, sandbox: Sandbox) -> None:
    """A new record is a changed record."""
    account.insert("customer", [{}])

    stored = account.rows("customer")[0]

    assert abs((stored["lastmodifieddate"] - sandbox.clock.now()).total_seconds()) < 5
    assert stored["datecreated"] == stored["lastmodifieddate"]


def test_an_edit_moves_lastmodifieddate_only(account: NetSuiteSandbox, sandbox: Sandbox) -> None:
    """Change detection depends on it."""
    account.insert("customer", [{"id": 1}])
    before = account.rows("customer")[0]
    sandbox.clock.sleep(3600)

    account.update("customer", 1, companyname="Acme")

    after = account.rows("customer")[0]
    assert (after["lastmodifieddate"] - before["lastmodifieddate"]).total_seconds() >= 3600
    assert after["datecreated"] == before["datecreated"]


@pytest.mark.parametrize(
    ("expected_s", "moves"), [(3600, {"conversion_moves_date": True}), (0, {"conversion_moves_date": False})]
)
def test_a_conversion_may_keep_lastmodifieddate(
    account: NetSuiteSandbox,
    sandbox: Sandbox,
    switch: SetSwitches,
    moves: dict[str, bool],
    expected_s: int,
) -> None:
    """Not verified on a real account; the periodic reconciliation covers it."""
    switch(**moves)
    account.insert("customer", [{"id": 1, "searchstage": "Lead"}])
    before = account.rows("customer")[0]["lastmodifieddate"]
    sandbox.clock.sleep(3600)

    account.update("customer", 1, searchstage="Customer")

    moved = account.rows("customer")[0]["lastmodifieddate"] - before
    assert moved.total_seconds() // 3600 * 3600 == expected_s


@pytest.mark.parametrize(
    ("expected_s", "moves"), [(3600, {"address_moves_parent": True}), (0, {"address_moves_parent": False})]
)
def test_an_address_edit_may_move_its_customers_date(
    account: NetSuiteSandbox,
    sandbox: Sandbox,
    switch: SetSwitches,
    moves: dict[str, bool],
    expected_s: int,
) -> None:
    """Not verified on a real account, so child tables are polled as well."""
    switch(**moves)
    account.insert("customer", [{"id": 1}])
    account.insert("customeraddressbookentityaddress", [{"nkey": 5, "city": "Umeå", "recordowner": 1}])
    before = account.rows("customer")[0]["lastmodifieddate"]
    sandbox.clock.sleep(3600)

    account.update("customeraddressbookentityaddress", 5, city="Luleå")

    moved = account.rows("customer")[0]["lastmodifieddate"] - before
    assert moved.total_seconds() // 3600 * 3600 == expected_s


def test_a_relationship_edit_may_move_its_customers_date(
    account: NetSuiteSandbox, sandbox: Sandbox, switch: SetSwitches
) -> None:
    """As with addresses."""
    account.insert("customer", [{"id": 1}])
    account.insert("customersubsidiaryrelationship", [{"id": 4, "entity": 1, "subsidiary": 1}])
    before = account.rows("customer")[0]["lastmodifieddate"]
    sandbox.clock.sleep(3600)

    account.update("customersubsidiaryrelationship", 4, isprimarysub=True)
    unmoved = account.rows("customer")[0]["lastmodifieddate"]
    switch(relationship_moves_parent=True)
    account.update("customersubsidiaryrelationship", 4, isprimarysub=False)

    assert unmoved == before
    assert account.rows("customer")[0]["lastmodifieddate"] > before


def test_a_deletion_removes_the_children_and_is_recorded(account: NetSuiteSandbox) -> None:
    """Clients learn of it through deletedrecord; children are not recorded."""
    account.insert("customer", [{"id": 1, "entityid": "C1"}, {"id": 2}])
    account.insert("customersubsidiaryrelationship", [{"entity": 1, "subsidiary": 1}, {"entity": 2, "subsidiary": 1}])
    account.insert("customeraddressbook", [{"entity": 1, "addressbookaddress": 5}])
    account.insert("customeraddressbookentityaddress", [{"nkey": 5}])

    account.delete("lead", "customer", 1)

    assert [each["id"] for each in account.rows("customer")] == [2]
    assert [each["entity"] for each in account.rows("customersubsidiaryrelationship")] == [2]
    assert account.rows("customeraddressbook") == account.rows("customeraddressbookentityaddress") == []
    deleted = account.rows("deletedrecord")
    assert [(each["recordid"], each["type"], each["name"]) for each in deleted] == [(1, "lead", "C1")]


@pytest.mark.parametrize(
    ("switches", "expected"),
    [({}, "lead"), ({"deleted_type_case": "upper"}, "LEAD"), ({"deleted_type_custjob": True}, "custjob")],
)
def test_the_deleted_type_has_several_spellings(
    account: NetSuiteSandbox, switch: SetSwitches, switches: dict[str, object], expected: str
) -> None:
    """Not verified: clients must ignore case, and accept custjob."""
    switch(**switches)
    account.insert("customer", [{"id": 1}])

    account.delete("lead", "customer", 1)

    assert account.rows("deletedrecord")[0]["type"] == expected


@pytest.mark.parametrize(("moves", "noted"), [(True, True), (False, True), (True, False)])
def test_a_merge_moves_what_the_loser_had(
    account: NetSuiteSandbox, sandbox: Sandbox, switch: SetSwitches, *, moves: bool, noted: bool
) -> None:
    """It is undocumented whether dates move and whether the loser is noted as deleted, so both are switches."""
    switch(merge_moves_dates=moves, merge_notes_loser=noted)
    account.insert("customer", [{"id": 1, "searchstage": "Lead"}, {"id": 2}, {"id": 3, "parent": 1}])
    account.insert("job", [{"id": 4, "customer": 1, "parent": 1}, {"id": 5, "customer": 2, "parent": 2}])
    account.insert("contact", [{"id": 6, "company": 1}])
    before = sandbox.clock.now()
    sandbox.clock.sleep(3600)

    moved = account.merge(1, 2)

    jobs, customers = account.rows("job"), account.rows("customer")
    assert moved == [("contact", 6), ("customer", 3), ("job", 4)]
    assert [(row["customer"], row["parent"]) for row in jobs] == [(2, 2), (2, 2)]
    assert [(row["id"], row["parent"]) for row in customers] == [(2, None), (3, 2)]
    assert account.rows("contact")[0]["company"] == 2
    changed = [row["lastmodifieddate"] > before for row in (jobs[0], customers[0], account.rows("contact")[0], jobs[1])]
    assert changed == [moves, moves, moves, False]
    assert [each["type"] for each in account.rows("deletedrecord")] == (["lead"] if noted else [])


def test_a_change_without_a_save_moves_no_date(account: NetSuiteSandbox, sandbox: Sandbox, switch: SetSwitches) -> None:
    """Neither the record's nor, of a child, its owner's."""
    switch(address_moves_parent=True)
    account.insert("customer", [{"id": 1, "email": "a"}])
    account.insert("customeraddressbookentityaddress", [{"nkey": 5, "recordowner": 1, "city": "Lund"}])
    account.insert("customeraddressbook", [{"internalid": 5, "entity": 1, "addressbookaddress": 5}])
    before = account.rows("customer")[0]["lastmodifieddate"]
    sandbox.clock.sleep(3600)

    account.update("customer", 1, moves_date=False, email="b")
    account.update("customeraddressbookentityaddress", 5, moves_date=False, city="Ystad")

    (row,) = account.rows("customer")
    assert (row["email"], row["lastmodifieddate"]) == ("b", before)


def test_unknown_records_and_columns_are_errors(account: NetSuiteSandbox) -> None:
    """A mistake in a generator or a test is reported at once."""
    account.insert("customer", [{"id": 1}])

    with pytest.raises(KeyError):
        account.update("customer", 2, email="x")
    with pytest.raises(KeyError):
        account.delete("customer", "customer", 2)
    with pytest.raises(ValueError, match="shoesize"):
        account.update("customer", 1, shoesize=44)
    with pytest.raises(ValueError, match="shoesize"):
        account.insert("customer", [{"shoesize": 44}])


def test_a_second_process_sees_the_same_records(account: NetSuiteSandbox, sandbox: Sandbox) -> None:
    """State is in files; another Sandbox of the folder behaves like another process."""
    account.insert("customer", [{"id": 1}])

    other = Sandbox(sandbox.folder).netsuite

    assert [each["id"] for each in other.rows("customer")] == [1]
