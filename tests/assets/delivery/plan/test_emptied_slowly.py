"""A field that loses its values a few records at a time is held back, although each run is within its limits."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from assets.delivery.ledger import plans
from assets.delivery.ledger.plans import PlanState
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer, suite_customers
from tests.assets.delivery.jumping_clock import JumpingClock
from tests.assets.delivery.run_workflow import WorkflowRunner

SIZE, A_FEW = 30, 4
DAY_S = 86_400
EMAIL = {"field": "addr_email", "from": "email"}


@pytest.fixture
def small(suiteprojects: WorkflowRunner) -> WorkflowRunner:
    """A workflow that has delivered 30 customers with their e-mails."""
    suiteprojects.spec = suite_customers(EMAIL, canary=[])
    stage(suiteprojects, ())
    suiteprojects.run()
    return suiteprojects


def stage(runner: WorkflowRunner, blank: Iterable[int]) -> None:
    """Stage the customers; these have no e-mail."""
    hidden = set(blank)
    rows = [
        customer(str(number), email=None if number in hidden else f"{number}@example.com") for number in range(SIZE)
    ]
    runner.stage(*rows)


def lose(runner: WorkflowRunner, upto: int, name: str, *, pause_s: float = DAY_S) -> list[str]:
    """Let some time pass, make a run in which the first records have no e-mail, and return the guards that it trips."""
    runner.clock.sleep(pause_s)
    stage(runner, range(upto))
    planned = runner.plan(name)
    if not planned.tripped:
        runner.send(name)
    return [each.guard for each in planned.tripped]


def decide(runner: WorkflowRunner, name: str, planned: Any, *only: str) -> None:
    """Apply a plan, or a part of it, as a person does."""
    runner.apply(planned, name, *only)
    with runner.warehouse.writer() as con:
        plans.set_decided_by(con, planned, "tester")


def waiting(runner: WorkflowRunner) -> str:
    """Return the plan that waits."""
    rows = runner.table("sync_plans")
    (found,) = rows.filter(rows["state"] == PlanState.WAITING)["plan_id"].to_list()
    return str(found)


@pytest.mark.long
def test_a_few_values_a_run_are_added_up(small: WorkflowRunner) -> None:
    """Four of thirty are within each limit of one run; eight are not, and nothing more is sent."""
    assert lose(small, A_FEW, "first") == []

    assert lose(small, 2 * A_FEW, "second") == ["emptied_slowly"]

    reason = small.plan("again").tripped[0].reason
    assert "the field `addr_email` would have lost 8 of 30 values in the runs of the last 30 days" in reason
    assert "raise guards.emptied_slowly" in reason
    state = small.table("target_flow")
    assert state["addr_email"].null_count() == A_FEW


@pytest.mark.long
def test_one_value_a_run_is_added_up_too(small: WorkflowRunner) -> None:
    """However slowly a permission is taken away."""
    tripped = [lose(small, number, f"run {number}") for number in range(1, 7)]

    assert tripped == [[], [], [], [], [], ["emptied_slowly"]]


@pytest.mark.long
@pytest.mark.parametrize("jump_days", [-400, 400])
def test_a_clock_that_is_set_forgets_nothing(small: WorkflowRunner, jump_days: int) -> None:
    """The days are those of the ledger's sequence."""
    clock = JumpingClock(small.clock)
    small.clock = clock
    assert lose(small, A_FEW, "first") == []
    clock.offset = timedelta(days=jump_days)

    assert lose(small, 2 * A_FEW, "second") == ["emptied_slowly"]


@pytest.mark.long
def test_values_that_came_back_and_old_ones_do_not_count(small: WorkflowRunner) -> None:
    """The role sees them again; or the runs of enough days lie in between."""
    small.spec = suite_customers(EMAIL, canary=[], guards={"emptied_slowly": {"percent": 10, "days": 2}})
    assert lose(small, A_FEW, "first") == []
    assert lose(small, 0, "back") == []
    assert lose(small, A_FEW, "again") == []

    assert [lose(small, A_FEW, f"quiet {day}") for day in range(2)] == [[], []]

    assert lose(small, 2 * A_FEW, "later") == []


@pytest.mark.long
def test_a_write_that_did_not_arrive_does_not_count(small: WorkflowRunner, sandbox: Sandbox) -> None:
    """The target still has the values, so the next run sends the same ones again."""
    sandbox.faults.plan("suiteprojects", Fault(FaultKind.NOT_APPLIED_500, pattern="<Modify", times=20))
    lose(small, A_FEW, "lost")
    sandbox.faults.clear()
    assert all(row["addr_email"] for row in small.table("target_flow").to_dicts())

    assert lose(small, A_FEW, "sent") == []


@pytest.mark.long
def test_what_a_person_applied_was_accepted(small: WorkflowRunner) -> None:
    """The next value does not ask for the same ones again."""
    lose(small, A_FEW, "first")
    assert lose(small, 2 * A_FEW, "second") == ["emptied_slowly"]
    decide(small, "applied", waiting(small))

    assert lose(small, 2 * A_FEW + 2, "third") == []
    assert lose(small, 3 * A_FEW + 2, "fourth") == ["emptied_slowly"]


@pytest.mark.long
def test_a_part_that_a_person_applied_accepts_nothing_else(small: WorkflowRunner) -> None:
    """The person looked at one record; the others still wait."""
    lose(small, A_FEW, "first")
    assert lose(small, 2 * A_FEW, "second") == ["emptied_slowly"]
    decide(small, "applied", waiting(small), f"record={A_FEW}")

    assert lose(small, 2 * A_FEW, "third") == ["emptied_slowly"]


@pytest.mark.long
def test_the_guard_can_be_switched_off(small: WorkflowRunner) -> None:
    """By its number of days."""
    small.spec = suite_customers(EMAIL, canary=[], guards={"emptied_slowly": {"percent": 10, "days": 0}})
    lose(small, A_FEW, "first")

    assert lose(small, 2 * A_FEW, "second") == []
