"""A clock that is set back or forward, between runs or within one, blocks nothing and changes no order."""

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.delivery.errors import PlanError, SyncError
from assets.delivery.ledger.attempts import AttemptState, write_attempts
from assets.delivery.ledger.plans import expire
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from resources.clock import Reading
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from sql import statement
from tests.assets.delivery.builders import customer, one_source
from tests.assets.delivery.jumping_clock import JumpingClock
from tests.assets.delivery.ledger.ledger_rows import attempt
from tests.assets.delivery.run_workflow import WorkflowRunner

DAY = timedelta(days=1)
STAGES = ("mart", "target", "plan", "sync")


def names(sandbox: Sandbox) -> list[str]:
    """Return the names of our options in Precoro."""
    return sorted(option["name"] for option in sandbox.precoro.options() if option["external_id"])


@pytest.fixture
def jumping(precoro: WorkflowRunner) -> tuple[WorkflowRunner, JumpingClock]:
    """A workflow that ran once, and its clock."""
    clock = JumpingClock(precoro.clock)
    precoro.clock, precoro.spec = clock, one_source()
    precoro.stage(customer("1"), customer("2")).run()
    return precoro, clock


@pytest.mark.long
@pytest.mark.parametrize("days", [-400, -1, 1])
@pytest.mark.parametrize("stage", STAGES)
def test_a_clock_that_is_set_before_a_stage_changes_nothing(
    jumping: tuple[WorkflowRunner, JumpingClock], sandbox: Sandbox, stage: str, days: int
) -> None:
    """The run sends what changed, the next one sends the next change, and the one after that nothing."""
    runner, clock = jumping
    runner.stage(customer("1", company_name="Second"), customer("2"), customer("3", company_name="Third"))

    def step(name: str) -> None:
        clock.offset += timedelta(days=days) if name == stage else timedelta()

    step("mart")
    make_mart(runner.warehouse, runner.workflow)
    step("target")
    read_target_state(runner.context("jumped"))
    step("plan")
    make_plan(runner.context("jumped"))
    step("sync")
    assert runner.send("jumped").writes == 2
    runner.stage(customer("1", company_name="Fourth"), customer("2"), customer("3", company_name="Third"))
    assert runner.run()["1"][0] == "update"
    assert {action for action, _ in runner.run().values()} == {"unchanged"}

    assert [name for name in names(sandbox) if name in {"Second", "Third", "Fourth"}] == ["Fourth", "Third"]


def waiting(runner: WorkflowRunner, run_id: str = "planned") -> str:
    """Return a plan with one change that waits for approval."""
    runner.stage(customer("1", company_name="Second"), customer("2"))
    plan_id = runner.plan(run_id).plan_id
    with runner.warehouse.writer() as con:
        con.execute("update sync_plans set state = 'waiting' where plan_id = ?", [plan_id])
    return plan_id


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_a_plan_does_not_expire_by_a_clock_that_is_set(
    jumping: tuple[WorkflowRunner, JumpingClock], sandbox: Sandbox, days: int
) -> None:
    """An hour later it is as fresh as before, and it is applied."""
    runner, clock = jumping
    plan_id = waiting(runner)
    clock.offset += timedelta(days=days)
    clock.sleep(3600)
    with runner.warehouse.writer() as con:
        expire(con, runner.context("now").now, clock.steady())
    assert runner.states()[plan_id] == "waiting"

    assert runner.apply(plan_id, "applied").writes == 1
    assert "Second" in names(sandbox)


@pytest.mark.long
@pytest.mark.parametrize("days", [-400, -2, 0, 2])
def test_a_plan_does_not_last_longer_by_a_clock_that_is_set(
    jumping: tuple[WorkflowRunner, JumpingClock], days: int
) -> None:
    """After its lifetime it is expired, whatever the clock shows by then."""
    runner, clock = jumping
    plan_id = waiting(runner)
    clock.sleep(runner.spec.plan_lifetime_hours * 3600 + 60)
    clock.offset += timedelta(days=days)

    with pytest.raises(SyncError, match="expired"):
        runner.apply(plan_id, "applied")
    with runner.warehouse.writer() as con:
        expire(con, runner.context("now").now, clock.steady())
    assert runner.states()[plan_id] == "expired"


