"""Selected records are synced in real time with the same decisions as in a full run."""

import polars as pl
import pytest

from assets.delivery.errors import PlanError
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import PlanState
from assets.delivery.ledger.runs import is_proven, is_proven_by_full_run
from assets.delivery.mart.build import update_mart
from assets.delivery.plan.planner import Planned, make_plan
from assets.delivery.plan.scope import SelectedRecords
from assets.delivery.realtime.sync_records import RealtimeResult, refresh_target_state, sync_records
from assets.delivery.schemas import KEY
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.policies import Guards, Limit
from assets.precoro.target import OptionTarget
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.failpoints import arm, disarm
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.delivery.builders import customer, one_source, project, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner

FIVE = tuple(customer(str(number)) for number in range(1, 6))


def sync(runner: WorkflowRunner, *keys: tuple[str, str]) -> RealtimeResult:
    """Sync these records."""
    return sync_records(runner.context(f"realtime {next(runner.runs)}"), frame(*keys))


def frame(*keys: tuple[str, str]) -> pl.DataFrame:
    """Return keys as a frame: KEY."""
    return pl.DataFrame(keys, schema=dict.fromkeys(KEY, pl.String), orient="row")


def decided(result: RealtimeResult) -> dict[str, tuple[str, str]]:
    """Return the final action and reason code of each record."""
    assert result.synced is not None
    return {row["source_id"]: (row["action"], row["reason_code"]) for row in result.synced.decisions.to_dicts()}


@pytest.fixture
def options(precoro: WorkflowRunner) -> WorkflowRunner:
    """Five customers that a full run has sent to Precoro."""
    precoro.stage(*FIVE).run()
    return precoro


