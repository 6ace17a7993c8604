"""Add, Modify, ModifyOnCondition and Delete; one answer block per object."""

from collections.abc import Callable
from dataclasses import replace

from lxml import etree

from resources.sandbox.suiteprojects.hierarchy import (
    HOLDERS,
    associations,
    checked_node_ids,
    follow_association,
    follow_node_ids,
)
from resources.sandbox.suiteprojects.records import RefusedError, Row, Work
from resources.sandbox.suiteprojects.rules import check, normalised
from resources.sandbox.suiteprojects.xml_codec import Given, Wanted, date_text, given_by, object_xml
from resources.suiteprojects.dictionary import RECORD_TYPES, RecordType

TOO_MANY, TOO_FEW = 3, 4
NO_RECORD = 601
INVALID_TYPE = 603
DEPENDANTS = 701
AMBIGUOUS = 852
NO_TEMPLATE = 934
TEMPLATE = "template_project_id"
LOOKUP_NOT_FOUND, NO_EXTERNAL_ID = 910, 916
NOT_MET = 1200


def block(command: str, status: int, inside: str = "") -> str:
    """One answer block."""
    return f'<{command} status="{status}">{inside}</{command}>'


def write(work: Work, element: etree._Element) -> list[str]:
    """Carry out one write command; a refused object does not stop the next one."""
    command = str(element.tag)
    record_type = RECORD_TYPES.get(element.get("type", ""))
    needed = "Modify" if command == "ModifyOnCondition" else command
    if record_type is None or needed not in record_type.commands:
        return [block(command, INVALID_TYPE)]
    objects = [child for child in element if child.tag == record_type.name]
    if not objects:
        return [block(command, TOO_FEW)]
    if len(objects) > 1 and not work.switches.several_objects_per_add:
        return [block(command, TOO_MANY)]
    return [_one(work, element, record_type, each) for each in objects]


def _one(work: Work, element: etree._Element, record_type: RecordType, asked: etree._Element) -> str:
    command = str(element.tag)
    enable_custom = element.get("enable_custom") == "1"
    try:
        given = given_by(asked, record_type)
        if command == "Delete":
            delete(work, record_type, given.values.get("id"))
            return block(command, 0)
        values = resolved(work, record_type, given)
        _check_names(work, record_type, values, enable_custom=enable_custom)
        if not enable_custom:
            values = {name: value for name, value in values.items() if not name.endswith("__c")}
        row = _ACTIONS[command](work, element, record_type, values)
    except RefusedError as refusal:
        return block(command, refusal.status, refusal.inside)
    wanted = Wanted(None, with_custom=enable_custom)
    if work.switches.echo_values == "sent":
        row = replace(row, values=row.values | {name: value for name, value in values.items() if value})
    if work.switches.write_echo == "id":
        wanted = Wanted(frozenset({"id"}))
    custom = tuple(work.custom_fields(record_type.association))
    return block(command, 0, object_xml(row, record_type, wanted, custom, work.switches))


def _check_names(work: Work, record_type: RecordType, values: dict[str, str], *, enable_custom: bool) -> None:
    status = work.switches.unknown_custom_field_status
    known = work.custom_fields(record_type.association)
    if status and enable_custom and any(name.endswith("__c") and name not in known for name in values):
        raise RefusedError(status)


def resolved(work: Work, record_type: RecordType, given: Given) -> dict[str, str]:
    """Values with each related look-up (`external="Customer"`) replaced by the id it stands for.

    Raises:
        RefusedError: 910 or 916.
    """
    values = dict(given.values)
    for name, (attribute, type_name) in given.references.items():
        if name not in record_type.properties:
            continue
        related = RECORD_TYPES.get(type_name)
        if related is None or (attribute == "external" and "externalid" not in related.properties):
            raise RefusedError(NO_EXTERNAL_ID)
        key = "externalid" if attribute == "external" else "name"
        found = work.find(type_name, **{key: values[name]}) if values[name] else []
        if not found:
            raise RefusedError(LOOKUP_NOT_FOUND)
        values[name] = str(found[0].id)
    return values


def _add(work: Work, element: etree._Element, record_type: RecordType, values: dict[str, str]) -> Row:
    lookup = element.get("lookup", "")
    found: list[Row] = []
    if lookup and values.get(lookup):
        if lookup not in record_type.properties and lookup not in work.custom_fields(record_type.association):
            raise RefusedError(602)
        wanted = {lookup: values[lookup]}
        one = work.get(record_type.name, values[lookup]) if lookup == "id" else None
        found = [one] if one else work.find(record_type.name, **wanted) if lookup != "id" else []
    if len(found) > 1 and work.switches.several_matches == "852":
        raise RefusedError(AMBIGUOUS)
    if not found or (len(found) > 1 and work.switches.several_matches == "create"):
        return create(work, record_type, values)
    return change(work, record_type, found[0], values)


def _modify(work: Work, _element: etree._Element, record_type: RecordType, values: dict[str, str]) -> Row:
    row = work.get(record_type.name, values.get("id"))
    if row is None:
        raise RefusedError(NO_RECORD)
    if record_type.name == "CustField":  # the API may change the value list and nothing else
        values = {name: value for name, value in values.items() if name == "valuelist"}
    return change(work, record_type, row, values)


