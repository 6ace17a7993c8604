"""How many calls run side by side: halved when NetSuite says "too many", one more after clean answers.

The account's limit is shared by every integration, so we stay one below it. Waits are jittered by the HTTP door.
Source: NetSuite help, "Concurrency Governance" (bridgehead_1500275603) and its retry advice (bridgehead_1509974866).
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

DEFAULT_LANES = 4  # of the 5 that the smallest account has
CLEAN_ANSWERS = 10  # per lane, before one lane more is tried

Work = TypeVar("Work")
Done = TypeVar("Done")


class Lanes:
    """A semaphore whose size follows NetSuite's answers; used by all threads of one client."""

    def __init__(self, most: int = DEFAULT_LANES) -> None:
        self.most = max(1, most)
        self.open = self.most
        self._busy = 0
        self._clean = 0
        self._changed = threading.Condition()

    def cap(self, account_limit: int) -> None:
        """Stay one below what the account or the integration is allowed."""
        with self._changed:
            self.most = max(1, min(self.most, account_limit - 1))
            self.open = min(self.open, self.most)

    def narrow(self) -> None:
        """NetSuite answered 429: use half as many."""
        with self._changed:
            self.open = max(1, self.open // 2)
            self._clean = 0

    def widen(self) -> None:
        """NetSuite answered; after enough clean answers one lane more is tried."""
        with self._changed:
            self._clean += 1
            if self._clean >= CLEAN_ANSWERS * self.open and self.open < self.most:
                self.open += 1
                self._clean = 0
                self._changed.notify()

    @contextmanager
    def lane(self) -> Iterator[None]:
        """Wait for a free lane and keep it for one call."""
        with self._changed:
            self._changed.wait_for(lambda: self._busy < self.open)
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify()

    def each(self, work: Callable[[Work], Done], jobs: Sequence[Work]) -> Iterator[Done]:
        """Do every job, side by side, and give results as they come; the first error ends the rest."""
        if len(jobs) <= 1 or self.most == 1:
            yield from map(work, jobs)
            return
        with ThreadPoolExecutor(max_workers=min(self.most, len(jobs)), thread_name_prefix="netsuite") as pool:
            futures = [pool.submit(work, job) for job in jobs]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()
