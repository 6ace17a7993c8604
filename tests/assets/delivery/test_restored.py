"""A restored warehouse creates nothing twice, sends nothing old, and says what it cannot know."""

from pathlib import Path

import pytest

from assets.delivery.errors import PlanError, SyncError
from assets.delivery.ledger.restores import pending_restore
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.plan.undo import runs_to_undo
from assets.delivery.realtime.sync_records import sync_records
from assets.delivery.schemas import SourceKey, keys_frame
from assets.delivery.send.apply import run_sync
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, option_tree, project
from tests.assets.delivery.restored import back_up, read_netsuite, restore
from tests.assets.delivery.run_workflow import WorkflowRunner

ONE, TWO = customer("1"), customer("2")


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """Return an empty warehouse that is closed between sections, as its file is replaced."""
    return Warehouse(tmp_path / "warehouse")


def names(sandbox: Sandbox) -> dict[str | None, list[str]]:
    """Return the names of the sandbox's options by key, without those that it had at first."""
    found: dict[str | None, list[str]] = {}
    for option in sandbox.precoro.options()[3:]:
        found.setdefault(option["external_id"], []).append(option["name"])
    return found


def option_id(sandbox: Sandbox, key: str) -> int:
    """Return the id of the option with a key."""
    return next(int(each["option_id"]) for each in sandbox.precoro.options() if each["external_id"] == key)


def reason(runner: WorkflowRunner, source_id: str) -> str:
    """Return the current decision's reason."""
    query = "select reason from sync_decisions where to_run is null and source_id = ?"
    return str(runner.warehouse.read(query, [source_id]).item())


