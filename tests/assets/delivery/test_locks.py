"""Two runs at once: who read the source or the target later also writes later."""

from collections.abc import Callable
from threading import Thread

from assets.delivery.mart.build import make_mart, read_target_state
from assets.delivery.plan.planner import make_plan
from resources import failpoints
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer
from tests.assets.delivery.run_workflow import Flow

PATIENCE_S = 1.0


def overtaken(place: str, work: Callable[[], object], meanwhile: Callable[[], object]) -> None:
    """One run is slow at a place; meanwhile something changes, and a second run does the same work."""
    second = Thread(target=work)

    def slow() -> None:
        meanwhile()
        second.start()
        second.join(PATIENCE_S)

    failpoints.arm(place, strike=slow)
    try:
        work()
    finally:
        failpoints.disarm()
    second.join(60)


def test_an_older_mart_never_replaces_a_newer_one(precoro: Flow) -> None:
    """The slow run shaped what was staged an hour ago."""
    precoro.stage(customer("1", company_name="old"))

    overtaken(
        "mart_made",
        lambda: make_mart(precoro.warehouse, precoro.workflow),
        lambda: precoro.stage(customer("1", company_name="new")),
    )

    assert precoro.table("mart_flow")["name"].to_list() == ["new"]


def test_an_older_twin_never_replaces_a_newer_one(precoro: Flow, sandbox: Sandbox) -> None:
    """A plan from it would create what somebody created meanwhile."""
    precoro.stage(customer("1"))

    def read() -> None:
        sandbox.clock.sleep(120)
        read_target_state(precoro.warehouse, precoro.workflow, precoro.target, run_id="read", clock=precoro.clock)

    overtaken("twin_read", read, lambda: sandbox.precoro.add_option("meanwhile"))

    assert "meanwhile" in precoro.table("target_flow")["name"].to_list()


def test_an_older_plan_never_replaces_a_newer_one(precoro: Flow) -> None:
    """The newest plan is the one that is sent."""
    precoro.stage(customer("1", company_name="old")).plan("first")

    def plan() -> None:
        make_plan(precoro.warehouse, precoro.workflow, precoro.target, run_id="plan", clock=precoro.clock)

    def meanwhile() -> None:
        precoro.stage(customer("1", company_name="new"))
        make_mart(precoro.warehouse, precoro.workflow)

    overtaken("plan_begins", plan, meanwhile)

    made = precoro.warehouse.read("select payload from plan_flow join sync_plans using (plan_id) where state = 'made'")
    assert ['"name":"new"' in text for text in made["payload"]] == [True]
