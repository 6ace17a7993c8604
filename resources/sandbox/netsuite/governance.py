"""How many calls NetSuite answers at once, and in a minute or day (netsuite.md §4)."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from resources.clock import Clock
from resources.sandbox.netsuite.refusal import Refusal, invalid_login
from resources.sandbox.netsuite.store.journal import Journal
from resources.sandbox.netsuite.switches import NetSuiteSwitches

CONCURRENCY_TEXT = "Concurrent request limit exceeded. Request blocked."


class Gate:
    """Slots shared by every process: one locked file each, which the kernel frees when a process dies."""

    def __init__(self, folder: Path, journal: Journal, clock: Clock) -> None:
        self._folder = folder
        self._journal = journal
        self._clock = clock
        folder.mkdir(exist_ok=True)

    @contextmanager
    def slot(self, switches: NetSuiteSwitches) -> Iterator[None]:
        """Hold a slot while a call is answered.

        Raises:
            Refusal: All slots are taken, a burst is on, or a window's calls are used up.
        """
        self._check_windows(switches)
        if switches.burst_every and self._journal.count() % switches.burst_every >= (
            switches.burst_every - switches.burst_calls
        ):
            raise too_many(switches)
        if not switches.concurrency_limit:
            yield
            return
        held = self._take(switches.concurrency_limit - self._foreign(switches))
        if held is None:
            raise too_many(switches)
        try:
            yield
        finally:
            os.close(held)

    def _take(self, limit: int) -> int | None:
        for number in range(limit):
            file = os.open(self._folder / f"slot_{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
            else:
                return file
        return None

    def _foreign(self, switches: NetSuiteSwitches) -> int:
        """Slots that others hold just now."""
        if not switches.foreign_slots or not switches.foreign_every_s:
            return switches.foreign_slots
        here = self._clock.now().timestamp() % switches.foreign_every_s < switches.foreign_for_s
        return switches.foreign_slots if here else 0

    def _check_windows(self, switches: NetSuiteSwitches) -> None:
        windows = ((60, switches.calls_per_minute), (86_400, switches.calls_per_day))
        for seconds, most in windows:
            if most and self._journal.calls_since(self._clock.now() - timedelta(seconds=seconds)) >= most:
                raise too_many(switches)


def too_many(switches: NetSuiteSwitches) -> Refusal:
    """The answer to one call too many."""
    if switches.concurrency_as_401:
        return invalid_login(reason="too many calls at once, as some accounts say it")
    headers = {"Retry-After": switches.retry_after} if switches.retry_after else {}
    return Refusal(
        429, "CONCURRENCY_LIMIT_EXCEEDED", CONCURRENCY_TEXT, headers=headers, title=switches.concurrency_title
    )


def limits(switches: NetSuiteSwitches) -> dict[str, Any]:
    """The content of governanceLimits."""
    own = switches.integration_limit
    content: dict[str, Any] = {
        "accountConcurrencyLimit": switches.concurrency_limit,
        "accountUnallocatedConcurrencyLimit": max(0, switches.concurrency_limit - own),
    }
    if own:
        return {**content, "integrationConcurrencyLimit": own, "integrationLimitType": "integrationSpecific"}
    return {**content, "integrationLimitType": "accountLimit"}
