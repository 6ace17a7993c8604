"""Rows are marked as deleted if NetSuite reports and confirms it, never because a response was short."""

import pytest

from resources.clock import utc_now
from resources.errors import ContractError, IntegrationError
from resources.netsuite.errors import MissingTableError
from resources.sandbox.faults import Fault, FaultKind
from tests.assets.netsuite.conftest import NetSuiteAccount


@pytest.mark.parametrize(
    ("spelling", "is_custjob", "kind"),
    [
        ("as_given", False, "customer"),
        ("title", False, "lead"),
        ("upper", False, "prospect"),
        ("as_given", True, "lead"),
    ],
)
def test_a_deleted_record_is_marked_whatever_the_spelling_of_its_type(
    account: NetSuiteAccount, spelling: str, kind: str, *, is_custjob: bool
) -> None:
    """The row stays, for history and for the targets in which the record must be deactivated."""
    account.switch(deleted_type_case=spelling, deleted_type_custjob=is_custjob)
    account.customers(1, 2, stage=kind.title())
    account.extract()
    account.later(3600)
    account.sandbox.netsuite.delete(kind, "customer", 1)
    deleted_at = utc_now(account.sandbox.clock)

    report = account.extract()

    row = account.raw(f"{kind}s")["1"]
    assert (report.deleted, account.live(f"{kind}s")) == (1, {"2"})
    assert abs((row["_deleted_at"] - deleted_at).total_seconds()) < 2, "shown in Pacific time, kept in UTC"
    assert (row["entityid"], row["_run_id"]) == ("C1", "run 2")


def test_a_deletion_is_counted_once(account: NetSuiteAccount) -> None:
    """The time range of deletions overlaps by 25 hours."""
    account.customers(1, 2)
    account.extract()
    account.sandbox.netsuite.delete("customer", "customer", 1)
    account.extract()
    before = account.raw("customers")

    report = account.extract()

    assert report.deleted == 0
    assert account.raw("customers") == before


def test_a_restored_record_stays(account: NetSuiteAccount) -> None:
    """Its deletion is still in the time range of the next runs."""
    account.customers(1, 2)
    account.extract()
    account.sandbox.netsuite.delete("customer", "customer", 1)
    account.extract()
    account.later()
    account.customers(1)

    restored = account.extract()
    account.later(3600)
    again = account.extract()

    assert (restored.updated, again.deleted) == (1, 0)
    assert account.live("customers") == {"1", "2"}


def test_deleted_projects_and_contacts_are_marked(account: NetSuiteAccount) -> None:
    """Each record type has deletion types of its own."""
    account.customers(1)
    account.add("job", {"id": 10, "entityid": "P", "customer": 1, "parent": 1})
    account.add("contact", {"id": 11, "entityid": "Ann", "company": 1})
    for record_type in ("projects", "contacts"):
        account.extract(record_type)
    account.sandbox.netsuite.delete("job", "job", 10)
    account.sandbox.netsuite.delete("contact", "contact", 11)

    deleted = [account.extract(record_type).deleted for record_type in ("projects", "contacts")]

    assert deleted == [1, 1]


def test_without_the_permission_a_warning_is_given_and_reconciliation_finds_deletions(
    account: NetSuiteAccount,
) -> None:
    """The run continues."""
    account.customers(*range(1, 20))
    account.extract()
    account.switch(hidden_tables=["deletedrecord"])
    account.sandbox.netsuite.delete("customer", "customer", 1)

    report = account.extract()
    reconciled = account.reconcile()

    assert (report.deleted, reconciled.deleted) == (0, 1)
    assert any("Deleted Records" in warning for warning in report.warnings)


def test_a_full_load_marks_missing_rows_as_deleted(account: NetSuiteAccount) -> None:
    """Absence from a complete, verified read is noticed; the note says that it is a deletion."""
    account.customers(*range(1, 21))
    account.extract()
    account.sandbox.netsuite.delete("customer", "customer", 7)

    report = account.extract(full=True)

    assert (report.mode, report.deleted, report.unchanged) == ("full", 1, 19)


def test_many_vanished_rows_stop_the_load(account: NetSuiteAccount) -> None:
    """A restricted role is more likely than the deletion of a quarter of all customers."""
    account.customers(*range(1, 41))
    account.extract()
    account.switch(hidden_records=[f"customer.{key}" for key in range(1, 11)])
    before = account.raw("customers")

    with pytest.raises(ContractError, match="10 of 40 live rows"):
        account.reconcile()

    assert account.raw("customers") == before
    account.configure(vanish_share=1)
    assert account.reconcile().deleted == 10


def test_an_empty_table_is_never_treated_as_deletions(account: NetSuiteAccount) -> None:
    """A restricted role may see no rows instead of an error, however few there were."""
    account.customers(1, 2)
    account.extract()
    for key in (1, 2):
        account.sandbox.netsuite.delete("customer", "customer", key)

    with pytest.raises(ContractError, match="2 of 2 live rows"):
        account.extract(full=True)

    assert account.live("customers") == {"1", "2"}


def test_a_missing_table_deletes_nothing(account: NetSuiteAccount) -> None:
    """NetSuite reports it as missing if the role loses the permission."""
    account.customers(1)
    account.extract()
    account.switch(hidden_tables=["customer"])

    with pytest.raises(MissingTableError, match="'Customers'"):
        account.extract(full=True)

    assert account.live("customers") == {"1"}


@pytest.mark.long
@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.HTML, FaultKind.EMPTY])
def test_permanently_broken_responses_change_nothing_and_the_next_run_catches_up(
    account: NetSuiteAccount, kind: FaultKind
) -> None:
    """Half a page is not a page; it is requested three times."""
    account.customers(*range(1, 1500))
    account.extract()
    account.later(3600)
    account.sandbox.netsuite.update("customer", 1, phone="1")
    before = account.raw("customers")
    account.sandbox.faults.plan("netsuite", Fault(kind, pattern="customer", skip=1, times=4))

    with pytest.raises(IntegrationError):
        account.extract(full=True)

    assert account.raw("customers") == before
    assert account.extract().updated == 1


TEMPORARY = [
    FaultKind.NOT_APPLIED_500, FaultKind.LOST, FaultKind.CUT, FaultKind.TRUNCATED, FaultKind.HTML, FaultKind.EMPTY,
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("kind", TEMPORARY)
def test_a_temporary_fault_is_retried(account: NetSuiteAccount, kind: FaultKind) -> None:
    """Reads are safe to repeat."""
    account.customers(*range(1, 1500))
    account.sandbox.faults.plan("netsuite", Fault(kind, pattern="suiteql", times=2))

    assert account.extract().inserted == 1499


def test_reconciliation_reads_missed_rows(account: NetSuiteAccount) -> None:
    """Whatever the cause, the next comparison of ids repairs it."""
    account.customers(*range(1, 30))
    account.later(3600)
    account.extract()
    with account.warehouse.writer() as con:
        con.execute("delete from raw_netsuite__customers where id in ('3', '4')")

    report = account.reconcile()

    assert (report.inserted, report.updated) == (2, 0)
    assert len(account.live("customers")) == 29