def _modify_on_condition(work: Work, element: etree._Element, record_type: RecordType, values: dict[str, str]) -> Row:
    row = work.get(record_type.name, values.get("id"))
    date = element.find("Date")
    if date is None:
        raise RefusedError(TOO_FEW)
    if row is not None and row.values["updated"] > date_text(date):
        raise RefusedError(NOT_MET)
    return _modify(work, element, record_type, values)


_ACTIONS: dict[str, Callable[[Work, etree._Element, RecordType, dict[str, str]], Row]] = {
    "Add": _add,
    "Modify": _modify,
    "ModifyOnCondition": _modify_on_condition,
}


def create(work: Work, record_type: RecordType, values: dict[str, str]) -> Row:
    """Add an object.

    Raises:
        RefusedError: A rule is broken.
    """
    given = normalised(work, record_type, values)
    copied = _copied(work, given) if record_type.name == "Project" else {}
    after = {**_defaults(work, record_type), **copied, **{name: value for name, value in given.items() if value}}
    if not work.switches.template_shown:
        after.pop(TEMPLATE, None)
    if record_type.name == "Customer" and not after.get("name") and after.get("company"):
        after["name"] = after["company"]
    check(work, record_type, after, given, None)
    nodes = checked_node_ids(work, record_type, after.get("hierarchy_node_ids", ""), None)
    row = work.insert(record_type.name, after)
    _follow(work, record_type, row, nodes if "hierarchy_node_ids" in after else None)
    return row


def _copied(work: Work, given: dict[str, str]) -> dict[str, str]:
    """What a new project takes from its template.

    Raises:
        RefusedError: 934.
    """
    if not given.get(TEMPLATE):
        return {}
    template = work.get("Project", given[TEMPLATE])
    if template is None:
        raise RefusedError(NO_TEMPLATE)
    return {name: template.values[name] for name in work.switches.template_copies if template.values.get(name)}


def _defaults(work: Work, record_type: RecordType) -> dict[str, str]:
    flags = {each.name: "0" for each in record_type.properties.values() if each.kind == "boolean"}
    if "active" in flags:
        flags["active"] = "1"
    if record_type.name == "Customer":
        flags["type"] = work.switches.default_customer_type
    if "currency" in record_type.properties and work.switches.default_currency:
        flags["currency"] = work.switches.default_currency
    if record_type.name == "HierarchyNode":
        flags.update(levelid="0", parentid="0", recordid="0")
    return flags


def change(work: Work, record_type: RecordType, row: Row, values: dict[str, str]) -> Row:
    """Change the named properties of an object; an empty value clears.

    Raises:
        RefusedError: A rule is broken.
    """
    given = normalised(work, record_type, values)
    before = row.values
    kept = dict(before)
    if work.switches.address_modify == "replace":
        touched = {
            prefix for prefix in ("addr_", "billing_addr_", "contact_addr_") if any(n.startswith(prefix) for n in given)
        }
        kept = {name: value for name, value in kept.items() if not name.startswith(tuple(touched) or ("\0",))}
    after = {name: value for name, value in {**kept, **given}.items() if value}
    check(work, record_type, after, given, row)
    nodes = None
    if "hierarchy_node_ids" in given and record_type.name in HOLDERS.values():
        nodes = checked_node_ids(work, record_type, given["hierarchy_node_ids"], row)
    if after != before or work.switches.unchanged_modify_moves_updated:
        after["updated"] = work.stamp
    row.values = after
    work.save(row)
    _follow(work, record_type, row, nodes)
    return row


def _follow(work: Work, record_type: RecordType, row: Row, nodes: list[Row] | None) -> None:
    if record_type.name == "CustField":
        work.definitions.clear()
    if record_type.name == "HierarchyNode" and row.values.get("recordid", "0") != "0":
        follow_association(work, row)
    if nodes is not None:
        row.values.pop("hierarchy_node_ids", None)
        if nodes:
            row.values["hierarchy_node_ids"] = ",".join(str(node.id) for node in nodes)
        work.save(row)
        follow_node_ids(work, record_type, row, nodes)


def delete(work: Work, record_type: RecordType, id_text: str | None) -> None:
    """Mark an object deleted.

    Raises:
        RefusedError: 601, or 701 with the ids of what depends on it.
    """
    row = work.get(record_type.name, id_text)
    if row is None:
        raise RefusedError(NO_RECORD)
    dependants = _dependants(work, row)
    if dependants:
        inside = "".join(f"<{each.type}><id>{each.id}</id></{each.type}>" for each in dependants)
        raise RefusedError(DEPENDANTS, inside)
    if record_type.name in HOLDERS.values():
        for each in associations(work, record_type, row):
            work.remove(each)
    work.remove(row)
    if record_type.name == "HierarchyNode" and row.values.get("recordid", "0") != "0":
        follow_association(work, row)


def _dependants(work: Work, row: Row) -> list[Row]:
    key = str(row.id)
    if row.type == "Customer":
        return [*work.find("Contact", customerid=key), *work.find("Project", customerid=key)]
    if row.type == "HierarchyNode" and row.values.get("isalevel") == "1":
        return work.find("HierarchyNode", levelid=key, hierarchyid=row.values["hierarchyid"])
    if row.type == "HierarchyNode":
        return work.find("HierarchyNode", parentid=key, hierarchyid=row.values["hierarchyid"])
    return []
