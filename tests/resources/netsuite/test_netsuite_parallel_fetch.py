"""Parallel reads: every row once, few partial pages, no idle thread, bounded memory."""

import threading
from bisect import bisect_right
from collections.abc import Callable
from itertools import islice
from random import Random
from time import monotonic, sleep

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.netsuite.id_ranges import IdRange
from resources.netsuite.pages import PAGE, RawPage
from resources.netsuite.parallel_fetch import QUEUE_PAGES, Fetch, FetchedPage, fetch_pages

BEFORE_ERROR = 10


def serving(ids: list[int], wait: Callable[[], None] = lambda: None) -> tuple[Fetch, list[int]]:
    """Return a NetSuite that has these ids, and the sizes of the pages that it returned."""
    sizes: list[int] = []

    def fetch(id_range: IdRange) -> RawPage:
        low, last = bisect_right(ids, id_range.after), id_range.last
        wait()
        high = len(ids) if last is None else bisect_right(ids, last)
        found = ids[low : min(high, low + PAGE)]
        sizes.append(len(found))
        return RawPage(b"", 0, 0, len(found), found[-1] if found else None, low + PAGE < high, "query")

    return fetch, sizes


def start(ids: list[int]) -> IdRange:
    """Return one range of all ids, with the minimum, maximum and count that NetSuite reports."""
    low, high = ids[0] - 1, ids[-1]
    return IdRange(low, highest=high, rows_per_key=len(ids) / max(1, high - low))


def read(page: FetchedPage, ids: list[int]) -> list[int]:
    """Return the ids of a page that belong to its range."""
    low = bisect_right(ids, page.after)
    rows = ids[low : low + page.page.count]
    return [each for each in rows if page.last is None or each <= page.last]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 9_000),
    gap=st.sampled_from([1, 2, 50, 5000]),
    threads=st.integers(1, 9),
)
def test_every_row_is_read_once_whatever_the_gaps(seed: int, count: int, gap: int, threads: int) -> None:
    """Ranges are split while their pages are being fetched: no row may be lost or repeated."""
    random = Random(seed)
    ids, key = [], random.randrange(10**6)
    for number in range(count):
        # half of the rows are close together, the others far apart
        key += random.randint(1, gap if number % 2 or number > count // 2 else 1)
        ids.append(key)
    fetch, _ = serving(ids)

    found = [each for page in fetch_pages(threads, [start(ids)], fetch) for each in read(page, ids)]

    assert sorted(found) == ids


def test_dense_ids_are_read_in_full_pages() -> None:
    """A partial page costs as much as a full one, so ranges are split where pages end."""
    ids = list(range(1, 40_001))
    fetch, sizes = serving(ids, lambda: sleep(0.001))

    assert sum(page.page.count for page in fetch_pages(4, [start(ids)], fetch)) == 40_000
    assert len(sizes) == 40


def test_uneven_ids_cost_few_partial_pages_and_no_idle_thread() -> None:
    """Ids are dense at one end: equal ranges would leave three of four threads idle."""
    ids = [*range(1, 30_000 * 400, 400), *range(20_000_000, 20_050_000)]
    fetch, sizes = serving(ids, lambda: sleep(0.02))

    began = monotonic()
    list(fetch_pages(4, [start(ids)], fetch))
    rounds = (monotonic() - began) / 0.02

    assert len(sizes) <= 80 + 12
    assert rounds < 2 * 80 / 4, "three idle threads would need 50 rounds or more"


def test_ranges_that_cannot_be_split_are_read_in_parallel() -> None:
    """Lists of a thousand ids each."""
    ids = list(range(1, 20_001))
    fetch, _ = serving(ids)
    ranges = [IdRange(low, last=low + 2500) for low in range(0, 20_000, 2500)]

    found = [each for page in fetch_pages(3, ranges, fetch) for each in read(page, ids)]

    assert sorted(found) == ids


def test_threads_wait_for_a_slow_consumer() -> None:
    """A million rows must not accumulate in memory when the disk is slow."""
    ids = list(range(1, 200_001))
    fetch, sizes = serving(ids)
    pages = fetch_pages(4, [start(ids)], fetch)

    taken = list(islice(pages, BEFORE_ERROR))
    sleep(0.2)
    waiting = len(sizes) - len(taken)
    pages.close()

    assert waiting <= QUEUE_PAGES + 4
    assert not [each for each in threading.enumerate() if each.name.startswith("netsuite_")]


def test_the_first_error_stops_all_threads() -> None:
    """A rejected key must not be tried again by every thread."""
    ids = list(range(1, 200_001))
    plain, sizes = serving(ids)

    def fetch(id_range: IdRange) -> RawPage:
        if len(sizes) == BEFORE_ERROR:
            raise ValueError("no")
        return plain(id_range)

    with pytest.raises(ValueError, match="no"):
        list(fetch_pages(4, [start(ids)], fetch))
    assert len(sizes) < BEFORE_ERROR + 10
