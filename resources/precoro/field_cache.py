"""A cache of each company's custom fields, for runs that must not list them again.

Precoro answers the same GET once a minute and thirty times an hour (precoro.md §3); runs for single saved records may
start more often than that. The file is next to the call budget, which all processes of a company share as well.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from resources.atomic_file import write_atomically
from resources.clock import Clock

Field = TypeVar("Field")
MAX_AGE_S = 24 * 3600.0  # scheduled runs list the fields again


@dataclass(frozen=True)
class FieldCache:
    """One entry per company; an unreadable file counts as empty."""

    path: Path
    company: str
    clock: Clock

    def write(self, fields: Sequence[Any]) -> None:
        """Store the fields, as just listed."""
        entry = [self.clock.now().timestamp(), [asdict(each) for each in fields]]
        write_atomically(self.path, json.dumps({**self._entries(), self.company: entry}), durable=False)

    def read(self, make: Callable[..., Field]) -> list[Field] | None:
        """Return the fields listed within the last day, each built by `make` from its attributes; None if none were."""
        try:
            at, fields = self._entries()[self.company]
            is_fresh = 0 <= self.clock.now().timestamp() - at < MAX_AGE_S
            return [make(**each) for each in fields] if is_fresh else None
        except (KeyError, TypeError, ValueError):
            return None

    def _entries(self) -> dict[str, Any]:
        try:
            entries: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return entries
