"""Read a mapping export of Oracle's connector into workflow files, and say what cannot be carried over, and why.

JSON  ->  read_export()  ->  Imported(name, attributes, left: [Left(place, why)]) per workflow

Source: suiteprojects_connector.md §1.10 (shape), §1.9 (rows) and §4 (notation).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assets.suiteprojects.connector_import.names import POINTS, Point
from assets.suiteprojects.connector_import.notation import Notation, NotationError, parse
from assets.suiteprojects.connector_import.relations import RelationError, as_sql
from assets.suiteprojects.connector_import.rows import Group, Left, rows_of

LARGEST = 20_000_000  # characters; an export of every workflow takes some hundred thousand
TRUE = {True, "1", "true", "True", "T", "on"}
FALSE = {False, "0", "false", "False", "F", "off", "", None}


class ExportError(Exception):
    """The file is no mapping export; the text says the place and what is expected there."""


@dataclass(frozen=True)
class Imported:
    """One workflow as its file would say it."""

    name: str
    attributes: dict[str, Any]
    left: list[Left] = field(default_factory=list)


def read_export(text: str) -> tuple[list[Imported], list[Left]]:
    """The workflows of an export, and the groups for which there is no workflow.

    Raises:
        ExportError: It is not JSON, or not of the known shape; the text names the place.
    """
    workflows: list[Imported] = []
    left: list[Left] = []
    for place, chapter in _chapters(_decoded(text)):
        for tab_place, tab in _each(chapter, "tabs", place):
            name = _text(tab, "value", tab_place)
            point = POINTS.get(name)
            if point is None:
                left.append(Left(tab_place, f"no workflow of ours does {name}; the whole group stays out"))
            elif any(each.name == point.workflow for each in workflows):
                left.append(Left(tab_place, f"a second group {name}; only the first one counts"))
            else:
                workflows.append(_workflow(point, tab, tab_place, active=_flag(chapter, "active", place)))
    return workflows, left


def _decoded(text: str) -> Any:
    if len(text) > LARGEST:
        raise ExportError(f"the file has {len(text):,} characters; an export has at most {LARGEST:,}")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ExportError(f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from error
    except RecursionError as error:
        raise ExportError("the file is nested too deep to be an export") from error


def _chapters(tree: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    data, place = _object(tree, "the file"), ""
    for name in ("data", "chapters"):
        if name in data:
            place = f"{place}.{name}".lstrip(".")
            data = _object(data[name], place)
        elif name == "chapters":
            raise ExportError("the file has no data.chapters.from_ns: is it a mapping export?")
    yield from _each(data, "from_ns", place)


def _each(holder: Mapping[str, Any], name: str, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    where = f"{place}.{name}"
    found = holder.get(name)
    if not isinstance(found, list):
        raise ExportError(f"{where}: a list is expected")
    for number, each in enumerate(found):
        yield f"{where}[{number}]", _object(each, f"{where}[{number}]")


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ExportError(f"{place}: an object is expected")
    return value


def _text(holder: Mapping[str, Any], name: str, place: str) -> str:
    value = holder.get(name)
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, dict | list):
        raise ExportError(f"{place}.{name}: a text is expected")
    return str(value)


def _flag(holder: Mapping[str, Any], name: str, place: str, *, default: bool = True) -> bool:
    value = holder.get(name, default)
    if isinstance(value, dict | list) or value not in TRUE | FALSE:
        raise ExportError(f"{place}.{name}: true or false is expected")
    return value in TRUE


def _workflow(point: Point, tab: Mapping[str, Any], place: str, *, active: bool) -> Imported:
    """One tab as a workflow."""
    left: list[Left] = []
    texts = [(f"{place}.filter", _text(tab, "filter", place))]
    raw = []
    for row_place, row in _each(tab, "mapping", place):
        advanced = row.get("advanced")
        source = _text(row, "ns_value", row_place) or _text(row, "ns_default", row_place)
        told = advanced if isinstance(advanced, str) and advanced not in TRUE | FALSE else ""
        text = told or (source if _flag({"x": bool(advanced)}, "x", row_place) else "")
        raw.append((row_place, row, source, text))
        texts.append((row_place, text))
    read = {where: _parsed(text, where, left) for where, text in texts}
    group = Group(point, _declared(read.values()))
    fields: list[dict[str, Any]] = [{"field": "externalid", "from": point.key, "locked": True}]
    for row_place, row, source, text in raw:
        if text and read[row_place] is None:
            continue  # it is told already
        flags = {name: _flag(row, name, row_place, default=name == "active") for name in FLAGS}
        target = _text(row, "oa_value", row_place)
        fields += rows_of(group, row_place, target, source, read[row_place] if text else None, flags, left)
    filter_place = f"{place}.filter"
    where = _filter(read[filter_place], group, filter_place, left)
    if any(each.place == filter_place for each in left):
        left.append(Left(filter_place, "more records would take part without it: the workflow is switched off"))
        active = False
    return Imported(point.workflow, _attributes(point, fields, where, active=active), left)


FLAGS = ("active", "initial_only", "read_only")


def _parsed(text: str, place: str, left: list[Left]) -> Notation | None:
    try:
        return parse(text)
    except NotationError as error:
        left.append(Left(place, str(error)))
        return None


def _declared(notations: Any) -> dict[str, set[str]]:
    """Names declared anywhere in the group."""
    declared: dict[str, set[str]] = {}
    for notation in notations:
        for word, names in (notation.declared if notation else {}).items():
            declared.setdefault(word, set()).update(names)
    return declared


def _filter(notation: Notation | None, group: Group, place: str, left: list[Left]) -> str | None:
    if notation is None or notation.filter is None:
        return None
    try:
        return as_sql(notation.filter, group.column)
    except RelationError as error:
        left.append(Left(place, f"{error}; write `select.where` by hand"))
        return None


def _attributes(point: Point, fields: list[dict[str, Any]], where: str | None, *, active: bool) -> dict[str, Any]:
    keys = [row for row in fields if row.get("from") == point.key and row["field"] != "externalid"]
    stored = next((row["field"] for row in keys if row.get("active", True)), "")
    select: dict[str, Any] = {}
    if point.source == "customers":
        select["stages"] = {"customer": "include", "prospect": "skip", "lead": "skip"}
    if point.export_flag:
        select["require_flag"] = "custentity_oa_export_to_openair"
    if where:
        select["where"] = where
    match: list[Any] = [{"field": stored, "other_id": "ask"}] if stored else []
    match.append("external_id")
    if point.source == "customers" and any(row["field"] == "name" and row.get("active", True) for row in fields):
        minding = {"stored_id": stored} if stored else {}
        match.append({"field": "name", "ignore_case": True, **minding, "other_id": "overwrite"})
    return {
        "description": f"NetSuite {point.source} as SuiteProjects Pro {point.source}, from {point.name}.",
        "target": f"suiteprojects.{point.target}",
        "active": active,
        "source": point.source,
        "select": select,
        "fields": fields,
        "match": match,
        "lifecycle": {"inactive": "report", "deleted": "report", "out_of_scope": "report"},
    }
