"""Policies for records that should not be in the target, and for those that a person deleted."""

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from assets.delivery.diff.ledger_facts import LedgerFacts, read_ledger_facts
from assets.delivery.imports.manual_links import ManualLink, save_manual_link
from assets.delivery.schemas import DELETED_SCHEMA, MISSING
from assets.precoro.target import OptionTarget
from resources.clock import utc_now
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import (
    actual,
    below,
    customer,
    desired,
    link,
    option_tree,
    project,
    suite_customers,
)
from tests.assets.delivery.diff.decisions import INACTIVE, RETIRE, Rows, actions, plan_rows
from tests.assets.delivery.run_workflow import WorkflowRunner

THREE = tuple(customer(str(number)) for number in range(1, 4))
DELETED = ("quarantined", "deleted_in_target")


def link_of(runner: WorkflowRunner, key: str) -> int:
    """Return the target id of a record's link."""
    return int(runner.warehouse.read(f"select target_id from sync_links where source_id = '{key}'").item())


def reason_of(runner: WorkflowRunner, key: str) -> str:
    """Return the reason of a record's decision that still holds."""
    query = f"select reason from sync_decisions where source_id = '{key}' and to_run is null"
    return str(runner.warehouse.read(query).item())


def settle(runner: WorkflowRunner, key: str, target_id: str | None, moment: datetime) -> None:
    """Decide as a person does with `millpond link`."""
    with runner.warehouse.writer() as con:
        save_manual_link(con, ManualLink("flow", "customers", key, target_id, "ada", moment))


GONE, HIDDEN = (
    LedgerFacts(deleted=pl.DataFrame([("customers", "1", code)], schema=DELETED_SCHEMA, orient="row"))
    for code in ("deleted_in_target", "not_shown_in_target")
)


def test_a_deleted_record_is_held_with_what_is_below_it() -> None:
    """The reason says what to do, and is the same for all such records, so that lists have one line for them."""
    rows = plan_rows([desired(), below("7", "1")], [], [link()], facts=GONE)

    assert actions(rows) == [DELETED, ("blocked", "parent_missing")]
    assert rows[0]["reason"].startswith("the linked record was deleted in the target: `millpond link` with `new`")
    assert actions(plan_rows([desired()], [], [link()])) == [("create", "new")]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([actual()], ("unchanged", "identical")),  # restored there, by our key
        ([actual("905", None, name="Company 1")], ("adopt", "matched")),  # another record that a rule finds
    ],
)
def test_a_record_with_a_match_was_not_deleted(there: Rows, expected: tuple[str, str]) -> None:
    """Whatever the link says: it is not the record that is missing then."""
    spec = option_tree(match=["external_id", "name"])
    assert actions(plan_rows([desired()], there, [link()], facts=GONE, spec=spec)) == [expected]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([], ("quarantined", "not_shown_in_target")),
        ([actual("905", None, name="Company 1")], ("quarantined", "not_shown_in_target")),  # another one of its name
        ([actual("905")], ("unchanged", "identical")),  # another one with our key
    ],
)
def test_a_hidden_record_is_neither_made_again_nor_exchanged(there: Rows, expected: tuple[str, str]) -> None:
    """It may well exist, so a rule must not find another one; what is below it waits as well."""
    spec = option_tree(match=["external_id", "name"])
    rows = plan_rows([desired(), below("7", "1")], there, [link()], facts=HIDDEN, spec=spec)

    assert actions(rows)[0] == expected
    assert (rows[1]["reason_code"] == "parent_missing") is (expected[0] == "quarantined")
    # nor does it count as inactive
    retired = plan_rows([desired(**RETIRE)], there[:0], [link()], facts=HIDDEN, spec=spec)
    assert actions(retired) == [("quarantined", "not_shown_in_target")]


@pytest.mark.parametrize(
    ("record", "policy"),
    [
        ({"reason_code": "inactive", "reason": "inactive in NetSuite"}, "inactive"),
        ({"reason_code": "deleted", "reason": "deleted in NetSuite"}, "deleted"),
        ({"reason_code": "flag_not_set", "reason": "x is not checked"}, "out_of_scope"),
        ({"reason_code": "stage_lead", "reason": "leads are not part of this workflow"}, "out_of_scope"),
    ],
)
def test_a_record_that_left_is_reported_only_while_it_is_active_in_the_target(
    record: dict[str, str], policy: str
) -> None:
    """Held back with what to do; nothing is sent, and what is below it may still change."""
    left = desired(disposition="skip", **record)
    advice = (
        f"{record['reason']}, but active in the target: deactivate it there, or set lifecycle.{policy} to deactivate"
    )

    (row,) = plan_rows([left], [actual()], [link()])
    assert (row["action"], row["reason_code"], row["reason"]) == ("quarantined", record["reason_code"], advice)
    assert row["payload"] is None
    for there in ([], [actual(**INACTIVE)], [actual("905", None)]):
        assert actions(plan_rows([left], there)) == [("skipped", record["reason_code"])]
    assert actions(plan_rows([left, below("7", "1")], [actual()], [link()]))[1] == ("create", "new")


