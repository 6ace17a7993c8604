"""Ranges of ids that are read side by side, each page by page; whoever has nothing to do takes part of another's.

Shards([Shard(after, upto)])  ->  take()  ->  (a call)  ->  answered(shard, last key)  ->  take() …

Cutting the ids into equal ranges beforehand leaves lanes idle where ids are unevenly spread, and ends every range in
a page that is hardly filled. So a range is halved only when somebody is idle, at a whole number of pages by the
density of the pages seen so far. Inside a range a page begins behind the last key of the one before: never an offset.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from resources.netsuite.pages import PAGE

WORTH = 0.5  # pages behind the one on its way, below which a range is not halved


@dataclass(eq=False)
class Shard:
    """Keys behind `after`, up to `upto` (None: no end), read by one lane at a time.

    Attributes:
        after: The last key that came.
        upto: The last key that belongs to it.
        highest: The highest key known to exist; None: not known, so that it cannot be halved.
        per_key: Rows a key, by the last page.
        conditions: SuiteQL that goes with it.
        params: Values of the conditions.
    """

    after: int
    upto: int | None = None
    highest: int | None = None
    per_key: float = 1.0
    conditions: Sequence[str] = ()
    params: Sequence[str] = field(default=())

    @property
    def reach(self) -> int:
        """Keys that a page covers, by the density seen."""
        return max(1, round(PAGE / self.per_key))

    @property
    def pages_behind(self) -> float:
        """Pages behind the one that is on its way."""
        end = self.highest if self.upto is None else self.upto
        return 0.0 if end is None else max(0.0, (end - self.after - self.reach) * self.per_key / PAGE)

    def halve(self) -> "Shard":
        """Give away the later half of the pages behind the one on its way."""
        end = self.highest if self.upto is None else self.upto
        assert end is not None
        keep = int(self.pages_behind) // 2
        border = min(self.after + self.reach * (1 + keep), end - 1)
        other = Shard(border, self.upto, self.highest, self.per_key, self.conditions, self.params)
        self.upto = border
        return other


class Shards:
    """The work of several lanes; safe for any number of threads."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self._waiting = list(shards)
        self._running: set[Shard] = set()
        self._stopped = False
        self._changed = threading.Condition()

    def take(self) -> Shard | None:
        """The next shard to read a page of; waits while others may still have something to give. None: all is done."""
        with self._changed:
            while not self._stopped:
                if self._waiting:
                    shard = self._waiting.pop(0)
                elif (fullest := self._fullest()) is not None:
                    shard = fullest.halve()
                elif self._running:
                    self._changed.wait()
                    continue
                else:
                    break
                self._running.add(shard)
                self._changed.notify_all()  # there is one more to take from
                return shard
            return None

    def answered(self, shard: Shard, last_key: int | None, *, has_more: bool) -> tuple[int | None, bool]:
        """Note a page.

        Returns:
            The last key that belongs to the shard (rows behind it were given away meanwhile), and whether its lane
            goes on with it.
        """
        with self._changed:
            goes_on = has_more and last_key is not None and (shard.upto is None or last_key < shard.upto)
            if goes_on and last_key is not None:
                shard.per_key = PAGE / (last_key - shard.after) if last_key > shard.after else 1.0
                shard.after = last_key
            else:
                self._running.discard(shard)
            self._changed.notify_all()
            return shard.upto, goes_on

    def stop(self) -> None:
        """Nothing more is to be read."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _fullest(self) -> Shard | None:
        found = max(self._running, key=lambda shard: shard.pages_behind, default=None)
        return found if found is not None and found.pages_behind >= WORTH else None
