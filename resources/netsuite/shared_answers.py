"""Answers of NetSuite that all tables of a run share: read by one thread while the others wait for it.

SharedAnswers.get("server time", since, read)  ->  the known answer, or that of read()
"""

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

Answer = TypeVar("Answer")


@dataclass
class _Kept:
    """One answer, when it was read and from when on it covers; the lock is held while it is read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    read_at: datetime | None = None
    since: str = ""
    answer: Any = None


class SharedAnswers:
    """Answers by name. One that raised is not kept: the next thread asks again."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._kept: defaultdict[str, _Kept] = defaultdict(_Kept)
        self._lock = threading.Lock()

    def get(
        self, name: str, read: Callable[[], Answer], *, since: str = "", max_age: timedelta = timedelta.max
    ) -> Answer:
        """Return a known answer, or read it.

        Args:
            name: Name of the answer.
            read: Reads it.
            since: Begin of what it covers; an answer that covers more will do.
            max_age: How old a known answer may be.
        """
        with self._lock:
            kept = self._kept[name]
        with kept.lock:
            now = self._now()
            if kept.read_at is None or now - kept.read_at > max_age or kept.since > since:
                kept.answer = read()
                kept.read_at, kept.since = now, since
            answer: Answer = kept.answer
            return answer
