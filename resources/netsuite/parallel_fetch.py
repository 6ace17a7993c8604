"""Fetches the pages of some shards over all lanes, and hands them out one by one as they come.

Shards  ->  one thread a lane: take, ask, look, ask again  ->  a short queue  ->  the caller, who reads the cells

The threads do next to nothing between an answer and the next call. The queue is short: when the caller falls behind,
the lanes wait, and memory stays flat whatever the table's size.
"""

import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from queue import Empty, Full, Queue

from resources.netsuite.id_ranges import Shard, Shards
from resources.netsuite.pages import RawPage

WAITING = 12  # pages; about as many megabytes
TICK_S = 0.2


@dataclass(frozen=True, slots=True)
class SweptPage:
    """A page of a shard: its rows have keys behind `after`; those behind `upto` belong to another shard."""

    page: RawPage
    after: int
    upto: int | None


Fetch = Callable[[Shard], RawPage]


def sweep(lanes: int, shards: Iterable[Shard], fetch: Fetch) -> Generator[SweptPage]:
    """Every page of the shards, in the order in which they come.

    Args:
        lanes: Threads; how many of them call at once is for the client's `Lanes` to say.
        shards: What to read.
        fetch: Reads one page of a shard, behind `shard.after`.

    Raises:
        Exception: Whatever `fetch` raised first; no further call is made then.
    """
    work = _Sweep(Shards(shards), fetch)
    threads = [threading.Thread(target=work.lane, name=f"netsuite_{number}") for number in range(lanes)]
    for thread in threads:
        thread.start()
    try:
        yield from work.pages(len(threads))
    finally:
        work.stop()
        for thread in threads:
            thread.join()
    work.check()


class _Sweep:
    def __init__(self, shards: Shards, fetch: Fetch) -> None:
        self._shards, self._fetch = shards, fetch
        self._done: Queue[SweptPage | None] = Queue(WAITING)
        self._stopped = threading.Event()
        self._error: BaseException | None = None

    def lane(self) -> None:
        """What one thread does."""
        try:
            while (shard := self._shards.take()) is not None:
                self._read(shard)
        except BaseException as error:  # noqa: BLE001  # it is raised again where the pages are taken
            self._error = self._error or error
            self.stop()
        self._put(None)

    def _read(self, shard: Shard) -> None:
        goes_on = True
        while goes_on and not self._stopped.is_set():
            after = shard.after
            page = self._fetch(shard)
            upto, goes_on = self._shards.answered(shard, page.last_key, has_more=page.has_more)
            self._put(SweptPage(page, after, upto))

    def _put(self, page: SweptPage | None) -> None:
        while not self._stopped.is_set():
            try:
                self._done.put(page, timeout=TICK_S)
            except Full:
                continue
            return

    def pages(self, lanes: int) -> Generator[SweptPage]:
        """Hand pages out until every lane has nothing more to do."""
        while lanes and not self._stopped.is_set():
            try:
                page = self._done.get(timeout=TICK_S)
            except Empty:
                continue
            if page is None:
                lanes -= 1
            else:
                yield page

    def stop(self) -> None:
        """No further calls."""
        self._stopped.set()
        self._shards.stop()

    def check(self) -> None:
        """Raise what a lane met."""
        if self._error is not None:
            raise self._error
