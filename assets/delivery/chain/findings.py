"""The result of a verification, in words and as counts.

add()  ->  a Problem, or an acknowledged one: its id is a fingerprint of what is wrong and of how it is now
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

EXAMPLES = 20  # problems that are kept; the rest is counted
ID_CHARACTERS = 12
CHANGED, REMOVED, INSERTED, MOVED = "changed", "removed", "inserted", "reordered"


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes:
        what: changed, removed, inserted, reordered, checkpoint, cut or decision.
        text: The row or checkpoint, and what is wrong with it.
        number: The place in the chain; 0 if it has none.
        id: Its fingerprint, by which a person acknowledges it; another change gives another one.
    """

    what: str
    text: str
    number: int = 0
    id: str = ""


@dataclass(frozen=True)
class Acknowledgement:
    """A person's decision, chained in the ledger, that a finding is known."""

    by: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class Acknowledged(Problem):
    """A finding that is known."""

    by: str = ""
    at: datetime | None = None
    reason: str = ""


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
        public_keys: Keys that signed, in the order of their first checkpoint; blank: without a key.
        problems: The first problems, the first of them first.
        count: All problems, without those that were acknowledged.
        acknowledged: Problems that a person acknowledged; they are still there.
        notices: What a person should know, though nothing is wrong.
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
    acknowledged: list[Acknowledged] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    days: Sequence[Day] = ()
    last: dict[str, Any] | None = None

    known: Mapping[str, Acknowledgement] = field(default_factory=dict, repr=False)

    @property
    def is_whole(self) -> bool:
        """True if nothing is wrong that no one acknowledged."""
        return not self.count

    def add(self, what: str, text: str, number: int = 0, *, state: str = "") -> None:
        """Add a problem; `state` stands for what the row is now, so that another change is another problem."""
        name = hashlib.sha256(f"{what}\n{text}\n{number}\n{state}".encode()).hexdigest()[:ID_CHARACTERS]
        if found := self.known.get(name):
            self.acknowledged.append(Acknowledged(what, text, number, name, found.by, found.at, found.reason))
            return
        self.count += 1
        if len(self.problems) < EXAMPLES:
            self.problems.append(Problem(what, text, number, name))
