"""An account's custom field definitions, read once for the mapping, for the doctor and for validation.

Records of type CustField  ->  read_definitions()  ->  one Definition per name, active ones first

The service may leave out what is blank, write flags as words, and return an inactive field beside the active one of the
same name (suiteprojects_api.md §4 and §1.4).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from resources.scalars import as_flag, as_whole
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.xml import Record

SUFFIX = "__c"
_NAME = re.compile(r"[^\W\d][\w.-]*")  # of an element: a Read of any other name could not be written
_PROPERTIES = ["name", "association", "title", "picker", "maxlength", "required", "active", "valuelist"]


@dataclass(frozen=True, slots=True)
class Definition:
    """One custom field; `max_length` is None without a limit, `values` is empty unless it is a list."""

    name: str  # as in records: region__c
    title: str
    picker: str
    max_length: int | None
    required: bool
    active: bool
    values: frozenset[str]


def read_definitions(client: SuiteProjectsClient, association: str) -> dict[str, Definition]:
    """Return the custom fields of one association, such as "customer", by name."""
    records = client.read_all("CustField", _PROPERTIES, query={"association": association})
    ours = [each for each in records if _NAME.fullmatch((each.get("name") or "").strip()) and _is_of(each, association)]
    has_active = any(each.get("active") is not None for each in ours)
    named: dict[str, list[Definition]] = {}
    for record in ours:
        definition = _definition(record, has_active=has_active)
        named.setdefault(definition.name, []).append(definition)
    return {name: _one_of(same) for name, same in named.items()}


def _is_of(record: Record, association: str) -> bool:
    return (record.get("association") or association).strip().lower() == association.lower()


def _definition(record: Record, *, has_active: bool) -> Definition:
    """Return one definition; a blank `active` is off, unless no field of the account has one."""
    picker = (record.get("picker") or "").strip().lower()
    values = (record.get("valuelist") or "").split(",")
    return Definition(
        name=f"{(record['name'] or '').strip().removesuffix(SUFFIX)}{SUFFIX}",
        title=record.get("title") or "",
        picker=picker,
        max_length=max(0, as_whole(record.get("maxlength")) or 0) or None,  # 0 stands for no limit
        required=as_flag(record.get("required")) or False,
        active=bool(as_flag(record.get("active"))) if has_active else True,
        values=frozenset(form for each in values for form in (each, each.strip()) if form),  # blanks may be part of it
    )


def _one_of(same: Iterable[Definition]) -> Definition:
    """Return the active definition of a name; of several active ones only what they have in common is validated."""
    ranked = sorted(same, key=lambda each: not each.active)
    first, others = ranked[0], [each for each in ranked[1:] if each.active]
    for each in others:
        first = replace(
            first,
            picker=first.picker if first.picker == each.picker else "",
            max_length=first.max_length if first.max_length == each.max_length else None,
            required=first.required and each.required,
            values=first.values if first.values == each.values else frozenset(),
        )
    return first
