"""Validation of custom field values by their definitions (statuses 1100-1106)."""

import re
from collections.abc import Mapping

from resources.sandbox.suiteprojects.errors import ApiError, Status
from resources.sandbox.suiteprojects.records import Row, Transaction, property_sql
from resources.suiteprojects.properties import RecordType

_DATE = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?")
_NUMBER = re.compile(r"-?\d*\.?\d+")


def check_custom_fields(
    tx: Transaction, record_type: RecordType, after: Mapping[str, str], given: Mapping[str, str], row: Row | None
) -> None:
    """Check values against their definitions.

    Raises:
        ApiError: A value is invalid: 1100-1104, or 1106 for several different errors.
    """
    errors = set[int]()
    for name, definition in tx.custom_fields(record_type.association).items():
        if name in given:
            errors.add(_value_status(tx, record_type, name, definition, given[name], row))
        elif row is None and definition.values.get("required") == "1" and not after.get(name):
            errors.add(Status.CUSTOM_FIELD_NOT_SAVED)
    errors.discard(Status.OK)
    if errors:
        raise ApiError(errors.pop() if len(errors) == 1 else Status.CUSTOM_FIELDS_NOT_UPDATED)


def _value_status(
    tx: Transaction, record_type: RecordType, name: str, definition: Row, value: str, row: Row | None
) -> int:
    rule = definition.values
    if rule.get("active") == "0":
        return Status.CUSTOM_FIELD_NOT_MODIFIABLE
    if not value:
        return Status.CUSTOM_FIELD_NOT_SAVED if rule.get("required") == "1" else Status.OK
    max_length = int(rule.get("maxlength") or 0)
    if max_length and len(value) > max_length:
        return Status.CUSTOM_FIELD_NOT_SAVED
    status = _picker_status(rule.get("picker", "text"), rule.get("valuelist", "").split(","), value)
    if status:
        return status
    if rule.get("force_unique") == "1":
        same = tx.rows(
            f"where type = ? and deleted = 0 and {property_sql(name)} = ? and id <> ?",
            (record_type.name, value, row.id if row else 0),
        )
        return Status.CUSTOM_FIELD_NOT_UNIQUE if same else Status.OK
    return Status.OK


def _picker_status(picker: str, allowed: list[str], value: str) -> int:
    if picker == "checkbox":
        return Status.OK if value in {"0", "1"} else Status.CHECKBOX_INVALID
    if picker in {"dropdown", "radio"}:
        return Status.OK if value in allowed else Status.NOT_IN_LIST
    if picker in {"numeric", "currency"}:
        return Status.OK if _NUMBER.fullmatch(value) else Status.CUSTOM_FIELD_NOT_SAVED
    if picker == "date":
        return Status.OK if _DATE.fullmatch(value) else Status.CUSTOM_FIELD_NOT_SAVED
    return Status.OK