@pytest.mark.parametrize(("days", "is_open"), [(-400, False), (-0.5, True), (0.5, True), (400, False)])
def test_on_another_machine_the_distance_of_the_clocks_counts(
    jumping: tuple[WorkflowRunner, JumpingClock], *, days: float, is_open: bool
) -> None:
    """Its own clock says nothing about a plan of another one; one from a distant future is not taken for fresh."""
    runner, _ = jumping
    plan_id = waiting(runner)
    moment = runner.context("now").now + timedelta(days=days)
    with runner.warehouse.writer() as con:
        expire(con, moment, Reading("another machine", 5.0))
    assert (runner.states()[plan_id] == "waiting") == is_open


def test_a_plan_that_is_applied_is_compared_with_both_sides_again(
    jumping: tuple[WorkflowRunner, JumpingClock], sandbox: Sandbox
) -> None:
    """However its age is judged, nothing that changed since is sent."""
    runner, clock = jumping
    plan_id = waiting(runner)
    clock.offset -= DAY
    option = next(each for each in sandbox.precoro.options() if each["external_id"] == "1")
    sandbox.precoro.edit_option(option["option_id"], name="Edited")
    sandbox.clock.sleep(61)

    assert runner.apply(plan_id, "applied").writes == 0
    assert "Edited" in names(sandbox)


@pytest.mark.long
@pytest.mark.parametrize("days", [-400, -1])
def test_a_rejection_does_not_last_longer_by_a_clock_that_is_set(
    jumping: tuple[WorkflowRunner, JumpingClock], sandbox: Sandbox, days: int
) -> None:
    """A rejection of the far future is tried again; one that is near enough to be recent is not."""
    runner, clock = jumping
    sandbox.switches.set("precoro", PrecoroSwitches, name_limit=20)
    runner.stage(customer("1"), customer("2", company_name="x" * 30)).run()
    assert runner.run()["2"][0] == "quarantined"
    sent = len(runner.attempts("2"))
    clock.offset += timedelta(days=days)

    runner.run()

    assert (len(runner.attempts("2")) > sent) == (days < -100)


@pytest.mark.long
@settings(deadline=None, max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000))
def test_machines_whose_clocks_are_days_apart_deliver_in_turn(
    precoro: WorkflowRunner, sandbox: Sandbox, seed: int
) -> None:
    """Every reading of the clock shows another day."""
    steady = precoro.clock
    precoro.spec, precoro.clock = one_source(), JumpingClock(steady, -DAY, timedelta(), DAY, seed=seed)
    try:
        for change in range(3):
            rows = [customer(str(key), company_name=f"{seed}.{change}.{key}") for key in range(3)]
            precoro.stage(*rows).run()
            assert names(sandbox) == sorted(str(row["company_name"]) for row in rows)
        assert {action for action, _ in precoro.run().values()} == {"unchanged"}
    finally:
        precoro.clock = steady


@pytest.mark.parametrize("days", [-1, 1])
def test_an_intent_that_was_left_open_is_resolved_by_a_later_read_only(
    jumping: tuple[WorkflowRunner, JumpingClock], days: int
) -> None:
    """A read before the send does not show its result, whatever the times say."""
    runner, clock = jumping
    make_mart(runner.warehouse, runner.workflow)
    read_target_state(runner.context("read before"))
    with runner.warehouse.writer() as con:
        con.execute("delete from sync_attempts where source_id = '2'")  # its create is the one that is left open
        write_attempts(con, [attempt(AttemptState.INTENT, source_id="2", seen_at=runner.context("sent").now)])
    clock.offset += timedelta(days=days)
    with pytest.raises(PlanError, match="a run sent records after the target was read"):
        make_plan(runner.context("read before"))

    assert {action for action, _ in runner.run().values()} == {"unchanged"}
    assert runner.attempts("2")[-1][2] == AttemptState.FOUND


