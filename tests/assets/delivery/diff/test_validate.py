"""Records that the target would reject are quarantined."""

from dataclasses import replace
from typing import Any

import pytest

from assets.delivery.diff.decide import decide
from assets.delivery.diff.records import Records
from assets.delivery.target import TargetField
from tests.assets.delivery.builders import OPTIONS, desired, links, mart, option_tree, target_state
from tests.assets.delivery.diff.decisions import actions, plan_rows


def test_length_is_counted_in_characters() -> None:
    """Twenty characters fit into twenty, whatever their bytes."""
    assert actions(plan_rows([desired(name="é" * 20)])) == [("create", "new")]


@pytest.mark.parametrize(
    ("limit", "value", "code"),
    [
        ({"max_length": 3}, "four", "too_long"),
        ({"max_length": 3}, None, "new"),
        ({"choices": frozenset({"a", "it's"})}, "b", "not_in_list"),
        ({"choices": frozenset({"a", "it's"})}, "it's", "new"),
        ({"choices": frozenset({"a"})}, None, "new"),
        ({"choices": frozenset[str]()}, "a", "not_in_list"),
        ({"kind": "number"}, "-1.5", "new"),
        ({"kind": "number"}, "1,5", "wrong_form"),
        ({"kind": "boolean"}, "T", "wrong_form"),
        ({"kind": "date"}, "2026-11-01", "new"),
        ({"kind": "date"}, "2026-11-01 12:00:00", "new"),
        ({"kind": "date"}, "01.11.2026", "wrong_form"),
        ({"required": True}, None, "required_blank"),
    ],
)
def test_each_limit_of_the_target_has_its_code(limit: dict[str, Any], value: str | None, code: str) -> None:
    """The reason names the field; blank values break no limit other than `required`."""
    target = replace(OPTIONS, fields={"name": TargetField("name", **limit)})

    (row,) = decide(option_tree(), target, Records(mart(desired(name=value)), target_state(), links())).to_dicts()

    assert row["reason_code"] == code
    assert row["action"] == ("create" if code == "new" else "quarantined")
    assert code == "new" or "name" in row["reason"]
