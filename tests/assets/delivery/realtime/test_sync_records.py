"""A few records, decided and sent by the same engine as all: what a change notification starts."""

import polars as pl
import pytest

from assets.delivery.ledger import plans
from assets.delivery.ledger.ledger import proven, proven_whole
from assets.delivery.ledger.plans import PlanError
from assets.delivery.plan.planner import Planned, make_plan
from assets.delivery.plan.scope import Few
from assets.delivery.realtime.sync_records import Targeted, look, renew_mart, sync_few
from assets.delivery.schemas import KEY
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.policies import Guards, Limit
from assets.precoro.target import OptionTarget
from resources.failpoints import arm, disarm
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer, project, suite_customers
from tests.assets.delivery.run_workflow import Flow

FIVE = tuple(customer(str(number)) for number in range(1, 6))


def few(flow: Flow, *keys: tuple[str, str]) -> Targeted:
    """Bring these records up to date."""
    run_id = f"change notifications {next(flow.runs)}"
    return sync_few(flow.warehouse, flow.workflow, flow.target, frame(*keys), run_id=run_id, clock=flow.clock)


def frame(*keys: tuple[str, str]) -> pl.DataFrame:
    """Which records."""
    return pl.DataFrame(keys, schema=dict.fromkeys(KEY, pl.String), orient="row")


def decided(targeted: Targeted) -> dict[str, tuple[str, str]]:
    """The final action and reason code of each record."""
    assert targeted.synced is not None
    return {row["source_id"]: (row["action"], row["reason_code"]) for row in targeted.synced.decisions.to_dicts()}


@pytest.fixture
def options(precoro: Flow) -> Flow:
    """Five customers that a run of all has brought to Precoro."""
    precoro.stage(*FIVE).run()
    return precoro