def test_what_netsuite_no_longer_shows_is_left_silently_if_the_file_says_so() -> None:
    """`lifecycle.missing: report` is the silent one: `hold` reports."""
    gone = desired(disposition="skip", reason_code=MISSING, reason="no longer shown")
    assert actions(plan_rows([gone], [actual()], [link()])) == [("skipped", MISSING)]


@pytest.mark.long
def test_a_person_decides_about_a_deleted_record(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """`new` creates it again, once: a second deletion is reported as well. By default it is created at once."""
    suiteprojects.spec = suite_customers(deleted_in_target="report")
    suiteprojects.stage(*THREE).run()
    former = link_of(suiteprojects, "2")
    sandbox.suiteprojects.delete("Customer", former)

    assert suiteprojects.run()["2"] == DELETED
    assert reason_of(suiteprojects, "2").startswith("the linked record was deleted in the target: ")
    assert suiteprojects.run()["2"] == DELETED
    sandbox.clock.sleep(60)
    settle(suiteprojects, "2", None, utc_now(sandbox.clock))
    assert suiteprojects.run()["2"] == ("create", "new")
    assert suiteprojects.run()["2"] == ("unchanged", "identical")
    sandbox.clock.sleep(60)
    sandbox.suiteprojects.delete("Customer", link_of(suiteprojects, "2"))
    assert suiteprojects.run()["2"] == DELETED
    suiteprojects.spec = suite_customers()
    assert suiteprojects.run()["2"] == ("create", "new")


@pytest.mark.long
def test_what_is_below_a_deleted_record_waits_with_it(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """It is neither created at the top nor held for a reason of its own."""
    precoro.spec = option_tree(deleted_in_target="report")
    precoro.stage(*THREE).run()
    sandbox.precoro.remove_option(link_of(precoro, "1"))
    precoro.target = OptionTarget(precoro.target._client, 5144)  # type: ignore[attr-defined]  # of a later run

    decided = precoro.stage(*THREE, below=(project("100"), project("101", customer_id="2"))).run()

    assert decided["1"] == DELETED
    assert decided["100"] == ("blocked", "parent_missing")
    assert decided["101"] == ("create", "new")


def test_a_record_that_could_not_be_looked_up_is_not_called_deleted(precoro: WorkflowRunner) -> None:
    """Precoro's listing may leave out disabled options, and a run asks for 500 of them at most."""
    precoro.spec = option_tree(deleted_in_target="report")
    precoro.stage(*THREE).run()
    target_id = str(link_of(precoro, "1"))

    with precoro.warehouse.writer() as con:
        con.execute("delete from target_flow where target_id = ?", [target_id])
        now = utc_now(precoro.clock)
        assert read_ledger_facts(con, precoro.workflow, now).deleted["source_id"].to_list() == ["1"]
        unverified = read_ledger_facts(con, precoro.workflow, now, unverified=[target_id]).deleted
    assert unverified["deleted_code"].to_list() == ["not_asked"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("policy", "left", "code"),
    [
        ("inactive", {"is_inactive": True}, "inactive"),
        ("deleted", {"is_deleted": True}, "deleted"),
        ("out_of_scope", {"custentity_export": "F"}, "flag_not_set"),
        ("out_of_scope", {"stage": "lead"}, "stage_lead"),
    ],
)
@pytest.mark.parametrize("target", ["suiteprojects", "precoro"])
def test_both_targets_report_a_record_that_left(
    request: pytest.FixtureRequest, sandbox: Sandbox, target: str, policy: str, left: dict[str, Any], code: str
) -> None:
    """It is held back with what to do; not if the target never had it, or once it is inactive there."""
    runner: WorkflowRunner = request.getfixturevalue(target)
    select = {"require_flag": "custentity_export", "stages": {"customer": "include", "lead": "skip"}}
    if target == "suiteprojects":
        runner.spec = suite_customers(select=select, lifecycle={policy: "report"})
    else:
        top = option_tree().records[0].model_dump(by_alias=True, exclude_none=True)
        runner.spec = option_tree(records=[{**top, "select": select, "lifecycle": {policy: "report"}}])
    runner.stage(*THREE).run()

    decided = runner.stage(customer("1", **left), *THREE[1:], customer("9", **left)).run()

    assert decided == {
        "1": ("quarantined", code), "2": ("unchanged", "identical"), "3": ("unchanged", "identical"),
        "9": ("skipped", code),
    }  # fmt: skip
    assert reason_of(runner, "1").endswith(
        f", but active in the target: deactivate it there, or set lifecycle.{policy} to deactivate"
    )
    if target == "suiteprojects":
        sandbox.suiteprojects.modify("Customer", link_of(runner, "1"), active="0")
        assert runner.run()["1"] == ("skipped", code)
