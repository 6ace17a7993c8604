"""Read all records of a type in pages that overlap by one row.

Row order is stable only with `order`, and even then a deletion moves rows to an earlier page. The last row of a page
must be the first of the next one; otherwise a row may have moved past the edge, and the read starts again.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from resources.errors import ContractError, RequestRejectedError
from resources.suiteprojects.errors import SYSTEM, TOO_MUCH
from resources.suiteprojects.xml import Element, Record, command, object_element, return_element

MAX_PAGES = 5  # of one request
RESPONSE_S = 8.0  # a request asks for as many pages as should arrive within this, by the time of the first page
MAX_PASSES = 3


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


@dataclass
class PagedRead:
    """One read of all records of a type.

    Attributes:
        read_many: Sends Reads.
        page: Returns the Read of the rows from an offset.
        type_name: Record type, for error texts.
        max_pages: Pages of one request; lowered to 1 when the account rejects more.
    """

    read_many: ReadMany
    page: Callable[[int], Element]
    type_name: str
    page_size: int
    max_pages: int = MAX_PAGES
    _seen: set[str] = field(default_factory=set)

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
            offsets = [offset + (self.page_size - 1) * number for number in range(pages_at_once)]
            try:
                pages = self.read_many([self.page(each) for each in offsets], fresh=True, quota=offset == 0)
            except RequestRejectedError as error:
                if pages_at_once == 1 or error.code not in TOO_MUCH:
                    raise
                pages_at_once = self.max_pages = 1
                continue
            if offset == 0:
                expected = int(RESPONSE_S / max(monotonic() - began, 0.001))
                pages_at_once = max(1, min(self.max_pages, expected))
            for rows in pages:
                if last is not None and (not rows or rows[0]["id"] != last):
                    return False
                yield from self._new(rows)
                if len(rows) < self.page_size:
                    return True
                last = rows[-1]["id"]
            offset = offsets[-1] + self.page_size - 1

    def _new(self, rows: Sequence[Record]) -> Iterator[Record]:
        for row in rows:
            key = row["id"] or ""
            if key not in self._seen:
                self._seen.add(key)
                yield row
