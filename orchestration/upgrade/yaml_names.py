"""Rename keys and values of a YAML file in place: comments, order and formatting stay.

text  ->  edits_of(text, Names)  ->  [Edit(line, old, new)]  ->  apply()  ->  text
content of the new names  ->  former(content, Names)  ->  content of the old names
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import yaml

from assets.delivery.spec.yaml_file import PlainLoader
from assets.delivery.spec.yaml_tree import compose


@dataclass(frozen=True)
class Names:
    """The renames at one place of a file; in a list they apply to each item.

    Attributes:
        keys: Old to new key.
        values: Old to new value, by key.
        prefixes: Old to new beginning of a value, by key.
        inside: The renames below a key.
        every: The renames below each key, whatever its name.
        recursive: Key below which these renames apply again.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    prefixes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    inside: Mapping[str, "Names"] = field(default_factory=dict)
    every: "Names | None" = None
    recursive: str = ""

    def below(self, key: str) -> "Names | None":
        """Return the renames below a key."""
        return self if key == self.recursive else self.inside.get(key, self.every)

    def value(self, key: str, value: str) -> str:
        """Return the new value of a key."""
        for old, new in self.prefixes.get(key, {}).items():
            if value.startswith(old):
                return new + value.removeprefix(old)
        return self.values.get(key, {}).get(value, value)

    @cached_property
    def inverse(self) -> "Names":
        """The renames from new to old names."""
        below = {self.keys.get(key, key): names.inverse for key, names in self.inside.items()}
        return replace(
            self,
            keys=_swapped(self.keys),
            values={key: _swapped(each) for key, each in self.values.items()},
            prefixes={key: _swapped(each) for key, each in self.prefixes.items()},
            inside=below,
            every=self.every.inverse if self.every else None,
        )


def _swapped(names: Mapping[str, str]) -> dict[str, str]:
    return {new: old for old, new in names.items()}


@dataclass(frozen=True, order=True)
class Edit:
    """One replacement in a text; `start` and `end` are positions, `line` counts from 1."""

    start: int
    end: int
    line: int
    old: str
    new: str


def edits_of(text: str, names: Names) -> list[Edit]:
    """Return the edits that give a YAML text the new names, in order; yaml.YAMLError if the text is not YAML."""
    if names == Names():
        return []
    _, root = compose(text, PlainLoader)
    return sorted(set(_edits(root, names))) if root else []


def apply(text: str, edits: Sequence[Edit]) -> str:
    """Return the text with the edits made; quotes around a name stay."""
    for edit in reversed(edits):
        given = text[edit.start : edit.end]
        quote = given[0] if given[0] in "'\"" else ""
        text = f"{text[: edit.start]}{quote}{edit.new}{quote}{text[edit.end :]}"
    return text


def _edits(node: yaml.Node, names: Names) -> Iterator[Edit]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _edits(item, names)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            yield from _edits(value, names)
            continue
        if key.value in names.keys:
            yield _edit(key, names.keys[key.value])
        if isinstance(value, yaml.ScalarNode) and names.value(key.value, value.value) != value.value:
            yield _edit(value, names.value(key.value, value.value))
        below = names.below(key.value)
        if below:
            yield from _edits(value, below)


def _edit(node: yaml.ScalarNode, new: str) -> Edit:
    return Edit(node.start_mark.index, node.end_mark.index, node.start_mark.line + 1, node.value, new)


def former(content: Any, names: Names) -> Any:
    """Return parsed content of the new names under the old ones."""
    return _renamed(content, names.inverse)


def _renamed(content: Any, names: Names) -> Any:
    if isinstance(content, list):
        return [_renamed(item, names) for item in content]
    if not isinstance(content, dict):
        return content
    renamed = {}
    for key, value in content.items():
        below = names.below(key)
        changed = names.value(key, value) if isinstance(value, str) else value
        renamed[names.keys.get(key, key)] = _renamed(changed, below) if below else changed
    return renamed
