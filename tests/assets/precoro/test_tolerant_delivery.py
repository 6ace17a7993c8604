"""A company that answers in another dialect is delivered to as any other."""

import dataclasses
from typing import Any

import pytest

from assets.delivery.target import Action, Verdict
from assets.precoro.target import OptionTarget
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from tests.assets.precoro.test_option_target import FIELDS, ours, write

DIALECTS: list[dict[str, Any]] = [
    {},
    {"write_answer": "id"},
    {"write_answer": "id", "post_external_id": "ignore"},
    {"value_types": "text"},
    {"value_types": "digits", "null_values": "absent"},
    {"value_types": "text", "null_values": "absent", "write_answer": "id", "pagination": "new"},
    {"value_types": "text", "parent_in_responses": True, "strict_put": True},
]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_writes_are_confirmed_in_every_dialect(target: OptionTarget, sandbox: Sandbox, dialect: dict[str, Any]) -> None:
    """An answer needs only the id; what it does not contain is no before-image."""
    sandbox.switches.set("precoro", PrecoroSwitches, **dialect)
    sandbox.precoro.add_field("Customers/Projects", enable=False)
    named = OptionTarget(target._client, "Customers/Projects")

    created = named.send([write("1"), write("2", values={"code": "P-2"})]).outcomes
    ids = [str(each.target_id) for each in created]
    below = named.send([write("3", parent_id=ids[0])]).outcomes
    changed = write("1", Action.UPDATE, target_id=ids[0], values={"name": "New"})
    gone = write("2", Action.DEACTIVATE, target_id=ids[1])
    updated = named.send([dataclasses.replace(changed, changed=frozenset({"name"})), gone]).outcomes

    assert {each.verdict for each in (*created, *below, *updated)} == {Verdict.CONFIRMED}
    is_whole = dialect.get("write_answer") != "id"
    assert {each.echo is not None for each in (*created, *below, *updated)} == {is_whole}
    stored = ours(sandbox)
    assert {key: (row["name"], row["enable"]) for key, row in stored.items()} == {
        "1": ("New", True), "2": ("Customer 2", False), "3": ("Customer 3", True),
    }  # fmt: skip
    assert stored["3"]["parent_id"] == int(ids[0])
    sandbox.clock.sleep(61)
    read = {row["external_id"]: row for row in named.read(FIELDS).to_dicts()}
    assert {key: (row["name"], row["is_active"]) for key, row in read.items() if key} == {
        "1": ("New", True), "2": ("Customer 2", False), "3": ("Customer 3", True),
    }  # fmt: skip
