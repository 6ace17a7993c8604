"""A field that the target leaves as it was, although it confirms the write, is neither delivered nor edited."""

import json

import pytest

from assets.delivery.schemas import SourceKey
from assets.delivery.send.batches import Step
from assets.delivery.send.not_taken import judge_kept, kept_fields
from assets.delivery.target import Action, Outcome, Verdict, Write
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.delivery.builders import customer, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner


@pytest.fixture
def delivered(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> WorkflowRunner:
    """A customer that was delivered; then the target's field `company` became read-only, which no answer says."""
    suiteprojects.spec = suite_customers({"field": "notes", "from": "email"})
    suiteprojects.stage(customer("1")).run()
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, unchangeable=["Customer.company"])
    return suiteprojects


def test_a_field_that_keeps_its_value_is_not_delivered(delivered: WorkflowRunner, sandbox: Sandbox) -> None:
    """Neither converted by the target nor edited there: it is held back, and sent once it can be written."""
    delivered.stage(customer("1", company_name="New"))
    assert delivered.run() == {"1": ("quarantined", "rejected_not_taken")}
    assert delivered.run() == {"1": ("quarantined", "rejected_not_taken")}
    reason = delivered.table("plan_flow")["reason"][0]
    assert "company has the value of before: make the field writable" in reason
    assert len(delivered.attempts("1")) == 4, "it was sent once"

    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, unchangeable=[])
    delivered.clock.sleep(3600 * (delivered.spec.retry_rejected_after_hours + 1))
    assert delivered.run() == {"1": ("update", "source_changed")}


@pytest.mark.long
@pytest.mark.parametrize("echo", [{}, {"write_echo": "id"}, {"echo_values": "sent"}])
def test_what_else_was_sent_is_delivered(delivered: WorkflowRunner, sandbox: Sandbox, echo: dict[str, str]) -> None:
    """Then the field alone is held back, whether or not the answer shows the value; nothing is sent for ever."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, **echo)
    delivered.stage(customer("1", company_name="New", email="a@example.com"))
    assert delivered.run()["1"][0] == "update"
    assert [row["notes"] for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1"] == [
        "a@example.com"
    ]
    delivered.run()

    assert [delivered.run() for _ in range(2)] == [{"1": ("quarantined", "rejected_not_taken")}] * 2
    assert len(delivered.attempts("1")) == 7 if echo else 6


@pytest.mark.parametrize(
    ("action", "verdict", "before", "sent", "shown", "is_kept"),
    [
        (Action.UPDATE, Verdict.CONFIRMED, "old", "new", "old", True),
        (Action.UPDATE, Verdict.CONFIRMED, None, "new", None, True),
        (Action.UPDATE, Verdict.CONFIRMED, "old", None, "old", True),
        (Action.UPDATE, Verdict.CONFIRMED, "old", "new", "new", False),
        (Action.UPDATE, Verdict.CONFIRMED, "old", "new", "third", False),
        (Action.UPDATE, Verdict.CONFIRMED, "old", "OLD", "old", False),
        (Action.UPDATE, Verdict.CONFIRMED, "old", "old ", "old", False),
        (Action.UPDATE, Verdict.CONFIRMED, "1.3", "1.25", "1.3", False),
        (Action.UPDATE, Verdict.UNKNOWN, "old", "new", "old", False),
        (Action.CREATE, Verdict.CONFIRMED, None, "new", None, False),
    ],
)
def test_only_a_value_of_before_that_is_no_conversion_is_kept(
    action: Action, verdict: Verdict, before: str | None, sent: str | None, shown: str | None, *, is_kept: bool
) -> None:
    """A trimmed or rounded value is a normalization, also where it is the one of before."""
    write = Write("customers", "1", action, "7", {"name": sent, "notes": "x"}, frozenset({"name"}), None)
    changes = [{"field": "name", "before": before, "after": sent}]
    outcome = Outcome(verdict, "7", echo={"name": shown, "notes": "y"})
    assert kept_fields(write, outcome, changes) == ({"name"} if is_kept else set())


@pytest.mark.parametrize(("notes", "verdict"), [("old", Verdict.REJECTED), ("new", Verdict.CONFIRMED)])
def test_a_write_is_rejected_if_none_of_its_fields_was_taken(notes: str, verdict: Verdict) -> None:
    """Of a write that was taken in part the rest is sent again, and rejected then."""
    values: dict[str, str | None] = {"name": "new", "notes": "new"}
    changes = json.dumps([{"field": name, "before": "old", "after": "new"} for name in values])
    step = Step(
        SourceKey("customers", "1"), Action.UPDATE, 0, "7", None, values, frozenset(values), "", changes, "", ""
    )
    write = Write("customers", "1", Action.UPDATE, "7", values, frozenset(values), None)
    outcome = Outcome(Verdict.CONFIRMED, "7", echo={"name": "old", "notes": notes})

    judged = judge_kept(step, write, outcome)

    assert judged.verdict is verdict
    assert ("name, notes has the value of before" in (judged.reason or "")) == (verdict is Verdict.REJECTED)
