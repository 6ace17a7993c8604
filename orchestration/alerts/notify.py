"""One look: what is wrong now, what of it is new, what is over; and one notice of that to everybody.

problems now  -  problems that are open  ->  Notice  ->  outbox  ->  receivers, each until it has taken it

A notice is written down with the change that it tells, in one transaction, and delivered afterwards: what dies in
between is delivered by the next look, perhaps twice and with the same id, never not at all.
"""

import re
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestration.alerts.conditions import OF_WAREHOUSE, Kind, Problem
from orchestration.alerts.store import Memory
from resources.notifiers.notice import Entry, Notice, NotToldError, Receiver

OPENED, RECOVERED = "opened", "recovered"
KEPT_S = 3 * 24 * 3600.0  # a receiver that was away for longer is not told old stories
MAIL_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
LEAST_SECRET = 6


@dataclass
class Look:
    """What a look came to.

    Attributes:
        open: Problems that are open now.
        told: The notice, when something changed.
        delivered: How many notices receivers took.
        trouble: Receivers that did not take theirs, and why.
    """

    open: int = 0
    told: Notice | None = None
    delivered: int = 0
    trouble: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As the sensor's tick says it."""
        parts = [f"{self.open} open", f"told: {self.told.title}" if self.told else "nothing changed"]
        parts += [f"{self.delivered} delivered"] if self.delivered else []
        return "; ".join([*parts, *(f"waits: {each}" for each in self.trouble)])


class Scrub:
    """Blots out secrets and mail addresses, should one ever have come into a text."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = sorted((each for each in secrets if len(each) >= LEAST_SECRET), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text without them."""
        for each in self._secrets:
            text = text.replace(each, "***")
        return MAIL_ADDRESS.sub("***", text)


def compare(
    memory: Memory, now: Sequence[Problem], moment: datetime, scrub: Scrub, *, unseen: Collection[Kind] = (),
    link: str = "", account: str = "",
) -> Notice | None:  # fmt: skip
    """Note what began and what ended, and make one notice of it.

    Args:
        memory: What was open.
        now: What is wrong now.
        moment: When, UTC.
        scrub: What no text may carry.
        unseen: Kinds that could not be looked at: nothing is known to be over.
        link: Where to look.
        account: What the title names; blank: there is but one.
    """
    known, at = memory.open_problems(), f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    failed = {name for each in now if each.kind is Kind.FAILED for name in each.affected}
    # what a failure has stopped grows old by itself: that is no second thing to tell
    current = {
        each.key: each for each in now
        if each.kind is not Kind.STALE or each.key in known or not set(each.affected) & failed
    }  # fmt: skip
    entries = []
    for key, problem in current.items():
        memory.begin(problem, known[key][1] if key in known else at)
        if key not in known:
            entries.append(_entry(problem, OPENED, at, scrub))
    for key, (problem, since) in known.items():
        if key not in current and problem.kind not in unseen:
            memory.end(key)
            entries.append(_entry(problem, RECOVERED, since, scrub))
    if not entries:
        return None
    return Notice(uuid.uuid4().hex, at, _title(entries, account), entries, link)


def _entry(problem: Problem, state: str, since: str, scrub: Scrub) -> Entry:
    lines = [scrub(line) for line in problem.lines] if state == OPENED else [f"since {since}"]
    return Entry(
        problem.key and scrub(problem.key),
        state,
        problem.kind.value,
        scrub(problem.cause),
        problem.affected,
        lines,
        since,
    )


def _title(entries: Sequence[Entry], account: str) -> str:
    who = f"Millpond ({account})" if account else "Millpond"
    if len(entries) == 1:
        (only,) = entries
        return f"{who}: {only.kind if only.state == OPENED else only.state}: {only.cause}"[:200]
    counted = Counter(each.kind if each.state == OPENED else each.state for each in entries)
    return f"{who}: " + ", ".join(f"{count} {kind}" for kind, count in counted.items())


def deliver(memory: Memory, receivers: Mapping[str, Receiver], look: Look, seconds: float) -> None:
    """Hand over what waits; a receiver that does not answer keeps its notices for the next look, in their order."""
    memory.drop(list(receivers), seconds - KEPT_S)
    for name, receiver in receivers.items():
        for number, notice in memory.waiting(name):
            try:
                receiver.tell(notice)
            except NotToldError as error:
                memory.tried(number)
                look.trouble.append(str(error))
                break
            memory.delivered(number)
            look.delivered += 1


__all__ = ["OF_WAREHOUSE", "Look", "Scrub", "compare", "deliver"]
