"""Reconciliation: equal sides are equal, differences have causes, and a false entry in the ledger is found.

The records are staged without NetSuite, so that no value was read of it: nothing is called identical here.
"""

from dataclasses import replace

import pytest

from assets.delivery.audit.reconcile import EDITED, NEVER_RAN, NORMALIZED, PENDING, Reconciliation, reconcile
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.run_context import RunContext
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.warehouse.tables import ensure_table
from sql import statement
from tests.assets.delivery.builders import customer, one_source, project, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner


def reconciled(runner: WorkflowRunner) -> Reconciliation:
    """Read both sides again and compare them."""
    runner.clock.sleep(3600)  # the target reuses a listing for a minute
    make_mart(runner.warehouse, runner.workflow)
    read_target_state(RunContext(runner.warehouse, runner.workflow, runner.target, "night", runner.clock))
    with runner.warehouse.writer() as con:
        ensure_table(con, statement("ledger", "sync_watermarks"))
    return reconcile(runner.warehouse, runner.workflow, key_field=runner.target.key_field, verify_days=7)


def test_both_sides_are_equal_after_a_run(precoro: WorkflowRunner) -> None:
    """Target records not from NetSuite, and excluded source records, are not differences."""
    precoro.stage(customer("1"), customer("2"), customer("3", is_inactive=True), below=(project("100"),)).run()

    found = reconciled(precoro)

    assert (found.records, found.equal, found.explained, found.unexplained) == (3, 3, {}, {})
    assert not found.is_identical
    assert found.summary.startswith(
        "compared; changes read up to an unknown time, values through an unknown time: 3 of 3 records equal,"
        " 0 explained, 0 unexplained differences; not verified: "
    )


def test_an_edit_in_the_target_is_explained(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Reconciliation finds drift without a run."""
    precoro.stage(customer("1"), customer("2"), below=(project("100"),)).run()
    ids = dict(precoro.table("target_flow").select("external_id", "target_id").rows())
    sandbox.precoro.edit_option(int(ids["1"]), name="Edited")

    found = reconciled(precoro)

    assert found.explained == {EDITED: 1}
    assert found.examples == {EDITED: ["1"]}
    assert found.unexplained == {}


def test_what_a_person_left_out_of_a_plan_is_explained(precoro: WorkflowRunner) -> None:
    """One of two new names was approved; the next run plans the other one again."""
    precoro.spec = one_source(canary=[])
    precoro.stage(customer("1"), customer("2")).run()
    renamed = precoro.stage(customer("1", company_name="New"), customer("2", company_name="Newer"))
    precoro.apply(renamed.plan("planned").plan_id, "applied", "record=1")

    found = reconciled(precoro)

    assert (found.explained, found.examples, found.unexplained) == ({"plan_partial": 1}, {"plan_partial": ["2"]}, {})


@pytest.mark.long
def test_what_a_plan_that_waited_holds_back_is_explained(precoro: WorkflowRunner) -> None:
    """Only what it sent has a newer decision in the ledger; the other record was unchanged before."""
    precoro.spec = one_source(guards={"update": {"rows": 0}})
    precoro.stage(customer("1"), customer("2")).run()
    renamed = precoro.stage(customer("1", company_name="New"), customer("2", company_name="x" * 257))
    precoro.apply(renamed.plan("planned").plan_id, "applied")

    found = reconciled(precoro)

    assert (found.explained, found.unexplained) == ({"too_long": 1}, {})


@pytest.mark.parametrize("below", ["2", None])
def test_a_record_that_a_person_moved_is_an_edit(precoro: WorkflowRunner, sandbox: Sandbox, below: str | None) -> None:
    """At the top level it was called equal, below another record normalized by the target."""
    sandbox.switches.set("precoro", PrecoroSwitches, parent_in_responses=True)
    precoro.stage(customer("1"), customer("2"), below=(project("100"),)).run()
    ids = {row["external_id"]: row["option_id"] for row in sandbox.precoro.options()} | {None: None}
    sandbox.precoro.edit_option(ids["100"], parent_id=ids[below])

    assert reconciled(precoro).explained == {EDITED: 1}


def test_changes_in_netsuite_after_the_last_run_are_explained(precoro: WorkflowRunner) -> None:
    """A new customer, another name, one that went inactive: the next run sends them."""
    precoro.stage(customer("1"), customer("2"), customer("3")).run()
    precoro.stage(customer("1", company_name="Renamed"), customer("2", is_inactive=True), customer("3"), customer("4"))

    found = reconciled(precoro)

    assert found.explained == {PENDING: 3}
    assert (found.equal, found.records, found.unexplained) == (1, 4, {})


def test_a_workflow_without_a_run_is_explained(precoro: WorkflowRunner) -> None:
    """It was switched on after the last run."""
    found = reconciled(precoro.stage(customer("1"), customer("2")))

    assert (found.explained, found.unexplained) == ({NEVER_RAN: 2}, {})


def test_a_rejected_record_is_explained_by_its_reason_code(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """The target rejected it, and it stays quarantined."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.name": 8})
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2", entity_number="A number that is long")).run()

    found = reconciled(suiteprojects)

    assert found.equal == 1
    assert list(found.explained.values()) == [1]
    assert next(iter(found.explained)).startswith("rejected")
    assert found.unexplained == {}


