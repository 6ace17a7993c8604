"""A finding of an asset check is not sent by an asset that is materialized alone after it."""

import pytest

from assets.delivery.component.checks import mart_checks
from assets.delivery.errors import PlanError, SyncError
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.plan.soundness import require_decisions
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer, one_source
from tests.assets.delivery.run_workflow import WorkflowRunner

TWICE = "insert into mart_flow from mart_flow where source_id = '1'"
SHARED = "update mart_flow set externalId = '1' where source_id = '2'"
KEYLESS = "update mart_flow set externalId = null where source_id = '2'"


def spoiled(runner: WorkflowRunner, statement: str) -> None:
    """Make the mart and read the target; then something changes the mart."""
    runner.spec = one_source()
    runner.stage(customer("1"), customer("2"), customer("3"))
    make_mart(runner.warehouse, runner.workflow)
    read_target_state(runner.context("run"))
    with runner.warehouse.writer() as con:
        con.execute(statement)


@pytest.mark.parametrize("statement", [TWICE, SHARED, KEYLESS])
def test_a_mart_whose_check_fails_is_not_planned(precoro: WorkflowRunner, sandbox: Sandbox, statement: str) -> None:
    """The run of the check stopped there; a plan and a sink that are materialized afterwards stop as well."""
    spoiled(precoro, statement)
    with precoro.warehouse.writer() as con:
        assert not all(each.passed for each in mart_checks(con, precoro.workflow, precoro.target.key_field))

    with pytest.raises(PlanError, match=r"mart_flow cannot be planned: .*materialize mart_flow again"):
        make_plan(precoro.context("alone"))
    with pytest.raises((PlanError, SyncError)):
        precoro.send("alone")
    assert not [each for each in sandbox.precoro.options() if each["external_id"]]


def test_a_mart_that_is_made_again_is_planned(precoro: WorkflowRunner) -> None:
    """Nothing of the refusal is left."""
    spoiled(precoro, TWICE)
    with pytest.raises(PlanError):
        make_plan(precoro.context("alone"))

    assert {action for action, _ in precoro.run().values()} == {"create"}


def test_records_that_other_runs_stage_meanwhile_are_no_finding(precoro: WorkflowRunner) -> None:
    """The mart is that of its own run; the next one has the new record."""
    spoiled(precoro, "select 1")
    precoro.stage(*(customer(str(number)) for number in range(1, 5)))

    assert make_plan(precoro.context("run")).records == 3


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("delete from plan_flow where source_id = '1'", "2 of 3 records, 2 decisions"),
        ("insert into plan_flow from plan_flow where source_id = '1'", "3 of 3 records, 4 decisions"),
        ("update plan_flow set action = null where source_id = '1'", "1 without an action"),
    ],
)
def test_a_plan_without_one_decision_for_each_record_is_refused(
    precoro: WorkflowRunner, statement: str, text: str
) -> None:
    """The planner asks before it commits; only a fault of its own can lead to this."""
    spoiled(precoro, "select 1")
    plan_id = make_plan(precoro.context("run")).plan_id
    with precoro.warehouse.writer() as con:
        require_decisions(con, precoro.workflow, plan_id)
        con.execute(statement)

        with pytest.raises(PlanError, match=text):
            require_decisions(con, precoro.workflow, plan_id)
