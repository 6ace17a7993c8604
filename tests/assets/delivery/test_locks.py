"""Concurrent runs: the latest reading of source or target is written last."""

from collections.abc import Callable
from threading import Thread

import pytest

from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from resources import failpoints
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer
from tests.assets.delivery.run_workflow import WorkflowRunner

SECOND_RUN_S = 1.0


def run_twice(failpoint: str, work: Callable[[], object], meanwhile: Callable[[], object]) -> None:
    """Pause one run at a failpoint, change something meanwhile, and let a second run do the same work."""
    second = Thread(target=work)

    def pause() -> None:
        meanwhile()
        second.start()
        second.join(SECOND_RUN_S)

    failpoints.arm(failpoint, strike=pause)
    try:
        work()
    finally:
        failpoints.disarm()
    second.join(60)


@pytest.mark.long
def test_an_older_mart_never_replaces_a_newer_one(precoro: WorkflowRunner) -> None:
    """The paused run transformed older staged records."""
    precoro.stage(customer("1", company_name="old"))

    run_twice(
        "mart_made",
        lambda: make_mart(precoro.warehouse, precoro.workflow),
        lambda: precoro.stage(customer("1", company_name="new")),
    )

    assert precoro.table("mart_flow")["name"].to_list() == ["new"]


def test_an_older_target_state_never_replaces_a_newer_one(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """A plan from it would create a record that was created meanwhile."""
    precoro.stage(customer("1"))

    def read() -> None:
        sandbox.clock.sleep(120)
        read_target_state(precoro.context("read"))

    run_twice("target_state_read", read, lambda: sandbox.precoro.add_option("meanwhile"))

    assert "meanwhile" in precoro.table("target_flow")["name"].to_list()


@pytest.mark.long
def test_an_older_plan_never_replaces_a_newer_one(precoro: WorkflowRunner) -> None:
    """Only the newest plan is sent."""
    precoro.stage(customer("1", company_name="old")).plan("first")

    def plan() -> None:
        make_plan(precoro.context("plan"))

    def meanwhile() -> None:
        precoro.stage(customer("1", company_name="new"))
        make_mart(precoro.warehouse, precoro.workflow)

    run_twice("plan_begins", plan, meanwhile)

    ready = precoro.warehouse.read(
        "select payload from plan_flow join sync_plans using (plan_id) where state = 'ready'"
    )
    assert ['"name":"new"' in text for text in ready["payload"]] == [True]
