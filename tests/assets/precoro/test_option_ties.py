"""A new option takes two calls: it is made, and tied to legal entities. Whatever comes between, both are done."""

from typing import NoReturn

import pytest

from assets.delivery.plan.mode import Mode
from resources import failpoints
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from tests.assets.precoro.company import Company, customer, shipped

TIED = {"options": {"item_custom_field": "5144", "legal_entity_ids": "7"}}


class Died(BaseException):
    """The end of a process: no handler of ours takes it for an answer."""


def die() -> NoReturn:
    """What a failpoint does here."""
    raise Died


@pytest.fixture
def tied(company: Company) -> Company:
    """Two customers whose options belong to one legal entity."""
    company.spec = shipped(**TIED)
    return company.netsuite(customer("1"), customer("2"))


def untied(company: Company) -> set[str]:
    """NetSuite ids of our options that every legal entity sees."""
    ties = {row["option_id"] for row in company.sandbox.precoro.dependencies()}
    return {key for key, row in company.options().items() if row["option_id"] not in ties}


def tie_calls(company: Company) -> int:
    """How often an option was tied."""
    return sum("depend_add" in call["path"] for call in company.sandbox.precoro.call_log())


# the first request of a sending process asks for the fields, the second makes the option, the third ties it
@pytest.mark.parametrize(
    ("place", "skip", "twice", "mode"),
    [
        ("request_served", 1, "accept", Mode.SYNC),
        ("request_begins", 2, "reject", Mode.UPDATE),
        ("request_served", 2, "accept", Mode.UPDATE),
        ("request_served", 2, "reject", Mode.SYNC),
    ],
)
def test_a_run_that_died_before_the_tie_is_finished_by_the_next(
    tied: Company, place: str, skip: int, twice: str, mode: Mode
) -> None:
    """By an update as well; where the tie had arrived it is sent once more, which the service may refuse."""
    tied.sandbox.switches.set("precoro", PrecoroSwitches, duplicate_dependency=twice)
    tied.plan(run_id="killed")
    failpoints.arm(place, skip=skip, strike=die)
    with pytest.raises(Died):
        tied.send("killed")

    tied.run(mode)
    assert "1" in tied.options()
    assert untied(tied) == set()

    calls = tie_calls(tied)
    tied.run(Mode.SYNC)
    assert untied(tied) == set()
    assert tie_calls(tied) == calls + (mode is Mode.UPDATE)  # the second customer, whom an update does not bring


@pytest.mark.long
def test_a_tie_that_got_no_answer_is_finished_by_the_next_run(tied: Company) -> None:
    """The option is there and stays known; the run is partial, the next one ties it and says so in the ledger."""
    tied.sandbox.faults.plan("precoro", Fault(FaultKind.NOT_APPLIED_500, "PATCH", "depend_add", times=20))
    tied.run()
    assert len(untied(tied)) == 1
    assert tied.warehouse.table("sync_runs")["state"].to_list() == ["partial"]

    tied.sandbox.faults.clear()
    tied.run()

    states = tied.warehouse.read("select state, code from sync_attempts where source_id = '1' order by seen_at, state")
    assert untied(tied) == set()
    assert ("confirmed", "unfinished") in states.rows()
    assert states.rows()[-1] == ("finished", "")


@pytest.mark.long
@pytest.mark.parametrize("key", ["accept", "ignore"])
def test_a_new_option_whose_answer_was_lost_is_tied_in_the_same_run(tied: Company, key: str) -> None:
    """Found again, it would otherwise be open to every legal entity until the next run."""
    tied.sandbox.switches.set("precoro", PrecoroSwitches, post_external_id=key)
    tied.sandbox.faults.plan("precoro", Fault(FaultKind.LOST, "POST"))

    tied.run()

    assert untied(tied) == set()
    assert tie_calls(tied) == 2


@pytest.mark.long
def test_a_refused_tie_is_told_and_not_repeated(tied: Company) -> None:
    """Nothing would change before a person corrects the file; the option itself is there."""
    tied.spec = shipped(options={"item_custom_field": "5144", "legal_entity_ids": "north"})

    tied.run()
    tied.run()

    ends = tied.warehouse.read("select source_id, code from sync_attempts where state = 'confirmed'")
    assert sorted(ends.rows()) == [("1", "untied"), ("2", "untied")]
    assert tie_calls(tied) == 2


@pytest.mark.long
def test_without_legal_entities_nothing_is_left_to_do(tied: Company) -> None:
    """A killed run of the usual workflow costs no call more."""
    tied.spec = shipped()
    tied.plan(run_id="killed")
    failpoints.arm("request_served", skip=1, strike=die)
    with pytest.raises(Died):
        tied.send("killed")

    tied.run()

    assert set(tied.options()) == {"1", "2"}
    assert tie_calls(tied) == 0
