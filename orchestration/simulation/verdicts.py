"""The invariants of a simulation, each with a verdict and the evidence that was counted.

Verdicts.hold("once", 412); Verdicts.broken("once", "day 7: …")  ->  Verdict(checked=413, examples=("day 7: …",))
"""

from collections import Counter
from dataclasses import dataclass, field

INVARIANTS = {
    "present": "After the faults end, every selected record is in its target, or held back with a reason.",
    "values": "After a quiet run, no value of ours differs in a target.",
    "once": "No record is in a target twice.",
    "newer": "Nothing older is sent over newer values.",
    "scope": "Records that are not ours are as people left them, and nothing is ever deleted.",
    "intents": "Every request to write has a known end, and nothing is still being sent.",
    "chain": "The ledger's chain is whole.",
    "explained": "The ledger explains every change of a target's record.",
    "counts": "The counts of every run are those of its attempts.",
    "guards": "No more records are changed than the guards allow, unless someone approved it.",
    "reasons": "Every decision has a reason that is documented for it.",
    "decisions": "Every record has at most one open decision of each workflow.",
    "quota": "No call is made beyond a quota, apart from the one that finds it used up.",
    "certificates": "No certificate claims what is not so.",
    "catches_up": "After the faults end, every certificate passes the time at which they ended.",
    "quiet": "Once everything is delivered, another run writes nothing.",
    "runs": "No run ends with an error that it does not explain.",
}
EXAMPLES = 5


@dataclass
class Verdict:
    """The verdict on one invariant.

    Attributes:
        name: A key of INVARIANTS.
        examples: The first violations, in words.
        evidence: What was counted, by kind.
    """

    name: str
    checked: int = 0
    broken: int = 0
    examples: list[str] = field(default_factory=list)
    evidence: Counter[str] = field(default_factory=Counter)

    @property
    def text(self) -> str:
        """The invariant in words."""
        return INVARIANTS[self.name]


class Verdicts:
    """The verdicts on all invariants."""

    def __init__(self) -> None:
        self._all = {name: Verdict(name) for name in INVARIANTS}

    def hold(self, name: str, times: int = 1, **evidence: int) -> None:
        """Count checks that an invariant passed."""
        self._all[name].checked += times
        self._all[name].evidence.update({kind.replace("_", " "): count for kind, count in evidence.items() if count})

    def broken(self, name: str, text: str) -> None:
        """Note a check that an invariant did not pass."""
        verdict = self._all[name]
        verdict.checked += 1
        verdict.broken += 1
        if len(verdict.examples) < EXAMPLES:
            verdict.examples.append(text)

    def all(self) -> list[Verdict]:
        """Return the verdicts in the order of INVARIANTS."""
        return list(self._all.values())

    @property
    def violations(self) -> int:
        """The number of checks that failed."""
        return sum(each.broken for each in self._all.values())

    def of(self, name: str) -> Verdict:
        """Return the verdict on one invariant."""
        return self._all[name]
