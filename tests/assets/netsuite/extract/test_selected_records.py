"""Selected records are read by id, independently of the incremental runs."""

from datetime import datetime
from typing import Any

import pytest

from assets.netsuite.extract.extract import extract_selected
from resources.failpoints import arm, disarm
from resources.netsuite.connect import open_netsuite
from tests.assets.netsuite.conftest import NetSuiteAccount

DELETED_AT = datetime(2026, 11, 16, 12)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC


def refresh(account: NetSuiteAccount, record_type: str, *ids: str, **options: Any) -> set[str]:
    """Read selected records with a client of their own, as a run of their own."""
    with open_netsuite(sandbox=str(account.sandbox.folder)) as client:
        return extract_selected(account.warehouse, client, record_type, ids, run_id="realtime", **options)


def watermarks(account: NetSuiteAccount) -> list[tuple[Any, ...]]:
    """Return the rows of sync_watermarks."""
    rows: list[tuple[Any, ...]] = account.warehouse.read("select * from sync_watermarks order by source_table").rows()
    return rows


def test_only_selected_records_are_read_and_no_watermark_moves(account: NetSuiteAccount) -> None:
    """The next incremental run finds the same changes."""
    account.customers(1, 2, 3)
    account.extract()
    before = watermarks(account)
    account.later()
    account.sandbox.netsuite.update("customer", 1, phone="1")
    account.sandbox.netsuite.update("customer", 2, phone="2")

    shown = refresh(account, "customers", "1", "77")

    assert shown == {"1"}
    phones = {key: row["phone"] for key, row in account.raw("customers").items()}
    assert phones == {"1": "1", "2": None, "3": None}
    assert watermarks(account) == before
    assert account.extract().updated == 1


def test_a_record_is_deleted_only_if_it_was_reported_and_netsuite_agrees(account: NetSuiteAccount) -> None:
    """Reported but shown: it is live. Neither reported nor shown: the role may have lost a permission."""
    account.customers(1, 2, 3)
    account.extract()
    for key in (1, 2):
        account.sandbox.netsuite.delete("customer", "customer", key)

    refresh(account, "customers", "1", "2", "3", reported_deleted={"1": DELETED_AT, "3": DELETED_AT})

    deleted = {key: row["_deleted_at"] for key, row in account.raw("customers").items()}
    assert deleted == {"1": DELETED_AT, "2": None, "3": None}


def test_a_conversion_moves_the_row(account: NetSuiteAccount) -> None:
    """A lead became a customer between two runs."""
    account.customers(1, stage="Lead")
    account.extract()
    account.sandbox.netsuite.update("customer", 1, searchstage="Customer")

    refresh(account, "customers", "1")

    assert (account.live("leads"), account.live("customers")) == (set(), {"1"})


def test_only_children_of_selected_parents_are_compared(account: NetSuiteAccount) -> None:
    """Children of other parents stay, although they were not read."""
    account.customers(1, 2)
    for key, customer in ((11, 1), (12, 1), (21, 2)):
        account.address(key, customer)
    account.extract()
    account.extract("addresses")
    account.sandbox.netsuite.delete("", "customeraddressbook", 12)
    account.sandbox.netsuite.delete("", "customeraddressbook", 21)

    refresh(account, "addresses", "1")

    assert account.live("addresses", "internalid") == {"11", "21"}


@pytest.mark.parametrize("call", range(3))
def test_a_full_run_never_replaces_newer_rows_of_a_realtime_run(account: NetSuiteAccount, call: int) -> None:
    """The run reads the record before a save and loads it after the realtime run, whenever the save happens."""
    account.customers(1, 2, 3)
    account.extract()
    account.later()
    account.sandbox.netsuite.update("customer", 2, phone="older")
    account.later()
    shown = []

    def save() -> None:
        account.sandbox.netsuite.update("customer", 2, phone="newer")
        shown.append(refresh(account, "customers", "2"))

    arm("request_served", skip=call, strike=save)
    account.extract()
    disarm()

    assert shown == [{"2"}]
    assert account.raw("customers")["2"]["phone"] == "newer"
    account.later()
    assert account.extract().read >= 1  # it is read once more, so no later change is missed
    assert account.raw("customers")["2"]["phone"] == "newer"
