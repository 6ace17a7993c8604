"""A field whose different values one and the same replaces a few records at a time is held back."""

from collections.abc import Iterable
from typing import Any

import pytest

from assets.delivery.ledger.taken_over import count_taken_over, replaced_fields
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer, suite_customers
from tests.assets.delivery.plan.test_emptied_slowly import decide, waiting
from tests.assets.delivery.run_workflow import WorkflowRunner

SIZE, A_FEW = 20, 3
DAY_S = 86_400
EMAIL = {"field": "addr_email", "from": "email"}
TIGHT = {"taken_over": {"percent": 25}, "emptied_field": {"percent": 100}}


@pytest.fixture
def small(suiteprojects: WorkflowRunner) -> WorkflowRunner:
    """A workflow that has delivered 20 customers with an e-mail each; 5 of them may become one and the same."""
    suiteprojects.spec = suite_customers(EMAIL, canary=[], guards=TIGHT)
    stage(suiteprojects, ())
    suiteprojects.run()
    return suiteprojects


def stage(runner: WorkflowRunner, replaced: Iterable[int], value: str = "info@example.com") -> None:
    """Stage the customers; these have one and the same e-mail."""
    chosen = set(replaced)
    emails = [value if number in chosen else f"{number}@example.com" for number in range(SIZE)]
    runner.stage(*(customer(str(number), email=email) for number, email in enumerate(emails)))


def replace(runner: WorkflowRunner, upto: int, name: str, value: str = "info@example.com") -> list[str]:
    """Make a run, a day later, in which the first records have that e-mail; return the guards that it trips."""
    runner.clock.sleep(DAY_S)
    stage(runner, range(upto), value)
    planned = runner.plan(name)
    if not planned.tripped:
        runner.send(name)
    return [each.guard for each in planned.tripped]


def test_a_few_records_a_run_are_added_up(small: WorkflowRunner) -> None:
    """Three of twenty are within each limit of one run; six are not, and nothing more is sent."""
    assert replace(small, A_FEW, "first") == []

    assert replace(small, 2 * A_FEW, "second") == ["taken_over"]

    reason = small.plan("again").tripped[0].reason
    assert "the field `addr_email` one and the same value would have replaced 6 different ones of 20" in reason
    assert "raise guards.taken_over" in reason
    assert small.table("target_flow")["addr_email"].to_list().count("info@example.com") == A_FEW


@pytest.mark.long
def test_different_new_values_are_no_loss(small: WorkflowRunner) -> None:
    """As when people correct their e-mails."""
    for number in range(1, 4):
        small.clock.sleep(DAY_S)
        stage(small, ())
        rows = [customer(str(each), email=f"{each}@new{number if each < 6 else 0}.example.com") for each in range(SIZE)]
        small.stage(*rows[:6], *(customer(str(each), email=f"{each}@example.com") for each in range(6, SIZE)))
        assert small.plan(f"run {number}").tripped == []
        small.send(f"run {number}")


@pytest.mark.long
def test_one_value_that_is_renamed_is_no_loss(small: WorkflowRunner) -> None:
    """The same value in many records becomes another one: nothing that distinguished them is gone."""
    stage(small, range(8), "old@example.com")
    small.apply(small.plan("shared").plan_id, "shared")
    small.clock.sleep(DAY_S * 60)

    for number in (4, 8):
        small.clock.sleep(DAY_S)
        chosen = {each: "new@example.com" if each < number else "old@example.com" for each in range(8)}
        small.stage(*(customer(str(each), email=chosen.get(each, f"{each}@example.com")) for each in range(SIZE)))
        assert small.plan(f"run {number}").tripped == []
        small.send(f"run {number}")


@pytest.mark.long
def test_values_that_came_back_do_not_count(small: WorkflowRunner) -> None:
    """The target has the own ones again."""
    assert replace(small, A_FEW, "first") == []
    assert replace(small, 0, "back") == []

    assert replace(small, A_FEW + 1, "again") == []


@pytest.mark.long
def test_a_write_that_did_not_arrive_does_not_count(small: WorkflowRunner, sandbox: Sandbox) -> None:
    """The target still has the values, so the next run sends the same ones again."""
    sandbox.faults.plan("suiteprojects", Fault(FaultKind.NOT_APPLIED_500, pattern="<Modify", times=20))
    replace(small, A_FEW, "lost")
    sandbox.faults.clear()

    assert replace(small, A_FEW + 1, "sent") == []


def test_what_a_person_applied_was_accepted(small: WorkflowRunner) -> None:
    """The next value does not ask for the same ones again."""
    replace(small, A_FEW, "first")
    assert replace(small, 2 * A_FEW, "second") == ["taken_over"]
    decide(small, "applied", waiting(small))

    assert replace(small, 2 * A_FEW + 2, "third") == []


@pytest.mark.long
def test_the_guard_can_be_switched_off(small: WorkflowRunner) -> None:
    """By its number of days."""
    small.spec = suite_customers(EMAIL, canary=[], guards={**TIGHT, "taken_over": {"days": 0, "percent": 25}})
    replace(small, A_FEW, "first")

    assert replace(small, 2 * A_FEW, "second") == []


@pytest.mark.long
def test_a_field_that_changes_with_the_date_does_not_count(small: WorkflowRunner) -> None:
    """Every record that is sent on one day has the same date."""
    dated = {"field": "addr_email", "sql": "email || cast(_today as varchar)"}
    small.spec = suite_customers(dated, canary=[], guards=TIGHT)
    replace(small, A_FEW, "first")

    with small.warehouse.writer() as con:
        assert not count_taken_over(con, small.workflow, 30, ["addr_email"])


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"before": "a", "after": "b"}, True),
        ({"before": None, "after": "b"}, False),
        ({"before": "a", "after": None}, False),
        ({"before": "\ud800", "after": "b"}, True),
    ],
)
def test_of_a_replaced_value_a_few_bits_are_kept(change: dict[str, Any], *, kept: bool) -> None:
    """Too few to reveal the value."""
    found = replaced_fields([{"field": "name", **change}, {"field": "(parent)", "before": "1", "after": "2"}])

    assert (found is not None) == kept
    assert found is None or (len(found) == len('["0000 name"]') and found.endswith(' name"]'))
