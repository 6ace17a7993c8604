"""Read Precoro's lists page by page, in both paging dialects, and never return a part of a list.

Source: precoro.md §2. A list continues if `has_next_page`, `total_pages` or a link to the next page says so; without
any of them the first response is the whole list, unless it is exactly one page long. Where they disagree, the next page
is asked for: if a part counted as the whole list, the rest would be created again.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from resources.errors import ContractError, TransientError
from resources.scalars import as_flag, as_whole

PER_PAGE = 200
MAX_PASSES = 5
_PAGING = frozenset({"total", "count", "per_page", "total_pages", "has_next_page", "links"})

Records = list[dict[str, Any]]


class _Pass(NamedTuple):
    """One reading of all pages: its records, the order of their ids, their number, and was one on two pages?"""

    records: Records
    order: list[int]
    announced: set[int]
    moved: bool


def read_all(fetch: Callable[[int], Any], operation: str) -> Records:
    """Return every record of a list; `fetch` returns the decoded body of a page, counted from 1.

    The order of a list is not documented. A record on two pages has moved between them, so another one may be on none:
    the list is read again until all are known, or it is the same again.

    Raises:
        ContractError: A response is not as documented, a page repeats, or records are missing.
        TransientError: The list changed during the read.
    """
    known: dict[int, dict[str, Any]] = {}
    before: list[int] = []
    for _ in range(MAX_PASSES):
        read = _read_pages(fetch, operation)
        known |= {record["id"]: record for record in read.records}
        if not read.moved or len(known) in read.announced or read.order == before:
            return [*known.values()]
        before = read.order
    raise TransientError("precoro", operation, "records kept moving between pages, so some could be missed")


def _read_pages(fetch: Callable[[int], Any], operation: str) -> _Pass:
    records: Records = []
    seen: set[int] = set()
    totals: set[int] = set()
    order: list[int] = []
    page, moved = 1, False
    while True:
        body = fetch(page)
        found, paging = records_of(body, operation), _paging(body)
        total, count = as_whole(paging.get("total")), as_whole(paging.get("count"))
        if total is None and count is not None and count > len(found):
            raise ContractError("precoro", operation, f"page {page} announces {count} records and holds {len(found)}")
        new = list({record["id"]: record for record in found if record["id"] not in seen}.values())
        again = not seen.isdisjoint(record["id"] for record in found)
        moved |= again and bool(new or paging)  # a list that is not paged is the same on each page
        seen.update(record["id"] for record in new)
        records += new
        order += [record["id"] for record in found]
        if total is not None:
            totals.add(total)
        more = _has_more(paging, page, found, new)
        if more and not new:
            raise _changed(operation, totals, f"page {page} repeats or is empty although more is announced")
        if not more:
            break
        page += 1
    if totals and totals != {len(records)} and totals != {len(order)}:  # a record may be listed twice
        raise _changed(operation, totals, f"{max(totals)} records were announced and {len(records)} received")
    return _Pass(records, order, {len(order), *totals}, moved)


def records_of(body: Any, operation: str) -> Records:
    """Return the records in `data` of a response, or the response itself if it is a plain list; ids are numbers."""
    found = body.get("data") if isinstance(body, dict) else body
    if isinstance(found, dict) and found and all(key.isdigit() for key in found):  # how PHP writes a list with gaps
        found = list(found.values())
    if found is None and as_whole(_paging(body).get("total")) == 0:
        found = []
    if not isinstance(found, list):
        raise ContractError("precoro", operation, "the response has no list of records")
    return [_with_id(each, operation) for each in found]


def _with_id(record: Any, operation: str) -> dict[str, Any]:
    record_id = as_whole(record.get("id")) if isinstance(record, dict) else None
    if record_id is None:
        raise ContractError("precoro", operation, "a record without an id")
    return {**record, "id": record_id}


def _paging(body: Any) -> dict[str, Any]:
    """Return the paging keys of a response, documented in `meta.pagination`; in `meta` and beside it they count too."""
    outer = body if isinstance(body, dict) else {}
    meta = outer["meta"] if isinstance(outer.get("meta"), dict) else {}
    inner = [each["pagination"] for each in (outer, meta) if isinstance(each.get("pagination"), dict)]
    return {name: each[name] for each in (outer, meta, *inner) for name in _PAGING & each.keys()}


def _has_more(paging: dict[str, Any], page: int, found: Records, new: Records) -> bool:
    has_next, pages = as_flag(paging.get("has_next_page")), as_whole(paging.get("total_pages"))
    links = paging.get("links")  # [] without any
    if has_next or (pages is not None and page < pages) or (isinstance(links, dict) and links.get("next")):
        return True
    if has_next is not None or pages is not None:
        return False
    # no paging keys: a list of exactly one page may continue, any other length is complete
    return len(found) == (as_whole(paging.get("per_page")) or PER_PAGE) and bool(new)


def _changed(operation: str, totals: set[int], reason: str) -> ContractError | TransientError:
    if len(totals) > 1:
        return TransientError("precoro", operation, f"the list changed during the read: {reason}")
    return ContractError("precoro", operation, reason)
