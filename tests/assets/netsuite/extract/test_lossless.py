"""Nothing is lost, deleted or cleared by mistake: random walks through edits, faults and runs, each from one seed.

Short walks run here; for thousands of longer ones: make lossless ARGS="--seeds 3000". To repeat one: MILLPOND_SEED=17.
"""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.assets.netsuite.conftest import NetSuiteAccount
from tests.assets.netsuite.extract.lossless_account import RECORD_TYPES, SimulatedAccount
from tests.assets.netsuite.extract.lossless_model import MODEL_TABLES, Model
from tests.assets.netsuite.extract.lossless_walk import UNDISTURBED, WalkResult, walk

WALKS, SHORT_LANE = 200, 6  # the others run with the long tests
ONE_SLOT = 5  # a seed whose walk has one concurrency slot, so that calls have one order
ALL_RECORD_TYPES = 11  # a seed whose walk extracts everything
MOVED = """
insert into raw_netsuite__prospects by name select * from raw_netsuite__leads;
delete from raw_netsuite__leads
"""

ONE = os.environ.get("MILLPOND_SEED", "")
SEEDS = (
    [int(ONE)]
    if ONE
    else [seed if seed < SHORT_LANE else pytest.param(seed, marks=pytest.mark.long) for seed in range(WALKS)]
)


@pytest.mark.parametrize("seed", SEEDS)
def test_lossless(seed: int, counted: Callable[[str, int], None]) -> None:
    """After the last undisturbed run the warehouse equals NetSuite, and it was wrong at no time."""
    counted("lossless walks through NetSuite", 1)
    result = walk(seed, short=True)

    assert not result.problems, str(result)


@pytest.mark.long
def test_a_lossless_walk_is_reproducible() -> None:
    """One line replays a failure: nothing depends on the machine, its clock or its load."""
    first, again = walk(ONE_SLOT), walk(ONE_SLOT)

    assert first.log == again.log
    assert first.runs > 0


@pytest.fixture
def modeled(tmp_path_factory: pytest.TempPathFactory) -> tuple[SimulatedAccount, Model]:
    """An account with one customer, its address and a project, extracted once."""
    account = SimulatedAccount.of(ALL_RECORD_TYPES, tmp_path_factory.mktemp("modeled"))
    assert account.scenario.record_types == RECORD_TYPES
    account.switch(**{**UNDISTURBED, "late_share": 0.0, "stage_column": "searchstage"})
    account.scenario.switches["stage_column"] = "searchstage"
    model = Model(account)
    netsuite = account.sandbox.netsuite
    netsuite.insert("customer", [{"id": 1, "entityid": "C1", "searchstage": "Lead", "companyname": "A", "fax": "1"}])
    netsuite.insert("customeraddressbookentityaddress", [{"nkey": 5, "recordowner": 1, "city": "Lund"}])
    netsuite.insert("customeraddressbook", [{"internalid": 5, "entity": 1, "addressbookaddress": 5}])
    netsuite.insert("job", [{"id": 9, "entityid": "P9", "customer": 1, "parent": 1, "companyname": "P"}])
    with account.client() as client:
        for table in MODEL_TABLES:
            account.extract(table.record_type, client)
    return account, model


def problems(model: Model) -> list[str]:
    """Return every problem that the model finds."""
    return [*model.wrong_values(all_runs=True), *model.differences(), *model.staging_differences()]


