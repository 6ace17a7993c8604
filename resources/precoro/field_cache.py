"""What one company's custom fields were when they were last listed, for calls that must not list them again.

Precoro answers the same GET once a minute and thirty times an hour (precoro.md §3); a run for one saved record may come
more often than that. The file lies beside the budget, which all processes of a company share as well.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from resources.clock import Clock

Field = TypeVar("Field")
GOOD_FOR_S = 24 * 3600.0  # a run of all lists them afresh


@dataclass(frozen=True)
class Notes:
    """A note for each company; a file that nobody can read has none."""

    path: Path
    company: str
    clock: Clock

    def write(self, fields: Sequence[Any]) -> None:
        """Remember what was just listed."""
        noted = {**self._read(), self.company: [self.clock.now().timestamp(), [asdict(each) for each in fields]]}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(json.dumps(noted))
        partial.replace(self.path)

    def read(self, make: Callable[..., Field]) -> list[Field] | None:
        """What was listed within the last day; None when nothing was."""
        try:
            at, fields = self._read()[self.company]
            fresh = 0 <= self.clock.now().timestamp() - at < GOOD_FOR_S
            return [make(**each) for each in fields] if fresh else None
        except (KeyError, TypeError, ValueError):
            return None

    def _read(self) -> dict[str, Any]:
        try:
            noted: dict[str, Any] = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return noted
