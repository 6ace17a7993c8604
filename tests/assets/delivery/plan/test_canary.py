"""A new or edited workflow starts with a canary: a few records, which are read back and compared."""

import re

import pytest

from assets.delivery.errors import PlanError
from assets.delivery.ledger.runs import is_proven_by_full_run
from resources.errors import ContractError
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.delivery.builders import customer, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner

MANY = 60


def many(name: str = "Company {}", count: int = MANY) -> list[dict[str, object]]:
    """Return customers, each with a name."""
    return [customer(str(number), company_name=name.format(number)) for number in range(1, count + 1)]


def batches(sandbox: Sandbox) -> list[int]:
    """Return the number of records of each writing request, in order."""
    return [call["writes"] for call in sandbox.suiteprojects.call_log() if call["writes"]]


def reads_between(sandbox: Sandbox) -> int:
    """Count the requests that read after the first write: those of the canary."""
    commands = [call["commands"] for call in sandbox.suiteprojects.call_log()]
    first = next(at for at, words in enumerate(commands) if re.search("Add|Modify", words))
    return sum("Read" in words for words in commands[first:])


@pytest.fixture
def truncating(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> WorkflowRunner:
    """The target silently truncates names after ten characters."""
    sandbox.switches.set(
        "suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.company": 10}, long_values="cut"
    )
    suiteprojects.spec = suite_customers()
    return suiteprojects


def ours(sandbox: Sandbox) -> int:
    """Count our records in the target."""
    return sum("externalid" in row for row in sandbox.suiteprojects.rows("Customer"))


def test_a_mismatch_stops_the_run_after_five_records(truncating: WorkflowRunner, sandbox: Sandbox) -> None:
    """Five truncated names can be fixed manually; five thousand cannot."""
    truncating.stage(*many("A long name {}")).plan("first")

    synced = truncating.send("first")

    assert ours(sandbox) == 5
    assert isinstance(synced.stop, ContractError)
    assert "the first 5 records do not show what was sent: company (5 of 5)" in str(synced.stop)
    assert "A long name" not in str(synced.stop)  # values do not belong in logs
    assert (synced.counts["created"], synced.counts["failed"]) == (5, MANY - 5)
    assert set(truncating.states().values()) == {"partial"}


def test_the_next_plan_waits_for_approval(truncating: WorkflowRunner, sandbox: Sandbox) -> None:
    """Otherwise a schedule would send five more records every hour."""
    truncating.stage(*many("A long name {}")).run()

    for _ in range(2):
        (tripped,) = truncating.plan("later").tripped
        with pytest.raises(PlanError, match="waits for approval"):
            truncating.send("later")

    assert (tripped.guard, tripped.rows, ours(sandbox)) == ("canary", MANY - 5, 5)
    assert "company (5 of 5)" in tripped.reason
    assert truncating.table("sync_runs")["state"].to_list()[0] == "halted"


@pytest.mark.long
def test_applying_the_plan_accepts_the_findings(truncating: WorkflowRunner, sandbox: Sandbox) -> None:
    """They stay accepted, even if the daily quota ends the run early; the file need not change."""
    truncating.stage(*many("A long name {}")).run()
    sandbox.clock.sleep(60)
    planned = truncating.plan("seen")

    assert truncating.apply(planned.plan_id, "applied").stop is None

    assert ours(sandbox) == MANY
    assert set(truncating.run().values()) == {("unchanged", "kept_so")}
    assert truncating.stage(*many("Another long name {}")).run()["1"] == ("update", "source_changed")
    assert batches(sandbox) == [5, MANY - 5, MANY]


@pytest.mark.long
def test_applying_a_part_accepts_nothing(truncating: WorkflowRunner, sandbox: Sandbox) -> None:
    """One record that was sent to inspect it in the target says nothing about the others."""
    truncating.stage(*many("A long name {}")).run()
    sandbox.clock.sleep(60)
    planned = truncating.plan("seen")

    assert isinstance(truncating.apply(planned.plan_id, "applied", "record=60").stop, ContractError)

    sandbox.clock.sleep(60)
    assert [each.guard for each in truncating.plan("later").tripped] == ["canary"]
    assert ours(sandbox) == 6


@pytest.mark.long
def test_a_part_that_shows_what_was_sent_accepts_nothing(truncating: WorkflowRunner, sandbox: Sandbox) -> None:
    """One short name says nothing about the long ones: neither a full run nor a real-time one may send them."""
    truncating.stage(*many("A long name {}", 7), customer("8", company_name="Short")).run()
    sandbox.clock.sleep(60)
    planned = truncating.plan("seen")

    assert truncating.apply(planned.plan_id, "applied", "record=8").stop is None

    sandbox.clock.sleep(60)
    assert [each.guard for each in truncating.plan("later").tripped] == ["canary"]
    with truncating.warehouse.writer(transaction=False) as con:
        assert not is_proven_by_full_run(con, "flow", truncating.spec.version)


