"""In shadow mode nothing is sent, whoever asks for it; afterwards the workflow sends again."""

from collections.abc import Callable

import pytest

from assets.delivery.errors import PlanError, SyncError
from assets.delivery.ledger.decisions import read_upstream
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import waiting
from assets.delivery.ledger.shadows import (
    Shadow,
    ShadowedError,
    active_shadow,
    begin_shadow,
    confirm_off,
    end_shadow,
    last_shadow,
    require_unshadowed,
)
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.realtime.sync_records import sync_records
from assets.delivery.schemas import SourceKey, keys_frame
from assets.delivery.send.apply import run_sync
from assets.delivery.shadow.compare import compare_shadowed
from assets.delivery.shadow.report import read_parity
from resources.clock import steady, utc_now
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, option_tree, project, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.assets.delivery.shadow.connector import connector


def begin(runner: WorkflowRunner) -> Shadow:
    """Begin the shadow of a workflow."""
    with runner.warehouse.writer() as con:
        return begin_shadow(con, Shadow(runner.name, 0, "Oracle's connector", None, "ada", utc_now(runner.clock)))


def end(runner: WorkflowRunner) -> Shadow:
    """End it."""
    with runner.warehouse.writer() as con:
        return end_shadow(con, runner.name, "ada", utc_now(runner.clock), "parity is explained")


def test_nothing_is_sent_in_any_way(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """A run, an approved plan, change notifications, an undo: each is refused with the same sentence."""
    suiteprojects.spec = suite_customers(guards={"create": {"rows": 0}})
    suiteprojects.stage(customer("1"))
    planned = suiteprojects.plan("before")
    suiteprojects.apply(planned.plan_id, "approved")
    begin(suiteprojects)
    sent = sandbox.suiteprojects.write_calls
    suiteprojects.stage(customer("1", company_name="Changed"), customer("2"))
    waits = suiteprojects.plan("shadowed")
    keys = keys_frame([SourceKey("customers", "1")])
    attempts: list[Callable[[], object]] = [
        lambda: suiteprojects.send("shadowed"),
        lambda: suiteprojects.apply(waits.plan_id, "apply"),
        lambda: suiteprojects.apply(waits.plan_id, "apply", "action=update"),
        lambda: run_sync(suiteprojects.context("realtime"), kind=PlanKind.REALTIME),
        lambda: suiteprojects.undo("approved"),
    ]
    for attempt in attempts:
        with pytest.raises(
            ShadowedError, match=r"in shadow mode beside Oracle's connector: nothing is sent since .*ada"
        ):
            attempt()
    waited = sync_records(suiteprojects.context("notified"), keys)

    assert waited.synced is None
    assert "in shadow mode" in waited.reason
    assert sandbox.suiteprojects.write_calls == sent
    with suiteprojects.warehouse.writer() as con:
        assert (
            waiting(con, utc_now(suiteprojects.clock), steady(suiteprojects.clock)) == []
        )  # no one is asked to approve


@pytest.mark.long
def test_it_sends_again_afterwards_but_no_plan_of_that_time(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """Plans in shadow mode pass no guard; a later run makes one that does."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"))
    begin(suiteprojects)
    planned = suiteprojects.plan("shadowed")
    stopped = end(suiteprojects)
    with pytest.raises(PlanError, match="made in shadow mode"):
        suiteprojects.apply(planned.plan_id, "apply")
    with pytest.raises(PlanError, match="made in shadow mode"):
        suiteprojects.send("late")

    suiteprojects.run()

    assert [row["name"] for row in sandbox.suiteprojects.rows("Customer")] == ["C1"]
    assert (stopped.stopped_by, stopped.note, stopped.is_active) == ("ada", "parity is explained", False)


def test_periods_are_kept_with_who_and_when(warehouse: Warehouse, suiteprojects: WorkflowRunner) -> None:
    """One goes on at a time; the next one has the next number."""
    with pytest.raises(SyncError, match="not in shadow mode"):
        end(suiteprojects)
    first = begin(suiteprojects)
    with pytest.raises(SyncError, match="millpond shadow report"):
        begin(suiteprojects)
    end(suiteprojects)
    second = begin(suiteprojects)
    with warehouse.writer() as con:
        confirm_off(con, second, "bert", utc_now(suiteprojects.clock))
        known = last_shadow(con, "flow")
        rows = con.execute("select number, started_by, stopped_by, off_by from sync_shadow_periods").fetchall()
        events = con.execute("select event, decided_by from sync_events order by position").fetchall()
    assert (first.number, second.number) == (1, 2)
    assert known is not None
    assert known.is_active
    assert rows == [(1, "ada", "ada", None), (2, "ada", None, "bert")]
    assert events == [
        ("shadow_started", "ada"),
        ("shadow_stopped", "ada"),
        ("shadow_started", "ada"),
        ("confirmed_off", "bert"),
    ]


def test_what_needs_a_shadowed_workflow_is_not_sent_either(suiteprojects: WorkflowRunner) -> None:
    """Its parents are the matches of a plan that was never sent."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"))
    begin(suiteprojects)
    with suiteprojects.warehouse.writer(transaction=False) as con:
        with pytest.raises(ShadowedError, match="below needs flow, so that nothing of it is sent either"):
            require_unshadowed(con, "below", ["flow"])
        require_unshadowed(con, "below", ["other"])
        assert active_shadow(con, "other") is None


