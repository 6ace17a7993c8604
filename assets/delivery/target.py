"""What the engine asks of a target, and nothing more.

mart (desired) + Target.read() (current)  ->  decide  ->  Target.send(batch)  ->  outcomes  ->  ledger

Values cross this border as canonical text: a frame's cells are str or null, blank and null are the same thing (null),
booleans are "1" and "0", dates "YYYY-MM-DD", numbers as the target spells them. So any two states compare with `==`.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import polars as pl


class Action(StrEnum):
    """What is decided for one source record; exactly one each run."""

    CREATE = "create"
    ADOPT = "adopt"
    UPDATE = "update"
    DEACTIVATE = "deactivate"
    REACTIVATE = "reactivate"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    QUARANTINED = "quarantined"
    AMBIGUOUS = "ambiguous"
    FAILED = "failed"

    @property
    def writes(self) -> bool:
        """Whether something is sent for it."""
        return self in WRITING


WRITING = frozenset({Action.CREATE, Action.ADOPT, Action.UPDATE, Action.DEACTIVATE, Action.REACTIVATE})


@dataclass(frozen=True, slots=True)
class TargetField:
    """One field that a workflow may map to."""

    name: str
    description: str = ""
    kind: str = "text"  # text, boolean, number, date
    max_length: int | None = None  # characters; None: nobody documents it
    required: bool = False
    choices: frozenset[str] | None = None  # the values that a list field takes; None: any


@dataclass(frozen=True, slots=True)
class Write:
    """One record to send.

    `values` is the whole record as it shall be (for an update: what the target has, overlaid with what is desired),
    for targets that replace; `changed` names the fields that differ, for targets that take parts. `parent_id` is the
    target's own id of the parent record.
    """

    source: str
    source_id: str
    action: Action
    target_id: str | None
    values: Mapping[str, str | None]
    changed: frozenset[str]
    parent_id: str | None = None


class Verdict(StrEnum):
    """How one send ended."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"  # the target refused the record; others go on
    UNKNOWN = "unknown"  # sent, but no usable answer: read back before sending again
    NOT_SENT = "not_sent"  # the run stopped (quota, no connection) before this one


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one send ended; `echo` is the record as the target now shows it, in the twin's columns, when it told."""

    verdict: Verdict
    target_id: str | None = None
    code: str = ""
    reason: str = ""
    echo: Mapping[str, str | None] | None = None


@dataclass(frozen=True)
class Sent:
    """The answer to one batch: an outcome per write, in order; `stop` says why nothing more should be sent now."""

    outcomes: Sequence[Outcome]
    stop: Exception | None = None
    notes: Sequence[str] = field(default_factory=tuple)


UNFINISHED = "unfinished"  # code of a confirmed create whose second call is not known to have arrived


# Columns that every target state has before the target's own fields.
TARGET_STATE_COLUMNS = {
    "target_id": pl.String,  # the target's internal id
    "external_id": pl.String,  # our key in it, null for records that are not ours
    "is_active": pl.Boolean,
    "parent_id": pl.String,  # target id of the parent record, null at the top
    "updated_at": pl.String,  # the target's own time stamp as it sent it
}


@dataclass(frozen=True)
class Estimate:
    """What sending takes, by the target's known limits."""

    calls: int
    seconds: float | None = None  # None: no limit is known that would say


@dataclass(frozen=True)
class Asked:
    """Which records of a target a few source records may be.

    Attributes:
        keys: Our keys, of all of them.
        known: Target id to our key, of those that were there.
        alike: Values by field, of those that are yet to be found by a rule.
    """

    keys: Sequence[str]
    known: Mapping[str, str] = field(default_factory=dict)
    alike: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Target(Protocol):
    """One kind of record in one system, seen from the engine."""

    name: str  # "suiteprojects.Customer"
    system: str  # "suiteprojects"
    key_field: str  # the field that carries the source id: "externalid"
    active_field: str  # the field that switches a record on and off: "active"
    batch_size: int  # writes handed over at once: one commit of intents, one of outcomes
    follows_up: bool  # whether a create takes a second call, after which only it is finished
    lists_all: bool  # whether `read` surely shows every record, also those that are off

    @property
    def calls(self) -> int:
        """Requests made so far, reads and writes."""
        ...

    @property
    def calls_left(self) -> int | None:
        """Requests that the target still allows today; None where it has no such limit, or has not told."""
        ...

    def fields(self) -> Mapping[str, TargetField]:
        """The fields that may be mapped."""
        ...

    def read(self, fields: Sequence[str]) -> pl.DataFrame:
        """Every record that the target has, ours and others': TARGET_STATE_COLUMNS and the asked fields (all String).

        Raises:
            IntegrationError: A short or malformed answer never comes back as a shorter frame.
        """
        ...

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """The records that carry these keys now, read afresh; same columns as `read`."""
        ...

    def look(self, asked: Asked, fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """Some records as they are now, without reading all of them.

        Returns:
            Those that are there, in the columns of `read`, and target ids for which there was no room in this run. Of
            a known record that is in neither it is certain that it is gone.
        """
        ...

    def estimate(self, writes: Mapping[str, int]) -> Estimate:
        """What it takes to send so many creates, updates and so on."""
        ...

    def send(self, batch: Sequence[Write]) -> Sent:
        """Send up to `batch_size` writes and tell how each ended; raises nothing for a record's sake."""
        ...

    def finish(self, target_ids: Sequence[str]) -> Sent:
        """Do once more what follows a create, for records of which it is not known whether it was done.

        Each one that was not reached is confirmed as UNFINISHED.
        """
        ...

    def ask(self, keys: Mapping[str, str], fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """Ask by target id for records that `read` did not show and that were there once.

        Args:
            keys: Target id to the key that the record has.
            fields: As for `read`.

        Returns:
            Those that are there, in the columns of `read`, and the target ids for which there was no room in this run.
        """
        ...


class SimpleTarget(ABC):
    """A target that shows everything it has, and whose creates are done with one call."""

    follows_up = False
    lists_all = True

    @abstractmethod
    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """See `Target.find`."""

    def look(self, asked: Asked, fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """By their keys alone."""
        return self.find(asked.keys, fields), ()

    def finish(self, target_ids: Sequence[str]) -> Sent:
        """Nothing is left to do."""
        return Sent([Outcome(Verdict.CONFIRMED, target_id) for target_id in target_ids])

    @property
    def calls_left(self) -> int | None:
        """It has no such limit."""
        return None

    def ask(self, keys: Mapping[str, str], fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:  # noqa: ARG002 - none is there
        """What was not shown is not there."""
        return pl.DataFrame(schema={**TARGET_STATE_COLUMNS, **dict.fromkeys(fields, pl.String)}), ()
