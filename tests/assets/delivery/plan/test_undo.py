"""What a run did can be taken back, and stays taken back."""

from typing import Any

import pytest

from assets.delivery.ledger.plans import SyncError
from assets.delivery.plan.undo import runs_to_undo
from resources import failpoints
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.delivery.builders import OPTION_ROWS, customer, one_source, project, suite_customers
from tests.assets.delivery.run_workflow import Flow
from tests.assets.delivery.send.test_apply import places

CODE = {"field": "code", "from": "entity_number"}
Rows = list[dict[str, Any]]


def records(sandbox: Sandbox) -> Rows:
    """Every SuiteProjects Pro customer, without the time of its last change."""
    return [{k: v for k, v in row.items() if k != "updated"} for row in sandbox.suiteprojects.rows("Customer")]


def options(sandbox: Sandbox) -> Rows:
    """Every option, without the time of its last change."""
    return [{k: v for k, v in row.items() if k != "updated_at"} for row in sandbox.precoro.options()]


def take_back(flow: Flow, run_id: str, *only: str) -> dict[str, int]:
    """Plan an undo and release it; the counts."""
    return dict(flow.release(flow.undo(run_id, *only).plan_id, f"undone {run_id}").counts)


# before the run, in it
STEPS: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {
    "update": ({}, {"company_name": "New"}),
    "deactivate": ({}, {"is_inactive": True}),
    "reactivate": ({"is_inactive": True}, {"company_name": "New"}),
    "adopt": (None, {"company_name": "New"}),
}


@pytest.mark.parametrize("action", STEPS)
def test_the_target_is_as_it_was_in_suiteprojects(suiteprojects: Flow, sandbox: Sandbox, action: str) -> None:
    """Field by field, whatever was done; the plan waits for a person like any other."""
    suiteprojects.spec = suite_customers()
    before, in_run = STEPS[action]
    if before is None:
        sandbox.suiteprojects.add("Customer", name="C1", company="By hand")
    else:
        suiteprojects.stage(customer("1")).run()
        suiteprojects.stage(customer("1", **before)).run()
    was = records(sandbox)
    suiteprojects.stage(customer("1", **in_run)).plan("the run")
    assert [row["action"] for row in suiteprojects.send("the run").decisions.to_dicts()] == [action]
    assert records(sandbox) != was

    undone = suiteprojects.undo("the run")
    assert suiteprojects.states()[undone.plan_id] == "waiting"
    suiteprojects.release(undone.plan_id, "undone")

    assert records(sandbox) == was
    assert suiteprojects.run() == {"1": ("skipped", "undone")}
    assert records(sandbox) == was


@pytest.mark.long
@pytest.mark.parametrize("action", STEPS)
@pytest.mark.parametrize("strict_put", [False, True])
def test_the_target_is_as_it_was_in_precoro(precoro: Flow, sandbox: Sandbox, action: str, *, strict_put: bool) -> None:
    """Whole options go along; nothing that was not undone is reset, not even the key that an adoption wrote."""
    sandbox.switches.set("precoro", PrecoroSwitches, strict_put=strict_put)
    precoro.spec = one_source(fields=[*OPTION_ROWS, CODE], match=[{"field": "code"}])
    before, in_run = STEPS[action]
    if before is None:
        sandbox.precoro.add_option("By hand", code="C1")
    else:
        precoro.stage(customer("1")).run()
        precoro.stage(customer("1", **before)).run()
    was = options(sandbox)
    precoro.stage(customer("1", **in_run)).plan("the run")
    assert [row["action"] for row in precoro.send("the run").decisions.to_dicts()] == [action]
    sandbox.clock.sleep(120)

    take_back(precoro, "the run")

    assert options(sandbox) == was
    sandbox.clock.sleep(120)
    assert precoro.run() == {"1": ("skipped", "undone")}


def test_what_was_created_is_switched_off_and_never_deleted(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """Somebody may have booked on it already; a second undo finds nothing to do."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()

    assert take_back(suiteprojects, "run 0")["deactivated"] == 1

    (row,) = [row for row in records(sandbox) if row.get("externalid") == "1"]
    assert (row["company"], row["active"]) == ("Company 1", "0")
    assert suiteprojects.run() == {"1": ("skipped", "undone")}


def test_what_was_edited_since_is_shown_and_left_alone(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """The rest goes back."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2")).run()
    suiteprojects.stage(customer("1", company_name="New 1"), customer("2", company_name="New 2")).run()
    key = next(int(row["id"]) for row in records(sandbox) if row.get("externalid") == "1")
    sandbox.suiteprojects.modify("Customer", key, company="by hand")

    undone = suiteprojects.undo("run 1")

    assert undone.conflicts == 1
    rows = {row["source_id"]: row for row in undone.plan.to_dicts()}
    assert rows["1"]["reason"] == "edited since: company; left as it is"
    suiteprojects.release(undone.plan_id, "undone")
    shown = {row["externalid"]: row["company"] for row in records(sandbox) if row.get("externalid")}
    assert shown == {"1": "by hand", "2": "Company 2"}


