"""A new option takes two calls: create, and restrict to legal entities. Whatever happens in between, both are made."""

from typing import NoReturn

import pytest

from assets.delivery.imports.manual_links import ManualLink, save_manual_link
from assets.delivery.plan.mode import Mode
from resources import failpoints
from resources.clock import utc_now
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from tests.assets.precoro.company import Company, customer, shipped

RESTRICTED = {"options": {"item_custom_field": "5144", "legal_entity_ids": "7"}}


class Died(BaseException):
    """The end of a process, which no handler catches."""


def die() -> NoReturn:
    """Raise Died, as the action of a failpoint."""
    raise Died


@pytest.fixture
def restricted(company: Company) -> Company:
    """Return a company with two customers whose options are restricted to one legal entity."""
    company.spec = shipped(**RESTRICTED)
    return company.netsuite(customer("1"), customer("2"))


def unrestricted(company: Company) -> set[str]:
    """Return the NetSuite ids of our options without a restriction."""
    dependent = {row["option_id"] for row in company.sandbox.precoro.dependencies()}
    return {key for key, row in company.options().items() if row["option_id"] not in dependent}


def restriction_calls(company: Company) -> int:
    """Return the number of restriction calls."""
    return sum("depend_add" in call["path"] for call in company.sandbox.precoro.call_log())


# a sending process first reads the fields, then creates the option, then restricts it
@pytest.mark.long
@pytest.mark.parametrize(
    ("failpoint", "skip", "repetition", "mode"),
    [
        ("request_served", 1, "accept", Mode.SYNC),
        ("request_begins", 2, "reject", Mode.UPDATE),
        ("request_served", 2, "accept", Mode.UPDATE),
        ("request_served", 2, "reject", Mode.SYNC),
    ],
)
def test_a_run_that_died_before_the_restriction_is_finished_by_the_next(
    restricted: Company, failpoint: str, skip: int, repetition: str, mode: Mode
) -> None:
    """An update does so too; a restriction that had arrived is sent again, which the service may reject."""
    restricted.sandbox.switches.set("precoro", PrecoroSwitches, duplicate_dependency=repetition)
    restricted.plan(run_id="killed")
    failpoints.arm(failpoint, skip=skip, strike=die)
    with pytest.raises(Died):
        restricted.send("killed")

    restricted.run(mode)
    assert "1" in restricted.options()
    assert unrestricted(restricted) == set()

    calls = restriction_calls(restricted)
    restricted.run(Mode.SYNC)
    assert unrestricted(restricted) == set()
    assert restriction_calls(restricted) == calls + (
        mode is Mode.UPDATE
    )  # the second customer, which an update does not create


@pytest.mark.long
def test_a_restriction_without_a_response_is_finished_by_the_next_run(restricted: Company) -> None:
    """The option exists and is linked; the run is partial, and the next one restricts it and records that."""
    restricted.sandbox.faults.plan("precoro", Fault(FaultKind.NOT_APPLIED_500, "PATCH", "depend_add", times=20))
    restricted.run()
    assert len(unrestricted(restricted)) == 1
    assert restricted.warehouse.table("sync_runs")["state"].to_list() == ["partial"]

    restricted.sandbox.faults.clear()
    restricted.run()

    states = restricted.warehouse.read(
        "select state, code from sync_attempts where source_id = '1' order by seen_at, state"
    )
    assert unrestricted(restricted) == set()
    assert ("confirmed", "unfinished") in states.rows()
    assert states.rows()[-1] == ("finished", "")


def test_an_option_that_a_killed_run_left_without_its_key_is_restricted_too(restricted: Company) -> None:
    """The next run gives it the key, which alone would leave it open to every legal entity."""
    restricted.sandbox.switches.set("precoro", PrecoroSwitches, post_external_id="ignore")
    restricted.plan(run_id="killed")
    failpoints.arm("request_served", skip=1, strike=die)
    with pytest.raises(Died):
        restricted.send("killed")

    restricted.run()

    assert set(restricted.options()) == {"1", "2"}
    assert unrestricted(restricted) == set()
    assert restriction_calls(restricted) == 2


@pytest.mark.parametrize("key", [pytest.param("accept", marks=pytest.mark.long), "ignore"])
def test_a_new_option_whose_response_was_lost_is_restricted_in_the_same_run(restricted: Company, key: str) -> None:
    """Otherwise every legal entity could use it until the next run."""
    restricted.sandbox.switches.set("precoro", PrecoroSwitches, post_external_id=key)
    restricted.sandbox.faults.plan("precoro", Fault(FaultKind.LOST, "POST"))

    restricted.run()

    assert unrestricted(restricted) == set()
    assert restriction_calls(restricted) == 2


@pytest.mark.long
def test_a_rejected_restriction_is_recorded_and_not_repeated(restricted: Company) -> None:
    """A retry could not succeed before a person corrects the file; the option itself exists."""
    restricted.spec = shipped(options={"item_custom_field": "5144", "legal_entity_ids": "north"})

    restricted.run()
    restricted.run()

    outcomes = restricted.warehouse.read("select source_id, code from sync_attempts where state = 'confirmed'")
    assert sorted(outcomes.rows()) == [("1", "untied"), ("2", "untied")]
    assert restriction_calls(restricted) == 2


@pytest.mark.long
def test_without_legal_entities_nothing_remains_to_be_done(restricted: Company) -> None:
    """A killed run of the usual workflow costs no extra call."""
    restricted.spec = shipped()
    restricted.plan(run_id="killed")
    failpoints.arm("request_served", skip=1, strike=die)
    with pytest.raises(Died):
        restricted.send("killed")

    restricted.run()

    assert set(restricted.options()) == {"1", "2"}
    assert restriction_calls(restricted) == 0


@pytest.mark.long
@pytest.mark.parametrize("runs", [1, pytest.param(2, marks=pytest.mark.long)])
def test_an_option_that_a_person_links_to_a_lost_create_is_restricted_too(restricted: Company, runs: int) -> None:
    """Several options may be the one that a killed run made; once a person chose, the second call is made as well."""
    restricted.sandbox.switches.set("precoro", PrecoroSwitches, post_external_id="ignore")
    restricted.plan(run_id="killed")
    failpoints.arm("request_served", skip=1, strike=die)
    with pytest.raises(Died):
        restricted.send("killed")
    (made,) = [row for row in restricted.sandbox.precoro.options() if row["name"] == "Company 1"]
    restricted.sandbox.precoro.add_option("Company 1")
    restricted.run()
    with restricted.warehouse.writer() as con:
        link = ManualLink(
            "precoro__options", "customers", "1", str(made["option_id"]), "tester", utc_now(restricted.sandbox.clock)
        )
        save_manual_link(con, link)

    for _ in range(runs):
        restricted.run()

    assert restricted.options()["1"]["option_id"] == made["option_id"]
    assert unrestricted(restricted) == set()
