"""Pages of SuiteQL rows: parsed and checked cell by cell, or only scanned so that the next call can start at once.

body  ->  parse_page()  ->  Page, every cell checked
body  ->  scan_page()   ->  RawPage: the rows as bytes, and the little that the next call needs

A page has up to a megabyte, so threads that fetch pages in parallel must not parse them in between: `scan_page` reads
the envelope and the last key and leaves the cells to assets/netsuite/extract/spool.py. A page that it cannot scan is
parsed, which reports the cause.

One bad value does not stop a page: bytes that are not UTF-8, halves of surrogate pairs and NUL become U+FFFD, a
byte-order mark is skipped, and each repaired value is named.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import orjson

from resources.errors import ContractError
from resources.plain_numbers import plain_number
from resources.scalars import as_flag, as_whole

PAGE = 1000  # rows; NetSuite's maximum
LAST_ROW_BYTES = 65_536  # at the end of a page, searched for the last key
ENVELOPE_BYTES = 4096  # within which the rows must begin
_ITEMS = re.compile(rb'"items"\s*:\s*\[')
_LINKS = b'"links":[]'  # one in each row; inside a text its quotation marks would be escaped

_NO_TEXT = re.compile("[\ud800-\udfff\x00]")  # no text that DuckDB, XML or another system accepts
_NUL = b"\\u0000"

Row = dict[str, str]
Repaired = tuple[Row, str]  # a row, and the column whose value was repaired


@dataclass(frozen=True, slots=True)
class Page:
    """One page, every cell a text."""

    rows: list[Row]
    has_more: bool
    repaired: tuple[Repaired, ...] = ()


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page whose cells are not parsed yet.

    Attributes:
        body: The response as received.
        begin: Position where the rows, a JSON array, begin.
        end: Position where they end.
        count: Number of rows that NetSuite announced.
        last_key: Key of the last row; None without rows.
        has_more: NetSuite has more rows after these.
        operation: Operation for error texts.
        repaired: Values that were repaired, known once the cells are parsed.
    """

    body: bytes
    begin: int
    end: int
    count: int
    last_key: int | None
    has_more: bool
    operation: str
    repaired: tuple[Repaired, ...] = ()

    @property
    def items(self) -> memoryview:
        """The rows, a JSON array as received."""
        return memoryview(self.body)[self.begin : self.end]

    @property
    def cells(self) -> int | None:
        """Number of texts in the rows; None when they hold anything but texts and each row's empty `links`.

        A colon after a quotation mark ends a name, unless the mark is escaped and part of a text, or begins a text
        that begins with a colon. None with NUL too: it is repaired when the cells are parsed.
        """
        if self.begin and self.body.find(_NUL, self.begin, self.end) >= 0:
            return None
        texts = self._count(b'":"') - self._count(b'\\":"')
        others = self._count(b'":') - self._count(b'\\":') - texts - self._count(_LINKS)
        return texts if not others or others == self._count(b'":":') else None

    def _count(self, pattern: bytes) -> int:
        return self.body.count(pattern, self.begin, self.end)

    def normalized(self) -> "RawPage":
        """Return the same rows with every cell parsed: names in lower case, every value a text.

        Raises:
            ContractError: The response is not JSON or announces other rows, a row is not an object, a value is nested.
        """
        if not self.begin:
            return self  # `_page_of` made it, from parsed rows
        return _page_of(parse_page(self.body, self.operation), self.last_key, self.operation)


def _page_of(page: Page, last_key: int | None, operation: str) -> RawPage:
    body = orjson.dumps(page.rows)
    return RawPage(body, 0, len(body), len(page.rows), last_key, page.has_more, operation, page.repaired)


def scan_page(body: bytes, key: str, operation: str) -> RawPage:
    """Read the envelope and the last key of a response, without its cells.

    Args:
        body: The response.
        key: The column by which the rows ascend.
        operation: Operation for error texts.

    Raises:
        ContractError: The response is truncated, not JSON, or announces other rows than it holds.
    """
    begin = _ITEMS.search(body, 0, ENVELOPE_BYTES)
    end = body.rfind(b"]") + 1
    if begin and end > begin.end():
        try:
            envelope = orjson.loads(body[: begin.end()] + b"]" + body[end:])
        except orjson.JSONDecodeError:
            envelope = {}
        last_key = _last_key(body, end, key)
        # each row has links of its own (netsuite.md §1.2 [D]), so rows are counted without parsing their cells
        count = envelope.get("count")
        if count and count == body.count(_LINKS, begin.end(), end) and last_key is not None:
            has_more = _has_more(envelope, int(count), operation)
            return RawPage(body, begin.end() - 1, end, int(count), last_key, has_more, operation)
    page = parse_page(body, operation)
    last = int_key(page.rows[-1], key) if page.rows else None
    return _page_of(page, last, operation)


