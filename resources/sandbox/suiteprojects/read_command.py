"""The XML command Read: methods, limits, filters, order, `_Return`."""

import random
import re
from collections.abc import Mapping

from lxml import etree

from resources.sandbox.suiteprojects.errors import ApiError, Status
from resources.sandbox.suiteprojects.records import Row, Transaction, property_sql
from resources.sandbox.suiteprojects.status_texts import TEXTS
from resources.sandbox.suiteprojects.write_commands import resolve_references
from resources.sandbox.suiteprojects.xml_codec import (
    date_text,
    escaped,
    object_xml,
    parse_object,
    parse_return,
    response_block,
)
from resources.suiteprojects.dictionary import RECORD_TYPES
from resources.suiteprojects.properties import RecordType

COMPARISONS = {"newer-than": ">", "older-than": "<", "date-equal-to": "=", "date-not-equal-to": "<>"}
STATES = {"not-exported"}  # record-state filters of our record types
_LIMIT = re.compile(r"\s*(?:(\d{1,12})\s*,\s*)?(\d{1,9})\s*")

# conditions of a WHERE clause, and their parameters
Conditions = tuple[list[str], list[object]]


def read_error(element: etree._Element) -> str:
    """Return the text of a status; needs no sign-in and no limit."""
    code = (element.findtext("Error/code") or "").strip()
    if not code.isdigit() or int(code) not in TEXTS:
        return response_block("Read", Status.NOT_FOUND)
    content = f"<Error><code>{code}</code><text>{escaped(TEXTS[int(code)])}</text><comment/></Error>"
    return response_block("Read", Status.OK, content)


def limits_of(element: etree._Element, max_limit: int) -> tuple[int, int]:
    """Return offset and size; a blank after the comma is allowed.

    Raises:
        ApiError: 605, the limit is missing or too large.
    """
    match = _LIMIT.fullmatch(element.get("limit", ""))
    if match is None or not 1 <= int(match[2]) <= max_limit:
        raise ApiError(Status.INVALID_LIMIT)
    return int(match[1] or 0), int(match[2])


def read(tx: Transaction, element: etree._Element, remaining: int, requested_before: int) -> str:
    """Execute one Read.

    Args:
        tx: The request's transaction.
        element: The command.
        remaining: Requests left in 24 hours, for RateLimit.
        requested_before: Sum of the limits of the request's earlier Reads.
    """
    type_name = element.get("type", "")
    if type_name == "Error":
        return read_error(element)
    if type_name == "RateLimit":
        content = f"<RateLimit><remain_24h_error>{remaining}</remain_24h_error></RateLimit>"
        return response_block("Read", Status.OK, content)
    record_type = RECORD_TYPES.get(type_name)
    if record_type is None or "Read" not in record_type.commands:
        return response_block("Read", Status.INVALID_TYPE)
    try:
        content = _Query(tx, element, record_type).objects_xml(requested_before)
    except ApiError as error:
        return response_block("Read", error.status)
    return response_block("Read", Status.OK if content else tx.switches.empty_read_status, content)


def refresh_cache(tx: Transaction) -> None:
    """Show all existing records to the token."""
    tx.hidden_after = None
    if tx.token:
        tx.connection.execute("update tokens set cache_at = ? where token = ?", (tx.now.timestamp(), tx.token))