def test_the_lossless_model_accepts_a_correct_warehouse(modeled: tuple[SimulatedAccount, Model]) -> None:
    """It raises no false alarm."""
    assert problems(modeled[1]) == []


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("delete from raw_netsuite__leads", "customers 1 is missing"),
        (
            "update raw_netsuite__leads set _deleted_at = _extracted_at",
            "customers 1 is marked deleted but never was deleted",
        ),
        ("update raw_netsuite__leads set fax = null", "customers 1.fax is cleared"),
        ("update raw_netsuite__leads set companyname = 'B'", "customers 1.companyname is wrong"),
        ("update raw_netsuite__addresses set city = 'Malmö'", "addresses 5.city is wrong"),
        ("update raw_netsuite__projects set customer = null", "projects 9.customer is cleared"),
        (MOVED, "customers 1 is among the prospects"),
    ],
)
def test_the_lossless_model_finds_every_kind_of_loss(
    modeled: tuple[SimulatedAccount, Model], damage: str, problem: str
) -> None:
    """A model that finds nothing would accept every walk."""
    account, model = modeled
    assert model.wrong_values() == []
    with account.warehouse.writer() as con:
        con.execute(damage)

    assert any(each.startswith(problem) for each in problems(model))


def test_the_lossless_model_finds_an_unnoticed_deletion(modeled: tuple[SimulatedAccount, Model]) -> None:
    """The record is deleted in NetSuite and live in the warehouse."""
    account, model = modeled
    account.sandbox.netsuite.delete("job", "job", 9)

    assert "projects 9 was deleted but is live" in problems(model)


def test_a_failed_lossless_walk_prints_how_to_replay_it() -> None:
    """It is one line to copy."""
    texts = [str(WalkResult(17, ("edit",), ("customers 1 is missing",), 3, short)) for short in (True, False)]

    assert [each.splitlines()[-1] for each in texts] == [
        "replay: MILLPOND_SEED=17 python -m pytest -k lossless",
        "replay: python -m tests.bench.lossless --logs --seeds 1 --first 17",
    ]


# --- cases that walks have found ---------------------------------------------------------------------------------


def test_changes_that_a_role_could_not_see_are_read_later(account: NetSuiteAccount) -> None:
    """A role that lost its rows gets an empty response and no error: the watermark must not move past the changes."""
    account.customers(1, 2)
    account.later(3600)
    account.extract()
    account.later(3600)
    account.extract()
    account.later(3600)
    account.sandbox.netsuite.update("customer", 1, phone="1")
    account.switch(empty_tables=["customer"])
    blind = account.extract()
    account.later(7200)
    account.switch(empty_tables=[])

    seeing = account.extract()

    assert (blind.read, seeing.updated) == (0, 1)
    assert account.raw("customers")["1"]["phone"] == "1"


def test_the_watermark_moves_with_the_next_change(account: NetSuiteAccount) -> None:
    """It stays only while NetSuite shows no change; otherwise each run would read more than the one before."""
    account.customers(1)
    account.later(3600)
    account.extract()

    def watermark() -> datetime:
        found = account.warehouse.read("select watermark_at from sync_watermarks where source_table = 'customer'")
        moment: datetime = found["watermark_at"][0]
        return moment

    first = watermark()
    account.later(3600)
    account.extract()
    unchanged = watermark()
    account.sandbox.netsuite.update("customer", 1, phone="1")
    account.extract()

    assert unchanged == first
    assert (watermark() - first).total_seconds() >= 3600


def test_children_are_read_after_a_second_save_in_the_same_second(tmp_path: Path) -> None:
    """The customer's timestamp does not change; only its age indicates that there may be another change."""
    account = SimulatedAccount.of(ALL_RECORD_TYPES, tmp_path)
    account.switch(**{**UNDISTURBED, "late_share": 0.0})
    netsuite = account.sandbox.netsuite
    netsuite.insert("customer", [{"id": 1, "entityid": "C1", "searchstage": "Lead"}])
    netsuite.insert(
        "customersubsidiaryrelationship", [{"id": each, "entity": 1, "subsidiary": each} for each in (5, 6)]
    )
    with account.client() as client:
        account.extract("customers", client)
        account.extract("customer_subsidiaries", client)
    netsuite.delete("", "customersubsidiaryrelationship", 6)
    netsuite.update("customer", 1)
    account.clock.sleep(3600)

    with account.client() as client:
        customers = account.extract("customers", client)
        children = account.extract("customer_subsidiaries", client)

    assert (customers.updated, children.deleted) == (0, 1)
