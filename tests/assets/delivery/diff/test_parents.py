"""Parents decide for their children."""

import polars as pl
import pytest

from assets.delivery.diff.ledger_facts import LedgerFacts
from assets.delivery.schemas import UNDO_HOLD_SCHEMA
from tests.assets.delivery.builders import actual, below, desired, option_tree
from tests.assets.delivery.diff.decisions import QUARANTINE, RETIRE, SKIP, Rows, actions, plan_rows


def test_a_child_of_a_new_parent_is_created_after_it() -> None:
    """Parents come first in the plan; the parent's id is filled in while sending."""
    plan = plan_rows([below("100", "1"), desired()])

    assert [(row["source_id"], row["action"], row["parent_target_id"]) for row in plan] == [
        ("1", "create", None),
        ("100", "create", None),
    ]


def test_a_child_has_the_target_id_of_an_existing_parent() -> None:
    """It is in the plan."""
    assert plan_rows([desired(), below("100", "1")], [actual()])[1]["parent_target_id"] == "901"


@pytest.mark.parametrize(
    ("parent", "there", "expected"),
    [
        ([], [], "blocked"),
        ([desired(**QUARANTINE)], [], "blocked"),
        ([desired(**SKIP)], [], "blocked"),
        ([desired()], [actual(), actual("902")], "blocked"),
        ([desired(**QUARANTINE)], [actual()], "create"),
        ([desired(**SKIP)], [actual()], "create"),
        ([desired(**RETIRE)], [actual()], "skipped"),
    ],
)
def test_a_child_depends_on_its_parent(parent: Rows, there: Rows, expected: str) -> None:
    """Without its parent in the target a child is blocked; an existing parent will do, whatever is wrong with it."""
    plan = plan_rows([*parent, below("100", "1")], there)

    assert plan[-1]["action"] == expected


def test_a_missing_parent_blocks_every_level_below() -> None:
    """The grandchild waits as well."""
    plan = plan_rows([below("100", "1"), below("101", "100", parent_source="projects", level=3)])

    assert actions(plan) == [("blocked", "parent_missing")] * 2


def test_children_are_deactivated_with_their_parent() -> None:
    """A project of an inactive customer can no longer be selected, down to the last level."""
    desired_rows = [desired(**RETIRE), below("100", "1"), below("101", "100", parent_source="projects", level=3)]

    plan = plan_rows(desired_rows, [actual(), actual("902", "100"), actual("903", "101")])

    assert actions(plan) == [("deactivate", "deleted"), *[("deactivate", "parent_inactive")] * 2]


@pytest.mark.parametrize("both", [False, True])
def test_an_undone_child_is_deactivated_with_its_parent_unless_both_were_undone(*, both: bool) -> None:
    """The change in NetSuite ends the hold, as of a record that is inactive itself; an undo of that change does not."""
    spec = option_tree()
    hold = ("projects", "100", "payload of 100", "deliver", spec.version, "run")
    above = ("customers", "1", desired()["payload_hash"], "retire", spec.version, "run")
    facts = LedgerFacts(undo_holds=pl.DataFrame([hold, above][: 1 + both], schema=UNDO_HOLD_SCHEMA, orient="row"))
    rows = [desired(**RETIRE), below("100", "1", name="New"), below("101", "100", parent_source="projects", level=3)]

    plan = plan_rows(rows, [actual(), actual("902", "100"), actual("903", "101")], spec=spec, facts=facts)

    undone = ("skipped", "undone") if both else ("deactivate", "parent_inactive")
    assert actions(plan)[1:] == [undone, ("deactivate", "parent_inactive")]


def test_a_blocked_record_that_would_be_adopted_is_no_parent() -> None:
    """The target record is not ours, and will not be."""
    spec = option_tree(match=["name"])
    children = [below("100", "1", name="Same"), below("101", "100", parent_source="projects", level=3)]

    plan = plan_rows(children, [actual(external_id=None, name="Same")], spec=spec)

    assert [row["action"] for row in plan] == ["blocked", "blocked"]
