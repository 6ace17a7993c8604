"""How many calls run side by side: halved when NetSuite says "too many", one more after clean answers.

call  ->  lane()  ->  HTTP  ->  429: narrow()  |  clean: widen()

The limit belongs to the account and is shared by every integration, so we stay one below it; one object serves all
tables of a run. A lane is held for one try and not while waiting for the next one; waits are jittered by the HTTP door.
Source: NetSuite help, "Concurrency Governance" (bridgehead_1500275603) and its retry advice (bridgehead_1509974866).
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeVar

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
        self._used_s = 0.0
        self._narrowed = 0  # how often; a refusal of a call that began before the last time tells nothing new
        self._changed = threading.Condition()
        self._mine = threading.local()

    @property
    def used_s(self) -> float:
        """Seconds that calls have held lanes so far, all lanes together."""
        return self._used_s

    def grant(self, limits: Mapping[str, Any]) -> None:
        """Follow `governanceLimits`: all of the integration's own share, and one less than the account's.

        Source: netsuite.md §2.6 and §4; a limit that is missing or no positive number says nothing.
        """
        own, account = limits.get("integrationConcurrencyLimit"), limits.get("accountConcurrencyLimit")
        allowed = [self.most]
        if isinstance(own, int) and own > 0:
            allowed.append(own)
        if isinstance(account, int) and account > 0:
            allowed.append(account - 1)
        with self._changed:
            self.most = max(1, min(allowed))
            self.open = min(self.open, self.most)

    def narrow(self) -> None:
        """NetSuite answered 429: use half as many; many refusals of one moment halve once."""
        with self._changed:
            if getattr(self._mine, "began", self._narrowed) != self._narrowed:
                return
            self.open = max(1, self.open // 2)
            self._clean = 0
            self._narrowed += 1

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
        """Wait for a free lane and keep it for one try of a call."""
        with self._changed:
            self._changed.wait_for(lambda: self._busy < self.open)
            self._busy += 1
            self._mine.began = self._narrowed
        began = perf_counter()
        try:
            yield
        finally:
            with self._changed:
                self._used_s += perf_counter() - began
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
