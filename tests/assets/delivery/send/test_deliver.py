"""A plan is sent once, whatever happens on the way."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from assets.delivery.diff.decide import decide
from assets.delivery.send.batches import batches, plan_steps
from assets.delivery.target import Sent, Write
from assets.precoro.target import OptionTarget
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
from tests.assets.delivery.run_workflow import Flow

ROOT = Path(__file__).parents[4]


def ours(sandbox: Sandbox) -> dict[str, str]:
    """The options that carry our keys, each key once."""
    found = [option for option in sandbox.precoro.options() if option["external_id"]]
    assert len({option["external_id"] for option in found}) == len(found)
    return {option["external_id"]: option["name"] for option in found}


# --- the order -------------------------------------------------------------------------------------------------


def test_parents_are_sent_first_and_switched_off_last() -> None:
    """A child needs its place; a place is closed when it is empty."""
    gone = {"disposition": "retire", "reason_code": "deleted", "reason": "deleted in NetSuite"}
    wanted = [desired("1"), below("100", "1"), desired("2", **gone), below("200", "2")]
    there = target_state(actual("902", "2"), actual("920", "200"))

    steps = plan_steps(decide(option_tree(), OPTIONS, mart(*reversed(wanted)), there, links()))

    assert [(step.action, step.key[1]) for step in steps] == [
        ("create", "1"), ("create", "100"), ("deactivate", "200"), ("deactivate", "2"),
    ]  # fmt: skip


def test_a_batch_is_as_large_as_allowed_and_of_one_level() -> None:
    """A child in its parent's batch would not know where to go; families come before those who have nobody."""
    wanted = [*(desired(str(number)) for number in range(1, 6)), below("100", "1")]

    steps = plan_steps(decide(option_tree(), OPTIONS, mart(*wanted), target_state(), links()))

    assert [[step.key[1] for step in batch] for batch in batches(steps, 2)] == [["1"], ["100"], ["2", "3"], ["4", "5"]]


# --- one record's trouble ----------------------------------------------------------------------------------------


def test_a_refused_record_does_not_stop_the_others(precoro: Flow, sandbox: Sandbox) -> None:
    """It is quarantined with the target's own words; its children wait, everybody else is delivered."""
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
    told = precoro.table("sync_flow").filter(pl.col("source_id") == "1")["reason"][0]
    assert told.startswith("the target refused it: ")
    assert "too long" in told
    assert precoro.attempts("1") == [("1", "create", "intent"), ("1", "create", "rejected")]
    assert precoro.attempts("100") == []


def test_children_find_the_place_that_was_made_for_their_parent(precoro: Flow, sandbox: Sandbox) -> None:
    """Three levels in one run."""
    precoro.stage(customer("1"), below=(project("100"), project("101", parent_project_id="100")))

    precoro.run()

    made = {option["external_id"]: option for option in sandbox.precoro.options()}
    assert made["100"]["parent_id"] == made["1"]["option_id"]
    assert made["101"]["parent_id"] == made["100"]["option_id"]
    assert made["101"]["level"] == 3


def test_switching_off_goes_from_the_leaves_to_the_root(precoro: Flow, sandbox: Sandbox) -> None:
    """Some targets refuse to close what is not empty."""
    rows = (project("100"), project("101", parent_project_id="100"))
    precoro.stage(customer("1"), below=rows).run()
    calls = len(sandbox.precoro.log())

    decisions = precoro.stage(customer("1", is_inactive=True), below=rows).run()

    assert decisions == {
        "1": ("deactivate", "inactive"),
        "100": ("deactivate", "parent_inactive"),
        "101": ("deactivate", "parent_inactive"),
    }
    ids = {str(option["option_id"]): option["external_id"] for option in sandbox.precoro.options()}
    sent = [each["path"].rpartition("/")[2] for each in sandbox.precoro.log()[calls:] if each["method"] == "PUT"]
    assert [ids[option] for option in sent] == ["101", "100", "1"]
    assert not any(option["enable"] for option in sandbox.precoro.options() if option["external_id"])


def test_what_is_switched_off_needs_no_parent(precoro: Flow, sandbox: Sandbox) -> None:
    """The customer is gone from the sources; its deleted project is still closed."""
    precoro.stage(customer("1"), below=(project("100"),)).run()

    decisions = precoro.stage(below=(project("100", is_deleted=True),)).run()

    assert decisions == {"100": ("deactivate", "deleted")}
    assert [option["enable"] for option in sandbox.precoro.options() if option["external_id"] == "100"] == [False]


# --- lost answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.CUT, FaultKind.DONE_500, FaultKind.REFUSED_500])
def test_a_lost_answer_ends_in_one_record(precoro: Flow, sandbox: Sandbox, kind: FaultKind) -> None:
    """Whether the work was done or not: the target is read back before anything is sent again."""
    sandbox.faults.plan("precoro", Fault(kind, "POST"))

    decisions = precoro.stage(customer("1"), customer("2")).run()

    assert decisions == {"1": ("create", "new"), "2": ("create", "new")}
    assert ours(sandbox) == {"1": "Company 1", "2": "Company 2"}
    assert precoro.attempts("1") == [("1", "create", state) for state in ("intent", "unknown", "confirmed")]