@pytest.mark.long
def test_what_a_later_run_changed_is_a_conflict(suiteprojects: Flow) -> None:
    """Undoing an older run would lose the newer one's work."""
    suiteprojects.spec = suite_customers()
    for name in ("one", "two", "three"):
        suiteprojects.stage(customer("1", company_name=name)).run()

    assert suiteprojects.undo("run 1").conflicts == 1
    assert suiteprojects.undo("run 2").conflicts == 0


@pytest.mark.long
def test_what_the_target_made_of_a_value_is_no_edit(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """It trims; that is not a person's work."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, trims_text=True)
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    was = records(sandbox)
    suiteprojects.stage(customer("1", company_name="  New ")).run()

    assert suiteprojects.undo("run 1").conflicts == 0
    assert take_back(suiteprojects, "run 1")["updated"] == 1
    assert records(sandbox) == was


@pytest.mark.long
@pytest.mark.parametrize(
    ("now", "decided"),
    [
        ({"company_name": "Newer"}, ("update", "source_changed")),
        ({"company_name": "New", "is_inactive": True}, ("deactivate", "inactive")),
        ({"company_name": "New", "email": "a@example.com"}, ("skipped", "undone")),
    ],
)
def test_a_hold_ends_when_netsuite_changes(suiteprojects: Flow, now: dict[str, Any], decided: tuple[str, str]) -> None:
    """In what is mapped, or in whether the record lives."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", company_name="New")).run()
    take_back(suiteprojects, "run 1")

    assert suiteprojects.stage(customer("1", **now)).run() == {"1": decided}


@pytest.mark.long
def test_a_hold_ends_when_the_workflow_file_changes(suiteprojects: Flow) -> None:
    """Somebody mended the mapping: that is what the undo was for."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", company_name="New")).run()
    take_back(suiteprojects, "run 1")
    suiteprojects.spec = suite_customers({"field": "notes", "value": "x"})

    assert suiteprojects.run()["1"][0] == "update"


@pytest.mark.long
def test_going_back_to_what_was_undone_is_a_change_like_any_other(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """The hold was spent when the record was sent again."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", company_name="New")).run()
    take_back(suiteprojects, "run 1")
    suiteprojects.stage(customer("1", company_name="Other")).run()

    assert suiteprojects.stage(customer("1", company_name="New")).run()["1"][0] == "update"
    assert [row["company"] for row in records(sandbox) if row.get("externalid")] == ["New"]


@pytest.mark.long
def test_a_child_stays_below_its_parent(precoro: Flow, sandbox: Sandbox) -> None:
    """A PUT that does not name the parent may move the option to the top."""
    sandbox.switches.set("precoro", PrecoroSwitches, strict_put=True)
    precoro.stage(customer("1"), below=(project("100"),)).run()
    precoro.stage(customer("1"), below=(project("100", project_name="New"),)).run()
    was = options(sandbox)
    precoro.stage(customer("1"), below=(project("100", project_name="Newer"),)).run()

    take_back(precoro, "run 2")

    assert options(sandbox) == was
    assert places(sandbox) == {"1": None, "100": "1"}


TWO = (customer("1"), customer("2"))


@pytest.mark.parametrize("tells_parent", [False, True])
@pytest.mark.parametrize("more", [{}, {"project_name": "New"}])
def test_what_moved_goes_back_to_its_parent(
    precoro: Flow, sandbox: Sandbox, more: dict[str, str], *, tells_parent: bool
) -> None:
    """And stays there, until NetSuite moves it again."""
    sandbox.switches.set("precoro", PrecoroSwitches, parent_in_answers=tells_parent)
    precoro.stage(*TWO, below=(project("100"),)).run()
    was = options(sandbox)
    moved = project("100", customer_id="2", **more)
    precoro.stage(*TWO, below=(moved,)).run()
    assert places(sandbox)["100"] == "2"
    sandbox.clock.sleep(120)

    undone = precoro.undo("run 1")
    assert undone.conflicts == 0
    precoro.release(undone.plan_id, "undone")

    assert (places(sandbox)["100"], options(sandbox)) == ("1", was)
    sandbox.clock.sleep(120)
    assert precoro.run()["100"] == ("skipped", "undone")
    again = project("100", customer_id="2", project_name="Newer")
    assert precoro.stage(*TWO, below=(again,)).run()["100"][0] == "update"
    assert places(sandbox)["100"] == "2"


