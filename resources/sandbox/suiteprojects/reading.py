"""Read: methods, limits, filters, order, `_Return`."""

import random
import re
from collections.abc import Mapping

from lxml import etree

from resources.sandbox.suiteprojects.records import RefusedError, Row, Work, property_sql
from resources.sandbox.suiteprojects.status_texts import TEXTS
from resources.sandbox.suiteprojects.writing import TOO_FEW, TOO_MANY, block, resolved
from resources.sandbox.suiteprojects.xml_codec import date_text, escaped, given_by, object_xml, wanted_by
from resources.suiteprojects.dictionary import RECORD_TYPES, RecordType

BAD_LIMIT, EMPTY, INVALID_FIELD, INVALID, BAD_COUNT, BAD_PARAMETERS = 605, 601, 602, 603, 871, 10
TOO_MANY_RECORDS = 854
COMPARISONS = {"newer-than": ">", "older-than": "<", "date-equal-to": "=", "date-not-equal-to": "<>"}
STATES = {"not-exported"}  # record-state filters that our types have
_LIMIT = re.compile(r"\s*(?:(\d{1,12})\s*,\s*)?(\d{1,9})\s*")


def limits_of(element: etree._Element, largest: int) -> tuple[int, int]:
    """Offset and size; a blank after the comma is tolerated.

    Raises:
        RefusedError: 605.
    """
    match = _LIMIT.fullmatch(element.get("limit", ""))
    if match is None or not 1 <= int(match[2]) <= largest:
        raise RefusedError(BAD_LIMIT)
    return int(match[1] or 0), int(match[2])


def read_error(element: etree._Element) -> str:
    """The text of a status; needs no sign-in and no limit."""
    code = (element.findtext("Error/code") or "").strip()
    if not code.isdigit() or int(code) not in TEXTS:
        return block("Read", EMPTY)
    inside = f"<Error><code>{code}</code><text>{escaped(TEXTS[int(code)])}</text><comment/></Error>"
    return block("Read", 0, inside)


def read(work: Work, element: etree._Element, remaining: int, asked_before: int) -> str:
    """Carry out one Read.

    Args:
        work: The request's transaction.
        element: The command.
        remaining: Requests left in 24 hours, for RateLimit.
        asked_before: Sum of the limits of the earlier Reads of this request.
    """
    type_name = element.get("type", "")
    if type_name == "Error":
        return read_error(element)
    if type_name == "RateLimit":
        return block("Read", 0, f"<RateLimit><remain_24h_error>{remaining}</remain_24h_error></RateLimit>")
    record_type = RECORD_TYPES.get(type_name)
    if record_type is None or "Read" not in record_type.commands:
        return block("Read", INVALID)
    try:
        _check_size(work, element, asked_before)
        inside = _objects(work, element, record_type)
    except RefusedError as refusal:
        return block("Read", refusal.status)
    return block("Read", 0 if inside else EMPTY, inside)


def _check_size(work: Work, element: etree._Element, asked_before: int) -> None:
    _, size = limits_of(element, work.switches.max_limit)
    allowed = work.switches.max_read_objects
    if allowed is not None and asked_before + size > allowed:
        raise RefusedError(TOO_MANY_RECORDS)


def _objects(work: Work, element: etree._Element, record_type: RecordType) -> str:
    custom = work.custom_fields(record_type.association) if element.get("enable_custom") == "1" else None
    wanted = wanted_by(element.find("_Return"), record_type, custom)
    if element.get("clear_filter_cache"):
        refresh_cache(work)
    tests, values = _visible(work, element, record_type)
    for more, params in (
        _method_tests(work, element, record_type, custom),
        _filter_tests(work, element, record_type, custom),
    ):
        tests += more
        values += params
    offset, size = limits_of(element, work.switches.max_limit)
    order = _order(work, element, record_type, custom)
    rows = work.rows(f"where {' and '.join(tests)} order by {order} limit ? offset ?", [*values, size, offset])
    names = tuple(custom or ())
    return "".join(object_xml(row, record_type, wanted, names, work.switches) for row in rows)


def refresh_cache(work: Work) -> None:
    """Let the token see everything that is there now."""
    work.hidden_after = None
    if work.token:
        work.con.execute("update tokens set cache_at = ? where token = ?", (work.now.timestamp(), work.token))


