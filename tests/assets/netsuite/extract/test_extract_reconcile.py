"""All ids are compared now and then, by itself: what NetSuite does not tell is found all the same."""

from dataclasses import replace
from typing import Any

import pytest

from resources.errors import ContractError
from resources.netsuite.resource import open_netsuite

HOUR = 3600


@pytest.fixture
def silent(play: Any) -> Any:
    """An account whose deletions are not told, read once; one customer was deleted since."""
    play.switch(hidden_tables=["deletedrecord"])
    play.customers(*range(1, 31))
    play.extract()
    play.sandbox.netsuite.delete("customer", "customer", 7)
    return play


def test_after_a_day_a_run_compares_all_ids(silent: Any) -> None:
    """The time of the last comparison lies in the warehouse: restarts do not put it off."""
    silent.later(23 * HOUR)
    early = silent.extract()
    silent.later(2 * HOUR)
    with open_netsuite(sandbox=str(silent.sandbox.folder)) as silent.client:
        due = silent.extract()
        again = silent.extract()

    assert [(each.reconciled, each.deleted) for each in (early, due, again)] == [(False, 0), (True, 1), (False, 0)]
    assert due.mode == "incremental"
    assert "7" not in silent.live("customers")


def test_rows_that_were_missed_come_with_it(silent: Any) -> None:
    """A row that became visible long after its time stamp is outside every overlap."""
    with silent.warehouse.writer() as con:
        con.execute("delete from raw_netsuite__customers where id in ('3', '4')")
    silent.later(25 * HOUR)

    report = silent.extract()

    assert (report.inserted, report.deleted, len(silent.live("customers"))) == (2, 1, 29)


def test_too_many_vanished_rows_stop_it(silent: Any) -> None:
    """More likely a restricted role; nothing is written, changes included, until a person has looked."""
    for key in range(8, 20):
        silent.sandbox.netsuite.delete("customer", "customer", key)
    silent.later(25 * HOUR)
    silent.sandbox.netsuite.update("customer", 1, phone="1")

    with pytest.raises(ContractError, match="13 of 30 live rows"):
        silent.extract()

    assert len(silent.live("customers")) == 30
    silent.settings = replace(silent.settings, vanish_share=1)
    assert silent.extract().deleted == 13


@pytest.mark.parametrize(("hours", "due"), [(0, False), (1, True), (100, False)])
def test_how_often_is_a_setting(silent: Any, hours: float, due: bool) -> None:  # noqa: FBT001
    """0: only when somebody asks for it."""
    silent.settings = replace(silent.settings, reconcile_hours=hours)
    silent.later(25 * HOUR)

    assert silent.extract().reconciled is due


def test_removed_addresses_are_found_by_it(play: Any) -> None:
    """Deletions of sub-records are told nowhere, and their customer may not move."""
    play.customers(1, 2)
    for key in (10, 11, 12):
        play.address(key, 1 + key % 2)
    play.extract("customers")
    play.extract("addresses")
    play.sandbox.netsuite.delete("address", "customeraddressbook", 11)
    play.later(25 * HOUR)

    report = play.extract("addresses")

    assert (report.reconciled, report.deleted, play.live("addresses", "internalid")) == (True, 1, {"10", "12"})


def test_a_pond_from_before_reconciles_at_once(silent: Any) -> None:
    """Its watermarks do not say when that was last done."""
    with silent.warehouse.writer() as con:
        con.execute("alter table sync_watermarks drop column reconciled_at")
    silent.later(HOUR)

    assert [silent.extract().reconciled, silent.extract().reconciled] == [True, False]
