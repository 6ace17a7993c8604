"""A listing may omit disabled options (`listed_disabled`): existing options are never created again."""

import pytest

from assets.delivery.plan.mode import Mode
from assets.delivery.plan.undo import make_undo
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import run_sync
from assets.precoro.target import OptionTarget
from resources.precoro.client import PrecoroClient
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer as plain_customer
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.assets.precoro.company import Company, customer, project, shipped

FAMILY = (project("11", "1"), project("12", "1", "11"))
INACTIVE = customer("1", is_inactive=True)


@pytest.fixture(params=["include", "omit"])
def listing(company: Company, request: pytest.FixtureRequest) -> Company:
    """Return a company with a customer with two levels below it and one without, with both kinds of listing."""
    company.sandbox.switches.set("precoro", PrecoroSwitches, listed_disabled=request.param)
    company.netsuite(customer("1"), customer("2"), projects=FAMILY).run()
    return company


def methods(company: Company) -> list[str]:
    """Return the methods of the writes so far, without those that only read an option."""
    return [method for method, form in company.writes() if set(form) != {"externalId"}]


@pytest.mark.long
@pytest.mark.parametrize("mode", [Mode.UPDATE, Mode.SYNC])
def test_a_reactivated_record_keeps_its_option(listing: Company, mode: Mode) -> None:
    """F20, F21: one option each, enabled, below its parent, and no second POST."""
    before = listing.options()
    listing.netsuite(INACTIVE, customer("2"), projects=FAMILY).run(mode)
    assert set(listing.tree()) == {"2"}

    decisions = listing.netsuite(customer("1"), customer("2"), projects=FAMILY).run(mode)

    assert {key for key, decision in decisions.items() if decision == ("reactivate", "live_again")} == {"1", "11", "12"}
    assert listing.tree() == {"1": (1, None), "2": (1, None), "11": (2, "1"), "12": (3, "11")}
    assert {key: row["option_id"] for key, row in listing.options().items()} == {
        key: row["option_id"] for key, row in before.items()
    }
    assert methods(listing).count("POST") == 4
    assert set(listing.run(mode).values()) == {("unchanged", "identical")}


@pytest.mark.long
def test_a_canary_batch_may_deactivate_records(listing: Company) -> None:
    """A canary batch is checked; options that are disabled and not listed did arrive."""
    listing.spec = shipped(customers={"lifecycle": {"inactive": "deactivate", "deleted": "report"}})
    decisions = listing.netsuite(INACTIVE, customer("2", company_name="Renamed"), projects=FAMILY).run()

    assert {key: action for key, (action, _) in decisions.items()} == {
        "1": "deactivate", "11": "deactivate", "12": "deactivate", "2": "update",
    }  # fmt: skip
    assert listing.warehouse.read("select distinct state from sync_runs where state = 'halted'").is_empty()


@pytest.mark.long
def test_a_manually_disabled_option_is_restored(listing: Company) -> None:
    """F25: it appears to be deleted, but is not."""
    listing.sandbox.precoro.edit_option(listing.options()["2"]["option_id"], enable=0)

    decisions = listing.run(Mode.UPDATE)

    assert decisions["2"] == ("reactivate", "live_again")
    assert listing.tree()["2"] == (1, None)
    assert methods(listing).count("POST") == 4


@pytest.mark.long
def test_a_manually_deleted_option_is_recreated_by_an_import(listing: Company) -> None:
    """F18: reading it by id returns 404."""
    listing.sandbox.precoro.remove_option(listing.options()["1"]["option_id"])

    decisions = listing.run(Mode.UPDATE)
    assert {key for key, decision in decisions.items() if decision == ("skipped", "deleted_in_target")} == {
        "1",
        "11",
        "12",
    }

    listing.run(Mode.IMPORT)
    assert set(listing.tree()) == {"1", "2", "11", "12"}
    assert methods(listing).count("POST") == 7
    assert set(listing.run().values()) == {("unchanged", "identical")}


@pytest.mark.long
@pytest.mark.parametrize("answer", ["whole", "id"])
def test_an_undo_enables_an_option_that_is_not_listed(company: Company, answer: str) -> None:
    """Not listed any more, it is not gone; an option whose values are unknown is left as it is."""
    company.sandbox.switches.set("precoro", PrecoroSwitches, listed_disabled="omit", write_answer=answer)
    company.netsuite(customer("1"), customer("2")).run()
    company.netsuite(INACTIVE, customer("2")).run()

    context = RunContext(company.warehouse, company.workflow, company.target(), "undo", company.sandbox.clock)
    (undone,) = make_undo(context, "run 1").plan.select("action", "reason").rows()

    hidden = ("skipped", "the target does not show the record, which may be hidden; left as it is")
    assert undone == (("reactivate", "undoes run run 1: enable") if answer == "whole" else hidden)


@pytest.mark.long
@pytest.mark.parametrize("listed", ["include", "omit"])
def test_an_approved_plan_enables_an_option_that_is_not_listed(company: Company, listed: str) -> None:
    """The target is read again before it is sent, and may omit what the plan had looked up."""
    company.sandbox.switches.set("precoro", PrecoroSwitches, listed_disabled=listed)
    company.spec = shipped(guards={"reactivate": {"rows": 0}})
    company.netsuite(customer("1"), customer("2")).run()
    company.netsuite(INACTIVE, customer("2")).run()
    planned = company.netsuite(customer("1"), customer("2")).plan()
    assert [each.guard for each in planned.tripped] == ["reactivate"]

    company.sandbox.clock.sleep(61)
    context = RunContext(company.warehouse, company.workflow, company.target(), "applied", company.sandbox.clock)
    decided = run_sync(context, plan_id=planned.plan_id).decisions

    assert dict(decided.select("source_id", "action").iter_rows()) == {"1": "reactivate", "2": "unchanged"}
    assert set(company.tree()) == {"1", "2"}


