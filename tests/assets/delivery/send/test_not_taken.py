"""A field that the target leaves as it was, although it confirms the write, is neither delivered nor edited."""

import pytest

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
