"""The result of a verification, in words and as counts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

EXAMPLES = 20  # problems that are kept; the rest is counted
CHANGED, REMOVED, INSERTED, MOVED = "changed", "removed", "inserted", "reordered"


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes:
        what: changed, removed, inserted, reordered, checkpoint, cut or decision.
        text: The row or checkpoint, and what is wrong with it.
        number: The place in the chain; 0 if it has none.
    """

    what: str
    text: str
    number: int = 0


@dataclass(frozen=True)
class Day:
    """One day of the chain: its checkpoints and entries, those that were pruned, and the last link, its digest."""

    day: date
    checkpoints: int
    entries: int
    pruned: int
    digest: str


@dataclass
class Findings:
    """The result of a verification.

    Attributes:
        entries: Entries that the checkpoints cover, those of collapsed checkpoints included.
        rows: Covered rows that are as signed, by kind.
        pruned: Rows that retention deleted.
        erased: Rows whose personal values were erased or replaced.
        unsealed: Rows since the last checkpoint.
        checkpoints: Checkpoints.
        public_keys: Keys that signed, in the order of their first checkpoint; blank: without a key.
        problems: The first problems, the first of them first.
        count: All problems.
        notices: What a person should know, though nothing is wrong.
        days: The days of the chain.
        last: The last checkpoint, as JSON.
    """

    entries: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    pruned: int = 0
    erased: int = 0
    unsealed: int = 0
    checkpoints: int = 0
    public_keys: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    notices: list[str] = field(default_factory=list)
    days: Sequence[Day] = ()
    last: dict[str, Any] | None = None

    @property
    def is_whole(self) -> bool:
        """True if nothing is wrong."""
        return not self.count

    def add(self, what: str, text: str, number: int = 0) -> None:
        """Add a problem."""
        self.count += 1
        if len(self.problems) < EXAMPLES:
            self.problems.append(Problem(what, text, number))
