"""Limits of NetSuite: concurrent requests, and requests per minute or day (netsuite.md §4)."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from resources.clock import Clock
from resources.sandbox.netsuite.errors import ApiError, invalid_login
from resources.sandbox.netsuite.store.journal import Journal
from resources.sandbox.netsuite.switches import NetSuiteSwitches

CONCURRENCY_TEXT = "Concurrent request limit exceeded. Request blocked."


class ConcurrencyLimiter:
    """Concurrency slots shared by all processes: one locked file each, released by the kernel if a process dies."""

    def __init__(self, folder: Path, journal: Journal, clock: Clock) -> None:
        self._folder = folder
        self._journal = journal
        self._clock = clock
        folder.mkdir(exist_ok=True)

    @contextmanager
    def slot(self, switches: NetSuiteSwitches) -> Iterator[None]:
        """Hold a slot while a request is handled.

        Raises:
            ApiError: All slots are taken, a burst of rejections is due, or the requests of a window are used up.
        """
        self._check_windows(switches)
        if switches.burst_every and self._journal.count() % switches.burst_every >= (
            switches.burst_every - switches.burst_calls
        ):
            raise limit_exceeded(switches)
        if not switches.concurrency_limit:
            yield
            return
        slot = self._acquire(switches.concurrency_limit - self._occupied(switches))
        if slot is None:
            raise limit_exceeded(switches)
        try:
            yield
        finally:
            os.close(slot)

    def _acquire(self, limit: int) -> int | None:
        for number in range(limit):
            file = os.open(self._folder / f"slot_{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
            else:
                return file
        return None

    def _occupied(self, switches: NetSuiteSwitches) -> int:
        """Return the number of slots that other integrations currently hold."""
        if not switches.occupied_slots or not switches.occupied_every_s:
            return switches.occupied_slots
        is_active = self._clock.now().timestamp() % switches.occupied_every_s < switches.occupied_for_s
        return switches.occupied_slots if is_active else 0

    def _check_windows(self, switches: NetSuiteSwitches) -> None:
        windows = ((60, switches.calls_per_minute), (86_400, switches.calls_per_day))
        for seconds, limit in windows:
            if limit and self._journal.calls_since(self._clock.now() - timedelta(seconds=seconds)) >= limit:
                raise limit_exceeded(switches)


def limit_exceeded(switches: NetSuiteSwitches) -> ApiError:
    """Return the error of one request too many."""
    if switches.concurrency_as_401:
        return invalid_login(reason="too many concurrent requests, reported as in some accounts")
    headers = {"Retry-After": switches.retry_after} if switches.retry_after else {}
    return ApiError(
        429, "CONCURRENCY_LIMIT_EXCEEDED", CONCURRENCY_TEXT, headers=headers, title=switches.concurrency_title
    )


def governance_limits(switches: NetSuiteSwitches) -> dict[str, Any]:
    """Return the content of governanceLimits."""
    integration = switches.integration_limit
    content: dict[str, Any] = {
        "accountConcurrencyLimit": switches.concurrency_limit,
        "accountUnallocatedConcurrencyLimit": max(0, switches.concurrency_limit - integration),
    }
    if integration:
        return {
            **content,
            "integrationConcurrencyLimit": integration,
            "integrationLimitType": "integrationSpecific",
        }
    return {**content, "integrationLimitType": "accountLimit"}