@pytest.fixture
def suite(suiteprojects: Flow) -> Flow:
    """Five customers that a run of all has brought to SuiteProjects Pro, where a name is recognised as well."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*FIVE).run()
    return suiteprojects


def rest(flow: Flow, but: str) -> list[tuple[object, ...]]:
    """Mart, target state and decisions of the other records."""
    decided = f"select source_id, action, from_run from sync_decisions where to_run is null and source_id <> '{but}'"
    parts = (
        f"select source_id, payload_hash, level from mart_flow where source_id <> '{but}' order by all",
        f"select external_id, target_id, name from target_flow where external_id is distinct from '{but}' order by all",
        f"{decided} order by all",
    )
    return [row for part in parts for row in flow.warehouse.read(part).rows()]


@pytest.mark.parametrize("name", ["options", "suite"])
def test_a_saved_record_is_brought_and_no_other_is_touched(name: str, request: pytest.FixtureRequest) -> None:
    """What the next run of all finds is what it would have made itself."""
    flow: Flow = request.getfixturevalue(name)
    flow.stage(customer("1", company_name="New"), customer("2", company_name="Not hinted"), *FIVE[2:])
    before = rest(flow, "1")

    done = few(flow, ("customers", "1"))

    assert decided(done) == {"1": ("update", "source_changed")}
    assert rest(flow, "1") == before
    assert flow.run() == {
        **dict.fromkeys("1345", ("unchanged", "identical")),
        "2": ("update", "source_changed"),
    }


def test_a_save_that_changes_nothing_costs_precoro_no_call(options: Flow) -> None:
    """A day has 3,000 of them; people save a form to close it."""
    before = options.target.calls

    assert decided(few(options, ("customers", "1"))) == {"1": ("unchanged", "identical")}
    assert options.target.calls == before


def test_a_change_costs_precoro_two_calls_and_no_listing(options: Flow, sandbox: Sandbox) -> None:
    """One that shows what is there, of which nothing may be blanked, and the change itself.

    The process is a new one each time: the field, too, may be listed once a minute only.
    """
    for name in ("New", "Newer"):
        options.stage(customer("1", company_name=name), *FIVE[1:])
        with open_precoro(sandbox=sandbox.folder) as client:
            options.target = OptionTarget(client, "5144")
            began = sandbox.clock.now()
            few(options, ("customers", "1"))
            assert client.calls == 2
            assert (sandbox.clock.now() - began).total_seconds() < 10


def test_parents_come_first(options: Flow) -> None:
    """A new customer and its new project, in whatever order they were saved."""
    options.stage(*FIVE, customer("6"), below=(project("9", customer_id="6"),))

    done = few(options, ("projects", "9"), ("customers", "6"))

    assert decided(done) == {"6": ("create", "new"), "9": ("create", "new")}
    there = dict(options.warehouse.read("select external_id, target_id from target_flow").rows())
    assert options.warehouse.read("select parent_id from target_flow where external_id = '9'").rows() == [(there["6"],)]


def test_a_record_whose_parent_nobody_knows_is_blocked(options: Flow) -> None:
    """It goes by itself with the next run in which the parent is there."""
    options.stage(*FIVE, below=(project("9", customer_id="77"),))

    assert decided(few(options, ("projects", "9"))) == {"9": ("blocked", "parent_missing")}


def test_a_deleted_record_is_switched_off(options: Flow) -> None:
    """As a run of all does it."""
    options.stage(customer("1", is_deleted=True), *FIVE[1:])

    assert decided(few(options, ("customers", "1"))) == {"1": ("deactivate", "deleted")}


@pytest.mark.long
def test_what_two_records_may_be_is_left_to_a_person(suite: Flow, sandbox: Sandbox) -> None:
    """The other one was not saved just now, and still claims what somebody has typed into the target since."""
    suite.stage(*FIVE, customer("6", entity_number="Twin"), customer("7", entity_number="twin"))
    renew_mart(suite.warehouse, suite.workflow, frame(("customers", "7")), clock=suite.clock)
    sandbox.suiteprojects.add("Customer", name="TWIN", company="By hand")
    sandbox.suiteprojects.add("Customer", name="Twin", company="By hand")

    done = few(suite, ("customers", "6"))

    assert decided(done) == {"6": ("ambiguous", "several_candidates")}


@pytest.mark.long
def test_a_record_that_somebody_typed_into_the_target_is_recognised(suite: Flow, sandbox: Sandbox) -> None:
    """A look by name is fresher than the last reading of all."""
    typed = sandbox.suiteprojects.add("Customer", name="C6", company="By hand")
    suite.stage(*FIVE, customer("6"))

    done = few(suite, ("customers", "6"))

    assert decided(done) == {"6": ("adopt", "matched")}
    rows = suite.warehouse.read("select target_id from sync_links where source_id = '6'").rows()
    assert rows == [(str(typed),)]


@pytest.mark.long
def test_a_record_of_ours_is_not_given_to_another_one(suite: Flow) -> None:
    """The nickname is the same, the record is known to be customer 1's."""
    suite.stage(*FIVE, customer("6", entity_number="c1"))

    done = few(suite, ("customers", "6"))

    assert decided(done)["6"] != ("adopt", "matched")
    links = dict(suite.warehouse.read("select source_id, target_id from sync_links where workflow = 'flow'").rows())
    assert links.get("6") != links["1"]


def test_a_plan_of_all_leaves_out_what_hints_sent_meanwhile(options: Flow) -> None:
    """It was made from a target that is older; the others of it go."""
    options.stage(customer("1", company_name="Older"), customer("2", company_name="New"), *FIVE[2:])
    options.plan("run all")
    options.stage(customer("1", company_name="Newer"), customer("2", company_name="New"), *FIVE[2:])
    few(options, ("customers", "1"))

    synced = options.send("run all")

    told = {row["source_id"]: (row["action"], row["reason_code"]) for row in synced.decisions.to_dicts()}
    assert (told["1"], told["2"]) == (("skipped", "stale_target"), ("update", "source_changed"))
    names = dict(options.warehouse.read("select external_id, name from target_flow").rows())
    assert (names["1"], names["2"]) == ("Newer", "New")
    assert set(options.run().values()) == {("unchanged", "identical")}


