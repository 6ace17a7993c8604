"""`millpond enable hierarchy`: switch a hierarchy's workflow and the rows that assign records to it on, together.

NAME  ->  `active: true` in its file, and in each row with `reference: <its workflow>`  ->  both files, or none
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import yaml

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.spec.yaml_file import WorkflowFileError
from assets.result_texts import did_you_mean
from orchestration.cli.exit_codes import CLEAN, USAGE
from orchestration.cli.facts import with_json
from orchestration.cli.output import print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from resources.atomic_file import write_atomically

FILE = "defs.yaml"
Edit = tuple[int, int, str]  # the part of a text to replace


class NotEnabledError(Exception):
    """Nothing was changed; the text says why."""


@dataclass(frozen=True)
class EditedFile:
    """A workflow file with its new text, and the lines that change."""

    path: Path
    text: str
    lines: Sequence[int]


@with_json
def enable(kind: Literal["hierarchy"], name: str) -> int:  # noqa: ARG001 - a word of the command
    """Switch a hierarchy on: its file, and the row that assigns records to it.

    Args:
        kind: `hierarchy`.
        name: The hierarchy, such as `Customer Class`, or its workflow.
    """
    try:
        edited = enable_hierarchy(MillpondSettings().workflows, name)
    except NotEnabledError as error:
        print_problems([str(error)])
        return USAGE
    except (WorkflowFileError, OSError) as error:
        print_problems(str(error).splitlines())
        return USAGE
    for each in edited:
        print_wrapped(f"✓ {each.path}: line {', '.join(map(str, each.lines))}", "green")
    print_wrapped("run `millpond plan all` to see what changes" if edited else f"{name} is already on; nothing changed")
    return CLEAN


def enable_hierarchy(folder: Path, name: str) -> list[EditedFile]:
    """Change the files of a folder, after a check that they are valid; return those that changed.

    Raises:
        NotEnabledError: There is no such hierarchy, or no row that assigns records to it.
        WorkflowFileError: A file would not be valid.
    """
    trees = {path.parent.name: _tree(path) for path in sorted(folder.glob(f"*/{FILE}"))}
    workflow = _workflow_of(trees, name)
    rows = {each: list(_rows(tree, workflow)) for each, tree in trees.items()}
    if not any(rows.values()):
        row = f'{{field: "hierarchy:NAME", from: COLUMN, reference: {workflow}, on_unmapped: blank}}'
        raise NotEnabledError(f"no file has a row with `reference: {workflow}`; add one, such as {row}")
    edited: list[EditedFile] = []
    for each, tree in trees.items():
        nodes = [*([_attributes(tree)] if each == workflow else []), *rows[each]]
        edits = [edit for node in nodes for edit in _activation(node)]
        edited += [_edited(folder / each / FILE, edits)] if edits else []
    _check(edited)
    before = {file.path: _text(file.path) for file in edited}
    try:
        for file in edited:
            write_atomically(file.path, file.text)
    except OSError:
        for path, text in before.items():
            write_atomically(path, text)
        raise
    return edited


def _tree(path: Path) -> yaml.MappingNode:
    try:
        tree = yaml.compose(_text(path), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise WorkflowFileError(f"{path}: not valid YAML; `millpond validate` names the line") from error
    if not isinstance(tree, yaml.MappingNode):
        raise WorkflowFileError(f"{path}: not a workflow file; `millpond validate` checks it")
    return tree


def _items(node: yaml.Node | None) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def _attributes(tree: yaml.Node) -> yaml.Node:
    return _items(tree).get("attributes", tree)


def _workflow_of(trees: Mapping[str, yaml.Node], name: str) -> str:
    """Return the workflow of a hierarchy, by its own name or by the hierarchy's, in any case.

    Raises:
        NotEnabledError: There is none.
    """
    hierarchies: dict[str, str] = {}
    for workflow, tree in trees.items():
        hierarchy = _items(_items(_attributes(tree)).get("options")).get("hierarchy")
        if isinstance(hierarchy, yaml.ScalarNode):
            hierarchies[hierarchy.value] = workflow
    for hierarchy_name, workflow in hierarchies.items():
        if name.lower() in {hierarchy_name.lower(), workflow.lower()}:
            return workflow
    known = ", ".join(sorted(hierarchies)) or "none"
    raise NotEnabledError(f"no hierarchy {name}; {did_you_mean(name, hierarchies)}known are {known}")


def _rows(node: yaml.Node, workflow: str) -> Iterator[yaml.Node]:
    """Yield every mapping below a node that references a workflow."""
    reference = _items(node).get("reference")
    if isinstance(reference, yaml.ScalarNode) and reference.value == workflow:
        yield node
    children = _items(node).values() if isinstance(node, yaml.MappingNode) else ()
    for child in node.value if isinstance(node, yaml.SequenceNode) else children:
        yield from _rows(child, workflow)


def _activation(node: yaml.Node) -> Iterator[Edit]:
    """Yield the change of `active: false`; what has no such key is active."""
    active = _items(node).get("active")
    if active is not None and active.value != "true":
        yield active.start_mark.index, active.end_mark.index, "true"


def _text(path: Path) -> str:
    """Return a file's text with its line ends as they are."""
    return path.read_bytes().decode("utf-8")


def _edited(path: Path, edits: Sequence[Edit]) -> EditedFile:
    text = _text(path)
    lines = sorted(text.count("\n", 0, start) + 1 for start, _, _ in edits)
    for start, end, value in sorted(edits, reverse=True):
        text = text[:start] + value + text[end:]
    return EditedFile(path, text, lines)


def _check(edited: Sequence[EditedFile]) -> None:
    """Load the new texts as a run would; WorkflowFileError if one is not valid."""
    with TemporaryDirectory() as folder:
        for each in edited:
            copy = Path(folder) / each.path.parent.name / FILE
            write_atomically(copy, each.text, durable=False)
            load_workflow(copy)
