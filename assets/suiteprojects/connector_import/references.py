"""Ids in an imported mapping: the record's key, its parent, and references to other records.

NetSuite and SuiteProjects Pro count on their own, so NetSuite's id of a record is another record's id there.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assets.suiteprojects.connector_import.names import Point

PARENT_WORKFLOW = "suiteprojects__customers"
PARENT_COLUMN = "customer_id"
_APPROVERS = frozenset({"tb_approver", "ta_approver", "te_approver"})

Row = dict[str, Any]


@dataclass
class Rows:
    """The rows of a workflow file, and what the mapping says about the parent."""

    fields: list[Row]
    problems: list[tuple[str, str]] = field(default_factory=list)  # place, reason


def is_reference(name: str) -> bool:
    """Return whether a field of the target holds the id of another of its records."""
    return name in _APPROVERS or (name.endswith(("id", "ids")) and name != "externalid")


def is_netsuite_id(column: str) -> bool:
    """Return whether a staging column holds an id that NetSuite gave."""
    return column.endswith("_id") and column != "external_id" and not column.startswith("custentity")


def is_parent(point: Point, row: Mapping[str, Any]) -> bool:
    """Return whether a converted row assigns the record to its customer in NetSuite."""
    lookup = row.get("lookup")
    by_id = not lookup or (
        (lookup["table"], lookup["return"]) == ("suiteprojects.Customer", "id")
        and lookup["by"] in {"externalid", "netsuite_customer_id__c"}
    )
    return bool(row["field"] == point.parent_field and row.get("from") == PARENT_COLUMN and by_id)


def arranged(point: Point, identity: Row, converted: Iterable[tuple[str, Row]]) -> Rows:
    """Return the rows without those of the parent and without those that would override a locked one."""
    listed = list(converted)
    locked = {row["field"]: place for place, row in reversed(listed) if row.get("locked")}
    rows = Rows([identity])
    for place, row in listed:
        if is_parent(point, row):
            rows.problems += [(place, reason) for reason in _parent_problems(point, row)]
        elif locked.get(row["field"], place) != place:
            rows.problems.append((place, f"`{row['field']}` has a required row, which no other row overrides"))
        else:
            rows.fields.append(row)
    return rows


def parent_attributes(point: Point, fields: Iterable[Row]) -> dict[str, Any]:
    """Return `needs`, `parent` and `parent_required`; empty if the records have none, or an active row sets it."""
    decided = any(row["field"] == point.parent_field and row.get("active", True) for row in fields)
    if point.parent_field is None or decided:
        return {}
    return {"needs": [PARENT_WORKFLOW], "parent": {"customers": PARENT_COLUMN}, "parent_required": True}


def _parent_problems(point: Point, row: Row) -> Iterator[str]:
    if not row.get("active", True):
        yield f"the row is switched off in the export; a {point.target.lower()} always gets its customer"
    elif row.get("on") == "create":
        yield f"the customer is initial only in the export; here a {point.target.lower()} moves with its customer"
