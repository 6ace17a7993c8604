"""A plan is sent once, as it was approved, unless it is rejected or expires."""

from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from assets.delivery.errors import PlanError, SyncError
from assets.delivery.ledger import plans
from assets.precoro.target import OptionTarget
from resources import failpoints
from resources.clock import utc_now
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer, one_source
from tests.assets.delivery.run_workflow import WorkflowRunner

ONE = {"create": {"percent": 0, "rows": 1}}


@pytest.fixture
def waiting(precoro: WorkflowRunner) -> tuple[WorkflowRunner, str]:
    """A plan of two creates of which one is allowed."""
    precoro.spec = one_source(guards=ONE)
    planned = precoro.stage(customer("1"), customer("2")).plan("planned")
    return precoro, planned.plan_id


def keys(sandbox: Sandbox) -> list[str]:
    """Return our keys in the target, duplicates included."""
    return sorted(option["external_id"] for option in sandbox.precoro.options() if option["external_id"])


def test_a_plan_that_trips_a_guard_waits_and_is_not_sent(waiting: tuple[WorkflowRunner, str], sandbox: Sandbox) -> None:
    """The error names the plan, the reason, and both commands."""
    runner, plan_id = waiting

    with pytest.raises(SyncError, match=rf"plan {plan_id} waits for approval \(2 records would be created.*apply"):
        runner.send("sent")

    assert runner.states() == {plan_id: "waiting"}
    assert keys(sandbox) == []
    assert runner.warehouse.read("select * from sync_attempts").is_empty()


def test_an_applied_plan_is_sent_as_it_was_made(waiting: tuple[WorkflowRunner, str], sandbox: Sandbox) -> None:
    """It is sent once."""
    runner, plan_id = waiting

    synced = runner.apply(plan_id[:6], "applied")

    assert (synced.counts["created"], keys(sandbox), runner.states()) == (2, ["1", "2"], {plan_id: "sent"})
    sent = runner.table("sync_plans").to_dicts()[0]
    assert (sent["sent_by"], sent["writes"]) == ("applied", 2)
    with pytest.raises(SyncError, match=f"plan {plan_id} is sent"):
        runner.apply(plan_id, "again")


def test_a_rejected_plan_cannot_be_sent(waiting: tuple[WorkflowRunner, str], sandbox: Sandbox) -> None:
    """The reason is stored; rejecting it again is an error."""
    runner, plan_id = waiting
    moment = utc_now(runner.clock)
    with runner.warehouse.writer() as con:
        plans.reject(con, plans.find(con, plan_id), moment, "not on a Friday")

    with pytest.raises(SyncError, match=f"plan {plan_id} is rejected"):
        runner.apply(plan_id, "applied")
    with runner.warehouse.writer() as con, pytest.raises(PlanError, match="is already rejected"):
        plans.reject(con, plans.find(con, plan_id), moment, "again")

    assert runner.table("sync_plans")["note"].to_list() == ["not on a Friday"]
    assert keys(sandbox) == []


def test_an_expired_plan_cannot_be_sent(waiting: tuple[WorkflowRunner, str], sandbox: Sandbox) -> None:
    """Its data may be outdated."""
    runner, plan_id = waiting
    sandbox.clock.sleep(24 * 3600 + 1)

    with pytest.raises(SyncError, match=f"plan {plan_id} expired at "):
        runner.apply(plan_id, "applied")

    assert keys(sandbox) == []


def test_a_plan_can_be_sent_up_to_its_last_hour(waiting: tuple[WorkflowRunner, str], sandbox: Sandbox) -> None:
    """The workflow file sets its lifetime."""
    runner, plan_id = waiting
    sandbox.clock.sleep(24 * 3600 - 60)

    assert runner.apply(plan_id, "applied").counts["created"] == 2


def test_of_two_concurrent_applies_one_sends(waiting: tuple[WorkflowRunner, str], sandbox: Sandbox) -> None:
    """Two people act on the same alert: the second gets an error, and nothing is created twice."""
    runner, plan_id = waiting

    def apply(run_id: str) -> str:
        with open_precoro(sandbox=sandbox.folder) as client:
            mine = WorkflowRunner(runner.warehouse, OptionTarget(client, 5144), sandbox.clock, runner.spec)
            try:
                mine.apply(plan_id, run_id)
            except SyncError as error:
                return str(error)
            return "sent"

    with ThreadPoolExecutor(2) as both:
        results = sorted(both.map(apply, ("one", "two")))

    assert results[1] == "sent"
    assert f"plan {plan_id} is sent" in results[0]
    assert keys(sandbox) == ["1", "2"]


