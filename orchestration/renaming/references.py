"""References to a workflow in workflow files and groups.yaml, and their text with its new name.

text of a file  ->  renamed_text()  ->  the same text with the new name; comments and formatting stay
"""

import re
from collections.abc import Iterator

import yaml

from assets.delivery.spec.yaml_file import PlainLoader
from assets.delivery.spec.yaml_tree import compose
from orchestration.upgrade.yaml_names import Edit, apply

LAYERS = (
    "mart",
    "target",
    "plan",
    "sync",
    "selection",
    "candidates",
    "tree",
    "hist_mart_",
    "hist_target_",
)  # the tables of a workflow: <layer>_<name>
JOB_SUFFIXES = ("__plan", "__import", "__update")  # of its jobs: <name><suffix>
# keys whose value, or whose list, names workflows or their tables
_KEYS = ("needs", "reference", "table", "workflows")


def new_names(old: str, new: str) -> dict[str, str]:
    """Return everything that is named after a workflow, with its new name."""
    return {old: new, **{f"{layer}_{old}": f"{layer}_{new}" for layer in LAYERS}}


def renamed_text(text: str, old: str, new: str) -> str:
    """Return the text of a file with a workflow's new name; yaml.YAMLError if the text is not YAML."""
    _, root = compose(text, PlainLoader)
    return apply(text, sorted(set(_edits(root, new_names(old, new))))) if root else text


def pattern(name: str) -> str:
    """Return the regular expression of what is named after a workflow in a text; its groups surround the name."""
    return rf"\b((?:{'|'.join(LAYERS)})_)?{name}({'|'.join(JOB_SUFFIXES)})?\b"


def mentions(text: str, name: str) -> list[int]:
    """Return the lines in which a text has a workflow's name."""
    found = re.compile(pattern(name))
    return [number for number, line in enumerate(text.splitlines(), 1) if found.search(line)]


def _edits(node: yaml.Node, names: dict[str, str], key: str = "") -> Iterator[Edit]:
    if isinstance(node, yaml.ScalarNode):
        if key in _KEYS and node.value in names:
            line = node.start_mark.line + 1
            yield Edit(node.start_mark.index, node.end_mark.index, line, node.value, names[node.value])
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _edits(item, names, key)
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _edits(value, names, name.value)
