"""Answers that are cut, empty, a web page or never come, from each system: nothing lost, nothing twice."""

import pytest

from resources.http import READABLE
from resources.sandbox.faults import Fault, FaultKind
from tests.orchestration.bad_day import OF_PRECORO, OF_SUITEPROJECTS, failures, held, is_ours_once, writes
from tests.orchestration.conftest import Home
from tests.orchestration.expected_targets import selected_customers, selected_options

pytestmark = pytest.mark.long

WAITED_OUT = (FaultKind.REFUSED_500, FaultKind.DONE_500, FaultKind.LOST, FaultKind.CUT)
UNUSABLE = (FaultKind.TRUNCATED, FaultKind.HTML, FaultKind.EMPTY)


def plan(home: Home, system: str, *faults: Fault) -> None:
    """Lay out trouble."""
    for each in faults:
        home.sandbox.faults.plan(system, each)


def all_there(home: Home) -> bool:
    """Every selected record is in its target, once."""
    found, sandbox = held(home), home.sandbox
    customers = {row["externalid"] for row in found[OF_SUITEPROJECTS]}
    options = {row["external_id"] for row in found[OF_PRECORO]}
    wanted = selected_customers(sandbox, set()).keys(), selected_options(sandbox).keys()
    return is_ours_once(home) and (customers, options) == wanted


def is_mended(home: Home) -> bool:
    """The next run without trouble succeeds and leaves every record in its target, once."""
    home.sandbox.faults.clear()
    return home.run().success and all_there(home)


def test_what_netsuite_says_a_second_time_is_enough(seeded: Home) -> None:
    """A read may be repeated: an answer that was lost, or makes no sense, costs nothing but a wait."""
    kinds = (*WAITED_OUT, *UNUSABLE)
    plan(seeded, "netsuite", *(Fault(kind, pattern="suiteql", skip=3 * place) for place, kind in enumerate(kinds)))

    assert seeded.run().success
    assert all_there(seeded)


def test_answers_of_netsuite_that_stay_unusable_stop_that_table_alone(settled: Home) -> None:
    """They are never taken for a short table; the tables keep their rows and the next run reads them."""
    tables = ("from customer c", "from currency", "from contact")
    before = held(settled)
    faults = (Fault(kind, pattern=table, times=READABLE) for kind, table in zip(UNUSABLE, tables, strict=True))
    plan(settled, "netsuite", *faults)

    told = failures(settled.run())

    assert told.keys() == {f"raw_netsuite__{name}" for name in ("customers", "currencies", "contacts")}
    assert all(
        "the answer is not JSON" in text and "cut short, or a maintenance page" in text for text in told.values()
    )
    assert held(settled) == before
    assert is_mended(settled)


@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.TRUNCATED])
def test_no_customer_is_lost_or_doubled_in_suiteprojects(seeded: Home, kind: FaultKind) -> None:
    """A read is repeated; a write whose answer cannot be used is looked up before it is sent again."""
    plan(seeded, "suiteprojects", Fault(kind, pattern="<Read"), Fault(kind, pattern="<Add"))

    result = seeded.run(OF_SUITEPROJECTS)

    assert result.success, failures(result)
    assert is_ours_once(seeded)
    assert is_mended(seeded)


def test_no_option_is_lost_or_doubled_in_precoro(seeded: Home) -> None:
    """Every kind of trouble on one create after the other, whatever comes of each."""
    kinds = (*WAITED_OUT, *UNUSABLE)
    plan(seeded, "precoro", *(Fault(kind, method="POST", skip=2 * number) for number, kind in enumerate(kinds)))

    seeded.run(OF_PRECORO)

    assert is_ours_once(seeded)
    assert is_mended(seeded)


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_list_of_precoro_is_not_taken_for_an_empty_one(settled: Home, kind: FaultKind) -> None:
    """An empty target state would have everything created a second time."""
    sent = writes(settled)
    plan(settled, "precoro", Fault(kind, method="GET", pattern="/options"))

    told = failures(settled.materialize(f"target_{OF_PRECORO}"))

    assert told.keys() == {f"target_{OF_PRECORO}"}
    assert "precoro: list options: the answer is not JSON" in told[f"target_{OF_PRECORO}"]
    assert writes(settled) == sent
