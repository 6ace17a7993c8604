"""One answer to a query: taken apart with care, or only looked at so that the next call can leave at once.

body  ->  read_page()  ->  Page, every cell checked
body  ->  look_at()    ->  RawPage: the rows as bytes, and the little that the next page needs

A page has up to a megabyte. Whoever fetches pages side by side must not parse them in between: `look_at` reads the
envelope and the last key, and leaves the cells to whoever has the time (see
assets/netsuite/extract/spool.py). What it cannot make sense of goes the careful way, which says what is wrong.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import orjson

from resources.errors import ContractError

PAGE = 1000  # rows; NetSuite's maximum
LAST_ROW = 65_536  # bytes at the end of a page in which the last key is looked for first
_ITEMS = re.compile(rb'"items"\s*:\s*\[')
_ROW = b'"links":[]'  # inside a text its quotation marks would be escaped
_ENVELOPE = 4096  # bytes before the rows within which they must begin

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a query, every cell a text."""

    rows: list[Row]
    has_more: bool


@dataclass(frozen=True, slots=True)
class RawPage:
    """One answer whose cells nobody has looked at yet.

    Attributes:
        body: The answer as it came.
        begin: Where the rows, a JSON array, begin in it.
        end: Where they end.
        count: How many rows NetSuite says that it brings.
        last_key: Key of the last row; None without rows.
        has_more: NetSuite has more rows behind these.
        operation: What was being done, for error texts.
    """

    body: bytes
    begin: int
    end: int
    count: int
    last_key: int | None
    has_more: bool
    operation: str

    @property
    def items(self) -> memoryview:
        """The rows, a JSON array as it came."""
        return memoryview(self.body)[self.begin : self.end]

    @property
    def cells(self) -> int | None:
        """How many texts the rows hold; None when there is anything but texts and the empty `links` of each row.

        A colon behind a quotation mark ends a name, unless the mark is escaped and part of a text, or begins a text
        that begins with a colon.
        """
        texts = self._count(b'":"') - self._count(b'\\":"')
        others = self._count(b'":') - self._count(b'\\":') - texts - self._count(b'"links":[]')
        return texts if not others or others == self._count(b'":":') else None

    def _count(self, what: bytes) -> int:
        return self.body.count(what, self.begin, self.end)

    def careful(self) -> "RawPage":
        """The same rows after a look at each cell: names in lower case, every value a text.

        Raises:
            ContractError: The answer is no JSON or counts other rows, a row is no object, or a value is nested.
        """
        if not self.begin:
            return self  # they were looked at already
        page = read_page(self.body, self.operation)
        return _page_of(page.rows, self.last_key, self.operation, has_more=self.has_more)


def _page_of(rows: Sequence[Row], last_key: int | None, operation: str, *, has_more: bool) -> RawPage:
    body = orjson.dumps(rows)
    return RawPage(body, 0, len(body), len(rows), last_key, has_more, operation)


def look_at(body: bytes, key: str, operation: str) -> RawPage:
    """The envelope and the last key of an answer, without its cells.

    Args:
        body: The answer.
        key: The column by which the rows ascend.
        operation: For error texts.

    Raises:
        ContractError: The answer is cut, no JSON, or counts other rows than it brings.
    """
    begin = _ITEMS.search(body, 0, _ENVELOPE)
    end = body.rfind(b"]") + 1
    if begin and end > begin.end():
        try:
            envelope = orjson.loads(body[: begin.end()] + b"]" + body[end:])
        except orjson.JSONDecodeError:
            envelope = {}
        last_key = _last_key(body, end, key)
        # each row has links of its own (netsuite.md §1.2 [D]): so rows are counted without a look at their cells
        count = envelope.get("count")
        if count and count == body.count(_ROW, begin.end(), end) and last_key is not None:
            has_more = _checked(envelope, int(count), operation)
            return RawPage(body, begin.end() - 1, end, int(count), last_key, has_more, operation)
    page = read_page(body, operation)
    last = int_key(page.rows[-1], key) if page.rows else None
    return _page_of(page.rows, last, operation, has_more=page.has_more)


