"""Read Precoro's lists page by page, in both paging dialects, and never return a part of a list.

Source: precoro.md §2. `has_next_page` decides if present, else `total_pages`; without either the first response is the
whole list, unless it is exactly one page long.
"""

from collections.abc import Callable
from typing import Any

from resources.errors import ContractError, TransientError

PER_PAGE = 200

Records = list[dict[str, Any]]


def read_all(fetch: Callable[[int], Any], operation: str) -> Records:
    """Return every record of a list.

    Args:
        fetch: Returns the decoded body of one page, counted from 1.
        operation: Operation for error texts.

    Raises:
        ContractError: A response is not as documented, a page repeats, or records are missing.
        TransientError: The list changed during the read.
    """
    records: Records = []
    seen: set[int] = set()
    totals: set[int] = set()
    page = 1
    while True:
        body = fetch(page)
        found, paging = records_of(body, operation), _paging(body)
        new = [record for record in found if record["id"] not in seen]
        seen.update(record["id"] for record in new)
        records += new
        if isinstance(paging.get("total"), int):
            totals.add(paging["total"])
        more = _has_more(paging, page, found, new)
        if more and len(new) < max(1, len(found)):
            raise _changed(operation, totals, f"page {page} repeats or is empty although more is announced")
        if not more:
            break
        page += 1
    if totals and totals != {len(records)}:
        raise _changed(operation, totals, f"{max(totals)} records were announced and {len(records)} received")
    return records


def records_of(body: Any, operation: str) -> Records:
    """Return the records in `data` of a response, or the response itself if it is a plain list."""
    found = body.get("data") if isinstance(body, dict) else body
    if not isinstance(found, list):
        raise ContractError("precoro", operation, "the response has no list of records")
    if not all(isinstance(each, dict) and isinstance(each.get("id"), int) for each in found):
        raise ContractError("precoro", operation, "a record without an id")
    return found


def _paging(body: Any) -> dict[str, Any]:
    meta = body.get("meta") if isinstance(body, dict) else None
    paging = meta.get("pagination") if isinstance(meta, dict) else None
    return paging if isinstance(paging, dict) else {}


def _has_more(paging: dict[str, Any], page: int, found: Records, new: Records) -> bool:
    if isinstance(paging.get("has_next_page"), bool):
        return bool(paging["has_next_page"])
    if isinstance(paging.get("total_pages"), int):
        return page < int(paging["total_pages"])
    # no paging keys: a list of exactly one page may continue, any other length is complete
    return len(found) == PER_PAGE and len(new) == PER_PAGE


def _changed(operation: str, totals: set[int], reason: str) -> ContractError | TransientError:
    if len(totals) > 1:
        return TransientError("precoro", operation, f"the list changed during the read: {reason}")
    return ContractError("precoro", operation, reason)
