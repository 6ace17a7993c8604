"""Objects as XML and back, the way the service writes them: every property, an empty element for null."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from lxml import etree

from resources.sandbox.suiteprojects.records import RefusedError, Row
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.dictionary import ADDRESS_PARTS, ADDRESSES, RecordType

ALIASES = {
    "is_a_node": "isanode",
    "is_a_level": "isalevel",
    "sold_to_contactid": "sold_to_contact_id",
    "external_id": "externalid",
}
DATE_PARTS = ("hour", "minute", "timezone", "second", "month", "day", "year")
INVALID_FIELD = 602
INVALID_DATE = 944

_PARSER_OPTIONS = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def parse(body: bytes) -> etree._Element | None:
    """The request's root, None when the body is not well-formed."""
    parser = etree.XMLParser(remove_comments=True, remove_pis=True, **_PARSER_OPTIONS)  # type: ignore[arg-type]
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def escaped(text: str) -> str:
    """Text as XML character data; a bare carriage return would be read back as a line feed."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


@dataclass
class Given:
    """What a written or asked object says: values by flat name, and references by another record's key."""

    values: dict[str, str] = field(default_factory=dict)
    references: dict[str, tuple[str, str]] = field(default_factory=dict)  # property -> ("external", "Customer")


def given_by(element: etree._Element, record_type: RecordType) -> Given:
    """Read an object's element; repeated addresses are merged, unknown elements kept for the caller to judge."""
    given = Given()
    for child in element:
        name = str(child.tag)
        name = ALIASES.get(name, name) if name not in record_type.properties else name
        if name in record_type.addresses:
            for part in child.iterfind("Address/*"):
                given.values[ADDRESSES[name] + str(part.tag)] = part.text or ""
            continue
        date = child.find("Date")
        given.values[name] = date_text(date) if date is not None else child.text or ""
        for attribute in ("external", "name"):
            if attribute in child.attrib:
                given.references[name] = (attribute, str(child.attrib[attribute]))
    return given


def date_text(date: etree._Element) -> str:
    """A Date element as `YYYY-MM-DD`, with the time when one is given; blank when it is empty."""
    parts = {str(part.tag): (part.text or "").strip() for part in date}
    if not any(parts.get(name) for name in ("year", "month", "day")):
        return ""
    try:
        year, month, day = (int(parts.get(name) or 0) for name in ("year", "month", "day"))
        hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 the service's dates carry no zone
    except ValueError:
        raise RefusedError(INVALID_DATE) from None
    return moment.isoformat(sep=" ") if parts.get("hour") else moment.date().isoformat()


def date_xml(text: str, timezone: str = "") -> str:
    """A Date element; all parts are there and empty when the date is."""
    match = re.match(r"(\d{4})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d))?$", text)
    year, month, day, hour, minute, second = match.groups("00") if match else ("",) * 6
    values = dict(zip(DATE_PARTS, (hour, minute, timezone, second, month, day, year), strict=True))
    inside = "".join(f"<{name}>{value}</{name}>" if value else f"<{name}/>" for name, value in values.items())
    return f"<Date>{inside}</Date>"


@dataclass(frozen=True)
class Wanted:
    """What a `_Return` asks for: None means every property."""

    names: frozenset[str] | None = None
    with_custom: bool = False


def wanted_by(element: etree._Element | None, record_type: RecordType, custom: Mapping[str, Row] | None) -> Wanted:
    """Read a `_Return`; `custom` is None unless custom fields are enabled.

    Raises:
        RefusedError: 602, a field is not known.
    """
    if element is None:
        return Wanted(None, with_custom=custom is not None)
    names: set[str] = set()
    for child in element:
        name = str(child.tag)
        name = ALIASES.get(name, name) if name not in record_type.properties else name
        if name in record_type.addresses:
            parts = [str(part.tag) for part in child.iter() if part is not child and part.tag != "Address"]
            if not set(parts) <= ADDRESS_PARTS.keys():
                raise RefusedError(INVALID_FIELD)
            names.update(ADDRESSES[name] + part for part in parts or ADDRESS_PARTS)
        elif name in record_type.properties or name in (custom or {}):
            names.add(name)
        else:
            raise RefusedError(INVALID_FIELD)
    return Wanted(frozenset(names), with_custom=custom is not None)


def object_xml(
    row: Row, record_type: RecordType, wanted: Wanted, custom: tuple[str, ...], switches: SuiteProjectsSwitches
) -> str:
    """One object, as complete as it is wanted."""
    plain, addresses = _shape(record_type.name, wanted, custom, switches.node_flags)
    off = "" if switches.false_as == "empty" else "0"
    values = row.values
    parts = [f"<{record_type.name}>"]
    for name, tag, kind in plain:
        value = str(row.id) if name == "id" else values.get(name, "")
        if kind == "boolean" and value == "0":
            value = off
        if kind in {"date", "stamp"}:
            parts.append(f"<{tag}>{date_xml(value)}</{tag}>")
        else:
            parts.append(f"<{tag}>{escaped(value)}</{tag}>" if value else f"<{tag}/>")
    for tag, fields in addresses:
        inside = "".join(
            f"<{part}>{escaped(values[name])}</{part}>" if name in values else f"<{part}/>" for name, part in fields
        )
        parts.append(f"<{tag}><Address>{inside}</Address></{tag}>")
    parts.append(f"</{record_type.name}>")
    return "".join(parts)


Shape = tuple[list[tuple[str, str, str]], list[tuple[str, list[tuple[str, str]]]]]


@cache
def _shape(type_name: str, wanted: Wanted, custom: tuple[str, ...], node_flags: str) -> Shape:
    from resources.suiteprojects.dictionary import RECORD_TYPES

    record_type = RECORD_TYPES[type_name]

    def asked(name: str) -> bool:
        return wanted.names is None or name in wanted.names

    plain = [(each.name, each.name, each.kind) for each in record_type.properties.values() if asked(each.name)]
    flags = {"isanode": "is_a_node", "isalevel": "is_a_level"}
    if node_flags != "isanode":
        old = [] if node_flags == "is_a_node" else plain
        others = [entry for entry in plain if entry[0] not in flags] if not old else plain
        plain = others + [(name, flags[name], kind) for name, _, kind in plain if name in flags]
    if wanted.with_custom:
        plain = plain + [(name, name, "text") for name in custom if asked(name)]
    addresses = []
    for tag in record_type.addresses:
        fields = [(ADDRESSES[tag] + part, part) for part in ADDRESS_PARTS if asked(ADDRESSES[tag] + part)]
        if fields:
            addresses.append((tag, fields))
    return plain, addresses
