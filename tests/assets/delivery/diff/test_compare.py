"""Fields are compared by who owns them."""

import json

import pytest

from assets.delivery.diff.decide import decide
from assets.delivery.diff.records import Records
from assets.delivery.schemas import PARENT, TargetShape
from assets.delivery.target import TOP
from tests.assets.delivery.builders import (
    OPTION_ROWS,
    actual,
    below,
    desired,
    link,
    links,
    mart,
    one_source,
    option_tree,
    target_state,
)
from tests.assets.delivery.diff.decisions import INACTIVE, actions, changes, plan_rows


def test_a_field_written_on_creation_only_is_left_alone_afterwards() -> None:
    """Initial only: people edit it in the target."""
    once = {"field": "name", "from": "company_name", "on": "create"}
    spec = one_source(fields=[OPTION_ROWS[0], once, OPTION_ROWS[2]])

    existing = plan_rows([desired(name="New")], [actual()], spec=spec)[0]
    new = plan_rows([desired(name="New")], [], spec=spec)[0]

    assert (existing["action"], existing["payload"]) == ("unchanged", None)
    assert json.loads(new["payload"])["name"] == "New"


def test_a_field_that_the_source_does_not_map_is_left_alone() -> None:
    """The mart has it for the other source; clearing it would be an edit that no one requested."""
    tree = option_tree()
    without_name = [row for row in OPTION_ROWS if row["field"] != "name"]
    projects = tree.records[1].model_dump(by_alias=True)
    spec = option_tree(records=[{"source": "customers", "fields": without_name}, projects])
    there = actual(name="edited manually")

    plan = plan_rows([desired(name=None)], [there], spec=spec)

    assert actions(plan) == [("quarantined", "required_blank")]  # a new one could not be created without it
    unlimited = TargetShape("externalId", "enable", {})
    plan = decide(spec, unlimited, Records(mart(desired(name=None)), target_state(there), links())).to_dicts()
    assert actions(plan) == [("unchanged", "identical")]


def test_only_monitored_fields_make_a_record_changed() -> None:
    """The other fields are sent along when one of them changed."""
    spec = option_tree(monitored_fields=["enable"])
    there = [
        actual(name="old", enable=None),
        actual("902", "2", name="old"),
        actual("903", "3", name="old", **INACTIVE),
    ]

    plan = plan_rows([desired("1"), desired("2"), desired("3")], there, spec=spec)

    assert [row["action"] for row in plan] == ["update", "unchanged", "reactivate"]
    assert changes(plan[0]).keys() == {"name", "enable"}


@pytest.mark.parametrize(
    ("shown", "linked", "expected"),
    [("901", [], {}), ("905", [], {PARENT: ("905", "901")}), (None, ["905"], {PARENT: ("905", "901")}), (None, [], {})],
)
def test_another_parent_is_a_change(
    shown: str | None, linked: list[str], expected: dict[str, tuple[str | None, str | None]]
) -> None:
    """The target's parent counts, else the last confirmed one; without either nothing is assumed."""
    child = actual("902", "100", parent_id=shown)
    known = [link("100", "902", source="projects", parent_target_id=parent) for parent in linked]

    plan = plan_rows([desired(), below("100", "1")], [actual(), child], known)

    assert changes(plan[1]) == expected
    assert plan[1]["action"] == ("update" if expected else "unchanged")


def test_a_child_moves_to_a_parent_that_is_yet_to_be_created() -> None:
    """Its id is not known yet, but the move must not be forgotten."""
    plan = plan_rows([desired("2"), below("100", "2")], [actual("902", "100", parent_id="901")])

    assert [row["action"] for row in plan] == ["create", "update"]
    assert changes(plan[1]) == {PARENT: ("901", None)}


def test_a_child_without_a_parent_moves_to_the_top() -> None:
    """NetSuite no longer has a parent, and the workflow file maps parents."""
    top = desired("100", source="projects")

    assert changes(plan_rows([top], [actual("902", "100", parent_id="901")])[0]) == {PARENT: ("901", None)}


def test_a_record_at_the_top_moves_below_its_new_parent() -> None:
    """It was confirmed without a parent, and the target shows none: it was called identical, and stayed there."""
    at_the_top = link("100", "902", source="projects")

    plan = plan_rows([desired(), below("100", "1")], [actual(), actual("902", "100")], [link(), at_the_top])

    assert changes(plan[1]) == {PARENT: (None, "901")}


def test_a_record_that_the_target_shows_at_the_top_was_moved() -> None:
    """It was confirmed below its parent; what is at the top in NetSuite as well has not moved."""
    confirmed = link("100", "902", source="projects", parent_target_id="901")
    there = [actual(), actual("902", "100", parent_id=TOP)]

    plan = plan_rows([desired(), below("100", "1")], there, [link(), confirmed])

    assert changes(plan[1]) == {PARENT: (None, "901")}
    assert actions(plan_rows([desired(), desired("100", source="projects")], there)) == [("unchanged", "identical")] * 2


def test_parents_of_records_without_mapped_parents_are_left_alone() -> None:
    """People may sort customers into folders."""
    assert actions(plan_rows([desired()], [actual(parent_id="555")])) == [("unchanged", "identical")]