@pytest.mark.parametrize(
    "edit",
    [
        "update plan_flow set payload = replace(payload, 'Company 1', 'Company X')",
        "update plan_flow set action = 'adopt' where source_id = '1'",
        "update plan_flow set target_id = '4711' where source_id = '1'",
        "delete from plan_flow where source_id = '2'",
        "insert into plan_flow select * replace ('3' as source_id) from plan_flow where source_id = '1'",
    ],
)
def test_a_plan_with_modified_rows_is_refused(waiting: tuple[WorkflowRunner, str], sandbox: Sandbox, edit: str) -> None:
    """Only approved rows are sent, although anyone with write access to the file can edit the table."""
    runner, plan_id = waiting
    with runner.warehouse.writer() as con:
        con.execute(edit)

    with pytest.raises(PlanError, match=f"plan {plan_id}: its rows were modified after it was stored"):
        runner.apply(plan_id, "applied")

    assert (runner.states(), keys(sandbox)) == ({plan_id: "waiting"}, [])


def test_a_waiting_plan_keeps_its_rows(waiting: tuple[WorkflowRunner, str], sandbox: Sandbox) -> None:
    """Later runs plan as well, one of them from an empty source; the approval may come after them."""
    runner, plan_id = waiting
    newer = runner.plan("newer")
    emptied = runner.stage().plan("emptied")
    runner.stage(customer("1"), customer("2")).plan("again")

    rows = runner.table("plan_flow")
    assert rows.filter(pl.col("plan_id") == plan_id).height == 2
    assert runner.states()[newer.plan_id] == "waiting"
    assert runner.states()[emptied.plan_id] == "expired"
    assert runner.apply(plan_id, "applied").counts["created"] == 2
    assert keys(sandbox) == ["1", "2"]


def test_a_ready_plan_expires_when_a_newer_one_is_made(precoro: WorkflowRunner) -> None:
    """Two plans of the same data must not both be sent."""
    old = precoro.stage(customer("1")).plan("old")
    new = precoro.plan("new")

    assert precoro.states() == {old.plan_id: "expired", new.plan_id: "ready"}
    assert precoro.table("plan_flow")["plan_id"].unique().to_list() == [new.plan_id]
    with pytest.raises(SyncError, match="is expired"):
        precoro.apply(old.plan_id, "applied")


def test_an_empty_source_makes_an_empty_plan(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The first customer of a new account is then created as usual."""
    assert precoro.stage().run() == {}
    assert set(precoro.states().values()) == {"sent"}

    assert precoro.stage(customer("1")).run() == {"1": ("create", "new")}
    assert keys(sandbox) == ["1"]


def test_a_sent_plan_has_its_counts_also_if_the_process_dies(waiting: tuple[WorkflowRunner, str]) -> None:
    """They are recorded with its result: what a run proves depends on them."""
    runner, plan_id = waiting
    failpoints.arm("bookkeeping_done", strike=_die)
    with pytest.raises(_DeadError):
        runner.apply(plan_id, "applied")

    run = runner.table("sync_runs").filter(run_id="applied")
    assert run.select("state", "created", "unchanged").row(0) == ("finished", 2, 0)


class _DeadError(BaseException):
    """Stands for the death of the process."""


def _die() -> None:
    raise _DeadError


@pytest.mark.parametrize("only", [("record=3",), ("record=1", "action=deactivate"), ("field=name",)])
def test_a_part_that_writes_nothing_does_not_use_the_plan_up(
    waiting: tuple[WorkflowRunner, str], sandbox: Sandbox, only: tuple[str, ...]
) -> None:
    """A mistyped id, or kinds that no record meets together; the plan can still be sent."""
    runner, plan_id = waiting

    with pytest.raises(SyncError, match=f"plan {plan_id} writes no such record; it can still be sent"):
        runner.apply(plan_id, "mistyped", *only)

    assert runner.states() == {plan_id: "waiting"}
    assert "died" not in runner.table("sync_runs")["state"].to_list()
    assert runner.apply(plan_id, "applied").counts["created"] == 2
    assert keys(sandbox) == ["1", "2"]


def test_a_plan_is_found_by_its_first_characters(waiting: tuple[WorkflowRunner, str]) -> None:
    """They must match one plan."""
    runner, _ = waiting

    with pytest.raises(SyncError, match="no plans begin with zz; list them with `millpond plans`"):
        runner.apply("zz", "applied")
    runner.plan("second")
    with runner.warehouse.writer() as con, pytest.raises(SyncError, match="2 plans begin with "):
        plans.find(con, "")


def test_a_plan_belongs_to_its_workflow(waiting: tuple[WorkflowRunner, str], sandbox: Sandbox) -> None:
    """Another workflow must not send its payload."""
    runner, plan_id = waiting
    runner.name = "other"

    with pytest.raises(SyncError, match="belongs to flow, not to other"):
        runner.apply(plan_id, "applied")

    assert keys(sandbox) == []


def test_a_plan_table_of_an_older_version_is_replaced(waiting: tuple[WorkflowRunner, str]) -> None:
    """A plan table of an older version is replaced; its waiting plan is refused."""
    runner, plan_id = waiting
    with runner.warehouse.writer() as con:
        con.execute("alter table plan_flow add column older varchar")
    runner.plan("newer")

    with pytest.raises(PlanError, match="its rows were modified after it was stored"):
        runner.apply(plan_id, "applied")
