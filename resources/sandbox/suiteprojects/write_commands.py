"""The XML commands Add, Modify, ModifyOnCondition and Delete; one response block per record."""

from collections.abc import Callable
from dataclasses import replace

from lxml import etree

from resources.sandbox.suiteprojects.errors import ApiError, Status
from resources.sandbox.suiteprojects.record_writes import change, create, delete
from resources.sandbox.suiteprojects.records import Row, Transaction
from resources.sandbox.suiteprojects.xml_codec import (
    ParsedObject,
    ReturnFields,
    date_text,
    object_xml,
    parse_object,
    response_block,
)
from resources.suiteprojects.dictionary import RECORD_TYPES
from resources.suiteprojects.properties import RecordType


def write(tx: Transaction, element: etree._Element) -> list[str]:
    """Execute one write command; a rejected record does not stop the next one."""
    command = str(element.tag)
    record_type = RECORD_TYPES.get(element.get("type", ""))
    needed = "Modify" if command == "ModifyOnCondition" else command
    if record_type is None or needed not in record_type.commands:
        return [response_block(command, Status.INVALID_TYPE)]
    objects = [child for child in element if child.tag == record_type.name]
    if not objects:
        return [response_block(command, Status.TOO_FEW_ARGUMENTS)]
    if len(objects) > 1 and not tx.switches.multiple_objects_per_add:
        return [response_block(command, Status.TOO_MANY_ARGUMENTS)]
    return [_write_one(tx, element, record_type, each) for each in objects]


def _write_one(tx: Transaction, element: etree._Element, record_type: RecordType, child: etree._Element) -> str:
    command = str(element.tag)
    with_custom = element.get("enable_custom") == "1"
    try:
        parsed = parse_object(child, record_type)
        if command == "Delete":
            delete(tx, record_type, parsed.values.get("id"))
            return response_block(command, Status.OK)
        values = resolve_references(tx, record_type, parsed)
        _check_names(tx, record_type, values, with_custom=with_custom)
        row = tx.get(record_type.name, values.get("id"))
        if (values.get("externalid") or (row.values.get("externalid") if row else "")) in tx.switches.unknown_errors:
            return response_block(command, Status.UNKNOWN_ERROR)
        if not with_custom:
            values = {name: value for name, value in values.items() if not name.endswith("__c")}
        row = _ACTIONS[command](tx, element, record_type, values)
    except ApiError as error:
        return response_block(command, error.status, error.content)
    returned = ReturnFields(None, with_custom=with_custom)
    if tx.switches.echo_values == "sent":
        row = replace(row, values=row.values | {name: value for name, value in values.items() if value})
    if tx.switches.write_echo == "id":
        returned = ReturnFields(frozenset({"id"}))
    custom = tuple(tx.custom_fields(record_type.association))
    return response_block(command, Status.OK, object_xml(row, record_type, returned, custom, tx.switches))


def _check_names(tx: Transaction, record_type: RecordType, values: dict[str, str], *, with_custom: bool) -> None:
    status = tx.switches.unknown_custom_field_status
    known = tx.custom_fields(record_type.association)
    if status and with_custom and any(name.endswith("__c") and name not in known for name in values):
        raise ApiError(status)


def resolve_references(tx: Transaction, record_type: RecordType, parsed: ParsedObject) -> dict[str, str]:
    """Return the values with each reference by key (`external="Customer"`) replaced by the record's id.

    Raises:
        ApiError: 910, the record does not exist; 916, its type has no such key.
    """
    values = dict(parsed.values)
    for name, (attribute, type_name) in parsed.references.items():
        if name not in record_type.properties:
            continue
        related = RECORD_TYPES.get(type_name)
        if related is None or (attribute == "external" and "externalid" not in related.properties):
            raise ApiError(Status.NO_EXTERNAL_ID)
        key = "externalid" if attribute == "external" else "name"
        found = tx.find(type_name, **{key: values[name]}) if values[name] else []
        if not found:
            raise ApiError(Status.LOOKUP_NOT_FOUND)
        values[name] = str(found[0].id)
    return values


def _add(tx: Transaction, element: etree._Element, record_type: RecordType, values: dict[str, str]) -> Row:
    """Add a record, or change the existing one that `lookup` finds."""
    lookup = element.get("lookup", "")
    found: list[Row] = []
    if lookup and values.get(lookup):
        if lookup not in record_type.properties and lookup not in tx.custom_fields(record_type.association):
            raise ApiError(Status.INVALID_FIELD)
        if lookup == "id":
            found = [row for row in [tx.get(record_type.name, values["id"])] if row]
        else:
            found = tx.find(record_type.name, **{lookup: values[lookup]})
        if not tx.switches.lookup_finds_hidden:
            found = [row for row in found if f"{record_type.name}.{row.id}" not in tx.switches.hidden_records]
    if len(found) > 1 and tx.switches.multiple_matches == "852":
        raise ApiError(Status.DUPLICATE)
    if not found or (len(found) > 1 and tx.switches.multiple_matches == "create"):
        return create(tx, record_type, values)
    return change(tx, record_type, found[0], values)


def _modify(tx: Transaction, _element: etree._Element, record_type: RecordType, values: dict[str, str]) -> Row:
    row = tx.get(record_type.name, values.get("id"))
    if row is None:
        raise ApiError(Status.NOT_FOUND)
    if record_type.name == "CustField":  # the API may change the value list only
        values = {name: value for name, value in values.items() if name == "valuelist"}
    return change(tx, record_type, row, values)


def _modify_on_condition(
    tx: Transaction, element: etree._Element, record_type: RecordType, values: dict[str, str]
) -> Row:
    """Change a record unless it was updated after the given date."""
    row = tx.get(record_type.name, values.get("id"))
    date = element.find("Date")
    if date is None:
        raise ApiError(Status.TOO_FEW_ARGUMENTS)
    if row is not None and row.values["updated"] > date_text(date):
        raise ApiError(Status.CONDITION_NOT_MET)
    return _modify(tx, element, record_type, values)


_ACTIONS: dict[str, Callable[[Transaction, etree._Element, RecordType, dict[str, str]], Row]] = {
    "Add": _add,
    "Modify": _modify,
    "ModifyOnCondition": _modify_on_condition,
}