def raw_page(rows: Sequence[Row], key: str, operation: str = "query") -> RawPage:
    """Rows that were read the careful way, as a page among others."""
    return _page_of(rows, int_key(rows[-1], key) if rows else None, operation, has_more=False)


@cache
def _key_pattern(key: str) -> re.Pattern[bytes]:
    return re.compile(rb'"' + key.encode() + rb'"\s*:\s*"?(-?\d+)["\s,}]')


def _last_key(body: bytes, end: int, key: str) -> int | None:
    """The key of the last row: inside a text its quotation marks would be escaped, so this can only be a name."""
    found = _key_pattern(key).findall(body, max(0, end - LAST_ROW), end)
    return int(found[-1]) if found else None


def json_object(body: bytes, kind: str, operation: str) -> dict[str, Any]:
    """An answer as a JSON object.

    Args:
        body: The answer.
        kind: Its content type.
        operation: For error texts.

    Raises:
        ContractError: It is none.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        reason = (
            f"the answer is not JSON ({kind[:60] or 'no content type'}, {len(body)} bytes): cut short, or a"
            " maintenance page"
        )
        raise ContractError("netsuite", operation, reason) from error
    if not isinstance(answer, dict):
        raise ContractError("netsuite", operation, "the answer is JSON but no object")
    return answer


def read_page(body: bytes, operation: str, kind: str = "") -> Page:
    """An answer with every cell checked.

    Raises:
        ContractError: The answer is cut, empty, no JSON, or counts other rows than it brings.
    """
    answer = json_object(body, kind, operation)
    items = answer.get("items")
    if not isinstance(items, list):
        raise ContractError("netsuite", operation, "the answer has no items or no hasMore")
    has_more = _checked(answer, len(items), operation)
    return Page([_row(item, operation) for item in items], has_more)


def _checked(answer: dict[str, Any], rows: int, operation: str) -> bool:
    """Whether there is more, once what is announced fits what came."""
    count, has_more = answer.get("count"), answer.get("hasMore")
    if not isinstance(has_more, bool):
        raise ContractError("netsuite", operation, "the answer has no items or no hasMore")
    if count != rows or answer.get("offset", 0) != 0:
        raise ContractError("netsuite", operation, f"{rows} rows came where {count} were announced")
    if has_more and rows < PAGE:
        raise ContractError("netsuite", operation, f"a page of {rows} rows says that there are more")
    if not has_more and int(answer.get("totalResults", rows)) > rows:
        raise ContractError("netsuite", operation, "the last page came before the announced total")
    return has_more


def _row(item: Any, operation: str) -> Row:
    if not isinstance(item, dict):
        raise ContractError("netsuite", operation, "a row is no object")
    return {
        name.lower(): value if isinstance(value, str) else _text(value, name, operation)
        for name, value in item.items()
        if name != "links" and value is not None
    }


def _text(value: Any, name: str, operation: str) -> str:
    """The documentation promises text; a number or a boolean is harmless, anything nested is not understood."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int | float):
        return str(value)
    raise ContractError("netsuite", operation, f"column {name.lower()} is not a scalar")


def int_key(row: Row, key: str) -> int:
    """A row's key.

    Raises:
        ContractError: It is no whole number.
    """
    try:
        return int(row[key])
    except (KeyError, ValueError) as error:
        raise ContractError("netsuite", "read by key", f"a row has no whole number in {key}") from error


def ascending(rows: list[Row], key: str, after: str) -> str:
    """The key of the last row, once all keys are seen to ascend.

    Raises:
        ContractError: They do not.
    """
    keys = [int(after), *(int_key(row, key) for row in rows)]
    if any(low >= high for low, high in pairwise(keys)):
        raise ContractError("netsuite", "read by key", f"{key} does not ascend: rows could be lost or repeated")
    return str(keys[-1])
