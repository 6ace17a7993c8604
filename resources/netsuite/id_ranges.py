"""Ranges of ids that several threads read page by page; an idle thread takes half of another's range.

IdRangeQueue([IdRange(after, last)])  ->  take()  ->  (a call)  ->  page_read(range, last key)  ->  take() …

Cutting the ids into equal ranges in advance would leave threads idle where ids are unevenly spread, and end each range
in a nearly empty page. So a range is split only when a thread is idle, at a whole number of pages by the density of the
pages read so far. Within a range a page begins after the last key of the previous one: never an offset.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resources.netsuite.pages import PAGE

MIN_PAGES = 0.5  # left after the page in progress, below which a range is not split


@dataclass(eq=False)
class IdRange:
    """Keys above `after` up to `last`, read by one thread at a time.

    Attributes:
        after: The last key read.
        last: The last key of the range; None: no end.
        highest: The highest key known to exist; None: unknown, so the range cannot be split.
        rows_per_key: Density of the last page.
        conditions: SuiteQL conditions of the range.
        params: Values of the conditions.
    """

    after: int
    last: int | None = None
    highest: int | None = None
    rows_per_key: float = 1.0
    conditions: Sequence[str] = ()
    params: Sequence[str] = ()

    @property
    def end(self) -> int | None:
        """The last key to expect."""
        return self.highest if self.last is None else self.last

    @property
    def keys_per_page(self) -> int:
        """Keys that a page covers, by the density of the last one."""
        return max(1, round(PAGE / self.rows_per_key))

    @property
    def pages_left(self) -> float:
        """Pages after the one in progress."""
        return (
            0.0
            if self.end is None
            else max(0.0, (self.end - self.after - self.keys_per_page) * self.rows_per_key / PAGE)
        )

    def split(self) -> "IdRange":
        """Cut off and return the later half of the pages after the one in progress."""
        assert self.end is not None
        kept_pages = 1 + int(self.pages_left) // 2
        border = min(self.after + self.keys_per_page * kept_pages, self.end - 1)
        other = IdRange(border, self.last, self.highest, self.rows_per_key, self.conditions, self.params)
        self.last = border
        return other


class IdRangeQueue:
    """The ranges left to read, for any number of threads."""

    def __init__(self, ranges: Iterable[IdRange]) -> None:
        self._waiting = list(ranges)
        self._running: set[IdRange] = set()
        self._stopped = False
        self._changed = threading.Condition()

    def take(self) -> IdRange | None:
        """Return the next range to read; wait while another thread's may still be split; None when all is read."""
        with self._changed:
            while not self._stopped:
                if self._waiting:
                    taken = self._waiting.pop(0)
                elif (largest := self._largest()) is not None:
                    taken = largest.split()
                elif self._running:
                    self._changed.wait()
                    continue
                else:
                    break
                self._running.add(taken)
                self._changed.notify_all()  # there is one more range to split
                return taken
            return None

    def page_read(self, id_range: IdRange, last_key: int | None, *, has_more: bool) -> tuple[int | None, bool]:
        """Record a page.

        Returns:
            The last key of the range (rows above it were split off meanwhile), and whether its thread reads on.
        """
        with self._changed:
            goes_on = has_more and last_key is not None and (id_range.last is None or last_key < id_range.last)
            if goes_on and last_key is not None:
                id_range.rows_per_key = PAGE / (last_key - id_range.after) if last_key > id_range.after else 1.0
                id_range.after = last_key
            else:
                self._running.discard(id_range)
            self._changed.notify_all()
            return id_range.last, goes_on

    def stop(self) -> None:
        """Let every thread finish."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _largest(self) -> IdRange | None:
        largest = max(self._running, key=lambda each: each.pages_left, default=None)
        return largest if largest is not None and largest.pages_left >= MIN_PAGES else None
