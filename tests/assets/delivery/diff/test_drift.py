"""The workflow file decides what happens to manual edits in the target."""

import pytest

import sql
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer, project, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner

POLICIES = ["restore", "report", "adopt"]
EDITED = "edited manually"


@pytest.fixture
def edited(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> WorkflowRunner:
    """A customer that was sent and then renamed in the target."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    edit_customer(sandbox, company=EDITED)
    return suiteprojects


def edit_customer(sandbox: Sandbox, **values: str) -> None:
    """Edit our customer in the target, as a person would."""
    key = next(int(row["id"]) for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")
    sandbox.suiteprojects.modify("Customer", key, **values)


def company(sandbox: Sandbox) -> str:
    """Return the company name in the target."""
    return next(row["company"] for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")


def send_and_edit(runner: WorkflowRunner, sandbox: Sandbox, drift: str) -> WorkflowRunner:
    """Send the record by a file with this policy, then edit it."""
    runner.spec = suite_customers(drift=drift)
    runner.run()
    edit_customer(sandbox, company=EDITED)
    return runner


@pytest.mark.long
def test_restore_sends_our_value_again(edited: WorkflowRunner, sandbox: Sandbox) -> None:
    """NetSuite is right; the reason names the edit."""
    assert edited.run() == {"1": ("update", "drift")}
    assert company(sandbox) == "Company 1"
    assert edited.run() == {"1": ("unchanged", "identical")}


@pytest.mark.long
@pytest.mark.parametrize("edit", [{"company": EDITED}, {"active": ""}])
def test_a_repeated_edit_is_restored_again(edited: WorkflowRunner, sandbox: Sandbox, edit: dict[str, str]) -> None:
    """It is no normalization by the target; a customer that was deactivated twice would stay inactive."""
    edited.run()
    for _ in range(3):
        edit_customer(sandbox, **edit)
        assert edited.run()["1"][0] in {"update", "reactivate"}
        assert edited.run() == {"1": ("unchanged", "identical")}


def test_an_edit_between_plan_and_send_is_no_normalization(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """The response to the update shows the customer as inactive, which was not sent: the target did not convert it."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", company_name="Renamed")).plan("renamed")
    edit_customer(sandbox, active="")
    suiteprojects.send("renamed")

    assert suiteprojects.run() == {"1": ("reactivate", "live_again")}
    assert suiteprojects.run() == {"1": ("unchanged", "identical")}