def _visible(work: Work, element: etree._Element, record_type: RecordType) -> tuple[list[str], list[object]]:
    tests = ["type = ?"]
    params: list[object] = [record_type.name]
    if element.get("deleted") != "1":
        tests.append("deleted = 0")
    else:
        tests.append("deleted in (0, 1)" if element.get("include_nondeleted") == "1" else "deleted = 1")
    if work.hidden_after is not None:
        tests.append("made_at <= ?")
        params.append(work.hidden_after)
    if record_type.name == "Currency" and work.switches.currencies is not None:
        tests.append(f"{property_sql('symbol')} in ({','.join('?' * len(work.switches.currencies))})")
        params += work.switches.currencies
    return tests, params


def _method_tests(
    work: Work, element: etree._Element, record_type: RecordType, custom: Mapping[str, Row] | None
) -> tuple[list[str], list[object]]:
    method = element.get("method", "")
    queries = [child for child in element if child.tag == record_type.name]
    if method in {"all", "not exported"}:
        return [], []
    if method == "user" and "userid" in record_type.properties:
        user = element.findtext("User/id") or str(work.user_id)
        return [f"{property_sql('userid')} = ?"], [user]
    if method not in {"equal to", "not equal to", "custom equal to"}:
        raise RefusedError(INVALID)
    if len(queries) != 1:
        raise RefusedError(TOO_MANY if queries else TOO_FEW)
    keep_blank = work.switches.empty_query_value == "blank" or element.get("empty_is_nil") == "false"
    given = given_by(queries[0], record_type)
    given.values = {name: value for name, value in given.values.items() if value or keep_blank}
    given.references = {name: way for name, way in given.references.items() if name in given.values}
    tests, values = [], []
    for name, value in resolved(work, record_type, given).items():
        tests.append(_equal(work, record_type, custom, name, blank=not value))
        values += [_stored(record_type, name, value)] if value else []
    if not tests:
        raise RefusedError(TOO_FEW)
    if method == "not equal to":
        return [f"not coalesce({' and '.join(tests)}, 0)"], values
    return tests, values


def _equal(work: Work, record_type: RecordType, custom: Mapping[str, Row] | None, name: str, *, blank: bool) -> str:
    if name not in record_type.flat and name not in (custom or {}):
        raise RefusedError(INVALID_FIELD)
    if blank:
        return f"{property_sql(name)} is null"
    collate = " collate nocase" if work.switches.text_ignores_case and name != "id" else ""
    return f"{property_sql(name)} = ?{collate}"


def _stored(record_type: RecordType, name: str, value: str) -> object:
    if name == "id":
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else -1  # noqa: PLR2004
    known = record_type.flat.get(name)
    return "1" if known and known.kind == "boolean" and value not in {"", "0"} else value


def _filter_tests(
    work: Work, element: etree._Element, record_type: RecordType, custom: Mapping[str, Row] | None
) -> tuple[list[str], list[object]]:
    filters = [each for each in element.get("filter", "").split(",") if each]
    if not set(filters) <= COMPARISONS.keys() | STATES:
        raise RefusedError(BAD_PARAMETERS)  # a blank in the list ends here, as in the service
    dated = [each for each in filters if each in COMPARISONS]
    fields = [each for each in element.get("field", "").split(",") if each]
    dates = [date_text(child) for child in element if child.tag == "Date"]
    if not len(dated) == len(fields) == len(dates):
        raise RefusedError(BAD_COUNT)
    tests = []
    for word, name in zip(dated, fields, strict=True):
        if name not in record_type.properties and name not in (custom or {}):
            raise RefusedError(INVALID_FIELD)
        sign = COMPARISONS[word]
        if sign in {"<", ">"} and work.switches.newer_than_inclusive:
            sign += "="
        known = record_type.properties.get(name)
        # a date alone stands for its first second; a stamp is compared as it is, which keeps its index in use
        shown = (
            property_sql(name)
            if known and known.kind == "stamp"
            else f"substr({property_sql(name)} || ' 00:00:00', 1, 19)"
        )
        tests.append(f"{shown} {sign} ?")
    return tests, [date if " " in date else f"{date} 00:00:00" for date in dates]


def _order(work: Work, element: etree._Element, record_type: RecordType, custom: Mapping[str, Row] | None) -> str:
    asked = element.get("order", "")
    if not asked:
        if not work.switches.unstable_order:
            return "id"
        factor, add = random.randrange(3, 9973, 2), random.randrange(9973)
        return f"(id * {factor} + {add}) % 9973, id"
    name, _, direction = (part.strip() for part in asked.partition(","))
    if name not in record_type.flat and name not in (custom or {}):
        raise RefusedError(INVALID_FIELD)
    return f"{property_sql(name)} {'desc' if direction == 'desc' else 'asc'}, id"
