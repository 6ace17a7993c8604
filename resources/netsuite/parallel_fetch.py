"""Fetch the pages of id ranges with several threads and yield them as they arrive.

ranges  ->  per thread: take, fetch, scan, fetch again  ->  a short queue  ->  the caller, who parses the cells

The threads do almost nothing between a response and the next call. The queue is short: when the caller falls behind,
the threads wait, and memory stays flat whatever the size of the table.
"""

import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from queue import Empty, Full, Queue

from resources.netsuite.id_ranges import IdRange, IdRangeQueue
from resources.netsuite.pages import RawPage

QUEUE_PAGES, QUEUE_BYTES = 12, 16 * 1024 * 1024  # whichever is reached first; one page may be larger
TICK_S = 0.2


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page of a range: its rows have keys above `after`; those above `last` belong to another range."""

    page: RawPage
    after: int
    last: int | None


Fetch = Callable[[IdRange], RawPage]


def fetch_pages(threads: int, ranges: Iterable[IdRange], fetch: Fetch) -> Generator[FetchedPage]:
    """Yield every page of the ranges, in order of arrival.

    Args:
        threads: Number of threads; the client's `ConcurrencyLimit` says how many of them call at once.
        ranges: The ranges to read.
        fetch: Reads one page of a range, after `id_range.after`.

    Raises:
        Exception: The first one that `fetch` raised; no further call is made then.
    """
    work = _ParallelFetch(IdRangeQueue(ranges), fetch)
    running = [threading.Thread(target=work.run, name=f"netsuite_{number}") for number in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield from work.pages(threads)
    finally:
        work.stop()
        for thread in running:
            thread.join()
    work.check()


class _ParallelFetch:
    def __init__(self, ranges: IdRangeQueue, fetch: Fetch) -> None:
        self._ranges, self._fetch = ranges, fetch
        self._fetched: Queue[FetchedPage | None] = Queue(QUEUE_PAGES)
        self._bytes = 0  # in the queue
        self._taken = threading.Condition()
        self._stopped = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Fetch ranges until none is left; the body of each thread."""
        try:
            while (id_range := self._ranges.take()) is not None:
                self._read(id_range)
        except BaseException as error:  # noqa: BLE001  # `check` raises it in the caller's thread
            self._error = self._error or error
            self.stop()
        self._put(None)

    def _read(self, id_range: IdRange) -> None:
        goes_on = True
        while goes_on and not self._stopped.is_set():
            after = id_range.after
            page = self._fetch(id_range)
            last, goes_on = self._ranges.page_read(id_range, page.last_key, has_more=page.has_more)
            self._put(FetchedPage(page, after, last))

    def _put(self, page: FetchedPage | None) -> None:
        if page:
            self._wait_for_space(len(page.page.items))
        while not self._stopped.is_set():
            try:
                self._fetched.put(page, timeout=TICK_S)
            except Full:
                continue
            return

    def _wait_for_space(self, size: int) -> None:
        with self._taken:
            while self._bytes and self._bytes + size > QUEUE_BYTES and not self._stopped.is_set():
                self._taken.wait(TICK_S)
            self._bytes += size

    def pages(self, threads: int) -> Generator[FetchedPage]:
        """Yield pages until every thread has finished."""
        while threads and not self._stopped.is_set():
            try:
                page = self._fetched.get(timeout=TICK_S)
            except Empty:
                continue
            if page is None:
                threads -= 1
            else:
                with self._taken:
                    self._bytes -= len(page.page.items)
                    self._taken.notify()
                yield page

    def stop(self) -> None:
        """Make no further calls."""
        self._stopped.set()
        self._ranges.stop()

    def check(self) -> None:
        """Raise the first error of a thread."""
        if self._error is not None:
            raise self._error
