"""The interface between the engine and a target.

mart (desired) + Target.read() (current)  ->  decide  ->  Target.send(batch)  ->  outcomes  ->  ledger

Values cross it as canonical text: cells are str or null, blank is null, booleans are "1" and "0", dates "YYYY-MM-DD",
numbers as the target writes them. So any two states compare with `==`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import polars as pl

from resources.account import UNKNOWN, Account


class Action(StrEnum):
    """The decision about one source record; every run makes exactly one."""

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
    DEFERRED = "deferred"
    FAILED = "failed"


WRITING = frozenset({Action.CREATE, Action.ADOPT, Action.UPDATE, Action.DEACTIVATE, Action.REACTIVATE})
# decisions that wait for a person, as stored
HELD = tuple(each.value for each in (Action.QUARANTINED, Action.BLOCKED, Action.AMBIGUOUS, Action.FAILED))


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Characters that the target cannot take: a reason code, the inside of a character class, and the reason."""

    code: str
    characters: str
    reason: str


@dataclass(frozen=True, slots=True)
class TargetField:
    """One field that a workflow may map to."""

    name: str
    description: str = ""
    kind: str = "text"  # text, boolean, number, date
    max_length: int | None = None  # characters; None: not documented
    required: bool = False
    choices: frozenset[str] | None = None  # the values that a list field accepts; None: any
    choices_of: str = "values that the target accepts"  # what the choices are, in a reason
    keeps_others: bool = False  # whether a record that has another value may keep it
    forbidden: tuple[Forbidden, ...] = ()  # what a text must not contain


def _belongs_to_none(target_id: str) -> bool:  # noqa: ARG001 - the default of `Write.are_others`
    return False


@dataclass(frozen=True, slots=True)
class Write:
    """One record to send.

    Attributes:
        values: The whole desired record (for an update: the current record, overlaid with the desired values), for
            targets that replace records.
        changed: The fields that differ, for targets that update parts of records.
        are_others: Whether a target id belongs to another record of ours, by the ledger; a create made no such record.
    """

    source: str
    source_id: str
    action: Action
    target_id: str | None
    values: Mapping[str, str | None]
    changed: frozenset[str]
    parent_id: str | None = None
    are_others: Callable[[str], bool] = field(default=_belongs_to_none, compare=False, repr=False)


class Verdict(StrEnum):
    """The outcome of one send."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"  # the target rejected this record; the batch continues
    UNKNOWN = "unknown"  # sent, but the response was lost: read back before sending again
    NOT_SENT = "not_sent"  # the run stopped before this record (quota, no connection)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one send; `echo` is the record in the columns of `read`, if the response contains it."""

    verdict: Verdict
    target_id: str | None = None
    code: str = ""
    reason: str = ""
    echo: Mapping[str, str | None] | None = None


@dataclass(frozen=True)
class SendResult:
    """The outcomes of a batch, one per write, in order; with `stop` nothing more can be sent in this run."""

    outcomes: Sequence[Outcome]
    stop: Exception | None = None


UNEXPLAINED = "unexplained"  # code of an unknown outcome: the target rejected this record without a reason
UNFINISHED = "unfinished"  # code of a confirmed create whose second call may not have arrived
KEYED = "keyed"  # code of a confirmed create whose response had our key, so it needed no second call for it


TOP = "top"  # parent_id of a record that the target shows without a parent


def parent_of(parent_id: str | None) -> str | None:
    """Return the parent's id by the `parent_id` of a target state; None at the top level, or if it is not known."""
    return None if parent_id == TOP else parent_id


# Columns of every target state, before the target's own fields.
TARGET_STATE_COMMENTS = {
    "target_id": "The target's internal id.",
    "external_id": "Our key in the target's record; null for records that are not ours.",
    "is_active": "Whether the target's record is active.",
    "parent_id": "Target id of the parent record, or `top` if it has none; null if the target does not return it.",
    "updated_at": "Time of the last change of the target's record, as the target returns it.",
}
TARGET_STATE_COLUMNS = {name: pl.Boolean if name == "is_active" else pl.String for name in TARGET_STATE_COMMENTS}


