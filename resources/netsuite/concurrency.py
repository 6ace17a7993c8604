"""The number of calls in parallel: halved when NetSuite answers 429, raised by one after enough successes.

call  ->  slot()  ->  HTTP  ->  429: decrease()  |  success: increase()

The limit belongs to the account and is shared by every integration, so we stay one below it; one object serves all
tables of a run. A slot is held for one attempt and not while waiting for the next one.
Source: NetSuite help, "Concurrency Governance" (bridgehead_1500275603) and its retry advice (bridgehead_1509974866).
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeVar

from resources.scalars import as_whole

DEFAULT_CONCURRENCY = 4  # of the 5 that the smallest account has
SUCCESSES = 10  # per slot, before one slot is added

Job = TypeVar("Job")
Result = TypeVar("Result")


class ConcurrencyLimit:
    """A semaphore whose size follows NetSuite's responses; shared by all threads of one client."""

    def __init__(self, maximum: int = DEFAULT_CONCURRENCY) -> None:
        self.maximum = max(1, maximum)
        self.slots = self.maximum
        self._busy = 0
        self._successes = 0
        self._used_s = 0.0
        self._decreases = 0  # a 429 to a call that began before the last decrease is no news
        self._changed = threading.Condition()
        self._thread = threading.local()

    @property
    def used_s(self) -> float:
        """Seconds that calls have held slots so far, summed over all slots."""
        return self._used_s

    def apply(self, limits: Mapping[str, Any]) -> None:
        """Obey `governanceLimits`: all of the integration's own limit, and one less than the account's.

        Source: netsuite.md §2.6 and §4; a limit that is missing or not a positive number is ignored.
        """
        own, account = (as_whole(limits.get(f"{name}ConcurrencyLimit")) or 0 for name in ("integration", "account"))
        allowed = [self.maximum]
        if own > 0:
            allowed.append(own)
        if account > 0:
            allowed.append(account - 1)
        with self._changed:
            self.maximum = max(1, min(allowed))
            self.slots = min(self.slots, self.maximum)

    def decrease(self) -> None:
        """Halve the slots after a 429; calls rejected at the same moment halve them once."""
        with self._changed:
            if getattr(self._thread, "began", self._decreases) != self._decreases:
                return
            self.slots = max(1, self.slots // 2)
            self._successes = 0
            self._decreases += 1

    def increase(self) -> None:
        """Count a success; add a slot after enough of them."""
        with self._changed:
            self._successes += 1
            if self._successes >= SUCCESSES * self.slots and self.slots < self.maximum:
                self.slots += 1
                self._successes = 0
                self._changed.notify()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a free slot and hold it for one attempt of a call."""
        with self._changed:
            self._changed.wait_for(lambda: self._busy < self.slots)
            self._busy += 1
            self._thread.began = self._decreases
        began = perf_counter()
        try:
            yield
        finally:
            with self._changed:
                self._used_s += perf_counter() - began
                self._busy -= 1
                self._changed.notify()

    def map_unordered(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        """Run the jobs in parallel and yield results as they complete; the first error cancels the rest."""
        if len(jobs) <= 1 or self.maximum == 1:
            yield from map(work, jobs)
            return
        with ThreadPoolExecutor(max_workers=min(self.maximum, len(jobs)), thread_name_prefix="netsuite") as pool:
            futures = [pool.submit(work, job) for job in jobs]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()