@pytest.mark.long
def test_what_moved_below_a_new_parent_goes_back(precoro: Flow, sandbox: Sandbox) -> None:
    """The plan did not know the new parent's id; the before-image does."""
    precoro.stage(customer("1"), below=(project("100"),)).run()
    precoro.stage(*TWO, below=(project("100", customer_id="2"),)).run()

    take_back(precoro, "run 1")

    assert places(sandbox)["100"] == "1"


@pytest.mark.long
def test_what_moved_since_is_a_conflict(precoro: Flow, sandbox: Sandbox) -> None:
    """Whether our own later run moved it on, or its former parent went."""
    three = (*TWO, customer("3"))
    for home in ("1", "2", "3"):
        precoro.stage(*three, below=(project("100", customer_id=home),)).run()
    (row,) = precoro.undo("run 1").plan.to_dicts()
    assert (row["reason_code"], row["reason"]) == ("conflict", "moved since to another parent; left as it is")

    gone = next(each["option_id"] for each in options(sandbox) if each["external_id"] == "2")
    sandbox.precoro.remove_option(gone)
    sandbox.clock.sleep(120)
    (row,) = precoro.undo("run 2").plan.to_dicts()
    assert row["reason"] == "its former parent is not there, or none of ours; left as it is"


@pytest.mark.long
def test_what_a_lost_answer_hid_is_taken_back_too(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """The run died before it heard; the next one found its work, and it is that run's work all the same."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2")).run()
    was = records(sandbox)
    suiteprojects.stage(customer("1", company_name="New 1"), customer("2", company_name="New 2")).plan("dead")
    failpoints.arm("request_served", strike=_die)
    with pytest.raises(_DeadError):
        suiteprojects.send("dead")
    sandbox.clock.sleep(120)
    suiteprojects.run()
    assert {state for _, _, state in suiteprojects.attempts("1")} >= {"found"}

    assert runs_to_undo(suiteprojects.warehouse, "dead") == [("dead", "flow")]
    assert take_back(suiteprojects, "dead")["updated"] == 2

    assert records(sandbox) == was


class _DeadError(BaseException):
    """The process would have died here."""


def _die() -> None:
    raise _DeadError


def test_some_records_alone_are_taken_back(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """A run of thousands, three of them wrong."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2")).run()
    suiteprojects.stage(customer("1", company_name="New 1"), customer("2", company_name="New 2")).run()

    take_back(suiteprojects, "run 1", "2")

    shown = {row["externalid"]: row["company"] for row in records(sandbox) if row.get("externalid")}
    assert shown == {"1": "New 1", "2": "Company 2"}
    assert suiteprojects.run() == {"1": ("unchanged", "identical"), "2": ("skipped", "undone")}


@pytest.mark.long
def test_a_condition_names_what_is_taken_back(suiteprojects: Flow) -> None:
    """By what was done, or by the fields as they are mapped."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2")).run()
    suiteprojects.stage(customer("1", company_name="New 1"), customer("2", company_name="New 2"), customer("3")).run()

    def taken(where: str) -> list[str]:
        return sorted(suiteprojects.undo("run 1", where=where).plan["source_id"])

    assert taken("action = 'create'") == ["3"]
    assert taken("company LIKE 'New%' AND source_id <> '1'") == ["2"]
    with pytest.raises(SyncError, match=r"confirmed nothing where action = 'adopt' that could be undone"):
        taken("action = 'adopt'")
    with pytest.raises(SyncError, match="--where colour = 1: cannot be used; it is SQL over action, active, company"):
        taken("colour = 1")
    with pytest.raises(SyncError, match="--where action ==: cannot be used"):
        taken("action ==")


@pytest.mark.long
def test_what_cannot_be_undone_is_said(suiteprojects: Flow) -> None:
    """A run that sent nothing, a record that it did not send, an id of several runs."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.run()
    suiteprojects.stage(customer("1", company_name="New")).run()

    with pytest.raises(SyncError, match=r"flow: run run 1 confirmed nothing that could be undone"):
        suiteprojects.undo("run 1")
    with pytest.raises(SyncError, match="confirmed nothing for 2, 3 that could be undone"):
        suiteprojects.undo("run 0", "2", "3")
    with pytest.raises(SyncError, match="several runs begin with run"):
        runs_to_undo(suiteprojects.warehouse, "run")
    with pytest.raises(SyncError, match="no run that sent anything begins with nonsense"):
        runs_to_undo(suiteprojects.warehouse, "nonsense")
    assert runs_to_undo(suiteprojects.warehouse, "run 2") == [("run 2", "flow")]


@pytest.mark.long
def test_an_undo_can_be_undone(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """It is a run like any other."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", company_name="New")).run()
    done = records(sandbox)
    take_back(suiteprojects, "run 1")

    take_back(suiteprojects, "undone run 1")

    assert records(sandbox) == done