@dataclass(frozen=True)
class Estimate:
    """The cost of sending a plan, by the target's known limits."""

    calls: int
    seconds: float | None = None  # None: no known limit determines it


@dataclass(frozen=True)
class RecordQuery:
    """The target records that some source records may correspond to.

    Attributes:
        keys: Our keys of all of these source records.
        known: Target id to our key, of records that existed before.
        values: Values by field, of records that a match rule has yet to find.
    """

    keys: Sequence[str]
    known: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Unkeyed:
    """The records without our key: all of them, and for each create those with its name and its place."""

    target_ids: Collection[str] = ()
    alike: Sequence[Sequence[str]] = ()


class Target(Protocol):
    """One type of record in one target system, as the engine sees it.

    The defaults are those of a target that lists all of its records, creates each in one call, and has no daily limit.
    """

    name: str  # "suiteprojects.Customer"
    system: str  # "suiteprojects"
    key_field: str  # the field that holds our key: "externalid"
    active_field: str  # the field that activates and deactivates a record: "active"
    batch_size: int  # writes per `send`: one commit of intents, one of outcomes
    one_request: bool = True  # whether a batch is one request: one record may then cost all of them the response
    creates_in_two_calls: bool = False  # whether a create is only complete after a second call
    lists_all: bool = True  # whether `read` is known to return every record, inactive ones included
    lists_deleted: bool = False  # whether it lists deleted records: one that is neither shown nor listed is hidden
    name_field: str = ""  # the name of a record that a create left without our key; blank: a create never does
    settle_s: float = 0.0  # seconds after a create in which a read may not show the record yet

    @property
    def calls(self) -> int:
        """Requests made so far, reads and writes."""
        ...

    @property
    def calls_left(self) -> int | None:
        """Requests left for today; None if there is no limit, or it is not known yet."""
        return None

    @property
    def account(self) -> Account:
        """The account, and the part of it, that the records belong to; empty if nothing is known of it."""
        return UNKNOWN

    def fields(self) -> Mapping[str, TargetField]:
        """Return the fields that may be mapped."""
        ...

    def accepted(self, names: Sequence[str]) -> Mapping[str, TargetField]:  # noqa: ARG002 - it shows nothing more
        """Return `fields`, those of these names with what the account accepts now, as far as it shows that."""
        return self.fields()

    def read(self, fields: Sequence[str]) -> pl.DataFrame:
        """Read every record of the target, ours and others': TARGET_STATE_COLUMNS and these fields (all String).

        Raises:
            IntegrationError: The response was incomplete or malformed; a partial frame is never returned.
        """
        ...

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """Read the records that currently have these keys, without a cache; columns as in `read`."""
        ...

    def read_records(self, query: RecordQuery, fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """Read some records without reading all of them.

        Returns:
            The existing records, in the columns of `read`, and the target ids that this run had no calls left for. A
            known record in neither of them does not exist.
        """
        return self.find(query.keys, fields), ()

    def estimate(self, writes: Mapping[str, int]) -> Estimate:
        """Estimate the cost of these writes, counted by action."""
        ...

    def send(self, batch: Sequence[Write]) -> SendResult:
        """Send up to `batch_size` writes; no fault of a record raises."""
        ...

    def finish_creates(self, target_ids: Sequence[str]) -> SendResult:
        """Repeat the second call of creates, for records whose second call may not have arrived.

        A record that this run could not reach is confirmed with the code UNFINISHED.
        """
        return SendResult([Outcome(Verdict.CONFIRMED, target_id) for target_id in target_ids])

    def find_unkeyed(self, creates: Sequence[Write]) -> Unkeyed:
        """Return the records without our key.

        Raises:
            IntegrationError: They cannot be read.
        """
        return Unkeyed(alike=[()] * len(creates))

    def read_unlisted(self, keys: Mapping[str, str], fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:  # noqa: ARG002 - nothing is unlisted here
        """Read by target id the records that existed before and that `read` did not return.

        Args:
            keys: Target id to our key in the record.
            fields: As for `read`.

        Returns:
            As `read_records`; the ids that could not be read are those of hidden records, if `lists_deleted`.
        """
        return pl.DataFrame(schema={**TARGET_STATE_COLUMNS, **dict.fromkeys(fields, pl.String)}), ()
