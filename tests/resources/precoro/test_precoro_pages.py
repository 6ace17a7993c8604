"""Inconsistent lists are errors, never shorter lists."""

from collections.abc import Callable
from typing import Any

import pytest

from resources.errors import ContractError, TransientError
from resources.precoro.pages import read_all


def records(start: int, count: int) -> list[dict[str, Any]]:
    """Return some records."""
    return [{"id": number} for number in range(start, start + count)]


def listing(*pages: Any) -> Callable[[int], Any]:
    """Return a service with these pages, and an empty page after them."""
    return lambda page: pages[page - 1] if page <= len(pages) else {"data": []}


def page(records: list[dict[str, Any]], **paging: Any) -> dict[str, Any]:
    """Return one response."""
    return {"data": records, "meta": {"pagination": paging}}


def test_has_next_page_takes_precedence_over_total_pages() -> None:
    """§2: it is preferred if both are present."""
    pages = page(records(0, 2), has_next_page=True, total_pages=1), page(records(2, 1), has_next_page=False)

    assert len(read_all(listing(*pages), "list")) == 3


def test_a_plain_list_is_read() -> None:
    """§5: the SDK declares options as one."""
    assert read_all(listing(records(0, 3)), "list") == records(0, 3)


@pytest.mark.parametrize(
    "pages",
    [
        [page(records(0, 2), has_next_page=True), page(records(0, 2), has_next_page=True)],
        [page(records(0, 2), has_next_page=True), page([], has_next_page=True)],
        [page(records(0, 2), has_next_page=False, total=3)],
        [{"data": [{"name": "no id"}]}],
        [{"data": {}}],
        [{"error": "odd"}],
        ["text"],
        [None],
    ],
    ids=["repeated", "empty", "short", "no id", "object", "error", "text", "null"],
)
def test_an_inconsistent_list_raises_an_error(pages: list[Any]) -> None:
    """A short list would look like manually deleted options."""
    with pytest.raises(ContractError):
        read_all(listing(*pages), "list")


def test_a_list_that_changed_during_the_read_is_transient() -> None:
    """An option was removed between two pages: worth a retry."""
    pages = page(records(0, 2), total=4, total_pages=2), page(records(3, 1), total=3, total_pages=2)

    with pytest.raises(TransientError):
        read_all(listing(page(records(0, 2), total=5, total_pages=2), pages[1]), "list")