def test_hints_wait_for_a_run_of_all_that_sends(options: Flow) -> None:
    """What it sent after the look is not known to the plan of a few: the change notifications are tried again."""
    options.stage(customer("1", company_name="New"), *FIVE[1:])
    options.plan("run all")
    made = make_few(options, "change notifications", ("customers", "1"))
    options.send("run all")

    with pytest.raises(PlanError, match="another run sent records"):
        run_sync(
            options.warehouse,
            options.workflow,
            options.target,
            run_id="change notifications",
            clock=options.clock,
            kind=plans.REALTIME,
        )
    assert made.plan_id


@pytest.mark.long
def test_a_plan_of_a_few_does_not_replace_the_plan_of_all(options: Flow) -> None:
    """A person looks at that one, and a run is about to send it."""
    options.stage(customer("1", company_name="New"), customer("2", company_name="New"), *FIVE[2:])
    of_all = options.plan("run all").plan_id

    few(options, ("customers", "1"))

    assert options.states()[of_all] == plans.MADE
    rows = options.warehouse.read("select count(*) from plan_flow where plan_id = ?", [of_all])
    assert rows.item() == len(FIVE)


def test_a_guard_holds_a_few_back_too(options: Flow) -> None:
    """The limits are those of a run; the plan waits for a person, as any other."""
    options.spec = options.spec.model_copy(update={"guards": Guards(update=Limit(percent=0, rows=0))})
    options.stage(*FIVE).run()
    options.stage(customer("1", company_name="New"), *FIVE[1:])

    done = few(options, ("customers", "1"))

    assert [each.guard for each in done.tripped] == ["update"]
    assert done.planned is not None
    assert options.states()[done.planned.plan_id] == plans.WAITING
    assert options.release(done.planned.plan_id, "by hand").writes == 1


def test_before_the_first_run_of_all_nothing_is_brought(precoro: Flow) -> None:
    """Nobody knows what the target has; the first run looks at all of it, beginning carefully."""
    precoro.stage(*FIVE)

    done = few(precoro, ("customers", "1"))

    assert done.synced is None
    assert done.told.startswith("no run of all records followed this version")


@pytest.mark.long
def test_what_a_run_that_died_left_open_is_looked_for_in_all_of_the_target(options: Flow) -> None:
    """A create that got no answer is there; a second one would be worse than a long look."""
    options.stage(*FIVE, customer("6"))
    options.plan("run all")
    arm("request_served", strike=_lost)
    with pytest.raises(KeyboardInterrupt):
        options.send("run all")
    disarm()

    done = few(options, ("customers", "6"))

    assert decided(done)["6"] == ("unchanged", "identical")
    names = [row[0] for row in options.warehouse.read("select name from target_flow").rows()]
    assert names.count("Company 6") == 1


def _lost() -> None:
    raise KeyboardInterrupt


def make_few(flow: Flow, run_id: str, *keys: tuple[str, str]) -> Planned:
    """Everything up to the plan."""
    chosen = Few(flow.spec, frame(*keys))
    renew_mart(flow.warehouse, flow.workflow, chosen.keys, clock=flow.clock)
    chosen = look(flow.warehouse, flow.workflow, flow.target, chosen, run_id=run_id, clock=flow.clock)
    return make_plan(flow.warehouse, flow.workflow, flow.target, run_id=run_id, clock=flow.clock, few=chosen)


@pytest.mark.long
def test_few_runs_prove_nothing_for_all(options: Flow) -> None:
    """A changed file begins carefully with its next run of all, whatever a change notification sent by it."""
    with options.warehouse.writer() as con:
        con.execute("update sync_plans set kind = 'realtime'")
        assert not proven(con, "flow", options.spec.version)
        assert not proven_whole(con, "flow", options.spec.version)
