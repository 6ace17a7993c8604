"""Read YAML files that people edit, and report every problem with file, line, field, and fix.

path  ->  YamlFile.read()  ->  YamlFile.validate(model)  ->  the model, or a WorkflowFileError
"""

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from assets.delivery.spec.yaml_tree import compose

Location = tuple[str | int, ...]  # keys and list positions
Problem = tuple[Location, str]
Model = TypeVar("Model", bound=BaseModel)


def below(location: Location, problems: Iterable[Problem]) -> Iterator[Problem]:
    """Return problems whose locations are relative to this one."""
    return (((*location, *inner), text) for inner, text in problems)


class WorkflowFileError(Exception):
    """A YAML file cannot be used; the text has a line `file:line: field: problem and fix` for each problem."""


class _Plain:
    """YAML 1.2 scalars: `on`, `NO`, `010`, `12:30` and dates stay text."""

    # PyYAML's table: first character -> tags and patterns
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [each for each in kept if each[0].endswith((":null", ":merge"))]
        for first, kept in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """Reject duplicate keys, of which PyYAML would keep the last."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key `{key.value}`; remove one", key.start_mark
                )
            seen.add(key.value)
        return yaml.constructor.SafeConstructor.construct_mapping(self, node, deep=deep)  # type: ignore[arg-type]


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(0|[1-9][0-9]*)\.[0-9]+", "-+0123456789"),
):
    for _each in _first:
        _resolvers = _Plain.yaml_implicit_resolvers.setdefault(_each, [])
        _resolvers.append((f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$")))


class PlainLoader(_Plain, yaml.SafeLoader):
    """The loader in Python, with the clearer texts of errors."""


class FastLoader(_Plain, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The loader in C, ten times as fast, where PyYAML has it."""


def parse(text: str) -> tuple[Any, yaml.Node | None]:
    """Return the content of a text and its root node; None if it is empty.

    Raises:
        yaml.YAMLError: The text is not YAML, or is nested or repeated beyond the limits.
    """
    try:
        return compose(text, FastLoader)
    except yaml.YAMLError:
        return compose(text, PlainLoader)


@dataclass(frozen=True)
class YamlFile:
    """A parsed file; `root` is the part that its problems are located in, such as ("attributes",)."""

    path: Path
    content: Any
    tree: Any
    root: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path, root: tuple[str, ...] = ()) -> "YamlFile":
        """Parse a file; WorkflowFileError if the file cannot be read, or is not YAML."""
        try:
            text = path.read_text(encoding="utf-8")
            return cls(path, *parse(text), root)
        except OSError as error:
            raise WorkflowFileError(f"{path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise WorkflowFileError(f"{path}: not UTF-8 text; save the file as UTF-8") from error
        except RecursionError:
            raise WorkflowFileError(f"{path}:1: nested too deeply; keep brackets to a few levels") from None
        except ValueError as error:  # such as a number of thousands of digits
            raise WorkflowFileError(f"{path}: a value that is too large; put quotes around it") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
            fix = (
                "" if isinstance(error, yaml.constructor.ConstructorError) else "; check quotes, brackets, indentation"
            )
            raise WorkflowFileError(f"{path}{line}: {problem}{fix}") from error

    def validate(self, model: type[Model], content: Any) -> Model:
        """Validate the content below `root`; WorkflowFileError if the content does not fit the model."""
        try:
            return model.model_validate(content)
        except ValidationError as error:
            raise self.error(
                (each["loc"], problem_text(model, each["type"], each["loc"], each["msg"])) for each in error.errors()
            ) from error

    def error(self, problems: Iterable[Problem]) -> WorkflowFileError:
        """Return the error that reports these problems, with locations below `root`."""
        return WorkflowFileError("\n".join(dict.fromkeys(self.line(*problem) for problem in problems)))

    def line(self, location: Location, text: str) -> str:
        """Return `file:line: field: text`; the line is that of the deepest part of the location that exists."""
        node, line, names = self.tree, 1, []
        for depth, step in enumerate((*self.root, *location)):
            child = _child(node, step)
            if child is not None:
                node, line = child
            if depth >= len(self.root) and (child is not None or step == location[-1]):
                names.append(str(step))
        return f"{self.path}:{line}: {'.'.join(names or self.root) or 'content'}: {text}"


# pydantic's kinds of errors whose own texts are about Python's types
_WRITE = {
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "dict_type": "write keys with values, such as {key: value}",
    "float_parsing": "write a number",
    "float_type": "write a number",
    "int_from_float": "write a whole number",
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "list_type": "write a list, such as [a, b], or a line with `-` for each",
    "model_type": "write keys with values, such as {key: value}",
    "string_type": "write text, in quotes if it looks like a number, a list or a map",
}


def _child(node: Any, step: str | int) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line + 1
    return None


def problem_text(model: type[BaseModel], kind: str, location: Location, message: str) -> str:
    """Return what to write instead; for an unknown key the most similar known one."""
    if kind != "extra_forbidden":
        return _WRITE.get(kind) or message.removeprefix("Value error, ")
    *above, key = location
    similar = get_close_matches(str(key), _keys_at(model, above), 1)
    return f"unknown key; did you mean `{similar[0]}`?" if similar else "unknown key; check its spelling"


def _keys_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the keys that the models at a location know."""
    models = [model]
    for step in location:
        fields = [each.model_fields.items() for each in models]
        inner = [field.annotation for named in fields for name, field in named if step in (name, field.alias)]
        models = [found for annotation in inner for found in _models(annotation)] or models
    return [field.alias or name for each in models for name, field in each.model_fields.items()]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Return the models inside an annotation, such as those of `list[A | str] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)
