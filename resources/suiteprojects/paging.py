"""Read all records of a type in pages that overlap by one row.

Row order is stable only with `order`, and even then a deletion moves rows to an earlier page. The last row of a page
must be the first of the next one; otherwise a row may have moved past the edge, and the read starts again.

A page that is shorter than asked for is the last one, or the account returns no more rows at once without saying so:
the request of the first page also asks for the record with the highest id. If that is missing, pages are read in the
size that arrived.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic
from typing import Protocol

from resources.errors import ContractError, CredentialsError, RequestRejectedError
from resources.suiteprojects.errors import SYSTEM, TOO_MANY_ROWS, TOO_MUCH
from resources.suiteprojects.xml import Element, Record, command, object_element, return_element

MAX_PAGES = 5  # of one request
RESPONSE_S = 8.0  # a request asks for as many pages as should arrive within this, by the time of the first page
MAX_PASSES = 3
MIN_PAGE = 10  # rows
UP, DOWN = "id,asc", "id,desc"


def read_command(
    type_name: str,
    fields: Sequence[str],
    *,
    limit: str,
    custom: bool = False,
    query: Mapping[str, str] | None = None,
    order: str = "",
    deleted: bool = False,
) -> Element:
    """Return one Read, with `limit` as "rows" or "offset,rows"; see `SuiteProjectsClient.read_all`."""
    attributes = {"type": type_name, "method": "equal to" if query else "all", "limit": limit}
    attributes |= {"order": order} if order else {}
    attributes |= {"enable_custom": "1"} if custom else {}
    attributes |= {"deleted": "1"} if deleted else {}
    inside = [object_element(type_name, dict(query))] if query else []
    return command("Read", attributes, *inside, return_element(type_name, ["id", *fields]))


class ReadMany(Protocol):
    """`SuiteProjectsClient.read_many`."""

    def __call__(self, reads: Sequence[Element], *, fresh: bool = False, quota: bool = False) -> list[list[Record]]:
        """Return the records of each Read."""
        ...


class PageOf(Protocol):
    """Makes the Read of a page."""

    def __call__(self, limit: str, order: str = UP) -> Element:
        """Return it, by its `limit`."""
        ...


@dataclass
class PagedRead:
    """One read of all records of a type.

    Attributes:
        read_many: Sends Reads.
        page: Returns the Read of a page.
        type_name: Record type, for error texts.
        page_size: Rows of a page; halved while the account rejects it, lowered to what it returns.
        max_pages: Pages of one request; lowered to 1 when the account rejects more.
        asks_highest: Whether a first page is compared with the highest id; false once the account rejects that.
    """

    read_many: ReadMany
    page: PageOf
    type_name: str
    page_size: int
    max_pages: int = MAX_PAGES
    asks_highest: bool = True
    _seen: set[str] = field(default_factory=set)
    _size_before: int = 0  # what a page that seemed cut was asked for

    def records(self) -> Iterator[Record]:
        """Yield every record once.

        Raises:
            ContractError: Rows kept moving between pages.
        """
        for _ in range(MAX_PASSES):
            if (yield from self._pass()):
                return
        operation = f"Read {self.type_name}"
        raise ContractError(SYSTEM, operation, "rows kept moving between pages, so records could be missed; run again")

    def _pass(self) -> Generator[Record, None, bool]:
        """Read from the first page; return False when rows moved over the edge of a page."""
        offset, last, pages_at_once = 0, None, 1
        while True:
            began = monotonic()
            size = self.page_size
            offsets = [offset + (size - 1) * number for number in range(pages_at_once)]
            reads = [self.page(f"{each},{size}") for each in offsets]
            ends = [self.page("1", DOWN)] if offset == 0 and self.asks_highest else []
            try:
                found = self.read_many([*reads, *ends], fresh=True, quota=offset == 0)
            except RequestRejectedError as error:
                if not self._asks_less(error, with_highest=bool(ends), several=pages_at_once > 1):
                    raise
                pages_at_once = min(pages_at_once, self.max_pages)
                continue
            if offset == 0:
                expected = int(RESPONSE_S / max(monotonic() - began, 0.001))
                pages_at_once = max(1, min(self.max_pages, expected))
            for rows in found[: len(reads)]:
                if last is not None and (not rows or rows[0]["id"] != last):
                    return False
                yield from self._new(rows)
                if len(rows) < size:
                    return self._is_end(rows, list(chain.from_iterable(found[len(reads) :])))
                last = rows[-1]["id"]
            offset = offsets[-1] + size - 1

    def _asks_less(self, error: RequestRejectedError, *, with_highest: bool, several: bool) -> bool:
        """Ask for less from now on, and return whether the account may then accept it."""
        if isinstance(error, CredentialsError):
            return False
        if with_highest and error.code not in TOO_MANY_ROWS - TOO_MUCH:
            self.asks_highest = False
        elif several and error.code in TOO_MUCH:
            self.max_pages = 1
        elif self.page_size > MIN_PAGE and error.code in TOO_MANY_ROWS:
            self.page_size = max(self.page_size // 2, MIN_PAGE)
        else:
            return False
        return True

    def _is_end(self, rows: Sequence[Record], highest: Sequence[Record]) -> bool:
        """Return whether a short page is the last one; else read smaller pages from now on."""
        if all(row["id"] in self._seen for row in highest):
            if highest:  # the first page has all: none was cut, a record came after it was read
                self.page_size = max(self.page_size, self._size_before)
            return True
        self._size_before, self.page_size = self.page_size, max(len(rows), MIN_PAGE)
        return False

    def _new(self, rows: Sequence[Record]) -> Iterator[Record]:
        for row in rows:
            key = row["id"] or ""
            if key not in self._seen:
                self._seen.add(key)
                yield row
