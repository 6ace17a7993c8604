"""XML of the SuiteProjects Pro API: plain values to requests, responses to plain values.

Values are flat: the city of a customer's address is `addr_city`; dates are `YYYY-MM-DD`, timestamps
`YYYY-MM-DD HH:MM:SS` in the service's own time zone; a blank is None.
"""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from functools import lru_cache
from html import escape
from html.entities import html5
from itertools import groupby

from lxml import etree

from resources.suiteprojects.dictionary import RECORD_TYPES
from resources.suiteprojects.properties import ADDRESSES

Element = etree._Element  # noqa: SLF001 lxml has no public name for its element type
Record = dict[str, str | None]

CLIENT = {"client": "millpond", "client_ver": "1"}
# other spellings of properties in responses (suiteprojects_api.md §4 [U])
ALIASES = {
    "is_a_node": "isanode",
    "is_a_level": "isalevel",
    "sold_to_contactid": "sold_to_contact_id",
    "external_id": "externalid",
}
MAX_CHARACTER = 0x10FFFF
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,9}));")
# a section of plain text, or an ampersand that begins no reference of XML, with the name of a reference of HTML
_AMPERSAND = re.compile(r"<!\[CDATA\[.*?\]\]>|&(?!#\d+;|#[xX][\da-fA-F]+;|(?:amp|lt|gt|quot|apos);)(\w+;)?", re.DOTALL)
_PROLOG = re.compile(r"^<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*\bencoding\s*=\s*["'](?!(?i:utf))([\w.:-]+)["']""")
_LATIN = re.compile(rb"(?i:iso[-_]?8859-1|latin-?1)")
# services that declare Latin-1 write Windows' quotes, dashes and euro sign where it has control characters
_WINDOWS = dict(zip(range(0x80, 0xA0), bytes(range(0x80, 0xA0)).decode("cp1252", "replace"), strict=True))
_CONTROL = re.compile(rb"[\x80-\x9f]")
_WIDE = {BOM_UTF16_LE: "utf-16", BOM_UTF16_BE: "utf-16", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}  # by first bytes
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PREFIXES = {prefix: element for element, prefix in ADDRESSES.items()}
_ADDRESS_FIELD = re.compile(rf"({'|'.join(_PREFIXES)})(\w+)")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d))?")


def illegal_character(text: str) -> str | None:
    """Return the first character that XML 1.0 cannot represent, as `U+0001`; None if there is none."""
    match = _ILLEGAL.search(text)
    return f"U+{ord(match[0]):04X}" if match else None


def command(name: str, attributes: Mapping[str, str] | None = None, *inside: Element) -> Element:
    """Return a command or any other element with children."""
    element = etree.Element(name, dict(attributes or {}))
    element.extend(inside)
    return element


def text_element(name: str, text: str | None) -> Element:
    """Return an element with text, or an empty one."""
    element = etree.Element(name)
    element.text = text or None
    return element


def date_element(text: str) -> Element:
    """Return a `Date` element for `YYYY-MM-DD`, with or without a time; ValueError if the text has another form."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError("not a date of the form YYYY-MM-DD")
    names = ("year", "month", "day", "hour", "minute", "second")
    parts = [text_element(name, value) for name, value in zip(names, match.groups(), strict=True) if value]
    return command("Date", None, *parts)


