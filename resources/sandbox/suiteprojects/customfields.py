"""Custom field values against their definitions (statuses 1100-1106)."""

import re
from collections.abc import Mapping

from resources.sandbox.suiteprojects.records import RefusedError, Row, Work, property_sql
from resources.suiteprojects.dictionary import RecordType

CHECKBOX, NOT_IN_LIST, NOT_SAVED, NOT_MODIFIABLE, NOT_UNIQUE, NOT_IN_PICK_LIST, SEVERAL = range(1100, 1107)
_DATE = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?")
_NUMBER = re.compile(r"-?\d*\.?\d+")


def check_custom(
    work: Work, record_type: RecordType, after: Mapping[str, str], given: Mapping[str, str], row: Row | None
) -> None:
    """Refuse values that their definitions do not allow; several different faults are one 1106.

    Raises:
        RefusedError: One of 1100-1106.
    """
    faults = set()
    for name, definition in work.custom_fields(record_type.association).items():
        if name in given:
            faults.add(_fault(work, record_type, name, definition, given[name], row))
        elif row is None and definition.values.get("required") == "1" and not after.get(name):
            faults.add(NOT_SAVED)
    faults.discard(0)
    if faults:
        raise RefusedError(faults.pop() if len(faults) == 1 else SEVERAL)


def _fault(work: Work, record_type: RecordType, name: str, definition: Row, value: str, row: Row | None) -> int:
    rule = definition.values
    if rule.get("active") == "0":
        return NOT_MODIFIABLE
    if not value:
        return NOT_SAVED if rule.get("required") == "1" else 0
    longest = rule.get("maxlength", "0")
    if int(longest or 0) and len(value) > int(longest):
        return NOT_SAVED
    wrong = _picker_fault(rule.get("picker", "text"), rule.get("valuelist", "").split(","), value)
    if wrong:
        return wrong
    if rule.get("force_unique") == "1":
        same = work.rows(
            f"where type = ? and deleted = 0 and {property_sql(name)} = ? and id <> ?",
            (record_type.name, value, row.id if row else 0),
        )
        return NOT_UNIQUE if same else 0
    return 0


def _picker_fault(picker: str, allowed: list[str], value: str) -> int:
    if picker == "checkbox":
        return 0 if value in {"0", "1"} else CHECKBOX
    if picker in {"dropdown", "radio"}:
        return 0 if value in allowed else NOT_IN_LIST
    if picker in {"numeric", "currency"}:
        return 0 if _NUMBER.fullmatch(value) else NOT_SAVED
    if picker == "date":
        return 0 if _DATE.fullmatch(value) else NOT_SAVED
    return 0
