"""Send one option: validate it, create or replace it, repair its external id, restrict it to legal entities.

Write  ->  OptionWriter.write  ->  WriteResult(outcome, stop)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from assets.delivery.target import KEYED, UNFINISHED, Action, Outcome, Verdict, Write
from assets.precoro.canonical import FIELDS, echo
from assets.precoro.option_state import OptionState
from resources.errors import (
    AnswerLostError,
    BusyError,
    ContractError,
    IntegrationError,
    QuotaExhaustedError,
    RateLimitedError,
    RecordRejectedError,
    RequestRejectedError,
    TransientError,
    UnreachableError,
)
from resources.precoro.client import PrecoroClient
from resources.precoro.records import Option

# the native integration uses three levels, the import five: precoro.md §5 and §9
MAX_LEVEL = 5
NAME_LIMIT = FIELDS["name"].max_length or 256
# calls of a new option that is restricted to legal entities
CALLS_PER_CREATE = 2
# code of a new option whose restriction the service rejected; a retry cannot succeed before a person fixes the file
UNTIED = "untied"
GONE = frozenset({"404", "410"})  # the option does not exist
EXISTS = "already_exists"  # code of a create that was answered with an option of another record


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The outcome of one write, and the error after which nothing more should be sent."""

    outcome: Outcome
    stop: Exception | None = None


@dataclass
class OptionWriter:
    """Writes options of one field; `field_id` looks the field up when it is first needed."""

    client: PrecoroClient
    field_id: Callable[[], int]
    state: OptionState
    legal_entity_ids: Sequence[str]

    def write(self, write: Write) -> WriteResult:
        """Send one write."""
        creating = write.target_id is None
        try:
            field_id = self.field_id()
            values = self.state.complete_form(write)
            violation = self._violation(write, values)
            if violation:
                return WriteResult(violation)
            if creating:
                self._require_quota()
            self.state.listing = None
            if write.target_id is None:
                option = self.client.create_option(field_id, values)
                if existing := self.state.existing(option, values.get("externalId"), write):
                    return WriteResult(Outcome(Verdict.REJECTED, None, EXISTS, existing))
            else:
                option = self.client.replace_option(field_id, int(write.target_id), values)
        except (RecordRejectedError, RequestRejectedError) as error:
            return _rejected(error)
        except TransientError as error:
            return _not_taken(write, error)
        except IntegrationError as error:  # the daily quota, or a field that cannot be read
            return WriteResult(Outcome(Verdict.NOT_SENT, write.target_id, reason=error.reason), error)
        return self._complete(field_id, write, values, option)

    def _violation(self, write: Write, values: Mapping[str, str]) -> Outcome | None:
        """Return the rejection of an option that violates a known limit; it costs no call."""
        level = self.state.level_of(write)
        name = values.get("name", "")
        if not name:
            code, reason = "name_missing", "the option has no name"
        elif len(name) > NAME_LIMIT:
            code, reason = "name_too_long", f"the name has {len(name)} characters; {NAME_LIMIT} are allowed"
        elif level > MAX_LEVEL:
            code, reason = "too_deep", f"the option is on level {level}; {MAX_LEVEL} are allowed"
        else:
            return None
        return Outcome(Verdict.REJECTED, write.target_id, code, reason)

    def _require_quota(self) -> None:
        """Raise QuotaExhaustedError if a create would remain without its second call."""
        if self.legal_entity_ids and self.client.remaining().get("day", CALLS_PER_CREATE) < CALLS_PER_CREATE:
            reason = f"a new option takes {CALLS_PER_CREATE} calls, and fewer are left today"
            until = self.client.room_at(CALLS_PER_CREATE)
            raise QuotaExhaustedError("precoro", "create option", reason, until=until)

    def _complete(self, field_id: int, write: Write, values: Mapping[str, str], option: Option) -> WriteResult:
        """Repair the external id if the service did not store it, and restrict a new option."""
        target_id, external_id = str(option.option_id), values.get("externalId")
        carried = write.action is Action.CREATE and bool(external_id) and option.external_id == external_id
        keyed = restricted = WriteResult(Outcome(Verdict.CONFIRMED, target_id))
        try:
            if external_id and option.external_id != external_id:
                keyed_option = self.client.set_external_id(field_id, option.option_id, external_id)
                option = keyed_option if keyed_option.is_whole else replace(option, external_id=external_id)
        except IntegrationError as error:
            keyed = _incomplete(target_id, error)
        if write.action is Action.CREATE and self.legal_entity_ids:
            restricted = keyed if keyed.stop else self.restrict(target_id)
        parent = values.get("parent[id]")
        self.state.record_write(option, parent)
        reason = restricted.outcome.reason or keyed.outcome.reason
        lost = UNFINISHED if write.action is Action.CREATE and keyed.outcome.code == UNFINISHED else ""
        code = restricted.outcome.code or lost or (KEYED if carried else "")
        seen = echo(option, parent or None) if option.is_whole else None
        outcome = replace(restricted.outcome, code=code, reason=reason, echo=seen)
        return WriteResult(outcome, restricted.stop or keyed.stop)

    def restrict(self, target_id: str) -> WriteResult:
        """Restrict an existing option to the legal entities."""
        try:
            self.client.depend_add(int(target_id), self.legal_entity_ids)
        except IntegrationError as error:
            return _incomplete(target_id, error)
        return WriteResult(Outcome(Verdict.CONFIRMED, target_id))


def _rejected(error: RecordRejectedError | RequestRejectedError) -> WriteResult:
    """Return a rejected record; an error that every request would have stops the run."""
    if isinstance(error, RecordRejectedError) or error.code in GONE:
        return WriteResult(Outcome(Verdict.REJECTED, code=error.code, reason=error.reason))
    return WriteResult(Outcome(Verdict.NOT_SENT, code=error.code, reason=error.reason), error)


def _not_taken(write: Write, error: TransientError) -> WriteResult:
    """Return a write that did not arrive, or may have; errors of this option alone do not stop the run."""
    if isinstance(error, AnswerLostError):
        return WriteResult(Outcome(Verdict.UNKNOWN, write.target_id, reason=error.reason))
    if isinstance(error, BusyError):  # the next run sends it
        return WriteResult(Outcome(Verdict.NOT_SENT, write.target_id, error.code, error.reason))
    # a repeated PUT may have arrived once; a POST that could have arrived is an AnswerLostError
    may_have_arrived = write.target_id is not None and not isinstance(error, RateLimitedError)
    verdict = Verdict.UNKNOWN if may_have_arrived else Verdict.NOT_SENT
    return WriteResult(Outcome(verdict, write.target_id, reason=error.reason), error if _is_general(error) else None)


def _is_general(error: IntegrationError) -> bool:
    """Return whether a failure concerns the service, and not perhaps one option: then it stops the run at once."""
    return not isinstance(error, TransientError | ContractError) or isinstance(
        error, RateLimitedError | UnreachableError
    )


def _incomplete(target_id: str, error: IntegrationError) -> WriteResult:
    """Return a written option whose next call was rejected, or may not have arrived."""
    rejected = isinstance(error, RecordRejectedError | RequestRejectedError) and _rejected(error).stop is None
    continues = rejected or not _is_general(error)
    reason = f"option {target_id} is written, but: {error}"
    outcome = Outcome(Verdict.CONFIRMED, target_id, UNTIED if rejected else UNFINISHED, reason)
    return WriteResult(outcome, None if continues else error)