def test_a_lost_batch_of_suiteprojects_ends_in_one_record_each(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """One answer for many records: all are unknown until the target was read back."""
    suiteprojects.spec = CUSTOMERS
    sandbox.faults.plan("suiteprojects", Fault(FaultKind.LOST, "POST", "<Add "))

    decisions = suiteprojects.stage(*(customer(str(number)) for number in range(1, 6))).run()

    assert set(decisions.values()) == {("create", "new")}
    made = sandbox.suiteprojects.rows("Customer")
    assert sorted(row["externalid"] for row in made if row.get("externalid")) == ["1", "2", "3", "4", "5"]
    assert {state for _, _, state in suiteprojects.attempts()} == {"intent", "unknown", "confirmed"}


CUSTOMERS = one_source(
    target="suiteprojects.Customer",
    fields=[
        {"field": "externalid", "from": "customer_id", "locked": True},
        {"field": "name", "from": "entity_number"},
        {"field": "company", "from": "company_name"},
        {"field": "active", "value": True},
    ],
)


def test_a_lost_update_is_confirmed_by_its_values(precoro: Flow, sandbox: Sandbox) -> None:
    """The record was there before; only what it now says tells whether the write arrived."""
    precoro.stage(customer("1")).run()
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, "PUT", times=2))

    decisions = precoro.stage(customer("1", company_name="New")).run()

    assert decisions == {"1": ("update", "source_changed")}
    assert ours(sandbox) == {"1": "New"}


class Edited(OptionTarget):
    """Somebody edits the option between the lost answer and the read-back."""

    sandbox: Sandbox

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """Edit, then look."""
        for option in self.sandbox.precoro.options():
            if option["external_id"] in external_ids:
                self.sandbox.precoro.edit_option(option["option_id"], name="edited")
        return super().find(external_ids, fields)


def test_a_lost_create_has_arrived_when_its_key_has(precoro: Flow, sandbox: Sandbox) -> None:
    """Another spelling of a value is a difference for the next run; a second record would be there for good."""
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, "POST"))
    with open_precoro(sandbox=sandbox.folder) as client:
        precoro.target = Edited(client, 5144)
        precoro.target.sandbox = sandbox

        precoro.stage(customer("1")).run()

    assert ours(sandbox) == {"1": "edited"}


# --- the end of a process ------------------------------------------------------------------------------------------


class Watched(OptionTarget):
    """Looks into the ledger at the moment of sending."""

    flow: Flow
    seen: list[tuple[str, str, str]]

    def send(self, batch: Sequence[Write]) -> Sent:
        """Note what an outsider reads, then send."""
        self.seen = self.flow.attempts()
        return super().send(batch)


def test_the_intents_are_committed_before_anything_is_sent(precoro: Flow, sandbox: Sandbox) -> None:
    """What may have happened must be in the ledger, or nobody looks for it."""
    with open_precoro(sandbox=sandbox.folder) as client:
        watched = Watched(client, 5144)
        precoro.target = watched
        watched.flow = precoro

        precoro.stage(customer("1"), customer("2")).run()

    assert watched.seen == [("1", "create", "intent"), ("2", "create", "intent")]


@pytest.mark.parametrize(("moment", "first_state"), [("BEFORE", "absent"), ("AFTER", "found")])
def test_a_killed_run_is_repaired_by_the_next(
    precoro: Flow, sandbox: Sandbox, tmp_path: Path, moment: str, first_state: str
) -> None:
    """The process dies between the intents and the outcomes; nothing is made twice, every attempt gets its end."""
    precoro.stage(customer("1"), customer("2"), below=(project("100"), project("200", customer_id="2")))
    command = [sys.executable, "-m", "tests.assets.delivery.dying_run", str(tmp_path), moment]

    killed = subprocess.run(command, cwd=ROOT, check=False)

    assert killed.returncode == 9
    assert precoro.attempts() == [("1", "create", "intent"), ("2", "create", "intent")]
    assert len(ours(sandbox)) == (moment == "AFTER")

    precoro.run()

    assert ours(sandbox) == {"1": "Company 1", "2": "Company 2", "100": "Project 100", "200": "Project 200"}
    assert precoro.attempts("1")[:2] == [("1", "create", "intent"), ("1", "create", first_state)]
    open_ones = precoro.warehouse.read(
        "select attempt_id from sync_attempts group by attempt_id having bool_and(state in ('intent', 'unknown'))"
    )
    assert open_ones.is_empty()
    assert {action for action, _ in precoro.run().values()} == {"unchanged"}


def test_when_the_target_stops_the_rest_is_not_sent_and_comes_next_time(precoro: Flow, sandbox: Sandbox) -> None:
    """Three answers in a row are lost: the connection is gone, not the records."""
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, "POST", skip=1, times=3))
    precoro.stage(*(customer(str(number)) for number in range(1, 7)))

    decisions = precoro.run()

    assert [decisions[str(number)] for number in range(1, 7)] == [
        ("create", "new"), *[("failed", "unknown")] * 3, *[("failed", "not_sent")] * 2,
    ]  # fmt: skip
    run = precoro.table("sync_runs").to_dicts()[0]
    assert (run["state"], run["created"], run["failed"]) == ("partial", 1, 5)
    assert "3 answers in a row were lost" in run["note"]

    again = precoro.run()

    assert [again[str(number)][0] for number in range(1, 7)] == [*["unchanged"] * 4, "create", "create"]
    assert len(ours(sandbox)) == 6
    assert precoro.attempts("2")[-1] == ("2", "create", "found")
