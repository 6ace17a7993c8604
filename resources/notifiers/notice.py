"""Alert notices, and the protocol of their receivers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from resources.visible_text import on_one_line, visible


class NotSentError(Exception):
    """A receiver did not accept a notice, which is sent again later. The text contains neither address nor key."""


@dataclass(frozen=True)
class Entry:
    """One problem that was opened or has recovered.

    Attributes:
        key: Stable key of the problem.
        state: `opened` or `recovered`.
        kind: failed, degraded, waiting, stale, unreconciled or probe.
        affected: Workflows, or steps when no workflow is affected.
        since: Begin of the problem, UTC, as text.
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
    """One message: problems opened and recovered since the previous one.

    Attributes:
        notice_id: The same in every attempt, so that a receiver can drop duplicates.
        at: Time, UTC, as text.
    """

    notice_id: str
    at: str
    title: str
    entries: Sequence[Entry]
    link: str = ""

    @property
    def text(self) -> str:
        """The notice as plain text, in which no name looks like a line of ours."""
        lines: list[str] = []
        for entry in self.entries:
            lines.append(f"{entry.kind if entry.state == 'opened' else entry.state}: {entry.cause}")
            lines += [f"    {', '.join(entry.affected)}"] if entry.affected else []
            lines += [f"    {line}" for line in entry.lines]
        return "\n".join(visible(on_one_line(each)) for each in (*lines, *([self.link] if self.link else [])))


class Receiver(Protocol):
    """A destination of alerts."""

    @property
    def name(self) -> str:
        """Name in settings and messages."""
        ...

    def send(self, notice: Notice) -> None:
        """Send a notice.

        Raises:
            NotSentError: It was not accepted.
        """
        ...
