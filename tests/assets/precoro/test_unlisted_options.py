"""A listing may leave disabled options out (`listed_disabled`): what is there already is never made a second time."""

import pytest

from assets.delivery.plan.mode import Mode
from assets.precoro.target import OptionTarget
from resources.precoro.client import PrecoroClient
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer as plain_customer
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.assets.precoro.company import Company, customer, project, shipped

FAMILY = (project("11", "1"), project("12", "1", "11"))
OFF = customer("1", is_inactive=True)


@pytest.fixture(params=["include", "omit"])
def listing(company: Company, request: pytest.FixtureRequest) -> Company:
    """A customer with two levels below and one without, in Precoro; disabled options are listed, or are not."""
    company.sandbox.switches.set("precoro", PrecoroSwitches, listed_disabled=request.param)
    company.netsuite(customer("1"), customer("2"), projects=FAMILY).run()
    return company


def verbs(company: Company) -> list[str]:
    """The writes so far, without those that only ask."""
    return [verb for verb, form in company.written() if set(form) != {"externalId"}]


@pytest.mark.parametrize("mode", [Mode.UPDATE, Mode.SYNC])
def test_what_was_off_and_lives_again_is_the_same_option(listing: Company, mode: Mode) -> None:
    """F20, F21: one option each, live, below its parent, and no second POST."""
    before = listing.options()
    listing.netsuite(OFF, customer("2"), projects=FAMILY).run(mode)
    assert set(listing.tree()) == {"2"}

    told = listing.netsuite(customer("1"), customer("2"), projects=FAMILY).run(mode)

    assert {key for key, end in told.items() if end == ("reactivate", "live_again")} == {"1", "11", "12"}
    assert listing.tree() == {"1": (1, None), "2": (1, None), "11": (2, "1"), "12": (3, "11")}
    assert {key: row["option_id"] for key, row in listing.options().items()} == {
        key: row["option_id"] for key, row in before.items()
    }
    assert verbs(listing).count("POST") == 4
    assert set(listing.run(mode).values()) == {("unchanged", "identical")}


@pytest.mark.long
def test_the_first_records_of_a_new_file_may_be_switched_off(listing: Company) -> None:
    """They are looked at before more is sent; what is off and not listed did arrive."""
    listing.spec = shipped(customers={"lifecycle": {"inactive": "deactivate", "deleted": "report"}})
    told = listing.netsuite(OFF, customer("2", company_name="Renamed"), projects=FAMILY).run()

    assert {key: end for key, (end, _) in told.items()} == {
        "1": "deactivate", "11": "deactivate", "12": "deactivate", "2": "update",
    }  # fmt: skip
    assert listing.warehouse.read("select distinct state from sync_runs where state = 'halted'").is_empty()


@pytest.mark.long
def test_what_a_person_disabled_is_restored(listing: Company) -> None:
    """F25: it looks deleted, and is not."""
    listing.sandbox.precoro.edit_option(listing.options()["2"]["option_id"], enable=0)

    told = listing.run(Mode.UPDATE)

    assert told["2"] == ("reactivate", "live_again")
    assert listing.tree()["2"] == (1, None)
    assert verbs(listing).count("POST") == 4


@pytest.mark.long
def test_what_a_person_deleted_is_made_anew_by_an_import(listing: Company) -> None:
    """F18: asked for by its id it is not there."""
    listing.sandbox.precoro.remove_option(listing.options()["1"]["option_id"])

    told = listing.run(Mode.UPDATE)
    assert {key for key, end in told.items() if end == ("skipped", "deleted_in_target")} == {"1", "11", "12"}

    listing.run(Mode.IMPORT)
    assert set(listing.tree()) == {"1", "2", "11", "12"}
    assert verbs(listing).count("POST") == 7
    assert set(listing.run().values()) == {("unchanged", "identical")}


@pytest.mark.long
def test_a_record_that_stays_off_is_not_asked_for(listing: Company) -> None:
    """A call a night for each of them would soon use up the day's allowance."""
    listing.netsuite(OFF, customer("2"), projects=FAMILY).run()
    writes = len(listing.written())

    listing.run()

    assert len(listing.written()) == writes


@pytest.mark.long
def test_a_listing_that_shows_a_disabled_option_is_believed(company: Company) -> None:
    """The usual case costs no call: what it does not show is not there."""
    company.netsuite(customer("1")).run()
    company.sandbox.precoro.remove_option(company.options()["1"]["option_id"])

    company.run()

    assert [verb for verb, _ in company.written()] == ["POST", "POST"]


class Hurried(OptionTarget):
    """Has room for one question a run."""

    max_single_reads = 1


@pytest.mark.long
def test_what_could_not_be_asked_is_not_made(precoro: PrecoroClient, sandbox: Sandbox, warehouse: Warehouse) -> None:
    """A field that somebody emptied is filled again over several runs; the questions never use up a day."""
    sandbox.switches.set("precoro", PrecoroSwitches, listed_disabled="omit")
    flow = WorkflowRunner(warehouse, Hurried(precoro, 5144), sandbox.clock)
    flow.stage(plain_customer("1"), plain_customer("2"), plain_customer("3")).run()
    for row in sandbox.precoro.options():
        if row["external_id"]:
            sandbox.precoro.remove_option(row["option_id"])
    sandbox.clock.sleep(61)  # a listing is shown again for a minute

    ends = [sorted(end for end, _ in flow.run().values()) for _ in range(3)]

    assert ends == [
        ["create", "skipped", "skipped"],
        ["create", "skipped", "unchanged"],
        ["create", "unchanged", "unchanged"],
    ]
    assert len([row for row in sandbox.precoro.options() if row["external_id"]]) == 3