@pytest.mark.long
def test_parents_of_a_shadowed_workflow_are_those_of_its_plan(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """Nothing was linked, and what is below can be compared all the same."""
    there = sandbox.suiteprojects.add("Customer", name="C1", company="Company 1")
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2"))
    begin(suiteprojects)
    suiteprojects.plan("shadowed")
    with suiteprojects.warehouse.writer(transaction=False) as con:
        upstream = dict(read_upstream(con, ["flow"]).select("source_id", "target_id").iter_rows())
    assert upstream == {"1": str(there), "2": None}


def test_an_empty_ledger_knows_no_shadow(warehouse: Warehouse) -> None:
    """A warehouse of an earlier version has no such table."""
    with warehouse.writer() as con:
        assert active_shadow(con, "flow") is None
        require_unshadowed(con, "flow")
        ensure_ledger(con)
        assert read_parity(con, "flow") is None


@pytest.mark.long
def test_precoro_is_compared_by_the_same_engine(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Its own integration wrote one option as it should be, one with another name, and one of a project elsewhere."""
    options = sandbox.precoro
    top = options.add_option("Company 1", field_id=5144, external_id="1")
    options.add_option("Other name", field_id=5144, external_id="2")
    options.add_option("Project 100", field_id=5144, external_id="100", parent_id=top)
    precoro.stage(customer("1"), customer("2"), customer("3"), below=(project("100"),))
    begin(precoro)
    planned = precoro.plan("night")
    calls = options.write_calls

    row = compare_shadowed(precoro.context("night"), planned.plan_id)

    assert row is not None
    assert (row["records"], row["alike"], row["differing"], row["missing"]) == (4, 2, 1, 1)
    with pytest.raises(ShadowedError):
        precoro.send("night")
    assert options.write_calls == calls


@pytest.mark.parametrize("is_nested", [True, False])
def test_a_record_at_the_top_of_one_side_only_differs(
    precoro: WorkflowRunner, sandbox: Sandbox, *, is_nested: bool
) -> None:
    """Of the target, or of NetSuite."""
    sandbox.switches.set("precoro", PrecoroSwitches, parent_in_responses=True)
    nested = {"parent": {"projects": "parent_project_id"}, "parent_required": False}
    precoro.spec = option_tree(records=[option_tree().records[1].model_dump(exclude_unset=True) | nested])
    above = sandbox.precoro.add_option("Project 100", field_id=5144, external_id="100")
    sandbox.precoro.add_option("Project 101", field_id=5144, external_id="101", parent_id=None if is_nested else above)
    precoro.stage(below=(project("100"), project("101", parent_project_id="100" if is_nested else None)))
    begin(precoro)

    row = compare_shadowed(precoro.context("night"), precoro.plan("night").plan_id)

    assert row is not None
    assert (row["records"], row["alike"], row["differing"]) == (2, 1, 1)


@pytest.mark.long
def test_without_a_shadow_nothing_is_compared(suiteprojects: WorkflowRunner) -> None:
    """A plan costs nothing more."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"))
    planned = suiteprojects.plan("plan")
    assert compare_shadowed(suiteprojects.context("plan"), planned.plan_id) is None


@pytest.mark.long
def test_a_record_that_was_linked_before_is_gone_not_never_brought(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """Whoever deletes it: the link is the evidence that the target had it."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    begin(suiteprojects)
    (row,) = sandbox.suiteprojects.rows("Customer")
    sandbox.suiteprojects.delete("Customer", int(row["id"]))
    planned = suiteprojects.plan("shadowed")
    compare_shadowed(suiteprojects.context("shadowed"), planned.plan_id)

    found = suiteprojects.table("sync_shadow_differences").select("field", "cause", "kind").rows()
    assert found == [("(not in the target)", "edited", "gone_from_target")]


def test_the_report_says_what_differs_and_stores_no_value(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """The sentence of the report, and fingerprints only in the ledger."""
    account = connector(suiteprojects, sandbox, selects=lambda row: row["customer_id"] not in {"3", "4"})
    for number in range(1, 13):
        account.add(str(number))
    account.wait(24)
    account.bring()
    account.begin()
    account.edit("12", addr_city="Elsewhere")

    parity = account.night()

    assert parity.summary == (
        "9 of 12 records alike; 2 were never brought by the connector: NetSuite ids 3, 4;"
        " 1 differs in `addr_city` without a known cause: NetSuite id 12"
    )
    assert not parity.is_explained
    tables = ("sync_shadow_records", "sync_shadow_differences", "sync_shadow_nights")
    stored = str([suiteprojects.table(name).rows() for name in tables])
    assert "City" not in stored
    assert "Elsewhere" not in stored
    (example,) = next(each for each in parity.groups if each.field == "addr_city").examples
    assert (example.wanted, example.found) == ("City 12", "Elsewhere")
