"""XML of the SuiteProjects Pro API: requests out of plain values, plain values out of answers.

Values are flat: the city of a customer's address is `addr_city`; dates are `YYYY-MM-DD`, stamps `YYYY-MM-DD HH:MM:SS`
in the service's own time; a blank is None.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from lxml import etree

from resources.suiteprojects.dictionary import ADDRESSES, RECORD_TYPES

Element = etree._Element  # noqa: SLF001 lxml has no public name for its element type
Record = dict[str, str | None]

CLIENT = {"client": "millpond", "client_ver": "1"}
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PREFIXES = {prefix: element for element, prefix in ADDRESSES.items()}
_ADDRESS_FIELD = re.compile(rf"({'|'.join(_PREFIXES)})(\w+)")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d))?")


def illegal_character(text: str) -> str | None:
    """The first character that XML 1.0 cannot carry, as `U+0001`; None when there is none."""
    match = _ILLEGAL.search(text)
    return f"U+{ord(match[0]):04X}" if match else None


def command(name: str, attributes: Mapping[str, str] | None = None, *inside: Element) -> Element:
    """A command or any other element with children."""
    element = etree.Element(name, dict(attributes or {}))
    element.extend(inside)
    return element


def text_element(name: str, text: str | None) -> Element:
    """An element that holds text, or nothing."""
    element = etree.Element(name)
    element.text = text or None
    return element


def date_element(text: str) -> Element:
    """A `Date` out of `YYYY-MM-DD`, with or without a time.

    Raises:
        ValueError: It is not such a text.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError("not a date of the form YYYY-MM-DD")
    names = ("year", "month", "day", "hour", "minute", "second")
    parts = [text_element(name, value) for name, value in zip(names, match.groups(), strict=True) if value]
    return command("Date", None, *parts)


def object_element(type_name: str, values: Mapping[str, str | None]) -> Element:
    """A record's element; the parts of one address go into one address element, None becomes an empty element.

    Raises:
        ValueError: A value cannot be written: an illegal character, or no date where one belongs.
    """
    record = etree.Element(type_name)
    addresses: dict[str, Element] = {}
    for name, value in values.items():
        address = address_of(type_name, name)
        if address:
            tag, part = address
            if tag not in addresses:
                addresses[tag] = etree.SubElement(etree.SubElement(record, tag), "Address")
            addresses[tag].append(text_element(part, value))
        elif value and _kind(type_name, name) == "date":
            record.append(command(name, None, date_element(value)))
        else:
            record.append(text_element(name, value))
    return record


def address_of(type_name: str, name: str) -> tuple[str, str] | None:
    """The address element and the part that a flat name stands for, such as ("addr", "city")."""
    match = _ADDRESS_FIELD.fullmatch(name)
    if match is None or _PREFIXES[match[1]] not in RECORD_TYPES[type_name].addresses:
        return None
    return _PREFIXES[match[1]], match[2]


def _kind(type_name: str, name: str) -> str:
    known = RECORD_TYPES[type_name].properties.get(name)
    return known.kind if known else "text"


def return_element(type_name: str, fields: Iterable[str]) -> Element:
    """A `_Return` of these flat names."""
    asked = etree.Element("_Return")
    addresses: dict[str, Element] = {}
    for name in dict.fromkeys(fields):
        address = address_of(type_name, name)
        if address is None:
            etree.SubElement(asked, name)
            continue
        tag, part = address
        if tag not in addresses:
            addresses[tag] = etree.SubElement(asked, tag)
        etree.SubElement(addresses[tag], part)
    return asked


def request(namespace: str, key: str, login: Element, commands: Sequence[Element]) -> bytes:
    """A whole request: Auth first, then the commands."""
    envelope = {"API_version": "1.0", **CLIENT, "namespace": namespace, "key": key}
    root = command("request", envelope, command("Auth", None, login), *commands)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def parse_answer(body: bytes) -> Element:
    """The answer's root.

    Raises:
        ValueError: The body is not well-formed XML, whatever it is.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError("not well-formed XML") from error


def record_of(element: Element) -> Record:
    """A record of an answer under flat names."""
    record: Record = {}
    for child in element:
        name = str(child.tag)
        if name in ADDRESSES:
            for part in child.iterfind("Address/*"):
                record[f"{ADDRESSES[name]}{part.tag}"] = part.text or None
        elif len(child):  # most are plain text: looking for a date in each of them costs more than all the rest
            date = child.find("Date")
            record[name] = date_of(date) if date is not None else child.text or None
        else:
            record[name] = child.text or None
    return record


def date_of(date: Element) -> str | None:
    """A `Date` as text; None when its parts are empty or zero."""
    parts = {str(part.tag): (part.text or "").strip() for part in date}
    if not parts.get("year", "").strip("0"):
        return None
    day = f"{parts['year']:0>4}-{parts.get('month', ''):0>2}-{parts.get('day', ''):0>2}"
    if not parts.get("hour"):
        return day
    return f"{day} {parts['hour']:0>2}:{parts.get('minute', ''):0>2}:{parts.get('second', ''):0>2}"
