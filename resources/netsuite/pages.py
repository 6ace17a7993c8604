"""Pages of SuiteQL rows: parsed and checked cell by cell, or only scanned so that the next call can start at once.

body  ->  parse_page()  ->  Page, every cell checked
body  ->  scan_page()   ->  RawPage: the rows as bytes, and the little that the next call needs

A page has up to a megabyte, so threads that fetch pages in parallel must not parse them in between: `scan_page` reads
the envelope and the last key and leaves the cells to assets/netsuite/extract/spool.py. A page that it cannot scan is
parsed, which reports the cause.

A blank text is taken for a blank value (inferred: only values that are left out are documented). One bad value does not
stop a page: bytes that are not UTF-8, halves of surrogate pairs and NUL become U+FFFD, a nested value becomes its JSON,
a byte-order mark is skipped, and each repaired value is named. A column that was not asked for is left out and named.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import orjson

from resources.errors import ContractError
from resources.json_body import REPLACEMENT, is_text, load_exactly, repaired
from resources.scalars import as_flag, as_whole

PAGE = 1000  # rows; NetSuite's maximum
LAST_ROW_BYTES = 65_536  # at the end of a page, searched for the last key
ENVELOPE_BYTES = 4096  # within which the rows must begin
_ITEMS = re.compile(rb'"items"\s*:\s*\[')
_WHOLE = re.compile(rb"-?\d{1,18}")
_LINKS = b'"links":[]'  # one in each row; inside a text its quotation marks would be escaped

_NUL = b"\\u0000"
_BLANK = b':""'  # inside a text its quotation marks would be escaped
_EMPTY: tuple[Any, ...] = (None, "", [], {})

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
        left_out: Columns that were not asked for, known once the cells are parsed.
    """

    body: bytes
    begin: int
    end: int
    count: int
    last_key: int | None
    has_more: bool
    operation: str
    repaired: tuple[Repaired, ...] = ()
    left_out: frozenset[str] = frozenset()

    @property
    def items(self) -> memoryview:
        """The rows, a JSON array as received."""
        return memoryview(self.body)[self.begin : self.end]

    @property
    def cells(self) -> int | None:
        """Number of texts in the rows; None when they hold anything but texts and each row's empty `links`.

        A colon after a quotation mark ends a name, unless the mark is escaped and part of a text, or begins a text
        that begins with a colon. None with NUL or a blank text too: they are replaced when the cells are parsed.
        """
        if self.begin and any(self.body.find(each, self.begin, self.end) >= 0 for each in (_NUL, _BLANK)):
            return None
        texts = self._count(b'":"') - self._count(b'\\":"')
        others = self._count(b'":') - self._count(b'\\":') - texts - self._count(_LINKS)
        return texts if not others or others == self._count(b'":":') else None

    def _count(self, pattern: bytes) -> int:
        return self.body.count(pattern, self.begin, self.end)

    def normalized(self, columns: Collection[str] = ()) -> "RawPage":
        """Return the same rows with every cell parsed: names in lower case, every value a text.

        Args:
            columns: The columns that were asked for; any, if there are none.

        Raises:
            ContractError: The response is not JSON or announces other rows, or a row is not an object.
        """
        if self.begin:
            return _page_of(parse_page(self.body, self.operation), self.last_key, self.operation, columns)
        if not columns:
            return self  # `_page_of` made it, from parsed rows
        page = Page(orjson.loads(self.body), self.has_more, self.repaired)
        return _page_of(page, self.last_key, self.operation, columns)


def _page_of(page: Page, last_key: int | None, operation: str, columns: Collection[str] = ()) -> RawPage:
    rows, left_out = page.rows, frozenset(name for row in page.rows for name in row if columns and name not in columns)
    if left_out:
        rows = [{name: value for name, value in row.items() if name in columns} for row in rows]
    found = tuple((row, name) for row, name in page.repaired if name not in left_out)
    body = orjson.dumps(rows)
    return RawPage(body, 0, len(body), len(rows), last_key, page.has_more, operation, found, left_out)


def scan_page(body: bytes, key: str, operation: str) -> RawPage:
    """Read the envelope of a response, whose rows ascend by `key`, and the last key, without its cells.

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
    return re.compile(rb'"' + key.encode() + rb'"\s*:\s*"?([^"\s,}]*)')


def _last_key(body: bytes, end: int, key: str) -> int | None:
    """Return the key of the last row, if it is written as a whole number.

    Inside a text its quotation marks would be escaped, so a match is a name.
    """
    found = _key_pattern(key).findall(body, max(0, end - LAST_ROW_BYTES), end)
    return int(found[-1]) if found and _WHOLE.fullmatch(found[-1]) else None


def json_object(body: bytes, content_type: str, operation: str) -> dict[str, Any]:
    """Parse a response as a JSON object; ContractError if it is not one."""
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
        return load_exactly(body)


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
    values = [value for item in items for value in item.values()]
    if any(isinstance(value, float) for value in values):
        items = load_exactly(body)["items"]
        rows = [_row(item, operation) for item in items]
    nested = any(isinstance(value, dict | list) and value for value in values)
    return Page(rows, has_more, (*_repair(rows), *(_nested(items, rows) if nested else ())))


def _repair(rows: Sequence[Row]) -> Iterator[Repaired]:
    """Replace invalid characters by U+FFFD, and yield where."""
    for row in rows:
        for name, value in list(row.items()):
            if not (name.isascii() and is_text(name)):
                row[repaired(name)] = row.pop(name)
            elif not is_text(value):
                row[name] = repaired(value)
                yield row, name


def _nested(items: Sequence[Any], rows: Sequence[Row]) -> Iterator[Repaired]:
    for item, row in zip(items, rows, strict=True):
        for name, value in item.items():
            if isinstance(value, dict | list) and name.lower() in row:
                yield row, name.lower()


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
    return has_more or (rows == PAGE and total != rows)  # a full page is the last one only if the total says so


def _row(item: Any, operation: str) -> Row:
    if not isinstance(item, dict):
        raise ContractError("netsuite", operation, "a row is not an object")
    return {
        name.lower(): value if isinstance(value, str) else _text(value)
        for name, value in item.items()
        if name != "links" and value not in _EMPTY
    }


def _text(value: Any) -> str:
    """Return any value as text: the documentation promises text, and nothing else does harm."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int | float):
        return str(value)
    try:
        return orjson.dumps(repaired(value)).decode()
    except (ValueError, orjson.JSONEncodeError):  # nested too deeply
        return REPLACEMENT


def int_key(row: Row, key: str) -> int:
    """Return a row's key; ContractError if it is not a whole number."""
    try:
        return int(row[key])
    except (KeyError, ValueError) as error:
        raise ContractError("netsuite", "read by key", f"a row has no whole number in {key}") from error


def last_ascending(rows: list[Row], key: str, after: str) -> str:
    """Return the key of the last row, or `after` without rows; ContractError if the keys do not ascend."""
    keys = [int(after), *(int_key(row, key) for row in rows)]
    if any(low >= high for low, high in pairwise(keys)):
        raise ContractError("netsuite", "read by key", f"{key} does not ascend: rows could be lost or repeated")
    return str(keys[-1])