def test_a_normalized_value_is_explained(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """The normalization was recorded when the value was written; it is neither drift nor a defect."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, trims_text=True)
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1", company_name=" Spaced  ")).run()

    found = reconciled(suiteprojects)

    assert found.explained in ({NORMALIZED: 1}, {})
    assert found.unexplained == {}


def test_a_confirmed_write_that_the_target_lacks_is_unexplained(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The ledger has confirmed other values than the desired ones: only a defect of ours causes that."""
    precoro.stage(customer("1"), customer("2")).run()
    with precoro.warehouse.writer() as con:
        con.execute("update sync_links set payload_hash = 'another' where source_id = '1'")
    ids = dict(precoro.table("target_flow").select("external_id", "target_id").rows())
    sandbox.precoro.edit_option(int(ids["1"]), name="Never sent")

    found = reconciled(precoro)

    assert found.unexplained == {"name": ["1"]}, found
    assert "1 unexplained differences" in found.summary
    assert found.summary.startswith("compared; ")


def test_a_duplicate_record_is_unexplained(suiteprojects: WorkflowRunner) -> None:
    """I2: nothing twice in a target; a copy that carries our key could be updated instead of our record."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    with suiteprojects.warehouse.writer() as con:
        con.execute(
            "create table copy as select * replace ('copy' as target_id) from target_flow where external_id = '1'"
        )
    make_mart(suiteprojects.warehouse, suiteprojects.workflow)
    with suiteprojects.warehouse.writer() as con:
        con.execute("insert into target_flow by name select * from copy")
        ensure_table(con, statement("ledger", "sync_watermarks"))

    found = reconcile(suiteprojects.warehouse, suiteprojects.workflow, key_field="externalid", verify_days=7)

    assert found.unexplained == {"(duplicate)": ["1"]}


@pytest.mark.long
def test_a_record_of_another_workflow_is_counted_and_explained_as_one(suiteprojects: WorkflowRunner) -> None:
    """It carries our key and is active; NetSuite did not change, and the other records are as equal as before."""
    settings = {"lifecycle": {"out_of_scope": "deactivate"}}
    suiteprojects.spec = suite_customers(select={"where": "stage = 'customer'"}, **settings)
    suiteprojects.stage(customer("1"), customer("2", stage="prospect")).run()
    spec = suite_customers(select={"where": "stage = 'prospect'"}, **settings)
    other = replace(suiteprojects, name="other", spec=spec)
    other.run()

    found = reconciled(other)

    assert (found.records, found.equal, found.explained) == (2, 1, {"other_workflow": 1})