@pytest.mark.long
def test_what_later_runs_sent_is_recognized_and_nothing_old_is_sent(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Creates, updates, moves and deactivations after the backup: the first run sends nothing."""
    sandbox.switches.set("precoro", PrecoroSwitches, parent_in_responses=True)
    below = project("100", customer_id="1")
    precoro.stage(ONE, TWO, below=(below,)).run()
    copy = back_up(precoro)
    changed = customer("1", company_name="Newer"), customer("2", is_inactive=True), customer("3")
    moved = project("100", customer_id="3"), project("200", customer_id="3")
    precoro.stage(*changed, below=moved).run()
    before, writes = names(sandbox), sandbox.precoro.write_calls()

    restore(precoro, copy)
    precoro.stage(*changed, below=moved)
    read_netsuite(precoro)
    decided = precoro.run()

    assert decided["1"] == ("unchanged", "identical")
    assert {action for action, _ in decided.values()} == {"unchanged"}
    assert names(sandbox) == before
    assert sandbox.precoro.write_calls() == writes
    precoro.stage(customer("1", company_name="Newest"), *changed[1:], below=moved)
    assert precoro.run()["1"] == ("update", "source_changed")
    assert "edited" not in reason(precoro, "1")
    assert names(sandbox)["1"] == ["Newest"]


@pytest.mark.long
def test_nothing_is_sent_from_what_was_read_before(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Neither plan nor mart nor target state of the backup, nor a mart that is made from it; each refusal says why."""
    precoro.stage(ONE).run()
    precoro.stage(customer("1", company_name="Planned")).plan("planned")
    (plan_id,) = (key for key, state in precoro.states().items() if state == "ready")
    copy = back_up(precoro)
    precoro.stage(customer("1", company_name="Newer")).run()

    restore(precoro, copy)

    with pytest.raises(SyncError, match=r"is expired \(the warehouse was restored on .* from a backup of 2026-11-01"):
        precoro.apply(plan_id, "apply")
    with pytest.raises(SyncError, match="was restored"):
        precoro.send("planned")
    with pytest.raises(PlanError, match="is older than its records"):
        make_plan(precoro.context("plan alone"))
    with pytest.raises(PlanError, match=r"has not been read .*.*raw_netsuite__customers, .*`millpond run all`"):
        make_mart(precoro.warehouse, precoro.workflow)
    with pytest.raises(SyncError, match="cannot be undone: the warehouse was restored"):
        runs_to_undo(precoro.warehouse, "run 0")
    result = sync_records(precoro.context("real time"), keys_frame([SourceKey("customers", "1")]))
    assert "was restored" in result.reason
    assert result.planned is None
    read_netsuite(precoro)
    make_mart(precoro.warehouse, precoro.workflow, run_id="mart and plan")
    with pytest.raises(PlanError, match="target_flow and plan_flow, so that the target is read again"):
        make_plan(precoro.context("mart and plan"))
    assert names(sandbox) == {"1": ["Newer"]}


@pytest.mark.long
def test_a_place_that_the_target_does_not_show_is_sent_again(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Moved by a run after the backup, and back in NetSuite: only the restored link has NetSuite's parent."""
    records = ONE, TWO
    precoro.stage(*records, below=(project("100"),)).run()
    copy = back_up(precoro)
    precoro.stage(*records, below=(project("100", customer_id="2"),)).run()

    restore(precoro, copy)
    precoro.stage(*records, below=(project("100"),))
    read_netsuite(precoro, "100")
    decided = precoro.run()

    parents = {each["external_id"]: each["parent_id"] for each in sandbox.precoro.options()}
    assert decided["100"] == ("update", "source_changed")
    assert parents["100"] == option_id(sandbox, "1")
    assert precoro.run()["100"] == ("unchanged", "identical")


@pytest.mark.long
@pytest.mark.parametrize("drift", [pytest.param("restore", marks=pytest.mark.long), "report"])
def test_a_value_that_no_known_run_sent_is_called_so(precoro: WorkflowRunner, sandbox: Sandbox, drift: str) -> None:
    """An edit, and a value of a run after the backup, look the same; a value of the backup's own is no edit."""
    precoro.spec = option_tree(drift=drift)
    precoro.stage(ONE, TWO, customer("3")).run()
    copy = back_up(precoro)
    newer = customer("1", company_name="Newer"), TWO, customer("3")
    precoro.stage(*newer).run()
    sandbox.precoro.edit_option(option_id(sandbox, "1"), name="Edited")
    sandbox.precoro.edit_option(option_id(sandbox, "2"), name="Edited too")

    restore(precoro, copy)
    precoro.stage(*newer[:2], customer("3", company_name="Changed since"))
    read_netsuite(precoro)
    decided = precoro.run()

    text = "edited in the target, or sent by a run after the backup that was restored"
    expected = {"restore": ("update", "drift"), "report": ("unchanged", "drift_reported")}[drift]
    assert {key: decided[key] for key in "12"} == {"1": expected, "2": expected}
    assert decided["3"] == ("update", "source_changed")
    assert reason(precoro, "1").startswith(text)
    assert reason(precoro, "2").startswith(text)
    assert "edited" not in reason(precoro, "3")
    kept = {"restore": ["Newer"], "report": ["Edited"]}[drift]
    assert names(sandbox)["1"] == kept
    again = precoro.run()
    assert again["1"] == (("unchanged", "identical") if drift == "restore" else expected)
    assert names(sandbox)["1"] == kept


@pytest.mark.long
@pytest.mark.parametrize("keyed", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_record_that_lost_its_key_is_not_made_again(
    precoro: WorkflowRunner, sandbox: Sandbox, *, keyed: bool
) -> None:
    """A create after the backup without our key is ambiguous until a person decides, in every later run too."""
    sandbox.switches.set("precoro", PrecoroSwitches, post_external_id="accept" if keyed else "ignore")
    sandbox.precoro.add_option("Company 4")  # it was there before the backup: no run can have made it after it
    precoro.stage(ONE).run()
    copy = back_up(precoro)
    records = ONE, TWO, customer("3")
    precoro.stage(*records).run()
    sandbox.precoro.edit_option(option_id(sandbox, "2"), external_id=None)

    restore(precoro, copy)
    precoro.stage(*records, customer("4"))
    read_netsuite(precoro)

    for number in range(2):
        decided = precoro.run()
        assert decided["2"] == ("ambiguous", "several_candidates")
        assert decided["3"] == ("unchanged", "identical")
        assert decided["4"][0] == ("create" if number == 0 else "unchanged")
        assert "a run after the backup that was restored may have made one of: target" in reason(precoro, "2")
    assert {key: len(found) for key, found in names(sandbox).items()} == {None: 2, "1": 1, "3": 1, "4": 1}


def test_a_workflow_is_restored_until_its_own_full_run(precoro: WorkflowRunner) -> None:
    """Planning alone, or the run of another workflow, does not end it; real-time updates wait that long.

    Neither does a part of a plan, which a person applies to look at a record.
    """
    precoro.stage(ONE, TWO).run()
    restore(precoro, back_up(precoro))
    precoro.stage(*({**each, "company_name": "New"} for each in (ONE, TWO)))
    read_netsuite(precoro)

    def pending() -> bool:
        with precoro.warehouse.writer(transaction=False) as con:
            return pending_restore(con, "flow") is not None

    precoro.apply(precoro.plan("one").plan_id, "a part", "record=1")
    assert pending()
    precoro.plan("two")
    assert pending()
    run_sync(precoro.context("two"))
    assert not pending()
    read_target_state(precoro.context("three"))
    assert not pending()
