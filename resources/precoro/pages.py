"""Reads Precoro's lists page by page, in both paging dialects, and never comes back with less than there is.

Source: precoro.md §2. `has_next_page` is obeyed when it is there, else `total_pages` is compared; without
either the first answer is the whole list, unless it is exactly one page long.
"""

from collections.abc import Callable
from typing import Any

from resources.errors import ContractError, TransientError

PER_PAGE = 200

Records = list[dict[str, Any]]


def read_all(fetch: Callable[[int], Any], operation: str) -> Records:
    """Every record of a list.

    Args:
        fetch: Gives the decoded body of one page, counted from 1.
        operation: What is being read, for error texts.

    Raises:
        ContractError: The answer has not the documented shape, a page repeats, or records are missing.
        TransientError: The list changed while it was read.
    """
    records: Records = []
    seen: set[int] = set()
    totals: set[int] = set()
    page = 1
    while True:
        body = fetch(page)
        shown, paging = records_of(body, operation), _paging(body)
        fresh = [record for record in shown if record["id"] not in seen]
        seen.update(record["id"] for record in fresh)
        records += fresh
        if isinstance(paging.get("total"), int):
            totals.add(paging["total"])
        more = _more(paging, page, shown, fresh)
        if more and len(fresh) < max(1, len(shown)):
            raise _changed(operation, totals, f"page {page} repeats or is empty, although more is announced")
        if not more:
            break
        page += 1
    if totals and totals != {len(records)}:
        raise _changed(operation, totals, f"{len(records)} records came, {max(totals)} were announced")
    return records


def records_of(body: Any, operation: str) -> Records:
    """The records in `data` of a list answer, or the answer itself when it is a plain list."""
    shown = body.get("data") if isinstance(body, dict) else body
    if not isinstance(shown, list):
        raise ContractError("precoro", operation, "the answer has no list of records")
    if not all(isinstance(each, dict) and isinstance(each.get("id"), int) for each in shown):
        raise ContractError("precoro", operation, "a record without an id")
    return shown


def _paging(body: Any) -> dict[str, Any]:
    meta = body.get("meta") if isinstance(body, dict) else None
    paging = meta.get("pagination") if isinstance(meta, dict) else None
    return paging if isinstance(paging, dict) else {}


def _more(paging: dict[str, Any], page: int, shown: Records, fresh: Records) -> bool:
    if isinstance(paging.get("has_next_page"), bool):
        return bool(paging["has_next_page"])
    if isinstance(paging.get("total_pages"), int):
        return page < int(paging["total_pages"])
    # nothing is told: a list of exactly one page may go on, any other length is complete
    return len(shown) == PER_PAGE and len(fresh) == PER_PAGE


def _changed(operation: str, totals: set[int], reason: str) -> ContractError | TransientError:
    if len(totals) > 1:
        return TransientError("precoro", operation, f"the list changed while it was read: {reason}")
    return ContractError("precoro", operation, reason)
