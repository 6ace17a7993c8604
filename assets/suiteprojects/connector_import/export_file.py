"""Read the JSON of a mapping export; errors name the place: `data.chapters.from_ns[0].tabs[1].mapping[4]`.

Source: suiteprojects_connector.md §1.10 (structure) and §1.9 (rows).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_CHARACTERS = 20_000_000  # an export of all workflows has some hundred thousand
TRUE = {True, "1", "true", "True", "T", "on"}
FALSE = {False, "0", "false", "False", "F", "off", "", None}

# from the top: the key that holds the next level, and the other keys that are read, or only describe the export
STRUCTURE: tuple[tuple[str, frozenset[str]], ...] = (
    ("data", frozenset()),
    ("chapters", frozenset({"acct_id", "beta"})),
    ("from_ns", frozenset()),
    ("tabs", frozenset({"active", "label", "name"})),
    ("mapping", frozenset({"filter", "label", "value"})),
    ("", frozenset({"active", "ns_default", "ns_value", "oa_value", "initial_only", "advanced", "read_only"})),
)


class ExportError(Exception):
    """The file is not a mapping export; the text names the place and what is expected there."""


@dataclass(frozen=True)
class MappingRow:
    """One row of a mapping.

    Attributes:
        place: Its place in the export.
        target: Its target, such as Customer.email; blank for an IF block.
        source: Its source, such as Customer.email or ="1".
        notation: Its advanced notation; blank if it has none.
        flags: active, initial_only, read_only.
    """

    place: str
    target: str
    source: str
    notation: str
    flags: Mapping[str, bool]


def chapters(content: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield place and content of each chapter of an export.

    Raises:
        ExportError: The content is not JSON, or does not have the structure of an export.
    """
    if len(content) > MAX_CHARACTERS:
        raise ExportError(f"the file has {len(content):,} characters; an export has at most {MAX_CHARACTERS:,}")
    try:
        tree = json.loads(content)
    except json.JSONDecodeError as error:
        raise ExportError(f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from error
    except RecursionError as error:
        raise ExportError("the file is nested too deep to be an export") from error
    data, place = _object(tree, "the file"), ""
    for name in ("data", "chapters"):
        if name in data:
            place = f"{place}.{name}".lstrip(".")
            data = _object(data[name], place)
        elif name == "chapters":
            raise ExportError("the file has no data.chapters.from_ns, so it is not a mapping export")
    yield from objects(data, "from_ns", place)


def unknown_keys(content: str) -> Iterator[str]:
    """Yield the place of each key of an export, in its order, that the conversion does not read."""
    tree = json.loads(content)
    for number, levels in enumerate((("data", "chapters", "from_ns"), ("chapters", "from_ns"), ("from_ns",))):
        if levels[0] in tree:
            yield from _unknown(tree, STRUCTURE[number:], "")
            return


def _unknown(holder: Any, levels: Sequence[tuple[str, frozenset[str]]], above: str) -> Iterator[str]:
    """Yield the unknown keys of an object and of the objects below its branch, the first of `levels`."""
    if not isinstance(holder, dict) or not levels:
        return
    branch, known = levels[0]
    for key, value in holder.items():
        place = f"{above}.{key}" if above else key
        if key == branch and isinstance(value, list):
            for number, each in enumerate(value):
                yield from _unknown(each, levels[1:], f"{place}[{number}]")
        elif key == branch:
            yield from _unknown(value, levels[1:], place)
        elif key not in known:
            yield place


def objects(holder: Mapping[str, Any], name: str, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield place and content of each object in a list."""
    where = f"{place}.{name}"
    found = holder.get(name)
    if not isinstance(found, list):
        raise ExportError(f"{where}: a list is expected")
    for number, each in enumerate(found):
        yield f"{where}[{number}]", _object(each, f"{where}[{number}]")


def mapping_row(row: Mapping[str, Any], place: str) -> MappingRow:
    """Return one row of a tab's mapping."""
    source, advanced = text(row, "ns_value", place) or text(row, "ns_default", place), row.get("advanced")
    if isinstance(advanced, str) and advanced not in TRUE | FALSE:
        notation = advanced
    else:
        notation = source if flag(row, "advanced", place, default=False) else ""
    flags = {name: flag(row, name, place, default=name == "active") for name in ("active", "initial_only", "read_only")}
    return MappingRow(place, text(row, "oa_value", place), source, notation, flags)


def text(holder: Mapping[str, Any], name: str, place: str) -> str:
    """Return a value as text; blank if it is missing."""
    value = holder.get(name)
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, dict | list):
        raise ExportError(f"{place}.{name}: a text is expected")
    return str(value)


def flag(holder: Mapping[str, Any], name: str, place: str, *, default: bool = True) -> bool:
    """Return a value as a boolean."""
    value = holder.get(name, default)
    if isinstance(value, dict | list) or value not in TRUE | FALSE:
        raise ExportError(f"{place}.{name}: true or false is expected")
    return value in TRUE


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ExportError(f"{place}: an object is expected")
    return value
