"""A plan is sent once, whatever goes wrong."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from assets.delivery.diff.decide import decide
from assets.delivery.diff.records import Records
from assets.delivery.send.batches import batches, plan_steps
from assets.delivery.target import SendResult, Write
from assets.precoro.target import OptionTarget
from resources.http import ATTEMPTS
from resources.precoro.connect import open_precoro
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import (
    OPTIONS,
    actual,
    below,
    customer,
    desired,
    links,
    mart,
    one_source,
    option_tree,
    project,
    target_state,
)
from tests.assets.delivery.run_workflow import WorkflowRunner

ROOT = Path(__file__).parents[4]


def ours(sandbox: Sandbox) -> dict[str, str]:
    """Return key and name of our options; each key exists once."""
    found = [option for option in sandbox.precoro.options() if option["external_id"]]
    assert len({option["external_id"] for option in found}) == len(found)
    return {option["external_id"]: option["name"] for option in found}


# --- order ------------------------------------------------------------------------------------------------------


def test_parents_are_sent_first_and_deactivated_last() -> None:
    """A child needs its parent, and a parent is deactivated after its children."""
    gone = {"disposition": "retire", "reason_code": "deleted", "reason": "deleted in NetSuite"}
    rows = [desired("1"), below("100", "1"), desired("2", **gone), below("200", "2")]
    there = target_state(actual("902", "2"), actual("920", "200"))

    steps = plan_steps(decide(option_tree(), OPTIONS, Records(mart(*reversed(rows)), there, links())))

    assert [(step.action, step.key[1]) for step in steps] == [
        ("create", "1"), ("create", "100"), ("deactivate", "200"), ("deactivate", "2"),
    ]  # fmt: skip


def test_a_batch_has_the_allowed_size_and_one_level() -> None:
    """A child in its parent's batch would not know the parent's id; whole hierarchies come before unrelated records."""
    rows = [*(desired(str(number)) for number in range(1, 6)), below("100", "1")]

    steps = plan_steps(decide(option_tree(), OPTIONS, Records(mart(*rows), target_state(), links())))

    assert [[step.key[1] for step in batch] for batch in batches(steps, 2)] == [["1"], ["100"], ["2", "3"], ["4", "5"]]


# --- rejected records ---------------------------------------------------------------------------------------------


def test_a_rejected_record_does_not_stop_the_others(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """It is quarantined with the target's message; its children are blocked, all others are delivered."""
    sandbox.switches.set("precoro", PrecoroSwitches, name_limit=12)
    precoro.stage(
        customer("1", company_name="much too long a name"),
        customer("2"),
        below=(project("100", customer_id="1"), project("200", customer_id="2")),
    )

    decisions = precoro.run()

    assert decisions["1"][0] == "quarantined"
    assert decisions["1"][1].startswith("rejected")
    assert decisions["100"] == ("blocked", "parent_missing")
    assert ours(sandbox) == {"2": "Company 2", "200": "Project 200"}
    reason = precoro.table("sync_flow").filter(pl.col("source_id") == "1")["reason"][0]
    assert reason.startswith("the target rejected it: ")
    assert "too long" in reason
    assert precoro.attempts("1") == [("1", "create", "intent"), ("1", "create", "rejected")]
    assert precoro.attempts("100") == []