def object_element(type_name: str, values: Mapping[str, str | None]) -> Element:
    """Return a record's element; the parts of an address go into one address element, None becomes an empty element.

    Raises:
        ValueError: A value cannot be represented: an illegal character, or a malformed date.
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


@lru_cache(10_000)
def address_of(type_name: str, name: str) -> tuple[str, str] | None:
    """Return the address element and the part that a flat name denotes, such as ("addr", "city")."""
    match = _ADDRESS_FIELD.fullmatch(name)
    if match is None or _PREFIXES[match[1]] not in RECORD_TYPES[type_name].addresses:
        return None
    return _PREFIXES[match[1]], match[2]


def _kind(type_name: str, name: str) -> str:
    declared = RECORD_TYPES[type_name].properties.get(name)
    return declared.kind if declared else "text"


def return_element(type_name: str, fields: Iterable[str]) -> Element:
    """Return a `_Return` element of these flat names."""
    returned = etree.Element("_Return")
    addresses: dict[str, Element] = {}
    for name in dict.fromkeys(fields):
        address = address_of(type_name, name)
        if address is None:
            etree.SubElement(returned, name)
            continue
        tag, part = address
        if tag not in addresses:
            addresses[tag] = etree.SubElement(returned, tag)
        etree.SubElement(addresses[tag], part)
    return returned


def summary(commands: Sequence[Element]) -> str:
    """Return the commands for error texts, such as `Add*500`; never a value."""
    runs = [(name, len(list(group))) for name, group in groupby(str(each.tag) for each in commands)]
    return ",".join(name if count == 1 else f"{name}*{count}" for name, count in runs) or "Auth"


def request(namespace: str, key: str, login: Element, commands: Sequence[Element]) -> bytes:
    """Return a whole request: Auth first, then the commands."""
    envelope = {"API_version": "1.0", **CLIENT, "namespace": namespace, "key": key}
    root = command("request", envelope, command("Auth", None, login), *commands)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def parse_xml(body: bytes) -> Element:
    """Return the root of a response; entities, network access and DTDs are off.

    One bad character does not hide a thousand records: if the body is not well-formed, it is read once more with
    U+FFFD for what XML cannot represent, in the encoding that it declares, else as Latin-1 if it is no UTF-8
    (suiteprojects_api.md §1.1; with Windows' characters where Latin-1 has none), and with ampersands as text where they
    begin no reference, or with the character of a reference that HTML knows.

    Raises:
        ValueError: The body is not well-formed XML.
    """
    if not (_declares_latin(body) and _CONTROL.search(body)):
        with suppress(etree.XMLSyntaxError):
            return _parse(body.strip())
    try:
        return _parse(_repaired(body))
    except etree.XMLSyntaxError as error:
        raise ValueError("not well-formed XML") from error


def _parse(body: bytes) -> Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(body, parser)


def _declares_latin(body: bytes) -> bool:
    declared = _ENCODING.match(body)
    return declared is not None and _LATIN.fullmatch(declared[1]) is not None


def _decoded(body: bytes) -> str:
    if encoding := _WIDE.get(body[:2]):
        return body.decode(encoding, "replace")
    declared = _ENCODING.match(body)
    if not _declares_latin(body):
        with suppress(LookupError, ValueError):
            return body.decode(declared[1].decode() if declared else "utf-8")
        if _MULTIBYTE.search(body):
            return body.decode("utf-8", "replace")
    return body.decode("latin-1").translate(_WINDOWS)


def _repaired(body: bytes) -> bytes:
    text = _decoded(body)
    text = _ILLEGAL.sub("\ufffd", _REFERENCE.sub(_checked_reference, _AMPERSAND.sub(_known_reference, text)))
    return _PROLOG.sub("", text.strip("\ufeff \t\r\n")).encode()


def _known_reference(found: re.Match[str]) -> str:
    name = found[1] or ""
    if not found[0].startswith("&"):
        return found[0]
    return escape(html5[name]) if name in html5 else f"&amp;{name}"


def _checked_reference(reference: re.Match[str]) -> str:
    """Return a reference to a character, or U+FFFD if XML cannot represent the character."""
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return "\ufffd" if number > MAX_CHARACTER or _ILLEGAL.match(chr(number)) else reference[0]


def record_of(element: Element, names: tuple[str, ...] = ()) -> Record:
    """Return a record of a response with flat names; of a repeated element the first value that is not blank.

    With `names`, properties that are not needed are skipped; a record may have all 190 of its type.
    """
    record: Record = {}
    for child in element.iterchildren(*_elements(names)) if names else element:
        name = str(child.tag)
        if name in ADDRESSES:
            for part in child.iterfind("Address/*"):
                flat = f"{ADDRESSES[name]}{part.tag}"
                record[flat] = record.get(flat) or (_written(part) if len(part) else part.text) or None
            continue
        value = child.text or None
        if len(child):  # most are plain text: searching each for a date costs more than all the rest
            date = child.find("Date")
            value = date_of(date) if date is not None else _written(child)
        record[name] = record.get(name) or value
    for alias, name in ALIASES.items():
        if alias in record:
            record[name] = record.get(name) or record[alias]
    if record.get("id"):
        record["id"] = str(record["id"]).strip()
    return record


def _written(element: Element) -> str:
    """Return a value that contains markup, or a reference to an entity: its text, and these as they are written."""
    # copies: they declare no namespace of an element above that they do not use
    inside = (etree.tostring(copy(each), encoding="unicode", with_tail=False) + (each.tail or "") for each in element)
    return f"{element.text or ''}{''.join(inside)}"


@lru_cache(1000)
def _elements(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the elements that contain these properties."""
    addresses = {_PREFIXES[match[1]] for name in names if (match := _ADDRESS_FIELD.fullmatch(name))}
    aliases = {alias for alias, name in ALIASES.items() if name in names}
    return tuple({*names, *addresses, *aliases})


def date_of(date: Element) -> str | None:
    """Return a `Date` element as text; None when its parts are empty or zero."""
    parts = {str(part.tag): (part.text or "").strip() for part in date}
    if not parts.get("year", "").strip("0"):
        return None
    day = f"{parts['year']:0>4}-{parts.get('month', ''):0>2}-{parts.get('day', ''):0>2}"
    if not parts.get("hour"):
        return day
    return f"{day} {parts['hour']:0>2}:{parts.get('minute', ''):0>2}:{parts.get('second', ''):0>2}"
