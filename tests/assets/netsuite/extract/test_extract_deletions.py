"""Deletions are believed when NetSuite tells them, never because an answer was short."""

from typing import Any

import pytest

from resources.errors import ContractError, IntegrationError
from resources.netsuite.errors import MissingTableError
from resources.sandbox.faults import Fault, FaultKind


@pytest.mark.parametrize(
    ("spelling", "custjob", "kind"),
    [
        ("as_given", False, "customer"),
        ("title", False, "lead"),
        ("upper", False, "prospect"),
        ("as_given", True, "lead"),
    ],
)
def test_a_deleted_record_is_marked_whatever_its_type_is_called(
    play: Any,
    spelling: str,
    custjob: bool,  # noqa: FBT001
    kind: str,
) -> None:
    """The row stays, for history and for those who must switch it off elsewhere."""
    play.switch(deleted_type_case=spelling, deleted_type_custjob=custjob)
    play.customers(1, 2, stage=kind.title())
    play.extract()
    play.later(3600)
    play.sandbox.netsuite.delete(kind, "customer", 1)
    moment = play.sandbox.clock.now().replace(tzinfo=None)

    report = play.extract()

    row = play.raw(f"{kind}s")["1"]
    assert (report.deleted, play.live(f"{kind}s")) == (1, {"2"})
    assert abs((row["_deleted_at"] - moment).total_seconds()) < 2, "shown in Pacific time, kept in UTC"
    assert (row["entityid"], row["_run_id"]) == ("C1", "run 2")


def test_a_deletion_is_counted_once(play: Any) -> None:
    """The window of deletions overlaps by 25 hours."""
    play.customers(1, 2)
    play.extract()
    play.sandbox.netsuite.delete("customer", "customer", 1)
    play.extract()
    before = play.raw("customers")

    report = play.extract()

    assert report.deleted == 0
    assert play.raw("customers") == before


def test_a_record_that_comes_back_stays(play: Any) -> None:
    """Its deletion is still in the window of the next runs."""
    play.customers(1, 2)
    play.extract()
    play.sandbox.netsuite.delete("customer", "customer", 1)
    play.extract()
    play.later()
    play.customers(1)

    restored = play.extract()
    play.later(3600)
    again = play.extract()

    assert (restored.updated, again.deleted) == (1, 0)
    assert play.live("customers") == {"1", "2"}


def test_projects_and_contacts_are_marked_too(play: Any) -> None:
    """A deleted customer is one of many kinds."""
    play.customers(1)
    play.add("job", {"id": 10, "entityid": "P", "customer": 1, "parent": 1})
    play.add("contact", {"id": 11, "entityid": "Ann", "company": 1})
    for record_type in ("projects", "contacts"):
        play.extract(record_type)
    play.sandbox.netsuite.delete("job", "job", 10)
    play.sandbox.netsuite.delete("contact", "contact", 11)

    deleted = [play.extract(record_type).deleted for record_type in ("projects", "contacts")]

    assert deleted == [1, 1]


def test_without_the_permission_deletions_are_missed_and_told_of(play: Any) -> None:
    """The run goes on; reconciliation finds them."""
    play.customers(*range(1, 20))
    play.extract()
    play.switch(hidden_tables=["deletedrecord"])
    play.sandbox.netsuite.delete("customer", "customer", 1)

    report = play.extract()
    found = play.reconcile()

    assert (report.deleted, found.deleted) == (0, 1)
    assert any("Deleted Records" in warning for warning in report.warnings)


def test_a_full_load_marks_what_is_gone(play: Any) -> None:
    """Absence in a whole, checked reading is a deletion."""
    play.customers(*range(1, 21))
    play.extract()
    play.sandbox.netsuite.delete("customer", "customer", 7)

    report = play.extract(full=True)

    assert (report.mode, report.deleted, report.unchanged) == ("full", 1, 19)


def test_many_vanished_rows_stop_the_load(play: Any) -> None:
    """More likely a restricted role than a quarter of all customers deleted."""
    play.customers(*range(1, 41))
    play.extract()
    for key in range(1, 11):
        play.sandbox.netsuite.delete("customer", "customer", key)
    before = play.raw("customers")

    with pytest.raises(ContractError, match="10 of 40 live rows"):
        play.reconcile()

    assert play.raw("customers") == before
    play.settings = type(play.settings)(vanish_share=1)
    assert play.reconcile().deleted == 10


def test_an_empty_table_is_never_taken_for_deletions(play: Any) -> None:
    """A restricted role may see no rows instead of an error, however few there were."""
    play.customers(1, 2)
    play.extract()
    for key in (1, 2):
        play.sandbox.netsuite.delete("customer", "customer", key)

    with pytest.raises(ContractError, match="2 of 2 live rows"):
        play.extract(full=True)

    assert play.live("customers") == {"1", "2"}


def test_a_table_that_is_not_found_deletes_nothing(play: Any) -> None:
    """NetSuite says so when the role loses the permission."""
    play.customers(1)
    play.extract()
    play.switch(hidden_tables=["customer"])

    with pytest.raises(MissingTableError, match="'Customers'"):
        play.extract(full=True)

    assert play.live("customers") == {"1"}


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.HTML, FaultKind.EMPTY])
def test_answers_that_stay_spoiled_change_nothing_and_the_next_run_catches_up(play: Any, kind: FaultKind) -> None:
    """Half a page is not a page; it is asked for three times."""
    play.customers(*range(1, 1500))
    play.extract()
    play.later(3600)
    play.sandbox.netsuite.update("customer", 1, phone="1")
    before = play.raw("customers")
    play.sandbox.faults.plan("netsuite", Fault(kind, pattern="customer", skip=1, times=4))

    with pytest.raises(IntegrationError):
        play.extract(full=True)

    assert play.raw("customers") == before
    assert play.extract().updated == 1


PASSING = [FaultKind.REFUSED_500, FaultKind.LOST, FaultKind.CUT, FaultKind.TRUNCATED, FaultKind.HTML, FaultKind.EMPTY]


@pytest.mark.parametrize("kind", PASSING)
def test_a_passing_fault_is_not_noticed(play: Any, kind: FaultKind) -> None:
    """Reading is safe to repeat."""
    play.customers(*range(1, 1500))
    play.sandbox.faults.plan("netsuite", Fault(kind, pattern="suiteql", times=2))

    assert play.extract().inserted == 1499


def test_reconciliation_heals_rows_that_were_missed(play: Any) -> None:
    """Whatever the reason was, the next comparison of ids ends it."""
    play.customers(*range(1, 30))
    play.extract()
    with play.warehouse.writer() as con:
        con.execute("delete from raw_netsuite__customers where id in ('3', '4')")

    report = play.reconcile()

    assert (report.read, report.inserted) == (2, 2)
    assert len(play.live("customers")) == 29