@pytest.mark.long
def test_some_fields_of_all_records_accept_nothing(truncating: WorkflowRunner, sandbox: Sandbox) -> None:
    """The addresses say nothing about the names, although each record was sent."""
    truncating.stage(*many("C {}", 7)).run()
    truncating.spec = suite_customers({"field": "addr_email", "from": "email"})
    truncating.stage(*many("A long name {}", 7)).plan("halted")
    truncating.send("halted")
    sandbox.clock.sleep(60)
    truncating.stage(*[row | {"email": "a@example.com"} for row in many("A longer name {}", 7)])
    planned = truncating.plan("seen")

    truncating.apply(planned.plan_id, "applied", "field=addr_email")

    sandbox.clock.sleep(60)
    assert [each.guard for each in truncating.plan("later").tripped] == ["canary"]
    with truncating.warehouse.writer(transaction=False) as con:
        assert not is_proven_by_full_run(con, "flow", truncating.spec.version)


@pytest.mark.long
def test_after_an_undo_a_part_is_checked_again(truncating: WorkflowRunner, sandbox: Sandbox) -> None:
    """An undo sends former values, which prove nothing about those of the file."""
    truncating.stage(*many("A long name {}", 8)).plan("first")
    truncating.send("first")
    sandbox.clock.sleep(60)
    truncating.apply(truncating.undo("first").plan_id, "undone")
    sandbox.clock.sleep(60)
    planned = truncating.plan("seen")

    assert isinstance(truncating.apply(planned.plan_id, "applied", "record=8").stop, ContractError)


@pytest.mark.long
def test_an_undo_does_not_prove_an_edited_file(truncating: WorkflowRunner) -> None:
    """A person edits the file, plans as `undo` asks for, and undoes the run before: the next run has its canary."""
    truncating.stage(*many("C {}", 8)).run()
    truncating.stage(*many("D {}", 8)).plan("the run")
    truncating.send("the run")
    truncating.spec = truncating.spec.model_copy(update={"monitored_fields": ["company"]})
    truncating.stage(*many("A long name {}", 8)).plan("edited")
    truncating.apply(truncating.undo("the run", "1").plan_id, "undone")

    truncating.plan("next")

    assert isinstance(truncating.send("next").stop, ContractError)


def test_undoing_the_canary_accepts_nothing(truncating: WorkflowRunner, sandbox: Sandbox) -> None:
    """Neither does a plan without writes."""
    truncating.stage(*many("A long name {}", 8)).plan("first")
    truncating.send("first")
    sandbox.clock.sleep(60)
    truncating.apply(truncating.undo("first").plan_id, "undone")
    assert set(truncating.stage(*many("A long name {}", 5)).run().values()) == {("skipped", "undone")}
    sandbox.clock.sleep(60)

    truncating.stage(*many("A long name {}", 8))

    assert [each.guard for each in truncating.plan("later").tripped] == ["canary"]


@pytest.mark.long
def test_a_run_continues_after_the_canary_is_switched_off(truncating: WorkflowRunner, sandbox: Sandbox) -> None:
    """The file accepts truncated names."""
    truncating.stage(*many("A long name {}")).run()
    truncating.spec = suite_customers(canary=[])

    truncating.run()

    assert ours(sandbox) == MANY


def test_trimmed_values_do_not_stop_the_run(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """Nothing of value is lost."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, trims_text=True)
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*many("  Company {} ")).plan("first")

    synced = suiteprojects.send("first")

    assert (synced.stop, ours(sandbox)) == (None, MANY)


def test_a_response_that_hides_a_truncation_stops_the_run(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """The response echoes what was sent; only reading back shows the difference."""
    sandbox.switches.set(
        "suiteprojects",
        SuiteProjectsSwitches,
        strict_lengths={"Customer.company": 3},
        long_values="cut",
        echo_values="sent",
    )
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*many()).plan("first")

    synced = suiteprojects.send("first")

    assert ours(sandbox) == 5
    assert "company (5 of 5)" in str(synced.stop)
    sandbox.clock.sleep(60)
    plan_id = suiteprojects.plan("later").plan_id
    plan = suiteprojects.warehouse.read("select reason_code from plan_flow where plan_id = ?", [plan_id])
    assert plan["reason_code"].to_list().count("kept_so") == 5


@pytest.mark.long
def test_the_first_run_and_the_first_one_after_an_edit_start_with_a_canary(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """Other runs send at full speed and read nothing back."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*many()).run()
    assert (batches(sandbox), reads_between(sandbox)) == ([5, 50, 5], 2)

    suiteprojects.stage(*many("Renamed {}")).run()
    assert batches(sandbox) == [5, 50, 5, MANY]

    suiteprojects.spec = suite_customers({"field": "notes", "value": "x"})
    suiteprojects.run()
    assert batches(sandbox) == [5, 50, 5, MANY, 5, 50, 5]

    suiteprojects.stage(*many("Again {}")).run()
    assert batches(sandbox)[-1] == MANY


@pytest.mark.long
def test_records_out_of_scope_do_not_cause_a_canary_in_every_run(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """Their links keep the version of the file that wrote them forever."""
    suiteprojects.spec = suite_customers()
    gone = customer("999", custentity_export="T")
    suiteprojects.stage(*many(), gone).run()
    suiteprojects.spec = suite_customers({"field": "notes", "value": "x"}, select={"require_flag": "custentity_export"})
    left_out = customer("999", custentity_export="F")
    suiteprojects.stage(*many(), left_out).run()

    suiteprojects.stage(*many("Again {}"), left_out).run()

    assert batches(sandbox)[-1] == MANY
