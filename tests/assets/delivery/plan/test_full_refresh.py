"""A full refresh sends what a normal run leaves alone, and one since a date nothing else."""

from datetime import datetime

import duckdb
import polars as pl
import pytest

from assets.delivery.mart.build import make_mart, write_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.mart.lookup import Lookups
from assets.delivery.plan.planner import make_plan
from assets.delivery.plan.scope import Everything
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import read_frame, replace_table
from tests.assets.delivery.builders import customer, customers, option_tree, project, projects, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner

OLD, NEW = datetime(2026, 10, 1), datetime(2026, 11, 20)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
SINCE = "2026-11-15T00:00:00"
FIVE = tuple(customer(str(number), modified_at=OLD) for number in range(1, 6))


def run(runner: WorkflowRunner, tag: str) -> dict[str, tuple[str, str]]:
    """Make a whole run with a refresh tag; return action and reason code by record."""
    run_id = f"refresh {next(runner.runs)}"
    make_mart(runner.warehouse, runner.workflow)
    read_target_state(runner.context(run_id))
    make_plan(runner.context(run_id), scope=Everything.of(tag))
    return {row["source_id"]: (row["action"], row["reason_code"]) for row in runner.send(run_id).decisions.to_dicts()}


@pytest.mark.long
def test_a_full_refresh_sends_fields_that_are_not_monitored(suiteprojects: WorkflowRunner) -> None:
    """A normal run leaves the record alone; with them in the target it is identical."""
    suiteprojects.spec = suite_customers(monitored_fields=["name"])
    suiteprojects.stage(*FIVE).run()
    suiteprojects.stage(customer("1", company_name="Unmonitored"), *FIVE[1:])

    assert run(suiteprojects, "")["1"] == ("unchanged", "not_monitored")
    refreshed = run(suiteprojects, "all")
    assert (refreshed["1"], refreshed["2"]) == (("update", "source_changed"), ("unchanged", "identical"))
    assert run(suiteprojects, "")["1"] == ("unchanged", "identical")


@pytest.mark.long
def test_a_refresh_since_a_date_sends_only_what_changed_since(suiteprojects: WorkflowRunner) -> None:
    """Creates, updates and deactivations of other records wait, with the reason; the next run sends them."""
    suiteprojects.spec = suite_customers(monitored_fields=["name"])
    suiteprojects.stage(*FIVE[:4]).run()
    suiteprojects.stage(
        customer("1", company_name="Changed since", modified_at=NEW),
        customer("2", entity_number="Before", modified_at=OLD),
        customer("3", is_inactive=True, modified_at=OLD),
        customer("4", is_deleted=True, modified_at=OLD),
        customer("5", modified_at=OLD),
        customer("6", modified_at=NEW),
    )

    assert run(suiteprojects, SINCE) == {
        "1": ("update", "source_changed"),
        "2": ("skipped", "not_changed_since"),
        "3": ("skipped", "not_changed_since"),
        "4": ("deactivate", "deleted"),  # its date says nothing about the deletion
        "5": ("skipped", "not_changed_since"),
        "6": ("create", "new"),
    }
    assert suiteprojects.run() == {
        "1": ("unchanged", "identical"),
        "2": ("update", "source_changed"),
        "3": ("deactivate", "inactive"),
        "4": ("unchanged", "deleted"),
        "5": ("create", "new"),
        "6": ("unchanged", "identical"),
    }


@pytest.mark.long
def test_a_record_that_changed_since_is_sent_with_those_above_it(precoro: WorkflowRunner) -> None:
    """A new project of a customer that the target does not have yet; the date may have a time zone."""
    precoro.spec = option_tree()
    precoro.stage(*FIVE[:2], below=(project("100", modified_at=NEW), project("101", customer_id="2", modified_at=OLD)))

    decided = run(precoro, "2026-11-15T01:00:00+01:00")

    assert {key: action for key, (action, _) in decided.items()} == {
        "1": "create", "2": "skipped", "100": "create", "101": "skipped",
    }  # fmt: skip


def test_the_records_of_a_refresh_since_a_date() -> None:
    """Those that changed since, may have changed, or were deleted, and those above them; a tag says since when."""
    staged = customers(
        customer("1", modified_at=OLD), customer("2", modified_at=OLD), customer("3", modified_at=NEW),
        customer("4", modified_at=None), customer("5", modified_at=OLD, is_deleted=True),
    )  # fmt: skip
    below = projects(project("100", modified_at=NEW), project("101", customer_id="2", modified_at=OLD))
    workflow, scope = Workflow("flow", option_tree()), Everything.of("2026-11-15T01:00:00+01:00")
    with duckdb.connect() as con:
        replace_table(con, "stg_netsuite__customers", staged)
        replace_table(con, "stg_netsuite__projects", below)
        write_mart(con, workflow, Lookups({}), NEW.date())
        mart = read_frame(con, "from mart_flow")
        plan = mart.with_columns(pl.lit("{}").alias("payload"))

        (left_out,) = scope.exclusions(con, workflow, plan)
        assert Everything.of("all").exclusions(con, workflow, plan) == []

    assert scope.since == datetime(2026, 11, 15)  # noqa: DTZ001
    assert not scope.monitored
    assert Everything.of("").monitored
    assert sorted(left_out.keys["source_id"]) == ["101", "2"]
    assert left_out.code == "not_changed_since"
