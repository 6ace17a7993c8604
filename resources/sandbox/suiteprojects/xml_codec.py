"""Records to and from XML as the service writes them: all properties, an empty element for null."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from lxml import etree

from resources.sandbox.suiteprojects.errors import ApiError, Status
from resources.sandbox.suiteprojects.records import Row
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.dictionary import RECORD_TYPES
from resources.suiteprojects.properties import ADDRESS_PARTS, ADDRESSES, RecordType

ALIASES = {
    "is_a_node": "isanode",
    "is_a_level": "isalevel",
    "sold_to_contactid": "sold_to_contact_id",
    "external_id": "externalid",
}
NODE_FLAGS = {"isanode": "is_a_node", "isalevel": "is_a_level"}
DATE_PARTS = ("hour", "minute", "timezone", "second", "month", "day", "year")

_PARSER_OPTIONS = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def parse(body: bytes) -> etree._Element | None:
    """Return the request's root, or None if the body is not well-formed."""
    parser = etree.XMLParser(remove_comments=True, remove_pis=True, **_PARSER_OPTIONS)  # type: ignore[arg-type]
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def escaped(text: str) -> str:
    """Return text as XML character data; a bare carriage return would be read back as a line feed."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def response_block(command: str, status: int, content: str = "") -> str:
    """Return one response block."""
    return f'<{command} status="{status}">{content}</{command}>'


@dataclass
class ParsedObject:
    """A record in a request: values by flat name, and references by another record's key."""

    values: dict[str, str] = field(default_factory=dict)
    references: dict[str, tuple[str, str]] = field(default_factory=dict)  # property -> ("external", "Customer")


def _property_name(element: etree._Element, record_type: RecordType) -> str:
    name = str(element.tag)
    return name if name in record_type.properties else ALIASES.get(name, name)


def parse_object(element: etree._Element, record_type: RecordType) -> ParsedObject:
    """Parse a record's element; repeated addresses are merged, unknown elements stay for the caller to check.

    Raises:
        ApiError: 944, a date is invalid.
    """
    parsed = ParsedObject()
    for child in element:
        name = _property_name(child, record_type)
        if name in record_type.addresses:
            for part in child.iterfind("Address/*"):
                parsed.values[ADDRESSES[name] + str(part.tag)] = part.text or ""
            continue
        date = child.find("Date")
        parsed.values[name] = date_text(date) if date is not None else child.text or ""
        for attribute in ("external", "name"):
            if attribute in child.attrib:
                parsed.references[name] = (attribute, str(child.attrib[attribute]))
    return parsed


def date_text(date: etree._Element) -> str:
    """Return a Date element as `YYYY-MM-DD`, with its time if it has one; blank if it is empty.

    Raises:
        ApiError: 944, the date is invalid.
    """
    parts = {str(part.tag): (part.text or "").strip() for part in date}
    if not any(parts.get(name) for name in ("year", "month", "day")):
        return ""
    try:
        year, month, day = (int(parts.get(name) or 0) for name in ("year", "month", "day"))
        hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the service's dates have no zone
    except ValueError:
        raise ApiError(Status.INVALID_DATE) from None
    return moment.isoformat(sep=" ") if parts.get("hour") else moment.date().isoformat()


def date_xml(text: str, timezone: str = "") -> str:
    """Return a Date element; its parts are empty if the date is."""
    match = re.match(r"(\d{4})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d))?$", text)
    year, month, day, hour, minute, second = match.groups("00") if match else ("",) * 6
    values = dict(zip(DATE_PARTS, (hour, minute, timezone, second, month, day, year), strict=True))
    content = "".join(f"<{name}>{value}</{name}>" if value else f"<{name}/>" for name, value in values.items())
    return f"<Date>{content}</Date>"


@dataclass(frozen=True)
class ReturnFields:
    """The properties that a `_Return` asks for; None means all."""

    names: frozenset[str] | None = None
    with_custom: bool = False


def parse_return(
    element: etree._Element | None, record_type: RecordType, custom: Mapping[str, Row] | None
) -> ReturnFields:
    """Parse a `_Return`; `custom` is None unless custom fields are enabled.

    Raises:
        ApiError: 602, a field is unknown.
    """
    if element is None:
        return ReturnFields(None, with_custom=custom is not None)
    names: set[str] = set()
    for child in element:
        name = _property_name(child, record_type)
        if name in record_type.addresses:
            parts = [str(part.tag) for part in child.iter() if part is not child and part.tag != "Address"]
            if not set(parts) <= ADDRESS_PARTS.keys():
                raise ApiError(Status.INVALID_FIELD)
            names.update(ADDRESSES[name] + part for part in parts or ADDRESS_PARTS)
        elif name in record_type.properties or name in (custom or {}):
            names.add(name)
        else:
            raise ApiError(Status.INVALID_FIELD)
    return ReturnFields(frozenset(names), with_custom=custom is not None)


def object_xml(
    row: Row, record_type: RecordType, returned: ReturnFields, custom: tuple[str, ...], switches: SuiteProjectsSwitches
) -> str:
    """Return one record with the requested properties."""
    plain, addresses = _layout(record_type.name, returned, custom, switches.node_flags)
    false = "false" if switches.flag_style == "words" else "" if switches.false_as == "empty" else "0"
    leaves_out = switches.blank_properties == "absent"
    values = row.values
    parts = [f"<{record_type.name}>"]
    for name, tag, kind in plain:
        value = str(row.id) if name == "id" else values.get(name, "")
        if kind == "boolean" and value == "0":
            value = false
        elif kind == "boolean" and value == "1" and switches.flag_style == "words":
            value = "true"
        if leaves_out and not value:
            continue
        if kind in {"date", "timestamp"}:
            parts.append(f"<{tag}>{date_xml(value)}</{tag}>")
        else:
            parts.append(f"<{tag}>{escaped(value)}</{tag}>" if value else f"<{tag}/>")
    for tag, fields in addresses:
        content = "".join(
            f"<{part}>{escaped(values[name])}</{part}>" if name in values else "" if leaves_out else f"<{part}/>"
            for name, part in fields
        )
        parts.append(f"<{tag}><Address>{content}</Address></{tag}>")
    parts.append(f"</{record_type.name}>")
    return "".join(parts)


# plain properties as (name, tag, kind), and addresses as (tag, [(name, tag of the part), …])
Layout = tuple[list[tuple[str, str, str]], list[tuple[str, list[tuple[str, str]]]]]


@cache
def _layout(type_name: str, returned: ReturnFields, custom: tuple[str, ...], node_flags: str) -> Layout:
    record_type = RECORD_TYPES[type_name]

    def is_returned(name: str) -> bool:
        return returned.names is None or name in returned.names

    plain = [(each.name, each.name, each.kind) for each in record_type.properties.values() if is_returned(each.name)]
    if node_flags != "isanode":
        renamed = [(name, NODE_FLAGS[name], kind) for name, _, kind in plain if name in NODE_FLAGS]
        if node_flags == "is_a_node":
            plain = [entry for entry in plain if entry[0] not in NODE_FLAGS]
        plain += renamed
    if returned.with_custom:
        plain += [(name, name, "text") for name in custom if is_returned(name)]
    addresses = []
    for tag in record_type.addresses:
        fields = [(ADDRESSES[tag] + part, part) for part in ADDRESS_PARTS if is_returned(ADDRESSES[tag] + part)]
        if fields:
            addresses.append((tag, fields))
    return plain, addresses