def test_children_are_created_below_parents_of_the_same_run(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Three levels are created in one run."""
    precoro.stage(customer("1"), below=(project("100"), project("101", parent_project_id="100")))

    precoro.run()

    created = {option["external_id"]: option for option in sandbox.precoro.options()}
    assert created["100"]["parent_id"] == created["1"]["option_id"]
    assert created["101"]["parent_id"] == created["100"]["option_id"]
    assert created["101"]["level"] == 3


def test_deactivation_goes_from_the_leaves_to_the_root(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Some targets refuse to deactivate a record with active children."""
    rows = (project("100"), project("101", parent_project_id="100"))
    precoro.stage(customer("1"), below=rows).run()
    calls = len(sandbox.precoro.call_log())

    decisions = precoro.stage(customer("1", is_inactive=True), below=rows).run()

    assert decisions == {
        "1": ("deactivate", "inactive"),
        "100": ("deactivate", "parent_inactive"),
        "101": ("deactivate", "parent_inactive"),
    }
    ids = {str(option["option_id"]): option["external_id"] for option in sandbox.precoro.options()}
    sent = [each["path"].rpartition("/")[2] for each in sandbox.precoro.call_log()[calls:] if each["method"] == "PUT"]
    assert [ids[option] for option in sent] == ["101", "100", "1"]
    assert not any(option["enable"] for option in sandbox.precoro.options() if option["external_id"])


@pytest.mark.long
def test_a_deactivation_needs_no_parent(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The customer is no longer in the source, and its deleted project is deactivated nevertheless."""
    precoro.stage(customer("1"), below=(project("100"),)).run()

    decisions = precoro.stage(below=(project("100", is_deleted=True),)).run()

    assert decisions == {"100": ("deactivate", "deleted")}
    assert [option["enable"] for option in sandbox.precoro.options() if option["external_id"] == "100"] == [False]


# --- lost responses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.CUT, FaultKind.APPLIED_500, FaultKind.NOT_APPLIED_500])
def test_a_lost_response_leaves_one_record(precoro: WorkflowRunner, sandbox: Sandbox, kind: FaultKind) -> None:
    """The target is read before a write is repeated, applied or not."""
    sandbox.faults.plan("precoro", Fault(kind, "POST"))

    decisions = precoro.stage(customer("1"), customer("2")).run()

    assert decisions == {"1": ("create", "new"), "2": ("create", "new")}
    assert ours(sandbox) == {"1": "Company 1", "2": "Company 2"}
    assert precoro.attempts("1") == [("1", "create", state) for state in ("intent", "unknown", "confirmed")]


def test_a_lost_batch_response_leaves_one_record_each(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """One lost response leaves all records of the batch unknown until the target is read."""
    suiteprojects.spec = CUSTOMERS
    sandbox.faults.plan("suiteprojects", Fault(FaultKind.LOST, "POST", "<Add "))

    decisions = suiteprojects.stage(*(customer(str(number)) for number in range(1, 6))).run()

    assert set(decisions.values()) == {("create", "new")}
    rows = sandbox.suiteprojects.rows("Customer")
    assert sorted(row["externalid"] for row in rows if row.get("externalid")) == ["1", "2", "3", "4", "5"]
    assert {state for _, _, state in suiteprojects.attempts()} == {"intent", "unknown", "confirmed"}


@pytest.mark.long
@pytest.mark.parametrize("kind", [FaultKind.NOT_APPLIED_500, FaultKind.HTML, FaultKind.EMPTY])
def test_a_record_on_which_the_service_fails_costs_no_other_its_response(
    suiteprojects: WorkflowRunner, sandbox: Sandbox, kind: FaultKind
) -> None:
    """A firewall, or an error of the service, may take the whole request for one text in it, every night."""
    suiteprojects.spec = CUSTOMERS
    sandbox.faults.plan("suiteprojects", Fault(kind, "POST", "drop table", times=1000))
    some = [customer(str(number)) for number in range(1, 20)]

    decisions = suiteprojects.stage(*some, customer("20", company_name="drop table Ltd")).run()

    assert decisions == {**{str(number): ("create", "new") for number in range(1, 20)}, "20": ("failed", "unknown")}
    assert suiteprojects.run()["20"] == ("failed", "unknown")
    assert len(sandbox.suiteprojects.rows("Customer")) == 19


@pytest.mark.long
def test_a_service_that_answers_no_write_gets_few(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """Three records in a row without a response, each sent for itself: the rest waits for the next run."""
    suiteprojects.spec = CUSTOMERS
    sandbox.faults.plan("suiteprojects", Fault(FaultKind.HTML, "POST", "<Add ", times=1000))

    decisions = suiteprojects.stage(*(customer(str(number)) for number in range(1, 65))).run()

    assert {action for action, _ in decisions.values()} == {"failed"}
    run = suiteprojects.table("sync_runs").to_dicts()[0]
    assert (run["state"], "3 responses in a row were lost" in run["note"]) == ("partial", True)
    assert suiteprojects.target.calls < 40


CUSTOMERS = one_source(
    target="suiteprojects.Customer",
    fields=[
        {"field": "externalid", "from": "customer_id", "locked": True},
        {"field": "name", "from": "entity_number"},
        {"field": "company", "from": "company_name"},
        {"field": "active", "value": True},
    ],
)


def test_a_lost_update_is_confirmed_by_its_values(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The record existed before, so only its values show whether the write was applied."""
    precoro.stage(customer("1")).run()
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, "PUT", times=2))

    decisions = precoro.stage(customer("1", company_name="New")).run()

    assert decisions == {"1": ("update", "source_changed")}
    assert ours(sandbox) == {"1": "New"}


class EditedTarget(OptionTarget):
    """Its option is edited between the lost response and the read-back."""

    sandbox: Sandbox

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """Edit, then read."""
        for option in self.sandbox.precoro.options():
            if option["external_id"] in external_ids:
                self.sandbox.precoro.edit_option(option["option_id"], name="edited")
        return super().find(external_ids, fields)


def test_a_lost_create_is_confirmed_by_its_key(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """A different value is left to the next run; a duplicate record would stay forever."""
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, "POST"))
    with open_precoro(sandbox=sandbox.folder) as client:
        precoro.target = EditedTarget(client, 5144)
        precoro.target.sandbox = sandbox

        precoro.stage(customer("1")).run()

    assert ours(sandbox) == {"1": "edited"}


# --- killed runs --------------------------------------------------------------------------------------------------