def test_a_record_that_another_create_made_is_not_that_of_an_open_create(
    jumping: tuple[WorkflowRunner, JumpingClock],
) -> None:
    """Its key is there, and shows nothing about this attempt."""
    runner, _ = jumping
    with runner.warehouse.writer() as con:
        write_attempts(con, [attempt(AttemptState.INTENT, source_id="2", seen_at=runner.context("sent").now)])

    assert {action for action, _ in runner.run().values()} == {"unchanged"}
    assert runner.attempts("2")[-1][2] == AttemptState.ABSENT


@pytest.mark.parametrize(("later", "end"), [(False, AttemptState.FOUND), (True, AttemptState.UNVERIFIABLE)])
def test_an_open_change_is_recognized_unless_another_workflow_wrote_the_record_later(
    jumping: tuple[WorkflowRunner, JumpingClock], *, later: bool, end: AttemptState
) -> None:
    """The values are there in both cases."""
    runner, _ = jumping
    links = runner.table("sync_links")
    change = {
        "source_id": "2", "action": "update", "target_id": dict(links.select("source_id", "target_id").rows())["2"],
        "seen_at": runner.context("sent").now,
    }  # fmt: skip
    image = json.dumps([{"field": "name", "before": "Former", "after": "Company 2"}])
    rows = [attempt(AttemptState.INTENT, attempt_id="own", image=image, **change)]
    rows += [attempt(AttemptState.CONFIRMED, attempt_id="other", workflow="other", **change)] if later else []
    with runner.warehouse.writer() as con:
        write_attempts(con, rows)

    runner.run()
    states = runner.table("sync_attempts").filter(attempt_id="own").sort("position")["state"]
    assert states[-1] == end


@pytest.mark.parametrize("days", [-1, 1])
def test_a_plan_is_outdated_once_another_run_has_sent(jumping: tuple[WorkflowRunner, JumpingClock], days: int) -> None:
    """Its target state shows what was there before."""
    runner, clock = jumping
    runner.stage(customer("1", company_name="Second"), customer("2"))
    runner.plan("first machine")
    clock.offset += timedelta(days=days)
    with runner.warehouse.writer() as con:
        sent = attempt(AttemptState.CONFIRMED, source_id="2", seen_at=runner.context("second machine").now)
        write_attempts(con, [sent])

    with pytest.raises(SyncError, match="another run sent records after this plan's target was read"):
        runner.send("first machine")


def test_the_last_rejection_counts(jumping: tuple[WorkflowRunner, JumpingClock], sandbox: Sandbox) -> None:
    """A record that was rejected, then corrected and delivered, is not held back by the rejection of a later date."""
    runner, clock = jumping
    clock.offset += DAY
    with runner.warehouse.writer() as con:
        write_attempts(con, [attempt(AttemptState.REJECTED, source_id="2", seen_at=runner.context("rejected").now)])
    clock.offset -= DAY
    runner.stage(customer("1"), customer("2", company_name="Corrected")).run()
    runner.stage(customer("1"), customer("2", company_name="Again"))

    assert runner.run()["2"][0] == "update"
    assert "Again" in names(sandbox)


@pytest.mark.long
def test_the_analysts_views_are_in_the_order_of_the_ledger(
    jumping: tuple[WorkflowRunner, JumpingClock],
) -> None:
    """An intent comes before its outcome, and the first run before the second, whatever the clocks showed."""
    runner, clock = jumping
    clock.offset = timedelta(days=-400)
    runner.stage(customer("1", company_name="Second"), customer("2")).run()
    with runner.warehouse.writer() as con:
        con.execute(
            "create or replace table stg_netsuite__contacts as select '' as contact_id, null::timestamp as modified_at"
        )
        for name in ("explain", "why"):
            con.execute(statement("analytics", name).text)
        story = con.execute("select step, what from explain('1') where step in ('sent', 'answered')").fetchall()
        why = con.execute(
            "select step, what from why('flow', '1', 'name') where step in ('sent', 'answered')"
        ).fetchall()

    order = [("sent", "create"), ("answered", "confirmed"), ("sent", "update"), ("answered", "confirmed")]
    assert (story, why) == (order, order)
