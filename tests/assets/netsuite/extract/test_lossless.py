"""Nothing is lost, deleted or blanked: random walks through edits, trouble and runs, each from one seed.

Short walks here; longer ones, and thousands of them: make lossless ARGS="--seeds 3000". One again: MILLPOND_SEED=17.
"""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.assets.netsuite.extract.lossless_model import WATCHED, Judge
from tests.assets.netsuite.extract.lossless_walk import QUIET, Walked, walk
from tests.assets.netsuite.extract.lossless_world import RECORD_TYPES, World

FEW = 200
ALL_THINGS = 8  # a seed whose walk extracts everything
MOVED = """
insert into raw_netsuite__prospects by name select * from raw_netsuite__leads;
delete from raw_netsuite__leads
"""

ONE = os.environ.get("MILLPOND_SEED", "")
SEEDS = [int(ONE)] if ONE else range(FEW)


@pytest.mark.parametrize("seed", SEEDS)
def test_lossless(seed: int, counted: Callable[[str, int], None]) -> None:
    """After the last quiet run the warehouse is as NetSuite is, and at no time was it wrong."""
    counted("lossless walks through NetSuite", 1)
    walked = walk(seed, short=True)

    assert not walked.problems, str(walked)


def test_a_lossless_walk_is_the_same_again() -> None:
    """One line reproduces a failure: nothing depends on the machine, its clock or its load."""
    first, again = walk(4), walk(4)

    assert first.story == again.story
    assert first.runs > 0


@pytest.fixture
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Judge]:
    """An account with one customer, its address and a project, read once."""
    world = World.of(ALL_THINGS, tmp_path_factory.mktemp("judged"))
    assert world.fate.record_types == RECORD_TYPES
    world.switch(**{**QUIET, "late_share": 0.0, "stage_column": "searchstage"})
    world.fate.switches["stage_column"] = "searchstage"
    judge = Judge(world)
    netsuite = world.sandbox.netsuite
    netsuite.insert("customer", [{"id": 1, "entityid": "C1", "searchstage": "Lead", "companyname": "A", "fax": "1"}])
    netsuite.insert("customeraddressbookentityaddress", [{"nkey": 5, "recordowner": 1, "city": "Lund"}])
    netsuite.insert("customeraddressbook", [{"internalid": 5, "entity": 1, "addressbookaddress": 5}])
    netsuite.insert("job", [{"id": 9, "entityid": "P9", "customer": 1, "parent": 1, "companyname": "P"}])
    with world.client() as client:
        for watched in WATCHED:
            world.extract(watched.record_type, client)
    return world, judge


def complaints(judge: Judge) -> list[str]:
    """Everything that is wrong."""
    told = judge.differences(silent=set(), silent_deletions=False, hidden_deletions=False)
    return [*judge.wronged(anew=True), *told, *judge.staging()]


def test_the_judge_of_lossless_walks_is_content_with_what_is_right(judged: tuple[World, Judge]) -> None:
    """Otherwise it would cry wolf."""
    assert complaints(judged[1]) == []


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ("delete from raw_netsuite__leads", "customers 1 is missing"),
        ("update raw_netsuite__leads set _deleted_at = _extracted_at", "customers 1 is marked deleted and never was"),
        ("update raw_netsuite__leads set fax = null", "customers 1.fax is blanked"),
        ("update raw_netsuite__leads set companyname = 'B'", "customers 1.companyname is wrong"),
        ("update raw_netsuite__addresses set city = 'Malmö'", "addresses 5.city is wrong"),
        ("update raw_netsuite__projects set customer = null", "projects 9.customer is blanked"),
        (MOVED, "customers 1 is among the prospects"),
    ],
)
def test_the_judge_of_lossless_walks_sees_every_kind_of_loss(
    judged: tuple[World, Judge], damage: str, complaint: str
) -> None:
    """A judge that sees nothing would let every walk pass."""
    world, judge = judged
    assert judge.wronged() == []
    with world.warehouse.writer() as con:
        con.execute(damage)

    assert any(each.startswith(complaint) for each in complaints(judge))


def test_a_deletion_that_nobody_noticed_is_a_loss(judged: tuple[World, Judge]) -> None:
    """The record is gone in NetSuite and live in the warehouse."""
    world, judge = judged
    world.sandbox.netsuite.delete("job", "job", 9)

    assert "projects 9 was deleted and is still there" in complaints(judge)


def test_a_failed_lossless_walk_tells_how_to_see_it_again() -> None:
    """One line to copy."""
    told = [str(Walked(17, ("what happened",), ("customers 1 is missing",), 3, short)) for short in (True, False)]

    assert [each.splitlines()[-1] for each in told] == [
        "again: MILLPOND_SEED=17 python -m pytest -k lossless",
        "again: python -m tests.bench.lossless --stories --seeds 1 --first 17",
    ]


# --- what walks found, one case each -----------------------------------------------------------------------------


def test_changes_that_a_role_did_not_see_are_read_when_it_sees_again(play: Any) -> None:
    """A role that lost its rows gets an empty answer and no error: the watermark must not pass them by."""
    play.customers(1, 2)
    play.later(3600)
    play.extract()
    play.later(3600)
    play.extract()
    play.later(3600)
    play.sandbox.netsuite.update("customer", 1, phone="1")
    play.switch(emptied_tables=["customer"])
    blind = play.extract()
    play.later(7200)
    play.switch(emptied_tables=[])

    seeing = play.extract()

    assert (blind.read, seeing.updated) == (0, 1)
    assert play.raw("customers")["1"]["phone"] == "1"


def test_a_watermark_goes_on_with_the_first_change(play: Any) -> None:
    """It stays only while nothing is shown; otherwise each run would read more than the one before."""
    play.customers(1)
    play.later(3600)
    play.extract()

    def mark() -> datetime:
        found = play.warehouse.read("select watermark_at from sync_watermarks where source_table = 'customer'")
        moment: datetime = found["watermark_at"][0]
        return moment

    first = mark()
    play.later(3600)
    play.extract()
    quiet = mark()
    play.sandbox.netsuite.update("customer", 1, phone="1")
    play.extract()

    assert quiet == first
    assert (mark() - first).total_seconds() >= 3600


def test_a_second_save_in_the_same_second_reaches_the_children(tmp_path: Path) -> None:
    """The customer's stamp is the one already known; only that it is so young tells."""
    world = World.of(ALL_THINGS, tmp_path)
    world.switch(**{**QUIET, "late_share": 0.0})
    netsuite = world.sandbox.netsuite
    netsuite.insert("customer", [{"id": 1, "entityid": "C1", "searchstage": "Lead"}])
    netsuite.insert(
        "customersubsidiaryrelationship", [{"id": each, "entity": 1, "subsidiary": each} for each in (5, 6)]
    )
    with world.client() as client:
        world.extract("customers", client)
        world.extract("customer_subsidiaries", client)
    netsuite.delete("", "customersubsidiaryrelationship", 6)
    netsuite.update("customer", 1)
    world.clock.sleep(3600)

    with world.client() as client:
        customers = world.extract("customers", client)
        children = world.extract("customer_subsidiaries", client)

    assert (customers.updated, children.deleted) == (0, 1)
