"""Switch schedules and change sensors on in groups.yaml; nothing else of the file changes.

groups.yaml, names of groups  ->  switched_on()  ->  its new text, and what is on now
"""

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from assets.delivery.spec.yaml_file import parse
from orchestration.automation.groups import DIGEST, MAINTENANCE, RECONCILE

NIGHTLY = (RECONCILE, MAINTENANCE, DIGEST)  # and weekly
Place = tuple[str | int, ...]  # keys and list positions


class SwitchOnError(Exception):
    """The file cannot be changed without changing something else; the text has the fix."""


@dataclass(frozen=True)
class SwitchedOn:
    """The new text of groups.yaml, and the schedules and sensors that it switches on.

    Attributes:
        names: What was off, by its name in Dagster's pages.
        on: All that is on now, with what was on before.
    """

    text: str
    names: tuple[str, ...]
    on: tuple[str, ...]


def switched_on(text: str, groups: Collection[str]) -> SwitchedOn:
    """Return a text of groups.yaml in which these groups, the nightly comparison and the maintenance run by themselves.

    Each `on: false` of theirs becomes `on: true`, which is added where there is no `on`; comments and everything else
    stay as they are.

    Raises:
        SwitchOnError: The change would have switched something else on, or not all of this.
    """
    content, tree = parse(text)
    content = _unshared(content)
    wanted = copy.deepcopy(content)
    edits: dict[int, tuple[int, str]] = {}
    names: list[str] = []
    places = list(_places(content, groups))
    for name, place in places:
        if _at(content, place).get("on") is True:
            continue
        _at(wanted, place)["on"] = True
        start, end, written = _edit(text, _node(tree, place))
        edits[start] = end, written
        names.append(name)
    for start, (end, written) in sorted(edits.items(), reverse=True):
        text = f"{text[:start]}{written}{text[end:]}"
    if names and _content(text) != wanted:
        raise SwitchOnError(
            f"groups.yaml cannot be changed for {', '.join(names)} alone, because several schedules share one"
            " definition; write `on: true` for each yourself"
        )
    return SwitchedOn(text, tuple(names), tuple(name for name, _ in places))


def _places(content: Any, groups: Collection[str]) -> Iterator[tuple[str, Place]]:
    """Yield the name of each schedule and sensor in Dagster's pages, and its place in the file."""
    for job in NIGHTLY:
        if content.get(job):
            yield f"{job}_schedule", (job,)
    for name, group in content["groups"].items():
        if name not in groups:
            continue
        timings: list[Place] = [("schedule",)] if group.get("schedule") else []
        timings += [("schedules", number) for number in range(len(group.get("schedules") or ()))]
        for number, place in enumerate(timings, 1):
            yield f"{name}_schedule{f'_{number}' if number > 1 else ''}", ("groups", name, *place)
        if group.get("sensor") is not None:
            yield f"{name}_changes", ("groups", name, "sensor")


def _edit(text: str, node: yaml.MappingNode) -> tuple[int, int, str]:
    """Return which characters of the file are replaced, and by what."""
    for key, value in node.value:
        if key.value == "on":
            return value.start_mark.index, value.end_mark.index, "true"
    if node.flow_style:
        start = text.index("{", node.start_mark.index) + 1  # an anchor may stand before the bracket
        return start, start, f"on: true{', ' if node.value else ''}"
    first = node.value[0][0].start_mark
    return first.index, first.index, f"on: true\n{' ' * first.column}"


def _unshared(content: Any) -> Any:
    """Return the content in which each repeated part is a copy of its own."""
    if isinstance(content, Mapping):
        return {key: _unshared(value) for key, value in content.items()}
    return [_unshared(each) for each in content] if isinstance(content, list) else content


def _content(text: str) -> Any:
    try:
        return _unshared(parse(text)[0])
    except yaml.YAMLError:
        return None


def _at(content: Any, place: Place) -> Any:
    for step in place:
        content = content[step]
    return content


def _node(node: Any, place: Place) -> Any:
    for step in place:
        node = node.value[step] if isinstance(step, int) else next(v for k, v in node.value if k.value == step)
    return node