@pytest.mark.long
def test_an_edit_between_plan_and_send_is_reported_as_any_other(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """It is no baseline, so the policy applies to it."""
    suiteprojects.spec = suite_customers(drift="report")
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", email="new@b.example")).plan("changed")
    edit_customer(sandbox, company=EDITED)
    suiteprojects.send("changed")

    assert suiteprojects.run() == {"1": ("unchanged", "drift_reported")}
    assert company(sandbox) == EDITED


def test_an_edit_back_to_an_earlier_value_is_an_edit(edited: WorkflowRunner, sandbox: Sandbox) -> None:
    """NetSuite and the target agreed meanwhile, so nothing was sent; the earlier confirmation no longer counts."""
    assert edited.stage(customer("1", company_name=EDITED)).run() == {"1": ("unchanged", "identical")}
    edit_customer(sandbox, company="Company 1")

    assert edited.run() == {"1": ("update", "drift")}
    assert company(sandbox) == EDITED


@pytest.mark.long
@pytest.mark.parametrize(("drift", "outcome"), [("report", "not restored"), ("adopt", "accepted until")])
def test_other_policies_report_the_edit_and_send_nothing(
    edited: WorkflowRunner, sandbox: Sandbox, drift: str, outcome: str
) -> None:
    """No later run sends anything either; the decision names the fields."""
    runner = send_and_edit(edited, sandbox, drift)
    writes = sandbox.suiteprojects.write_calls()

    for _ in range(3):
        assert runner.run() == {"1": ("unchanged", f"drift_{drift}ed")}

    assert (company(sandbox), sandbox.suiteprojects.write_calls()) == (EDITED, writes)
    reason = runner.warehouse.read("select reason from sync_decisions where to_run is null")["reason"][0]
    assert reason.startswith(f"edited in the target and {outcome}")
    assert reason.endswith(": company")


@pytest.mark.parametrize(("policy", "other"), [("report", {}), ("adopt", {"guards": {"create": {"rows": 5}}})])
def test_an_edit_stays_one_if_the_workflow_file_changes(
    edited: WorkflowRunner, sandbox: Sandbox, policy: str, other: dict[str, object]
) -> None:
    """Whoever sets the policy after a plan showed the edit wants to keep it; nor does a guard decide about values."""
    edited.spec = suite_customers(drift=policy, **other)

    assert edited.run() == {"1": ("unchanged", f"drift_{policy}ed")}
    assert edited.run() == {"1": ("unchanged", f"drift_{policy}ed")}
    assert company(sandbox) == EDITED


@pytest.mark.long
def test_a_file_that_monitors_more_fields_sends_them_under_every_policy(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """The target shows what our last write left there, so that no one edited it."""
    suiteprojects.spec = suite_customers(drift="report", monitored_fields=["name"])
    suiteprojects.stage(customer("1")).run()
    assert suiteprojects.stage(customer("1", company_name="New")).run() == {"1": ("unchanged", "not_monitored")}
    suiteprojects.spec = suite_customers(drift="report")

    assert suiteprojects.run() == {"1": ("update", "workflow_changed")}
    assert company(sandbox) == "New"


@pytest.mark.long
@pytest.mark.parametrize("drift", POLICIES)
def test_a_change_in_netsuite_is_sent_under_every_policy(edited: WorkflowRunner, sandbox: Sandbox, drift: str) -> None:
    """It is newer than the edit."""
    runner = send_and_edit(edited, sandbox, drift)

    assert runner.stage(customer("1", company_name="Newest")).run() == {"1": ("update", "source_changed")}
    assert company(sandbox) == "Newest"


@pytest.mark.long
@pytest.mark.parametrize(
    ("drift", "action"), [("restore", "reactivate"), ("report", "unchanged"), ("adopt", "unchanged")]
)
def test_a_manual_deactivation_is_an_edit(edited: WorkflowRunner, sandbox: Sandbox, drift: str, action: str) -> None:
    """A person closed the customer for bookings; the file decides whether that may stay."""
    runner = send_and_edit(edited, sandbox, drift)
    edit_customer(sandbox, company="Company 1", active="0")

    assert runner.run()["1"][0] == action


@pytest.mark.long
@pytest.mark.parametrize("drift", POLICIES)
def test_a_deleted_record_is_deactivated_under_every_policy(
    edited: WorkflowRunner, sandbox: Sandbox, drift: str
) -> None:
    """A manual edit does not keep a record active."""
    runner = send_and_edit(edited, sandbox, drift)

    assert runner.stage(customer("1", is_deleted=True)).run() == {"1": ("deactivate", "deleted")}


@pytest.mark.long
@pytest.mark.parametrize("drift", POLICIES)
@pytest.mark.parametrize("runs", [0, 2])
def test_a_restored_record_is_reactivated_under_every_policy(
    suiteprojects: WorkflowRunner, sandbox: Sandbox, drift: str, runs: int
) -> None:
    """A run deactivated it, not a person; later runs that find it inactive make no difference."""
    suiteprojects.spec = suite_customers(drift=drift)
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", is_deleted=True)).run()
    for _ in range(runs):
        assert suiteprojects.run() == {"1": ("unchanged", "deleted")}

    assert suiteprojects.stage(customer("1")).run() == {"1": ("reactivate", "live_again")}
    assert company(sandbox) == "Company 1"


@pytest.mark.long
@pytest.mark.parametrize("drift", ["report", "adopt"])
def test_a_record_of_others_is_adopted_under_every_policy(
    suiteprojects: WorkflowRunner, sandbox: Sandbox, drift: str
) -> None:
    """A record that was never ours cannot have drifted."""
    sandbox.suiteprojects.add("Customer", name="C1", company="Created manually")
    suiteprojects.spec = suite_customers(drift=drift)

    assert suiteprojects.stage(customer("1")).run() == {"1": ("adopt", "matched")}


def drift(runner: WorkflowRunner) -> list[tuple[str, str]]:
    """Return policy and fields of the drift that the last run found, as the view shows them."""
    with runner.warehouse.writer() as con:
        con.execute(sql.statement("analytics", "drift").text)
        rows = con.execute("select policy, fields, reason from drift where ended_at is null").fetchall()
    assert all("edited in the target" in row[2] for row in rows)
    return [(row[0], row[1]) for row in rows]


def test_a_record_that_was_switched_off_manually_is_drift(edited: WorkflowRunner, sandbox: Sandbox) -> None:
    """It is reactivated, which says nothing about who switched it off."""
    edit_customer(sandbox, company="Company 1", active="")

    assert edited.run() == {"1": ("reactivate", "live_again")}
    assert drift(edited) == [("restored", "active")]


@pytest.mark.long
def test_an_edit_of_a_record_that_becomes_inactive_is_drift(edited: WorkflowRunner) -> None:
    """The record is switched off with the name that a person gave it."""
    assert edited.stage(customer("1", is_inactive=True)).run() == {"1": ("deactivate", "inactive")}
    assert drift(edited) == [("deactivated", "company")]


@pytest.mark.long
@pytest.mark.parametrize("changed", [{"entity_number": "C1 new"}, {"company_name": "New as well"}])
def test_an_edit_of_a_record_that_changed_in_netsuite_is_drift(edited: WorkflowRunner, changed: dict[str, str]) -> None:
    """NetSuite changed another field, or the same one to a third value: our last write explains neither."""
    assert edited.stage(customer("1", **changed)).run() == {"1": ("update", "source_changed")}
    assert drift(edited) == [("restored", "company")]


@pytest.mark.long
def test_a_change_in_netsuite_alone_is_no_drift(suiteprojects: WorkflowRunner) -> None:
    """Nor are those of later runs: what we write becomes what the target is expected to show."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()

    for changed in ({"company_name": "New"}, {"company_name": "Newer"}, {"is_inactive": True}, {"entity_number": "C9"}):
        suiteprojects.stage(customer("1", **changed)).run()
        assert drift(suiteprojects) == []


@pytest.mark.long
def test_an_edit_is_drift_after_a_plan_that_was_not_sent(edited: WorkflowRunner, sandbox: Sandbox) -> None:
    """Looking at it does not make it ours; and the workflow file has changed meanwhile."""
    edited.plan("only planned")
    edited.spec = suite_customers(timezone="Europe/Stockholm")

    assert edited.run() == {"1": ("update", "drift")}
    assert drift(edited) == [("restored", "company")]
    edit_customer(sandbox, active="")
    edited.stage(customer("1", is_deleted=True)).run()
    assert drift(edited) == []  # inactive as NetSuite wants it


@pytest.mark.long
@pytest.mark.parametrize("policy", POLICIES)
def test_an_inactive_record_that_was_switched_on_manually_is_switched_off_under_every_policy(
    suiteprojects: WorkflowRunner, sandbox: Sandbox, policy: str
) -> None:
    """Our last write switched it off, and `lifecycle` says that it is to be so."""
    suiteprojects.spec = suite_customers(drift=policy)
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", is_inactive=True)).run()
    edit_customer(sandbox, active="1")

    assert suiteprojects.run() == {"1": ("deactivate", "inactive")}
    assert drift(suiteprojects) == [("deactivated", "active")]


HELD_BACK = {
    "out of scope": ({"subsidiary_id": "3", "subsidiary_ids": ["3"]}, {"select": {"subsidiary": "2"}}),
    "missing without a note": ({"is_missing": True}, {}),
    "inactive, to be reported": ({"is_inactive": True}, {"lifecycle": {"inactive": "report"}}),
    "deleted, to be reported": ({"is_deleted": True}, {"lifecycle": {"deleted": "report"}}),
    "no longer a customer": ({"stage": "prospect"}, {"select": {"stages": {"customer": "include"}}}),
    "not marked for export": ({"custentity_export": "F"}, {"select": {"require_flag": "custentity_export"}}),
    "without a name": ({"entity_number": None}, {}),
}


@pytest.mark.parametrize("case", HELD_BACK)
def test_an_edit_of_a_record_that_is_held_back_is_drift(
    suiteprojects: WorkflowRunner, sandbox: Sandbox, case: str
) -> None:
    """Nothing is sent of it, so that the edit would be seen in no other place."""
    changed, settings = HELD_BACK[case]
    suiteprojects.spec = suite_customers(**settings)
    suiteprojects.stage(customer("1", custentity_export="T"), customer("2", custentity_export="T")).run()
    assert suiteprojects.stage(customer("1", **{"custentity_export": "T", **changed}), customer("2")).run()
    assert drift(suiteprojects) == []

    edit_customer(sandbox, company=EDITED)
    suiteprojects.run()

    assert [fields for _, fields in drift(suiteprojects)] == ["company"]
    edit_customer(sandbox, company="Company 1")
    suiteprojects.run()
    assert drift(suiteprojects) == []


@pytest.mark.long
def test_an_edit_of_a_record_that_is_inactive_on_both_sides_is_drift(edited: WorkflowRunner, sandbox: Sandbox) -> None:
    """It was renamed after it was switched off; it stays so, and the person sees it."""
    edited.stage(customer("1", is_inactive=True)).run()
    edit_customer(sandbox, company="Renamed later")

    assert edited.run() == {"1": ("unchanged", "inactive")}
    assert drift(edited) == [("left", "company")]


def test_an_edit_stays_drift_if_netsuite_switches_the_record_off_as_well(
    edited: WorkflowRunner, sandbox: Sandbox
) -> None:
    """The next run called it ended, because the link was confirmed again with the edited value."""
    edit_customer(sandbox, active="")
    edited.stage(customer("1", is_inactive=True))

    for _ in range(2):
        assert edited.run() == {"1": ("unchanged", "inactive")}
        assert drift(edited) == [("left", "company")]


@pytest.mark.parametrize(
    ("drift", "expected"), [("restore", ("update", "drift")), ("report", ("unchanged", "drift_reported"))]
)
@pytest.mark.parametrize("below", ["2", None])
def test_a_record_that_was_moved_manually_is_drift(
    precoro: WorkflowRunner, sandbox: Sandbox, below: str | None, drift: str, expected: tuple[str, str]
) -> None:
    """Also to the top level, where it was called identical; elsewhere it was called a normalization by the target."""
    sandbox.switches.set("precoro", PrecoroSwitches, parent_in_responses=True)
    precoro.spec = precoro.spec.model_copy(update={"drift": drift})
    precoro.stage(customer("1"), customer("2"), below=(project("100"),)).run()
    ids = {row["external_id"]: row["option_id"] for row in sandbox.precoro.options()} | {None: None}
    sandbox.clock.sleep(120)
    sandbox.precoro.edit_option(ids["100"], parent_id=ids[below])

    assert precoro.run()["100"] == expected

    (row,) = [row for row in sandbox.precoro.options() if row["external_id"] == "100"]
    assert row["parent_id"] == ids["1" if drift == "restore" else below]
