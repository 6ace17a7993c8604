"""What is sent to a receiver, and what a receiver is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class NotToldError(Exception):
    """A receiver did not take a notice; it is tried again later. The text names neither address nor key."""


@dataclass(frozen=True)
class Entry:
    """One thing that began or ended.

    Attributes:
        key: The same as long as it is the same thing.
        state: `opened` or `recovered`.
        kind: failed, degraded, waiting, stale, unreconciled or probe.
        cause: The root cause, in one line.
        affected: Workflows, or steps where no workflow is concerned.
        lines: More about it.
        since: Since when, UTC, as text.
    """

    key: str
    state: str
    kind: str
    cause: str
    affected: Sequence[str] = ()
    lines: Sequence[str] = ()
    since: str = ""


@dataclass(frozen=True)
class Notice:
    """One message: what began and what ended since the last one.

    Attributes:
        notice_id: The same in every try, so that a receiver can drop what it got twice.
        at: When, UTC, as text.
        title: The whole of it in one line.
        entries: The root causes.
        link: Where to look.
    """

    notice_id: str
    at: str
    title: str
    entries: Sequence[Entry]
    link: str = ""

    @property
    def text(self) -> str:
        """All of it as plain text."""
        told = []
        for entry in self.entries:
            told.append(f"{entry.kind if entry.state == 'opened' else entry.state}: {entry.cause}")
            told += [f"    {', '.join(entry.affected)}"] if entry.affected else []
            told += [f"    {line}" for line in entry.lines]
        return "\n".join([*told, *([self.link] if self.link else [])])


class Receiver(Protocol):
    """Somebody who is told."""

    @property
    def name(self) -> str:
        """What it is called in settings and messages."""
        ...

    def tell(self, notice: Notice) -> None:
        """Hand a notice over.

        Raises:
            NotToldError: It was not taken.
        """
        ...
