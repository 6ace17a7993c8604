"""Some records are read again by id, beside the runs that read what changed."""

from datetime import datetime
from typing import Any

import pytest

from assets.netsuite.extract.extract import look_again
from resources.failpoints import arm, disarm
from resources.netsuite.resource import open_netsuite

GONE_AT = datetime(2026, 11, 16, 12)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC


def again(play: Any, record_type: str, *ids: str, **more: Any) -> set[str]:
    """By a client of its own, as a run of its own."""
    with open_netsuite(sandbox=str(play.sandbox.folder)) as client:
        return look_again(play.warehouse, client, record_type, ids, run_id="change notification", **more)


def marks(play: Any) -> list[tuple[Any, ...]]:
    """The watermarks."""
    rows: list[tuple[Any, ...]] = play.warehouse.read("select * from sync_watermarks order by source_table").rows()
    return rows


def test_named_records_are_read_and_no_other_and_no_watermark_moves(play: Any) -> None:
    """The ordinary run finds what it would have found."""
    play.customers(1, 2, 3)
    play.extract()
    before = marks(play)
    play.later()
    play.sandbox.netsuite.update("customer", 1, phone="1")
    play.sandbox.netsuite.update("customer", 2, phone="2")

    shown = again(play, "customers", "1", "77")

    assert shown == {"1"}
    assert {key: row["phone"] for key, row in play.raw("customers").items()} == {"1": "1", "2": None, "3": None}
    assert marks(play) == before
    assert play.extract().updated == 1


def test_a_record_is_gone_when_somebody_said_so_and_netsuite_agrees(play: Any) -> None:
    """Said and shown: it lives. Not shown and not said: the role may have lost a permission."""
    play.customers(1, 2, 3)
    play.extract()
    for key in (1, 2):
        play.sandbox.netsuite.delete("customer", "customer", key)

    again(play, "customers", "1", "2", "3", said_deleted={"1": GONE_AT, "3": GONE_AT})

    deleted = {key: row["_deleted_at"] for key, row in play.raw("customers").items()}
    assert deleted == {"1": GONE_AT, "2": None, "3": None}


def test_a_stage_moves_the_row(play: Any) -> None:
    """A lead that became a customer while nobody read."""
    play.customers(1, stage="Lead")
    play.extract()
    play.sandbox.netsuite.update("customer", 1, searchstage="Customer")

    again(play, "customers", "1")

    assert (play.live("leads"), play.live("customers")) == (set(), {"1"})


def test_the_children_of_named_customers_come_and_go(play: Any) -> None:
    """Those of the others stay, though they were not read."""
    play.customers(1, 2)
    for key, customer in ((11, 1), (12, 1), (21, 2)):
        play.address(key, customer)
    play.extract()
    play.extract("addresses")
    play.sandbox.netsuite.delete("", "customeraddressbook", 12)
    play.sandbox.netsuite.delete("", "customeraddressbook", 21)

    again(play, "addresses", "1")

    assert play.live("addresses", "internalid") == {"11", "21"}


@pytest.mark.parametrize("call", range(3))
def test_a_run_of_all_puts_nothing_older_over_what_a_hint_had_read(play: Any, call: int) -> None:
    """It read the record before the save and loads it after the change notification did; whichever call the save falls into."""
    play.customers(1, 2, 3)
    play.extract()
    play.later()
    play.sandbox.netsuite.update("customer", 2, phone="older")
    play.later()
    saved = []

    def save() -> None:
        play.sandbox.netsuite.update("customer", 2, phone="newer")
        saved.append(again(play, "customers", "2"))

    arm("request_served", skip=call, strike=save)
    play.extract()
    disarm()

    assert saved == [{"2"}]
    assert play.raw("customers")["2"]["phone"] == "newer"
    play.later()
    assert play.extract().read >= 1  # it is asked for once more, so nothing newer can have been passed over
    assert play.raw("customers")["2"]["phone"] == "newer"
