"""Reading side by side: every row once, few part-filled pages, nobody idle, memory bounded."""

import threading
from bisect import bisect_right
from collections.abc import Callable
from itertools import islice
from random import Random
from time import monotonic, sleep

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.netsuite.id_ranges import Shard
from resources.netsuite.pages import PAGE, RawPage
from resources.netsuite.parallel_fetch import WAITING, Fetch, SweptPage, sweep

BEHIND = 10


def serving(ids: list[int], wait: Callable[[], None] = lambda: None) -> tuple[Fetch, list[int]]:
    """A NetSuite that holds these ids, and the sizes of the pages that it gave."""
    sizes: list[int] = []

    def fetch(shard: Shard) -> RawPage:
        low, upto = bisect_right(ids, shard.after), shard.upto
        wait()
        high = len(ids) if upto is None else bisect_right(ids, upto)
        found = ids[low : min(high, low + PAGE)]
        sizes.append(len(found))
        return RawPage(b"", 0, 0, len(found), found[-1] if found else None, low + PAGE < high, "query")

    return fetch, sizes


def start(ids: list[int]) -> Shard:
    """All of them, with what NetSuite tells of min, max and count."""
    low, high = ids[0] - 1, ids[-1]
    return Shard(low, highest=high, per_key=len(ids) / max(1, high - low))


def read(page: SweptPage, ids: list[int]) -> list[int]:
    """The ids of a page that belong to its shard."""
    low = bisect_right(ids, page.after)
    rows = ids[low : low + page.page.count]
    return [each for each in rows if page.upto is None or each <= page.upto]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 9_000),
    gap=st.sampled_from([1, 2, 50, 5000]),
    lanes=st.integers(1, 9),
)
def test_every_row_comes_once_whatever_the_gaps(seed: int, count: int, gap: int, lanes: int) -> None:
    """Ranges are halved while their pages are on the way: no row may fall between, none may come twice."""
    random = Random(seed)
    ids, key = [], random.randrange(10**6)
    for number in range(count):
        # half of the rows lie close together, the others far apart
        key += random.randint(1, gap if number % 2 or number > count // 2 else 1)
        ids.append(key)
    fetch, _ = serving(ids)

    found = [each for page in sweep(lanes, [start(ids)], fetch) for each in read(page, ids)]

    assert sorted(found) == ids


def test_dense_ids_come_in_full_pages() -> None:
    """Each part-filled page costs as much as a full one; ranges are cut where pages end."""
    ids = list(range(1, 40_001))
    fetch, sizes = serving(ids, lambda: sleep(0.001))

    assert sum(page.page.count for page in sweep(4, [start(ids)], fetch)) == 40_000
    assert len(sizes) == 40


def test_uneven_ids_cost_few_part_filled_pages_and_no_lane_idles() -> None:
    """Ids that are dense at one end: equal ranges would leave three of four lanes idle."""
    ids = [*range(1, 30_000 * 400, 400), *range(20_000_000, 20_050_000)]
    fetch, sizes = serving(ids, lambda: sleep(0.02))

    began = monotonic()
    list(sweep(4, [start(ids)], fetch))
    rounds = (monotonic() - began) / 0.02

    assert len(sizes) <= 80 + 12
    assert rounds < 2 * 80 / 4, "three lanes idle would need 50 rounds and more"


def test_ranges_that_cannot_be_halved_are_read_side_by_side() -> None:
    """Lists of ids, a thousand each."""
    ids = list(range(1, 20_001))
    fetch, _ = serving(ids)
    shards = [Shard(low, upto=low + 2500) for low in range(0, 20_000, 2500)]

    found = [each for page in sweep(3, shards, fetch) for each in read(page, ids)]

    assert sorted(found) == ids


def test_lanes_wait_for_whoever_takes_the_pages() -> None:
    """A million rows must not pile up in memory when the disk is slow."""
    ids = list(range(1, 200_001))
    fetch, sizes = serving(ids)
    pages = sweep(4, [start(ids)], fetch)

    taken = list(islice(pages, BEHIND))
    sleep(0.2)
    waiting = len(sizes) - len(taken)
    pages.close()

    assert waiting <= WAITING + 4
    assert not [each for each in threading.enumerate() if each.name.startswith("netsuite_")]


def test_the_first_error_ends_all_lanes() -> None:
    """A refused key must not be tried on by every lane."""
    ids = list(range(1, 200_001))
    plain, sizes = serving(ids)

    def fetch(shard: Shard) -> RawPage:
        if len(sizes) == BEHIND:
            raise ValueError("no")
        return plain(shard)

    with pytest.raises(ValueError, match="no"):
        list(sweep(4, [start(ids)], fetch))
    assert len(sizes) < BEHIND + 10
