"""Lists that do not add up are errors, never shorter lists."""

from collections.abc import Callable
from typing import Any

import pytest

from resources.errors import ContractError, TransientError
from resources.precoro.pages import read_all


def records(start: int, count: int) -> list[dict[str, Any]]:
    """Some records."""
    return [{"id": number} for number in range(start, start + count)]


def listing(*pages: Any) -> Callable[[int], Any]:
    """A service that answers these bodies, and an empty page beyond."""
    return lambda page: pages[page - 1] if page <= len(pages) else {"data": []}


def page(shown: list[dict[str, Any]], **paging: Any) -> dict[str, Any]:
    """One answer."""
    return {"data": shown, "meta": {"pagination": paging}}


def test_has_next_page_counts_more_than_total_pages() -> None:
    """§2: it is preferred where both are there."""
    pages = page(records(0, 2), has_next_page=True, total_pages=1), page(records(2, 1), has_next_page=False)

    assert len(read_all(listing(*pages), "list")) == 3


def test_a_plain_list_is_read() -> None:
    """§5: the SDK types options as one."""
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
def test_a_list_that_does_not_add_up_is_refused(pages: list[Any]) -> None:
    """A short list would look like options deleted by hand."""
    with pytest.raises(ContractError):
        read_all(listing(*pages), "list")


def test_a_list_that_changed_while_it_was_read_may_be_read_again() -> None:
    """Somebody removed an option between two pages: worth another try."""
    pages = page(records(0, 2), total=4, total_pages=2), page(records(3, 1), total=3, total_pages=2)

    with pytest.raises(TransientError):
        read_all(listing(page(records(0, 2), total=5, total_pages=2), pages[1]), "list")
