"""What becomes of an edit by hand in the target is the workflow file's to say."""

import pytest

from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer, suite_customers
from tests.assets.delivery.run_workflow import Flow

POLICIES = ["restore", "report", "adopt"]


@pytest.fixture
def edited(suiteprojects: Flow, sandbox: Sandbox) -> Flow:
    """A customer that was sent and then renamed by hand."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    by_hand(sandbox, company="by hand")
    return suiteprojects


def by_hand(sandbox: Sandbox, **values: str) -> None:
    """A person edits our customer."""
    key = next(int(row["id"]) for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")
    sandbox.suiteprojects.modify("Customer", key, **values)


def shown(sandbox: Sandbox) -> str:
    """The company name that the target has."""
    return next(row["company"] for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")


def say(flow: Flow, sandbox: Sandbox, drift: str) -> Flow:
    """The file has this policy from the start: the record is sent by it, then edited."""
    flow.spec = suite_customers(drift=drift)
    flow.run()
    by_hand(sandbox, company="by hand")
    return flow


def test_restore_puts_it_back(edited: Flow, sandbox: Sandbox) -> None:
    """NetSuite is right; the reason says that somebody edited it."""
    assert edited.run() == {"1": ("update", "drift")}
    assert shown(sandbox) == "Company 1"
    assert edited.run() == {"1": ("unchanged", "identical")}


@pytest.mark.parametrize("edit", [{"company": "by hand"}, {"active": ""}])
def test_the_same_edit_made_again_is_put_back_again(edited: Flow, sandbox: Sandbox, edit: dict[str, str]) -> None:
    """A person's second try is no quirk of the target; a customer that is switched off twice would stay off."""
    edited.run()
    for _ in range(3):
        by_hand(sandbox, **edit)
        assert edited.run()["1"][0] in {"update", "reactivate"}
        assert edited.run() == {"1": ("unchanged", "identical")}


def test_an_edit_back_to_what_was_sent_once_is_an_edit(edited: Flow, sandbox: Sandbox) -> None:
    """NetSuite and a person agreed meanwhile, so nothing was sent; what the target once made of our values is over."""
    assert edited.stage(customer("1", company_name="by hand")).run() == {"1": ("unchanged", "identical")}
    by_hand(sandbox, company="Company 1")

    assert edited.run() == {"1": ("update", "drift")}
    assert shown(sandbox) == "by hand"


@pytest.mark.parametrize("drift", ["report", "adopt"])
def test_it_is_left_alone_and_told(edited: Flow, sandbox: Sandbox, drift: str) -> None:
    """Nothing is sent, at no later run either; the decision names the fields."""
    flow = say(edited, sandbox, drift)
    writes = sandbox.suiteprojects.write_calls()

    for _ in range(3):
        assert flow.run() == {"1": ("unchanged", f"drift_{drift}ed")}

    assert (shown(sandbox), sandbox.suiteprojects.write_calls()) == ("by hand", writes)
    reason = flow.warehouse.read("select reason from sync_decisions where to_run is null")["reason"][0]
    assert reason.startswith("edited in the target since, ")
    assert reason.endswith("1 in the target: company")


@pytest.mark.long
@pytest.mark.parametrize("drift", POLICIES)
def test_a_change_in_netsuite_is_sent_whatever_the_policy(edited: Flow, sandbox: Sandbox, drift: str) -> None:
    """It is newer than the edit."""
    flow = say(edited, sandbox, drift)

    assert flow.stage(customer("1", company_name="Newest")).run() == {"1": ("update", "source_changed")}
    assert shown(sandbox) == "Newest"


@pytest.mark.long
@pytest.mark.parametrize(
    ("drift", "action"), [("restore", "reactivate"), ("report", "unchanged"), ("adopt", "unchanged")]
)
def test_switching_off_by_hand_is_an_edit(edited: Flow, sandbox: Sandbox, drift: str, action: str) -> None:
    """A person closed the customer for booking; whether that may be is the file's to say."""
    flow = say(edited, sandbox, drift)
    by_hand(sandbox, company="Company 1", active="0")

    assert flow.run()["1"][0] == action


@pytest.mark.long
@pytest.mark.parametrize("drift", POLICIES)
def test_what_is_gone_in_netsuite_is_switched_off_whatever_the_policy(
    edited: Flow, sandbox: Sandbox, drift: str
) -> None:
    """An edit by hand does not keep a record alive."""
    flow = say(edited, sandbox, drift)

    assert flow.stage(customer("1", is_deleted=True)).run() == {"1": ("deactivate", "deleted")}


@pytest.mark.parametrize("drift", POLICIES)
@pytest.mark.parametrize("nights", [0, 2])
def test_what_is_live_again_is_switched_on_whatever_the_policy(
    suiteprojects: Flow, sandbox: Sandbox, drift: str, nights: int
) -> None:
    """We switched it off, not a person; runs that find it off already change nothing of that."""
    suiteprojects.spec = suite_customers(drift=drift)
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", is_deleted=True)).run()
    for _ in range(nights):
        assert suiteprojects.run() == {"1": ("unchanged", "deleted")}

    assert suiteprojects.stage(customer("1")).run() == {"1": ("reactivate", "live_again")}
    assert shown(sandbox) == "Company 1"


@pytest.mark.long
@pytest.mark.parametrize("drift", ["report", "adopt"])
def test_a_record_of_others_is_taken_over_whatever_the_policy(
    suiteprojects: Flow, sandbox: Sandbox, drift: str
) -> None:
    """What was never ours cannot have drifted."""
    sandbox.suiteprojects.add("Customer", name="C1", company="made by hand")
    suiteprojects.spec = suite_customers(drift=drift)

    assert suiteprojects.stage(customer("1")).run() == {"1": ("adopt", "matched")}
