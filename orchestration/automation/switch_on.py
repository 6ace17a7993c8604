"""Switch schedules and change sensors on in groups.yaml; nothing else of the file changes.

groups.yaml, names of groups  ->  switched_on()  ->  its new text, and what is on now
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import yaml

from orchestration.automation.groups import DIGEST, MAINTENANCE, RECONCILE

NIGHTLY = (RECONCILE, MAINTENANCE, DIGEST)  # and weekly


@dataclass(frozen=True)
class SwitchedOn:
    """The new text of groups.yaml, and the schedules and sensors that it switches on."""

    text: str
    names: tuple[str, ...]


def switched_on(text: str, groups: Collection[str]) -> SwitchedOn:
    """Return a text of groups.yaml in which these groups, the nightly comparison and the maintenance run by themselves.

    Each `on: false` of theirs becomes `on: true`; comments and everything else stay as they are.
    """
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    edits: list[tuple[int, int]] = []
    names: list[str] = []
    for name, node in _timings(tree, groups):
        state = _items(node).get("on")
        if state is not None and state.value != "true":
            edits.append((state.start_mark.index, state.end_mark.index))
            names.append(name)
    for start, end in sorted(edits, reverse=True):
        text = f"{text[:start]}true{text[end:]}"
    return SwitchedOn(text, tuple(names))


def _timings(tree: yaml.Node | None, groups: Collection[str]) -> Iterator[tuple[str, yaml.Node]]:
    """Yield each schedule and sensor with its name in Dagster's pages."""
    top = _items(tree)
    for job in NIGHTLY:
        if job in top:
            yield f"{job}_schedule", top[job]
    for name, group in _items(top.get("groups")).items():
        if name not in groups:
            continue
        parts = _items(group)
        listed = parts.get("schedules")
        several = listed.value if isinstance(listed, yaml.SequenceNode) else []
        for number, node in enumerate([*filter(None, [parts.get("schedule")]), *several], 1):
            yield f"{name}_schedule{f'_{number}' if number > 1 else ''}", node
        if "sensor" in parts:
            yield f"{name}_changes", parts["sensor"]


def _items(node: yaml.Node | None) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