@cache
def _key_pattern(key: str) -> re.Pattern[bytes]:
    return re.compile(rb'"' + key.encode() + rb'"\s*:\s*"?(-?\d+)["\s,}]')


def _last_key(body: bytes, end: int, key: str) -> int | None:
    """Return the key of the last row; inside a text its quotation marks would be escaped, so a match is a name."""
    found = _key_pattern(key).findall(body, max(0, end - LAST_ROW_BYTES), end)
    return int(found[-1]) if found else None


def json_object(body: bytes, content_type: str, operation: str) -> dict[str, Any]:
    """Parse a response as a JSON object.

    Raises:
        ContractError: It is not one.
    """
    try:
        answer = _loads(body)
    except ValueError as error:
        reason = (
            f"the response is not JSON ({content_type[:60] or 'no content type'}, {len(body)} bytes): truncated, or a"
            " maintenance page"
        )
        raise ContractError("netsuite", operation, reason) from error
    if not isinstance(answer, dict):
        raise ContractError("netsuite", operation, "the response is JSON but not an object")
    return answer


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _loads_exactly(body)


def _loads_exactly(body: bytes) -> Any:
    """Parse JSON with every digit of its numbers, and with bytes that are not UTF-8 as lone surrogates."""
    text = body.decode("utf-8-sig", "surrogateescape")
    return json.loads(text, parse_float=plain_number, strict=False)


def parse_page(body: bytes, operation: str, content_type: str = "") -> Page:
    """Parse a response and check every cell.

    Raises:
        ContractError: The response is truncated, empty, not JSON, or announces other rows than it holds.
    """
    answer = json_object(body, content_type, operation)
    items = answer.get("items")
    items = [] if items is None and as_whole(answer.get("count")) == 0 else items
    if not isinstance(items, list):
        raise ContractError("netsuite", operation, "the response has no items or no hasMore")
    has_more = _has_more(answer, len(items), operation)
    rows = [_row(item, operation) for item in items]
    if any(isinstance(value, float) for item in items for value in item.values()):
        rows = [_row(item, operation) for item in _loads_exactly(body)["items"]]
    return Page(rows, has_more, tuple(_repair(rows, operation)))


def _repair(rows: Sequence[Row], operation: str) -> Iterator[Repaired]:
    """Replace what is no text by U+FFFD, and yield where."""
    for row in rows:
        for name, value in row.items():
            if not name.isascii() and _NO_TEXT.search(name):
                raise ContractError("netsuite", operation, "the name of a column is no text")
            if not value.isprintable() and _NO_TEXT.search(value):
                row[name] = _NO_TEXT.sub("\ufffd", value)
                yield row, name


def _has_more(answer: dict[str, Any], rows: int, operation: str) -> bool:
    """Return hasMore, after checking that the envelope fits the rows."""
    has_more, total = as_flag(answer.get("hasMore")), as_whole(answer.get("totalResults"))
    count, offset = (as_whole(answer[name]) if answer.get(name) is not None else None for name in ("count", "offset"))
    if has_more is None:
        raise ContractError("netsuite", operation, "the response has no items or no hasMore")
    if answer.get("count") is None and total is None:
        raise ContractError("netsuite", operation, "the response has neither a count nor a total")
    if (answer.get("count") is not None and count != rows) or (offset or 0) != 0:
        raise ContractError(
            "netsuite", operation, f"the response announces {answer.get('count')} rows and holds {rows}"
        )
    if has_more and rows < PAGE:
        raise ContractError("netsuite", operation, f"a page of {rows} rows announces more")
    if not has_more and total is not None and total > rows:
        raise ContractError("netsuite", operation, "the last page came before the announced total")
    return has_more


def _row(item: Any, operation: str) -> Row:
    if not isinstance(item, dict):
        raise ContractError("netsuite", operation, "a row is not an object")
    return {
        name.lower(): value if isinstance(value, str) else _text(value, name, operation)
        for name, value in item.items()
        if name != "links" and value is not None
    }


def _text(value: Any, name: str, operation: str) -> str:
    """Return a scalar as text: the documentation promises text, and a number or a boolean does no harm."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int | float):
        return str(value)
    raise ContractError("netsuite", operation, f"column {name.lower()} is not a scalar")


def int_key(row: Row, key: str) -> int:
    """Return a row's key.

    Raises:
        ContractError: It is not a whole number.
    """
    try:
        return int(row[key])
    except (KeyError, ValueError) as error:
        raise ContractError("netsuite", "read by key", f"a row has no whole number in {key}") from error


def last_ascending(rows: list[Row], key: str, after: str) -> str:
    """Return the key of the last row, or `after` without rows.

    Raises:
        ContractError: The keys do not ascend.
    """
    keys = [int(after), *(int_key(row, key) for row in rows)]
    if any(low >= high for low, high in pairwise(keys)):
        raise ContractError("netsuite", "read by key", f"{key} does not ascend: rows could be lost or repeated")
    return str(keys[-1])
