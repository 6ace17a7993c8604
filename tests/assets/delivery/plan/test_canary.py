"""A new or edited workflow begins with a few records, which are read back and compared."""

import re

import pytest

from assets.delivery.ledger.plans import PlanError
from resources.errors import ContractError
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.delivery.builders import customer, suite_customers
from tests.assets.delivery.run_workflow import Flow

MANY = 60


def many(name: str = "Company {}", count: int = MANY) -> list[dict[str, object]]:
    """Customers, each with a name."""
    return [customer(str(number), company_name=name.format(number)) for number in range(1, count + 1)]


def batches(sandbox: Sandbox) -> list[int]:
    """How many records each writing request had, in order."""
    return [call["writes"] for call in sandbox.suiteprojects.call_log() if call["writes"]]


def reads_between(sandbox: Sandbox) -> int:
    """Requests that read after the first write: the canary's."""
    commands = [call["commands"] for call in sandbox.suiteprojects.call_log()]
    first = next(at for at, words in enumerate(commands) if re.search("Add|Modify", words))
    return sum("Read" in words for words in commands[first:])


@pytest.fixture
def cutting(suiteprojects: Flow, sandbox: Sandbox) -> Flow:
    """The target silently cuts what is longer than ten characters."""
    sandbox.switches.set(
        "suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.company": 10}, long_values="cut"
    )
    suiteprojects.spec = suite_customers()
    return suiteprojects


def ours(sandbox: Sandbox) -> int:
    """How many records of ours the target has."""
    return sum("externalid" in row for row in sandbox.suiteprojects.rows("Customer"))


def test_a_mismatch_stops_after_five(cutting: Flow, sandbox: Sandbox) -> None:
    """Five cut names can be mended by hand; five thousand cannot."""
    cutting.stage(*many("A long name {}")).plan("first")

    synced = cutting.send("first")

    assert ours(sandbox) == 5
    assert isinstance(synced.stop, ContractError)
    assert "the first 5 records do not show what was sent: company (5 of 5); nothing more is sent" in str(synced.stop)
    assert "A long name" not in str(synced.stop)  # whose record it is belongs into no log
    assert (synced.counts["created"], synced.counts["failed"]) == (5, MANY - 5)
    assert set(cutting.states().values()) == {"partial"}


def test_the_next_plan_waits_for_a_person(cutting: Flow, sandbox: Sandbox) -> None:
    """A schedule does not read: without it each hour would send five more."""
    cutting.stage(*many("A long name {}")).run()

    for _ in range(2):
        (tripped,) = cutting.plan("later").tripped
        with pytest.raises(PlanError, match="waits for a person"):
            cutting.send("later")

    assert (tripped.guard, tripped.rows, ours(sandbox)) == ("canary", MANY - 5, 5)
    assert "company (5 of 5)" in tripped.reason
    assert cutting.table("sync_runs")["state"].to_list()[0] == "halted"


def test_who_releases_the_plan_accepts_what_the_canary_found(cutting: Flow, sandbox: Sandbox) -> None:
    """At once and for good, also when the day's allowance ends in the middle; the file need not change."""
    cutting.stage(*many("A long name {}")).run()
    sandbox.clock.sleep(60)
    planned = cutting.plan("seen")

    assert cutting.release(planned.plan_id, "released").stop is None

    assert ours(sandbox) == MANY
    assert set(cutting.run().values()) == {("unchanged", "kept_so")}
    assert cutting.stage(*many("Another long name {}")).run()["1"] == ("update", "source_changed")
    assert batches(sandbox) == [5, MANY - 5, MANY]


def test_who_releases_a_part_looks_once_more(cutting: Flow, sandbox: Sandbox) -> None:
    """One record to look at in the target is no word about the others."""
    cutting.stage(*many("A long name {}")).run()
    sandbox.clock.sleep(60)
    planned = cutting.plan("seen")

    assert isinstance(cutting.release(planned.plan_id, "released", "record=60").stop, ContractError)

    sandbox.clock.sleep(60)
    assert [each.guard for each in cutting.plan("later").tripped] == ["canary"]
    assert ours(sandbox) == 6


def test_taking_the_canary_back_accepts_nothing(cutting: Flow, sandbox: Sandbox) -> None:
    """Nor does a plan that has nothing to send."""
    cutting.stage(*many("A long name {}", 8)).plan("first")
    cutting.send("first")
    sandbox.clock.sleep(60)
    cutting.release(cutting.undo("first").plan_id, "undone")
    assert set(cutting.stage(*many("A long name {}", 5)).run().values()) == {("skipped", "undone")}
    sandbox.clock.sleep(60)

    cutting.stage(*many("A long name {}", 8))

    assert [each.guard for each in cutting.plan("later").tripped] == ["canary"]


def test_what_was_accepted_goes_on(cutting: Flow, sandbox: Sandbox) -> None:
    """The file says that short names will do."""
    cutting.stage(*many("A long name {}")).run()
    cutting.spec = suite_customers(canary=[])

    cutting.run()

    assert ours(sandbox) == MANY


def test_a_trimmed_value_does_not_stop(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """It loses nothing that a person would miss."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, trims_text=True)
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*many("  Company {} ")).plan("first")

    synced = suiteprojects.send("first")

    assert (synced.stop, ours(sandbox)) == (None, MANY)


def test_a_target_that_confirms_and_forgets_stops(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """Its answers say that all is well; only reading back shows it."""
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


def test_the_first_run_and_the_first_after_an_edit_begin_carefully(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """The others send at full speed and read nothing back."""
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


def test_records_that_no_longer_take_part_do_not_make_every_run_careful(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """Their links keep the version of the file that wrote them, for good."""
    suiteprojects.spec = suite_customers()
    gone = customer("999", custentity_export="T")
    suiteprojects.stage(*many(), gone).run()
    suiteprojects.spec = suite_customers({"field": "notes", "value": "x"}, select={"require_flag": "custentity_export"})
    left_out = customer("999", custentity_export="F")
    suiteprojects.stage(*many(), left_out).run()

    suiteprojects.stage(*many("Again {}"), left_out).run()

    assert batches(sandbox)[-1] == MANY
