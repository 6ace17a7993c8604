"""Read a workflow file, and name file, line, field and mend of what is wrong in it.

orchestration/workflows/<workflow>/defs.yaml  ->  read_workflow()  ->  WorkflowSpec, or a WorkflowFileError
"""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from assets.delivery.spec.workflow_spec import WorkflowSpec


class PlainLoader(yaml.SafeLoader):
    """Plain scalars are what they look like: `on`, `NO`, `010`, `12:30` and dates stay text, as in YAML 1.2."""

    # PyYAML's table: first character -> tags and patterns
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [each for each in kept if each[0].endswith((":null", ":merge"))]
        for first, kept in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """Refuse a key that is there twice, of which YAML would keep the last."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key.value}` is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(0|[1-9][0-9]*)\.[0-9]+", "-+0123456789"),
):
    PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


class WorkflowFileError(Exception):
    """A workflow file cannot be used; the text names file, line, field and the mend."""


def read_workflow(path: Path) -> WorkflowSpec:
    """Read and check one workflow file.

    Raises:
        WorkflowFileError: The file is not YAML, or says something that no workflow can mean.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=PlainLoader)
        content = yaml.load(text, Loader=PlainLoader)  # noqa: S506 - a safe loader
    except OSError as error:
        raise WorkflowFileError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WorkflowFileError(f"{path}: the file must be UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise WorkflowFileError(f"{path}{line}: {problem}; check quotes, brackets and indentation") from error
    if not isinstance(content, Mapping) or not isinstance(content.get("attributes"), Mapping):
        raise WorkflowFileError(f"{path}:1: the file needs `type:` and `attributes:`; see the shipped workflows")
    try:
        return WorkflowSpec.model_validate(content["attributes"])
    except ValidationError as error:
        lines = [located(path, tree, ("attributes", *each["loc"]), each["msg"]) for each in error.errors()]
        raise WorkflowFileError("\n".join(dict.fromkeys(lines))) from error


def file_problems(path: Path, problems: Iterable[tuple[Sequence[str | int], str]]) -> WorkflowFileError:
    """What is wrong in a file that could be read: places below `attributes`, each with its text."""
    tree = yaml.compose(path.read_text(encoding="utf-8"), Loader=PlainLoader)
    lines = [located(path, tree, ("attributes", *place), text) for place, text in problems]
    return WorkflowFileError("\n".join(dict.fromkeys(lines)))


def located(path: Path, tree: Any, location: Sequence[str | int], message: str) -> str:
    """`file:line: field: what is wrong`, the line found by walking the YAML tree as far as the field goes."""
    node, line, told = tree, 1, []
    for step in location:
        found = _child(node, step)
        if found is not None:
            node, line = found
        if step != "attributes" and (found is not None or step == location[-1]):
            told.append(str(step))
    mend = {"Extra inputs are not permitted": "no such key here; check its spelling"}.get(message, message)
    return f"{path}:{line}: {'.'.join(told) or 'attributes'}: {mend.removeprefix('Value error, ')}"


def _child(node: Any, step: str | int) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line + 1
    return None