class WatchingTarget(OptionTarget):
    """Reads the ledger when it sends."""

    runner: WorkflowRunner
    seen: list[tuple[str, str, str]]

    def send(self, batch: Sequence[Write]) -> SendResult:
        """Read the committed attempts, then send."""
        self.seen = self.runner.attempts()
        return super().send(batch)


def test_intents_are_committed_before_anything_is_sent(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """A possible write must be in the ledger, or no later run would look for it."""
    with open_precoro(sandbox=sandbox.folder) as client:
        watched = WatchingTarget(client, 5144)
        precoro.target = watched
        watched.runner = precoro

        precoro.stage(customer("1"), customer("2")).run()

    assert watched.seen == [("1", "create", "intent"), ("2", "create", "intent")]


@pytest.mark.parametrize(("moment", "first_state"), [("BEFORE", "absent"), ("AFTER", "found")])
def test_a_killed_run_is_repaired_by_the_next_one(
    precoro: WorkflowRunner, sandbox: Sandbox, tmp_path: Path, moment: str, first_state: str
) -> None:
    """The process dies between intents and outcomes: nothing is created twice, every attempt gets an outcome."""
    precoro.stage(customer("1"), customer("2"), below=(project("100"), project("200", customer_id="2")))
    command = [sys.executable, "-m", "tests.assets.delivery.dying_run", str(tmp_path), moment]

    killed = subprocess.run(command, cwd=ROOT, check=False)

    assert killed.returncode == 9
    assert precoro.attempts() == [("1", "create", "intent"), ("2", "create", "intent")]
    assert len(ours(sandbox)) == (moment == "AFTER")

    precoro.run()

    assert ours(sandbox) == {"1": "Company 1", "2": "Company 2", "100": "Project 100", "200": "Project 200"}
    assert precoro.attempts("1")[:2] == [("1", "create", "intent"), ("1", "create", first_state)]
    unresolved = precoro.warehouse.read(
        "select attempt_id from sync_attempts group by attempt_id having bool_and(state in ('intent', 'unknown'))"
    )
    assert unresolved.is_empty()
    assert {action for action, _ in precoro.run().values()} == {"unchanged"}


@pytest.mark.long
def test_after_lost_responses_in_a_row_the_rest_is_sent_by_the_next_run(
    precoro: WorkflowRunner, sandbox: Sandbox
) -> None:
    """Three lost responses in a row mean that the connection failed, not the records."""
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, "POST", skip=1, times=3))
    precoro.stage(*(customer(str(number)) for number in range(1, 7)))

    decisions = precoro.run()

    assert [decisions[str(number)] for number in range(1, 7)] == [
        ("create", "new"), *[("failed", "unknown")] * 3, *[("failed", "not_sent")] * 2,
    ]  # fmt: skip
    run = precoro.table("sync_runs").to_dicts()[0]
    assert (run["state"], run["created"], run["failed"]) == ("partial", 1, 5)
    assert "3 responses in a row were lost" in run["note"]

    again = precoro.run()

    assert [again[str(number)][0] for number in range(1, 7)] == [*["unchanged"] * 4, "create", "create"]
    assert len(ours(sandbox)) == 6
    assert precoro.attempts("2")[-1] == ("2", "create", "found")


@pytest.mark.parametrize(
    ("kind", "times", "decision", "next_action"),
    [
        (FaultKind.LOCKED_423, ATTEMPTS, ("failed", "not_sent"), "create"),
        (FaultKind.REFUSED_451, 1, ("quarantined", "rejected_451"), "quarantined"),
    ],
)
def test_one_record_that_is_locked_or_refused_stops_no_other(
    precoro: WorkflowRunner, sandbox: Sandbox, kind: FaultKind, times: int, decision: tuple[str, str], next_action: str
) -> None:
    """A locked one is sent by the next run; one that a firewall refuses waits until it changes."""
    sandbox.faults.plan("precoro", Fault(kind, "POST", skip=1, times=times))
    precoro.stage(*(customer(str(number)) for number in range(1, 5)))

    decisions = precoro.run()

    assert [decisions[key] for key in "1234"] == [("create", "new"), decision, ("create", "new"), ("create", "new")]
    assert precoro.run()["2"][0] == next_action
    assert precoro.table("sync_runs")["state"].to_list()[0] == "finished"


def test_records_that_are_all_refused_stop_the_run(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """A firewall that refuses everything must not use up the day's calls and hold every record back."""
    sandbox.faults.plan("precoro", Fault(FaultKind.REFUSED_451, "POST", skip=1, times=100))
    precoro.stage(*(customer(str(number)) for number in range(1, 11)))

    decisions = precoro.run()

    assert sum(action == "quarantined" for action, _ in decisions.values()) == 3
    assert sum(action == "failed" for action, _ in decisions.values()) == 6
    assert "3 options in a row were rejected with HTTP 451" in precoro.table("sync_runs")["note"][0]
