"""Inconsistent lists are errors, never shorter lists."""

from collections import Counter
from collections.abc import Callable
from random import Random
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


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ({"has_next_page": False, "total_pages": 2}, {"has_next_page": False, "total_pages": 2}),
        ({"per_page": 2, "count": 2}, {"per_page": 2, "count": 1}),
        ({"per_page": 10, "links": {"next": "https://elsewhere.example/?page=2"}}, {"links": []}),
        ({"per_page": "10", "links": {"next": "/?page=2"}, "has_next_page": None}, {"links": {"next": None}}),
    ],
    ids=["contradiction", "shorter pages", "link", "null"],
)
def test_any_sign_of_a_further_page_is_followed(first: dict[str, Any], last: dict[str, Any]) -> None:
    """A part that counts as the whole list would be completed by creating the rest again."""
    assert read_all(listing(page(records(0, 2), **first), page(records(2, 1), **last)), "list") == records(0, 3)


def test_a_plain_list_is_read() -> None:
    """§5: the SDK declares options as one."""
    assert read_all(listing(records(0, 3)), "list") == records(0, 3)


@pytest.mark.parametrize(
    "pages",
    [
        [page(records(0, 2), has_next_page=True), page(records(0, 2), has_next_page=True)],
        [page(records(0, 2), has_next_page=True), page([], has_next_page=True)],
        [page(records(0, 2), has_next_page=False, total=3)],
        [page(records(0, 2), count=3, has_next_page=False)],
        [{"data": records(0, 2), "meta": {"total": 3}}],
        [{"data": [{"name": "no id"}]}],
        [{"data": {}}],
        [{"error": "odd"}],
        ["text"],
        [None],
    ],
    ids=[
        "repeated", "empty", "short", "count", "meta", "no id", "object", "error", "text", "null"
    ],
)  # fmt: skip
def test_an_inconsistent_list_raises_an_error(pages: list[Any]) -> None:
    """A short list would look like manually deleted options."""
    with pytest.raises(ContractError):
        read_all(listing(*pages), "list")


def shuffled(seed: int, count: int, *, total: bool) -> Callable[[int], Any]:
    """Return a service whose list has another order at each request, in two pages."""
    order, rows = Random(seed), records(0, count)

    def fetch(number: int) -> Any:
        shown, size = order.sample(rows, count), -(-count // 2)
        paging = {"has_next_page": number == 1, **({"total": count} if total else {})}
        return page(shown[size * (number - 1) : size * number], **paging)

    return fetch


@pytest.mark.parametrize("total", [True, False])
def test_a_list_without_an_order_is_never_a_shorter_list(*, total: bool) -> None:
    """A record on two pages says that another one may be on none; it would be created a second time."""
    whole = {*range(15)}
    outcomes = Counter[bool]()
    for seed in range(200):
        try:
            found = read_all(shuffled(seed, 15, total=total), "list")
        except (TransientError, ContractError):
            outcomes[False] += 1
            continue
        assert {each["id"] for each in found} == whole
        outcomes[True] += 1
    assert outcomes[True] > 100


def test_a_record_that_is_always_on_two_pages_counts_once() -> None:
    """The list is read once more, and shows the same records."""
    twice = page(records(0, 2), has_next_page=True), page(records(1, 2), has_next_page=False)
    fetched: list[int] = []

    def fetch(number: int) -> Any:
        fetched.append(number)
        return twice[number - 1]

    assert read_all(fetch, "list") == records(0, 3)
    assert fetched == [1, 2, 1, 2]


def test_a_list_that_changed_during_the_read_is_transient() -> None:
    """An option was removed between two pages: worth a retry."""
    pages = page(records(0, 2), total=4, total_pages=2), page(records(3, 1), total=3, total_pages=2)

    with pytest.raises(TransientError):
        read_all(listing(page(records(0, 2), total=5, total_pages=2), pages[1]), "list")