class _Query:
    """The SQL query of one Read."""

    def __init__(self, tx: Transaction, element: etree._Element, record_type: RecordType) -> None:
        self._tx = tx
        self._element = element
        self._type = record_type
        is_custom = element.get("enable_custom") == "1"
        self._custom: Mapping[str, Row] | None = tx.custom_fields(record_type.association) if is_custom else None

    @property
    def _is_fresh(self) -> bool:
        return bool(self._element.get("clear_filter_cache"))

    def objects_xml(self, requested_before: int) -> str:
        """Return the records as XML."""
        offset, size = limits_of(self._element, self._tx.switches.max_limit)
        allowed = self._tx.switches.max_read_objects
        if allowed is not None and requested_before + size > allowed:
            raise ApiError(Status.TOO_MANY_RECORDS)
        returned = parse_return(self._element.find("_Return"), self._type, self._custom)
        if self._is_fresh and self._tx.switches.clear_filter_cache == "token":
            refresh_cache(self._tx)
        tests, params = list[str](), list[object]()
        for conditions in (self._visibility(), self._method(), self._filters()):
            tests += conditions[0]
            params += conditions[1]
        query = f"where {' and '.join(tests)} order by {self._order()} limit ? offset ?"
        rows = self._tx.rows(query, [*params, min(size, self._tx.switches.max_rows or size), offset])
        names = tuple(self._custom or ())
        return "".join(object_xml(row, self._type, returned, names, self._tx.switches) for row in rows)

    def _check_field(self, name: str, known: Mapping[str, object]) -> None:
        if name not in known and name not in (self._custom or {}):
            raise ApiError(Status.INVALID_FIELD)

    def _visibility(self) -> Conditions:
        tests = ["type = ?"]
        params: list[object] = [self._type.name]
        if self._element.get("deleted") != "1":
            tests.append("deleted = 0")
        else:
            tests.append("deleted in (0, 1)" if self._element.get("include_nondeleted") == "1" else "deleted = 1")
        if self._tx.hidden_after is not None and not self._is_fresh:
            tests.append("made_at <= ?")
            params.append(self._tx.hidden_after)
        hidden = [int(each.partition(".")[2]) for each in self._tx.switches.hidden_records
                  if each.partition(".")[0] == self._type.name]  # fmt: skip
        if hidden:
            tests.append(f"id not in ({','.join('?' * len(hidden))})")
            params += hidden
        currencies = self._tx.switches.currencies
        if self._type.name == "Currency" and currencies is not None:
            tests.append(f"{property_sql('symbol')} in ({','.join('?' * len(currencies))})")
            params += currencies
        return tests, params

    def _method(self) -> Conditions:
        method = self._element.get("method", "")
        if method in {"all", "not exported"}:
            return [], []
        if method == "user" and "userid" in self._type.properties:
            user = self._element.findtext("User/id") or str(self._tx.user_id)
            return [f"{property_sql('userid')} = ?"], [user]
        if method not in {"equal to", "not equal to", "custom equal to"}:
            raise ApiError(Status.INVALID_TYPE)
        tests, params = self._equal_to()
        if method == "not equal to":
            return [f"not coalesce({' and '.join(tests)}, 0)"], params
        return tests, params

    def _equal_to(self) -> Conditions:
        queries = [child for child in self._element if child.tag == self._type.name]
        if len(queries) != 1:
            raise ApiError(Status.TOO_MANY_ARGUMENTS if queries else Status.TOO_FEW_ARGUMENTS)
        keep_blank = self._tx.switches.empty_query_value == "blank" or self._element.get("empty_is_nil") == "false"
        parsed = parse_object(queries[0], self._type)
        parsed.values = {name: value for name, value in parsed.values.items() if value or keep_blank}
        parsed.references = {name: key for name, key in parsed.references.items() if name in parsed.values}
        tests, params = list[str](), list[object]()
        for name, value in resolve_references(self._tx, self._type, parsed).items():
            self._check_field(name, self._type.flat)
            if not value:
                tests.append(f"{property_sql(name)} is null")
                continue
            collate = " collate nocase" if self._tx.switches.text_ignores_case and name != "id" else ""
            tests.append(f"{property_sql(name)} = ?{collate}")
            params.append(self._stored(name, value))
        if not tests:
            raise ApiError(Status.TOO_FEW_ARGUMENTS)
        return tests, params

    def _stored(self, name: str, value: str) -> object:
        """Return a value as it is stored."""
        if name == "id":
            return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else -1  # noqa: PLR2004
        known = self._type.flat.get(name)
        return "1" if known and known.kind == "boolean" and value not in {"", "0"} else value

    def _filters(self) -> Conditions:
        filters = [each for each in self._element.get("filter", "").split(",") if each]
        if not set(filters) <= COMPARISONS.keys() | STATES:
            raise ApiError(Status.INVALID_PARAMETERS)  # a blank in the list as well, as in the service
        dated = [each for each in filters if each in COMPARISONS]
        fields = [each for each in self._element.get("field", "").split(",") if each]
        dates = [date_text(child) for child in self._element if child.tag == "Date"]
        if not len(dated) == len(fields) == len(dates):
            raise ApiError(Status.ARGUMENT_COUNT)
        tests = [self._date_test(each, name) for each, name in zip(dated, fields, strict=True)]
        return tests, [date if " " in date else f"{date} 00:00:00" for date in dates]

    def _date_test(self, comparison: str, name: str) -> str:
        self._check_field(name, self._type.properties)
        sign = COMPARISONS[comparison]
        if sign in {"<", ">"} and self._tx.switches.newer_than_inclusive:
            sign += "="
        known = self._type.properties.get(name)
        # a date alone means its first second; a timestamp is compared directly, so that its index is used
        if known and known.kind == "timestamp":
            return f"{property_sql(name)} {sign} ?"
        return f"substr({property_sql(name)} || ' 00:00:00', 1, 19) {sign} ?"

    def _order(self) -> str:
        order = self._element.get("order", "")
        if not order:
            if not self._tx.switches.unstable_order:
                return "id"
            factor, addend = random.randrange(3, 9973, 2), random.randrange(9973)
            return f"(id * {factor} + {addend}) % 9973, id"
        name, _, direction = (part.strip() for part in order.partition(","))
        self._check_field(name, self._type.flat)
        return f"{property_sql(name)} {'desc' if direction == 'desc' else 'asc'}, id"
