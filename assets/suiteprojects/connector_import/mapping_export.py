"""Convert a mapping export of Oracle's connector into workflow files, and report what cannot be converted.

JSON  ->  read_export()  ->  ConvertedWorkflow(name, attributes, not_converted: [NotConverted(place, reason)])
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assets.suiteprojects.connector_import.conditions import ConditionError, as_sql
from assets.suiteprojects.connector_import.export_file import (
    MappingRow,
    chapters,
    flag,
    mapping_row,
    objects,
    text,
    unknown_keys,
)
from assets.suiteprojects.connector_import.group import Group
from assets.suiteprojects.connector_import.names import POINTS, Point
from assets.suiteprojects.connector_import.notation import Notation, NotationError, parse
from assets.suiteprojects.connector_import.references import Row, arranged, parent_attributes
from assets.suiteprojects.connector_import.rows import NotConverted, convert_row
from assets.suiteprojects.record_types import KEY_FIELD


@dataclass(frozen=True)
class ConvertedWorkflow:
    """One workflow file."""

    name: str
    attributes: dict[str, Any]
    not_converted: list[NotConverted] = field(default_factory=list)


def read_export(content: str) -> tuple[list[ConvertedWorkflow], list[NotConverted]]:
    """Return the workflows of an export, and the groups that Millpond has no workflow for.

    Raises:
        ExportError: The content is not JSON, or not an export; the text names the place.
    """
    workflows: dict[str, ConvertedWorkflow] = {}
    omitted: list[NotConverted] = []
    for place, chapter in chapters(content):
        for tab_place, tab in objects(chapter, "tabs", place):
            name = text(tab, "value", tab_place)
            point = POINTS.get(name)
            if point is None:
                omitted.append(NotConverted(tab_place, f"Millpond has no workflow for {name}; the group is omitted"))
            elif point.workflow in workflows:
                omitted.append(NotConverted(tab_place, f"a second group {name}; only the first one is converted"))
            else:
                active = flag(chapter, "active", place)
                workflows[point.workflow] = _workflow(point, tab, tab_place, active=active)
    unknown = [NotConverted(place, "not carried over: the key is unknown") for place in unknown_keys(content)]
    return list(workflows.values()), [*omitted, *unknown]


def _workflow(point: Point, tab: Mapping[str, Any], place: str, *, active: bool) -> ConvertedWorkflow:
    """Convert one tab."""
    problems: list[NotConverted] = []
    filter_place, rows = f"{place}.filter", [mapping_row(row, where) for where, row in objects(tab, "mapping", place)]
    notations = _notations({filter_place: text(tab, "filter", place)}, rows, problems)
    group = Group(point, _declared(notations.values()))
    usable = [row for row in rows if not row.notation or row.place in notations]
    converted = [
        (row.place, each) for row in usable for each in convert_row(group, row, notations.get(row.place), problems)
    ]
    arrangement = arranged(point, {"field": KEY_FIELD, "from": point.key, "locked": True}, converted)
    problems += [NotConverted(*problem) for problem in arrangement.problems]
    where = _filter(notations.get(filter_place), group, filter_place, problems)
    if any(each.place == filter_place for each in problems):
        reason = "the workflow is switched off, because it would select more records without this filter"
        problems.append(NotConverted(filter_place, reason))
        active = False
    return ConvertedWorkflow(point.workflow, _attributes(point, arrangement.fields, where, active=active), problems)


def _notations(
    texts: Mapping[str, str], rows: Iterable[MappingRow], problems: list[NotConverted]
) -> dict[str, Notation]:
    """Parse the texts and the notation of the rows, by place; invalid ones are reported and omitted."""
    notations = {}
    for place, content in {**texts, **{row.place: row.notation for row in rows}}.items():
        try:
            notations[place] = parse(content)
        except NotationError as error:
            problems.append(NotConverted(place, str(error)))
    return notations


def _declared(notations: Iterable[Notation]) -> dict[str, set[str]]:
    """Return the names that are declared anywhere in the group, by keyword."""
    declared: dict[str, set[str]] = {}
    for notation in notations:
        for keyword, names in notation.declared.items():
            declared.setdefault(keyword, set()).update(names)
    return declared


def _filter(notation: Notation | None, group: Group, place: str, problems: list[NotConverted]) -> str | None:
    if notation is None or notation.filter is None:
        return None
    try:
        return as_sql(notation.filter, group.column)
    except ConditionError as error:
        problems.append(NotConverted(place, f"{error}; write `select.where` manually"))
        return None


def _attributes(point: Point, fields: list[Row], where: str | None, *, active: bool) -> dict[str, Any]:
    """Return the attributes of the file; the settings beside rows and filter are the connector's defaults."""
    keys = [row for row in fields if row.get("from") == point.key and row["field"] != KEY_FIELD]
    stored = next((row["field"] for row in keys if row.get("active", True)), "")
    select: dict[str, Any] = {}
    if point.source == "customers":
        select["stages"] = {"customer": "include", "prospect": "skip", "lead": "skip"}
    if point.export_flag:
        select["require_flag"] = "custentity_oa_export_to_openair"
    if where:
        select["where"] = where
    match: list[Any] = [{"field": stored, "on_id_conflict": "ask"}] if stored else []
    match.append("external_id")
    if point.source == "customers" and any(row["field"] == "name" and row.get("active", True) for row in fields):
        id_field = {"id_field": stored} if stored else {}
        match.append({"field": "name", "ignore_case": True, **id_field, "on_id_conflict": "overwrite"})
    return {
        "description": f"NetSuite {point.source} as SuiteProjects Pro {point.source}, from {point.name}.",
        "target": f"suiteprojects.{point.target}",
        "active": active,
        "source": point.source,
        **parent_attributes(point, fields),
        "select": select,
        "fields": fields,
        "match": match,
        "lifecycle": {"inactive": "report", "deleted": "report", "out_of_scope": "report"},
    }