@pytest.fixture
def suite(suiteprojects: WorkflowRunner) -> WorkflowRunner:
    """Five customers that a full run has sent to SuiteProjects Pro, with a match rule by name."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*FIVE).run()
    return suiteprojects


def others(runner: WorkflowRunner, key: str) -> list[tuple[object, ...]]:
    """Return mart, target state and decisions of all records but one."""
    decided = f"select source_id, action, from_run from sync_decisions where to_run is null and source_id <> '{key}'"
    parts = (
        f"select source_id, payload_hash, level from mart_flow where source_id <> '{key}' order by all",
        f"select external_id, target_id, name from target_flow where external_id is distinct from '{key}' order by all",
        f"{decided} order by all",
    )
    return [row for part in parts for row in runner.warehouse.read(part).rows()]


@pytest.mark.long
@pytest.mark.parametrize("name", ["options", "suite"])
def test_a_saved_record_is_synced_and_no_other_changes(name: str, request: pytest.FixtureRequest) -> None:
    """The next full run has nothing left to change in it."""
    runner: WorkflowRunner = request.getfixturevalue(name)
    runner.stage(customer("1", company_name="New"), customer("2", company_name="Not notified"), *FIVE[2:])
    before = others(runner, "1")

    done = sync(runner, ("customers", "1"))

    assert decided(done) == {"1": ("update", "source_changed")}
    assert others(runner, "1") == before
    assert runner.run() == {
        **dict.fromkeys("1345", ("unchanged", "identical")),
        "2": ("update", "source_changed"),
    }


@pytest.mark.long
def test_a_save_without_a_change_makes_no_precoro_call(options: WorkflowRunner) -> None:
    """A day has 3,000 calls, and people often save a form without a change."""
    before = options.target.calls

    assert decided(sync(options, ("customers", "1"))) == {"1": ("unchanged", "identical")}
    assert options.target.calls == before


def test_a_change_makes_two_precoro_calls_and_no_listing(options: WorkflowRunner, sandbox: Sandbox) -> None:
    """One reads the option, so that no value is cleared; the other one changes it.

    Each run is a new process, and the custom field may only be listed once a minute.
    """
    for name in ("New", "Newer"):
        options.stage(customer("1", company_name=name), *FIVE[1:])
        with open_precoro(sandbox=sandbox.folder) as client:
            options.target = OptionTarget(client, "5144")
            began = sandbox.clock.now()
            sync(options, ("customers", "1"))
            assert client.calls == 2
            assert (sandbox.clock.now() - began).total_seconds() < 10


def test_parents_are_synced_first(options: WorkflowRunner) -> None:
    """A new customer and its new project were saved in any order."""
    options.stage(*FIVE, customer("6"), below=(project("9", customer_id="6"),))

    done = sync(options, ("projects", "9"), ("customers", "6"))

    assert decided(done) == {"6": ("create", "new"), "9": ("create", "new")}
    target_ids = dict(options.warehouse.read("select external_id, target_id from target_flow").rows())
    assert options.warehouse.read("select parent_id from target_flow where external_id = '9'").rows() == [
        (target_ids["6"],)
    ]


@pytest.mark.long
def test_a_record_with_an_unknown_parent_is_blocked(options: WorkflowRunner) -> None:
    """A later run sends it once the parent exists."""
    options.stage(*FIVE, below=(project("9", customer_id="77"),))

    assert decided(sync(options, ("projects", "9"))) == {"9": ("blocked", "parent_missing")}


@pytest.mark.long
def test_a_deleted_record_is_deactivated(options: WorkflowRunner) -> None:
    """A full run does the same."""
    options.stage(customer("1", is_deleted=True), *FIVE[1:])

    assert decided(sync(options, ("customers", "1"))) == {"1": ("deactivate", "deleted")}


@pytest.mark.long
def test_a_record_with_a_competing_one_is_ambiguous(suite: WorkflowRunner, sandbox: Sandbox) -> None:
    """The other record was not saved, and still competes for a record that a person has created in the target."""
    suite.stage(*FIVE, customer("6", entity_number="Same"), customer("7", entity_number="same"))
    update_mart(suite.warehouse, suite.workflow, frame(("customers", "7")), clock=suite.clock)
    sandbox.suiteprojects.add("Customer", name="SAME", company="Created")
    sandbox.suiteprojects.add("Customer", name="Same", company="Created")

    done = sync(suite, ("customers", "6"))

    assert decided(done) == {"6": ("ambiguous", "several_candidates")}


@pytest.mark.long
def test_a_record_created_in_the_target_meanwhile_is_adopted(suite: WorkflowRunner, sandbox: Sandbox) -> None:
    """It is looked up by name in the target, not only in the last target state."""
    created = sandbox.suiteprojects.add("Customer", name="C6", company="Created")
    suite.stage(*FIVE, customer("6"))

    done = sync(suite, ("customers", "6"))

    assert decided(done) == {"6": ("adopt", "matched")}
    rows = suite.warehouse.read("select target_id from sync_links where source_id = '6'").rows()
    assert rows == [(str(created),)]


@pytest.mark.parametrize(
    ("names", "there", "full"),
    [
        (["Οδος"], ["ΟΔΟΣ"], ("adopt", "matched")),  # one letter in DuckDB, two in a rule
        (["C-60", "C-60 "], [], ("ambiguous", "near_duplicate")),
        (["\uff23-60", "C-60"], [], ("ambiguous", "near_duplicate")),
    ],
)
def test_a_name_that_others_share_is_decided_on_as_in_a_full_run(
    suite: WorkflowRunner, sandbox: Sandbox, names: list[str], there: list[str], full: tuple[str, str]
) -> None:
    """Whatever letters it has; a record of which a person is asked is not created because it was saved."""
    for name in there:
        sandbox.suiteprojects.add("Customer", name=name, company="Created")
    new = [customer(str(6 + place), entity_number=name) for place, name in enumerate(names)]
    suite.stage(*FIVE, *new)
    whole = suite.plan("full")

    some = plan_records(suite, "realtime", ("customers", "6"))

    decided_on = [
        each.plan.filter(source_id="6").select("action", "reason_code", "reason").row(0) for each in (whole, some)
    ]
    assert decided_on[0][:2] == full
    assert decided_on[1] == decided_on[0]


@pytest.mark.long
def test_a_linked_target_record_is_not_adopted_by_another(suite: WorkflowRunner) -> None:
    """The name is the same, but the target record is linked to customer 1."""
    suite.stage(*FIVE, customer("6", entity_number="c1"))

    done = sync(suite, ("customers", "6"))

    assert decided(done)["6"] != ("adopt", "matched")
    links = dict(suite.warehouse.read("select source_id, target_id from sync_links where workflow = 'flow'").rows())
    assert links.get("6") != links["1"]


def test_an_applied_plan_leaves_out_what_notifications_sent_meanwhile(options: WorkflowRunner) -> None:
    """Its target state is older for that record; the other records are sent."""
    options.stage(customer("1", company_name="Older"), customer("2", company_name="New"), *FIVE[2:])
    options.plan("full")
    options.stage(customer("1", company_name="Newer"), customer("2", company_name="New"), *FIVE[2:])
    sync(options, ("customers", "1"))

    synced = options.send("full")

    decisions = {row["source_id"]: (row["action"], row["reason_code"]) for row in synced.decisions.to_dicts()}
    assert (decisions["1"], decisions["2"]) == (("skipped", "stale_target"), ("update", "source_changed"))
    names = dict(options.warehouse.read("select external_id, name from target_flow").rows())
    assert (names["1"], names["2"]) == ("Newer", "New")
    assert set(options.run().values()) == {("unchanged", "identical")}


@pytest.mark.long
def test_what_a_notification_sent_beside_a_full_run_is_no_edit_when_it_is_reverted(
    precoro: WorkflowRunner, sandbox: Sandbox
) -> None:
    """The full run had planned these records as unchanged; its older plan must not replace what was confirmed since."""
    precoro.spec = one_source(drift="report")
    precoro.stage(*FIVE).run()
    changed = customer("2", company_name="New")
    precoro.stage(FIVE[0], changed, *FIVE[2:]).plan("full")
    precoro.stage(customer("1", company_name="One"), changed, customer("3", is_inactive=True), *FIVE[3:])
    sync(precoro, ("customers", "1"), ("customers", "3"))
    precoro.send("full")

    decisions = precoro.stage(FIVE[0], changed, *FIVE[2:]).run()

    assert (decisions["1"][0], decisions["3"][0]) == ("update", "reactivate")
    found = {row["external_id"]: (row["name"], row["enable"]) for row in sandbox.precoro.options()}
    assert (found["1"], found["3"]) == (("Company 1", True), ("Company 3", True))


BELOW = (project("100"), project("101", parent_project_id="100"))


@pytest.mark.parametrize(
    ("before", "planned", "now", "left_out"),
    [
        ((False, BELOW), True, False, {"1", "100", "101"}),  # nothing was sent of the customer
        ((True, ()), False, True, {"1", "100", "101"}),
        ((False, ()), False, True, {"100", "101"}),  # it was switched off above records to create
    ],
)
@pytest.mark.long
def test_a_full_run_sends_nothing_that_a_notification_proved_wrong(
    precoro: WorkflowRunner, sandbox: Sandbox, before: tuple[bool, tuple[dict[str, object], ...]], planned: bool,  # noqa: FBT001
    now: bool, left_out: set[str],  # noqa: FBT001
) -> None:  # fmt: skip
    """The customer became active or inactive between plan and send; the records below it follow."""
    was_inactive, was_below = before
    precoro.stage(customer("1"), customer("2"), below=was_below).run()
    precoro.stage(customer("1", is_inactive=was_inactive), customer("2"), below=was_below).run()
    precoro.stage(customer("1", is_inactive=planned), customer("2"), below=BELOW).plan("full")
    precoro.stage(customer("1", is_inactive=now), customer("2"), below=BELOW)
    sync(precoro, ("customers", "1"))
    shown = [row["enable"] for row in sandbox.precoro.options()]

    decisions = {row["source_id"]: row["reason_code"] for row in precoro.send("full").decisions.to_dicts()}

    assert {key for key, code in decisions.items() if code == "stale_source"} == left_out
    assert [row["enable"] for row in sandbox.precoro.options()] == shown
    final = ("skipped", "parent_inactive") if now else ("unchanged", "identical")
    assert precoro.run()["101"] == final


@pytest.mark.long
def test_hints_wait_for_a_run_plan_id_that_sends(options: WorkflowRunner) -> None:
    """The real-time plan does not know what the full run has sent since: it is made again."""
    options.stage(customer("1", company_name="New"), *FIVE[1:])
    options.plan("full")
    planned = plan_records(options, "realtime", ("customers", "1"))
    options.send("full")

    with pytest.raises(PlanError, match="another run sent records"):
        run_sync(options.context("realtime"), kind=PlanKind.REALTIME)
    assert planned.plan_id


@pytest.mark.long
def test_a_plan_of_a_few_does_not_replace_the_plan_plan_id(options: WorkflowRunner) -> None:
    """A run is about to send the full plan."""
    options.stage(customer("1", company_name="New"), customer("2", company_name="New"), *FIVE[2:])
    plan_id = options.plan("full").plan_id

    sync(options, ("customers", "1"))

    assert options.states()[plan_id] == PlanState.READY
    rows = options.warehouse.read("select count(*) from plan_flow where plan_id = ?", [plan_id])
    assert rows.item() == len(FIVE)


def test_guards_apply_to_realtime_plans(options: WorkflowRunner) -> None:
    """The limits are those of a full run, and the plan waits for approval."""
    options.spec = options.spec.model_copy(update={"guards": Guards(update=Limit(percent=0, rows=0))})
    options.stage(*FIVE).run()
    options.stage(customer("1", company_name="New"), *FIVE[1:])

    done = sync(options, ("customers", "1"))

    assert done.planned is not None
    assert [each.guard for each in done.planned.tripped] == ["update"]
    assert options.states()[done.planned.plan_id] == PlanState.WAITING
    assert options.apply(done.planned.plan_id, "applied").writes == 1


def test_before_the_first_run_plan_id_nothing_is_brought(precoro: WorkflowRunner) -> None:
    """The first full run reads the whole target and starts with a canary."""
    precoro.stage(*FIVE)

    done = sync(precoro, ("customers", "1"))

    assert done.synced is None
    assert done.reason.startswith("no full run with this version of the workflow file has finished")


@pytest.mark.long
def test_after_a_killed_run_the_whole_target_is_read(options: WorkflowRunner) -> None:
    """A create whose response was lost may exist; a duplicate would be worse than a full read."""
    options.stage(*FIVE, customer("6"))
    options.plan("full")
    arm("request_served", strike=_lost)
    with pytest.raises(KeyboardInterrupt):
        options.send("full")
    disarm()

    done = sync(options, ("customers", "6"))

    assert decided(done)["6"] == ("unchanged", "identical")
    names = [row[0] for row in options.warehouse.read("select name from target_flow").rows()]
    assert names.count("Company 6") == 1


def _lost() -> None:
    raise KeyboardInterrupt


def plan_records(runner: WorkflowRunner, run_id: str, *keys: tuple[str, str]) -> Planned:
    """Sync these records up to the plan."""
    scope = SelectedRecords(frame(*keys))
    update_mart(runner.warehouse, runner.workflow, scope.keys, clock=runner.clock)
    scope = refresh_target_state(runner.context(run_id), scope)
    return make_plan(runner.context(run_id), scope=scope)


@pytest.mark.long
def test_realtime_runs_do_not_prove_a_version(options: WorkflowRunner) -> None:
    """After a change of the workflow file, the next full run starts with a canary in spite of real-time runs."""
    with options.warehouse.writer() as con:
        con.execute("update sync_plans set kind = 'realtime'")
        assert not is_proven(con, "flow", options.spec.version)
        assert not is_proven_by_full_run(con, "flow", options.spec.version)


def resend(runner: WorkflowRunner, *keys: tuple[str, str]) -> dict[str, tuple[str, str]]:
    """Send records again as a person asks for it."""
    return decided(sync_records(runner.context(f"resend {next(runner.runs)}"), frame(*keys), resend=True))


@pytest.mark.long
def test_a_resent_record_is_sent_for_fields_that_are_not_monitored(suiteprojects: WorkflowRunner) -> None:
    """Without that it is left alone; a record that the target has as it should be costs nothing."""
    suiteprojects.spec = suite_customers(monitored_fields=["name"])
    suiteprojects.stage(*FIVE).run()
    suiteprojects.stage(customer("1", company_name="Unmonitored"), *FIVE[1:])

    assert decided(sync(suiteprojects, ("customers", "1"))) == {"1": ("unchanged", "not_monitored")}
    assert resend(suiteprojects, ("customers", "1"), ("customers", "2")) == {
        "1": ("update", "source_changed"), "2": ("unchanged", "identical"),
    }  # fmt: skip
    assert suiteprojects.run()["1"] == ("unchanged", "identical")


@pytest.mark.long
def test_a_resent_record_is_tried_again_although_the_target_rejected_it(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """The currency was enabled in the target, which NetSuite does not know; the plan does not check it here."""
    suiteprojects.target = SuiteProjectsTarget(suiteprojects.target._client, currencies="any")  # type: ignore[attr-defined]
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, currencies=["EUR"])
    suiteprojects.spec = suite_customers({"field": "currency", "value": "RUB"})
    suiteprojects.stage(*FIVE).run()
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, currencies=None)

    assert decided(sync(suiteprojects, ("customers", "1")))["1"] == ("quarantined", "rejected_837")
    assert resend(suiteprojects, ("customers", "1")) == {"1": ("create", "new")}
    assert suiteprojects.run()["2"] == ("quarantined", "rejected_837")