@pytest.mark.long
def test_an_update_calls_no_option_deleted_that_it_could_not_look_up(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a call left for it, whether it exists is not known."""
    company.sandbox.switches.set("precoro", PrecoroSwitches, listed_disabled="omit")
    company.netsuite(customer("1"), customer("2")).run()
    company.netsuite(INACTIVE, customer("2")).run()
    monkeypatch.setattr(OptionTarget, "max_single_reads", 0)

    assert company.netsuite(customer("1"), customer("2")).run(Mode.UPDATE)["1"] == ("skipped", "not_asked")


def test_an_unlisted_option_counts_as_inactive_only_once_it_was_looked_up(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was active when it was last confirmed; one look-up is enough."""
    company.netsuite(customer("1"), customer("2")).run()
    company.sandbox.precoro.edit_option(company.options()["1"]["option_id"], enable=0)
    company.sandbox.switches.set("precoro", PrecoroSwitches, listed_disabled="omit")
    company.netsuite(INACTIVE, customer("2"))
    with monkeypatch.context() as patch:
        patch.setattr(OptionTarget, "max_single_reads", 0)
        assert company.run()["1"] == ("skipped", "not_asked")

    assert company.run()["1"] == ("unchanged", "inactive")
    writes = len(company.writes())
    assert company.run()["1"] == ("skipped", "inactive")
    assert len(company.writes()) == writes


@pytest.mark.long
def test_an_inactive_record_is_not_read_by_id(listing: Company) -> None:
    """One call per night for each of them would soon exhaust the daily quota."""
    listing.netsuite(INACTIVE, customer("2"), projects=FAMILY).run()
    writes = len(listing.writes())

    listing.run()

    assert len(listing.writes()) == writes


@pytest.mark.long
def test_an_option_that_was_deleted_before_its_record_became_inactive_is_looked_up_once(company: Company) -> None:
    """It is gone; one call per night, forever, would show nothing new."""
    company.netsuite(customer("1"), customer("2")).run()
    company.sandbox.precoro.remove_option(company.options()["1"]["option_id"])
    company.sandbox.clock.sleep(120)
    company.netsuite(INACTIVE, customer("2"))
    assert company.run()["1"] == ("skipped", "inactive")
    writes = len(company.writes())

    assert company.run()["1"] == ("skipped", "inactive")

    assert len(company.writes()) == writes
    company.netsuite(customer("1"), customer("2")).run()
    assert company.tree().keys() == {"1", "2"}


def test_an_option_is_not_looked_up_for_a_record_that_precoro_would_reject(
    precoro: PrecoroClient, sandbox: Sandbox, warehouse: Warehouse
) -> None:
    """It cannot be made again before the name is shorter, and each look-up is a request that a quota counts."""
    runner = WorkflowRunner(warehouse, OptionTarget(precoro, 5144), sandbox.clock)
    runner.stage(plain_customer("1")).run()
    for row in sandbox.precoro.options():
        if row["external_id"]:
            sandbox.precoro.remove_option(row["option_id"])
    sandbox.clock.sleep(61)  # a listing is reused for a minute
    writes = [call for call in sandbox.precoro.call_log() if call["method"] != "GET"]

    decisions = runner.stage(plain_customer("1", company_name="x" * 257)).run()

    assert [*decisions.values()] == [("quarantined", "too_long")]
    assert [call for call in sandbox.precoro.call_log() if call["method"] != "GET"] == writes
    assert [*runner.stage(plain_customer("1")).run().values()] == [("create", "new")]


@pytest.mark.long
def test_an_option_that_a_listing_lacks_is_looked_up_before_it_is_made_again(company: Company) -> None:
    """The listing shows a disabled option of others, and new ones only after an hour; one was deleted manually."""
    company.sandbox.precoro.add_option("Foreign", enable=False)
    company.netsuite(customer("1")).run()
    company.sandbox.switches.set("precoro", PrecoroSwitches, listing_delay_s=3600)
    company.sandbox.clock.sleep(3600)
    company.netsuite(customer("1"), customer("2")).run()
    kept = company.options()["2"]["option_id"]
    company.sandbox.precoro.remove_option(company.options()["1"]["option_id"])

    company.sandbox.clock.sleep(600)
    decisions = company.run()

    assert {key: action for key, (action, _) in decisions.items()} == {"1": "create", "2": "unchanged"}
    assert company.options()["2"]["option_id"] == kept
    assert methods(company).count("POST") == 3


class OneReadTarget(OptionTarget):
    """May read one option per run by its id."""

    max_single_reads = 1


@pytest.mark.long
def test_an_option_that_was_not_read_is_not_created(
    precoro: PrecoroClient, sandbox: Sandbox, warehouse: Warehouse
) -> None:
    """A field that was cleared manually is filled again over several runs, within the daily quota."""
    sandbox.switches.set("precoro", PrecoroSwitches, listed_disabled="omit")
    runner = WorkflowRunner(warehouse, OneReadTarget(precoro, 5144), sandbox.clock)
    runner.stage(plain_customer("1"), plain_customer("2"), plain_customer("3")).run()
    for row in sandbox.precoro.options():
        if row["external_id"]:
            sandbox.precoro.remove_option(row["option_id"])
    sandbox.clock.sleep(61)  # a listing is reused for a minute

    actions = [sorted(action for action, _ in runner.run().values()) for _ in range(3)]

    assert actions == [
        ["create", "skipped", "skipped"],
        ["create", "skipped", "unchanged"],
        ["create", "unchanged", "unchanged"],
    ]
    assert len([row for row in sandbox.precoro.options() if row["external_id"]]) == 3
