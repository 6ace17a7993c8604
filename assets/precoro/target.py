"""What the delivery engine must know of Precoro: the options of one items custom field.

engine  ->  OptionTarget.read / find / send  ->  PrecoroClient  ->  one call per option
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

import polars as pl

from assets.delivery.target import UNFINISHED, Action, Asked, Estimate, Outcome, Sent, TargetField, Verdict, Write
from assets.precoro.canonical import FIELDS, echo, frame
from assets.precoro.estimate import seconds_for
from assets.precoro.option_state import Memory
from resources.errors import (
    AnswerLostError,
    ContractError,
    IntegrationError,
    QuotaExhaustedError,
    RateLimitedError,
    RecordRejectedError,
    RequestRejectedError,
    TransientError,
)
from resources.precoro.client import CustomField, Option, PrecoroClient

DROP_DOWN = "drop-down"
# the native integration uses three levels, the import five: precoro.md §5 and §9
MAX_LEVEL = 5
# a listing may be shown again for as long as the service would refuse the same GET: precoro.md §3
LISTING_AGE = timedelta(seconds=60)
# a new option, and its tie to legal entities
CALLS_TIED = 2
# code of a new option whose tie the service refused; nothing would change before a person corrects the file
UNTIED = "untied"
# lost answers in a row after which the connection counts as gone
LOST_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class _End:
    """How one write ended, and why nothing more should be sent now."""

    outcome: Outcome
    stop: Exception | None = None
    note: str = ""


class OptionTarget:
    """The options of one items custom field; see `assets.delivery.target.Target`.

    Precoro's options do not tell their parent (precoro.md §5 [U]): `parent_id` in the frames is null unless the
    service says it after all. The engine's own links are the memory of the tree.
    """

    name = "precoro.Option"
    system = "precoro"
    key_field = "externalId"
    active_field = "enable"
    batch_size = 50
    lists_all = False  # precoro.md §12.2 [U]
    asks_most = 500  # options that are asked for one by one in a run: a sixth of the day's allowance

    def __init__(
        self,
        client: PrecoroClient,
        field: int | str,
        *,
        max_level: int = MAX_LEVEL,
        level_limits: Mapping[int, int] | None = None,
        legal_entity_ids: Sequence[str] = (),
    ) -> None:
        """Aim at one field; it is looked up with the first read or send.

        Args:
            client: Precoro, one company.
            field: The field's id, or its exact name.
            max_level: Deepest level that is sent; deeper options are rejected without a call.
            level_limits: Longest name by level, where it is shorter than the field's own limit.
            legal_entity_ids: Precoro legal entities that each new option is tied to, one more call each.
        """
        self._client = client
        self._wanted = str(field)
        self._max_level = max_level
        self._level_limits = dict(level_limits or {})
        self._legal_entity_ids = tuple(legal_entity_ids)
        self.follows_up = bool(legal_entity_ids)
        self._memory = Memory()
        self._listing: tuple[datetime, list[Option]] | None = None
        self._few = False  # only some records are meant: what may be listed once a minute is not listed for them

    @property
    def calls(self) -> int:
        """Requests made so far, reads and writes."""
        return self._client.calls

    def fields(self) -> Mapping[str, TargetField]:
        """The fields that may be mapped."""
        return FIELDS

    @cached_property
    def field(self) -> CustomField:
        """The field, checked.

        Raises:
            RequestRejectedError: There is no such field, several have the name, or it cannot hold options.
        """
        operation = "choose the custom field"
        listed = self._client.fields_of_late() if self._few else self._client.fields()
        found = [each for each in listed if self._wanted in {str(each.field_id), each.name}]
        if len(found) != 1:
            reason = f"{len(found) or 'no'} items custom fields are called {self._wanted!r}; give the id"
            raise RequestRejectedError("precoro", operation, reason, code="field_missing")
        field = found[0]
        if not field.enable:
            raise RequestRejectedError(
                "precoro", operation, f"field {field.field_id} is disabled", code="field_disabled"
            )
        if field.type_text and DROP_DOWN not in field.type_text.lower():
            reason = f"field {field.field_id} is of type {field.type_text!r}, not a drop-down list"
            raise RequestRejectedError("precoro", operation, reason, code="field_type")
        return field

    def read(self, fields: Sequence[str]) -> pl.DataFrame:
        """Every option of the field, foreign ones (external_id null) included.

        A listing of the last minute is shown again when nothing was sent since.
        """
        now = self._client.clock.now()
        if self._listing is None or now - self._listing[0] > LISTING_AGE:
            self._list()
        assert self._listing is not None
        return frame(self._listing[1], fields)

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """The options that carry these external ids now.

        An option whose creation was lost, and which the service left without its external id, is recognised by
        being new, by name and by level, and gets its external id; when in doubt it is left alone.
        """
        options = self._list()
        found = [option for option in options if option.external_id in set(external_ids)]
        missing = set(external_ids) - {option.external_id for option in found}
        for option, external_id in self._memory.orphans(options, missing):
            found.append(self._client.set_external_id(self.field.field_id, option.option_id, external_id))
        self._memory.found(found)
        return frame(found, fields)

    def ask(self, keys: Mapping[str, str], fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """Ask for options that the listing does not show; it may leave out those that are disabled.

        No client was ever seen to read one option (precoro.md §5). The documented call by id sets the external id:
        here to what it is already, and the answer is the option, or that there is none.
        """
        room = min(self.asks_most, self._client.remaining().get("day", self.asks_most))
        asked, unasked, there = list(keys)[:room], set(list(keys)[room:]), []
        for target_id in asked:
            try:
                there.append(self._client.set_external_id(self.field.field_id, int(target_id), keys[target_id]))
            except RecordRejectedError:
                unasked.add(target_id)
            except RequestRejectedError as error:
                if error.code != "404":
                    raise
        for option in there:
            self._memory.wrote(option, None)
        return frame(there, fields), unasked

    def look(self, asked: Asked, fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """One call for each option that was there; what never was there is believed to be missing.

        A whole listing for each save would use up the day's allowance.
        """
        self._few = True
        return self.ask(asked.known, fields)

    def _list(self) -> list[Option]:
        field_id, began = self.field.field_id, self._client.clock.now()
        options = self._client.options(field_id)
        self._listing = (began, options)
        self._memory.saw(options)
        return options

    @property
    def calls_left(self) -> int | None:
        """What today's allowance has left, by our own count of calls."""
        return self._client.remaining().get("day")

    def estimate(self, writes: Mapping[str, int]) -> Estimate:
        """One call an option, one more for each new one that is tied to legal entities; today's calls are counted."""
        calls = sum(writes.values())
        calls += writes.get(Action.CREATE.value, 0) if self.follows_up else 0
        there = len(self._listing[1]) if self._listing else 0
        left = self.calls_left
        return Estimate(calls, seconds_for(calls, there=there, **({} if left is None else {"left": left})))

    def send(self, batch: Sequence[Write]) -> Sent:
        """Send the writes one by one, in order; a refused record does not stop the others."""
        outcomes: list[Outcome] = []
        notes: list[str] = []
        stop: Exception | None = None
        lost_in_a_row = 0
        for write in batch:
            if stop:
                outcomes.append(Outcome(Verdict.NOT_SENT, reason=f"stopped before it: {stop}"))
                continue
            end = self._send_one(write)
            outcomes.append(end.outcome)
            notes += [end.note] if end.note else []
            lost_in_a_row = lost_in_a_row + 1 if end.outcome.verdict is Verdict.UNKNOWN else 0
            stop = end.stop
            if lost_in_a_row >= LOST_IN_A_ROW and not stop:
                reason = f"{lost_in_a_row} answers in a row were lost"
                stop = TransientError("precoro", "send options", reason)
        return Sent(outcomes, stop, tuple(notes))

    def _send_one(self, write: Write) -> _End:
        creating = write.target_id is None
        try:
            field_id = self.field.field_id
            values = self._memory.whole(write)
            refusal = self._refusal(write, values)
            if refusal:
                return _End(refusal)
            if creating and self.follows_up and self._client.remaining().get("day", CALLS_TIED) < CALLS_TIED:
                raise QuotaExhaustedError("precoro", "create option", "today's last call would leave it untied")
            self._listing = None
            if write.target_id is None:
                option = self._client.create_option(field_id, values)
            else:
                option = self._client.replace_option(field_id, int(write.target_id), values)
        except (RecordRejectedError, RequestRejectedError) as error:
            return _refused(error)
        except AnswerLostError as error:
            if creating:
                self._memory.lost(write)
            return _End(Outcome(Verdict.UNKNOWN, write.target_id, reason=error.reason))
        except TransientError as error:
            # a repeated PUT may have arrived once; a POST that could have arrived is an AnswerLostError
            maybe = not creating and not isinstance(error, RateLimitedError)
            verdict = Verdict.UNKNOWN if maybe else Verdict.NOT_SENT
            return _End(Outcome(verdict, write.target_id, reason=error.reason), stop=error)
        except IntegrationError as error:  # the day's allowance, a field that cannot be read
            return _End(Outcome(Verdict.NOT_SENT, write.target_id, reason=error.reason), stop=error)
        return self._settled(write, values, option)

    def _refusal(self, write: Write, values: Mapping[str, str]) -> Outcome | None:
        """What need not be sent, because Precoro would refuse or spoil it."""
        level = self._memory.level_of(write)
        name = values.get("name", "")
        limit = min(self._level_limits.get(level, NAME_LIMIT), NAME_LIMIT)
        if not name:
            return Outcome(Verdict.REJECTED, write.target_id, "name_missing", "an option needs a name")
        if len(name) > limit:
            reason = f"the name has {len(name)} characters, level {level} takes {limit}"
            return Outcome(Verdict.REJECTED, write.target_id, "name_too_long", reason)
        if level > self._max_level:
            reason = f"level {level} is deeper than {self._max_level}"
            return Outcome(Verdict.REJECTED, write.target_id, "too_deep", reason)
        return None

    def finish(self, target_ids: Sequence[str]) -> Sent:
        """Tie options to the legal entities, once more if they are tied already; a refusal ends it for that option."""
        outcomes: list[Outcome] = []
        stop: Exception | None = None
        for target_id in target_ids:
            if stop:
                outcomes.append(Outcome(Verdict.CONFIRMED, target_id, UNFINISHED, f"stopped before it: {stop}"))
                continue
            end = self._tied(target_id)
            outcomes.append(end.outcome)
            stop = end.stop
        return Sent(outcomes, stop)

    def _tied(self, target_id: str) -> _End:
        """Restrict one option that is there to the legal entities."""
        try:
            self._client.depend_add(int(target_id), self._legal_entity_ids)
        except IntegrationError as error:
            return _half_done(target_id, error)
        return _End(Outcome(Verdict.CONFIRMED, target_id))

    def _settled(self, write: Write, values: Mapping[str, str], option: Option) -> _End:
        """After the write itself: repair the external id when the service did not take it, tie a new option."""
        wanted, target_id = values.get(self.key_field), str(option.option_id)
        keyed = tied = _End(Outcome(Verdict.CONFIRMED, target_id))
        try:
            if wanted and option.external_id != wanted:
                option = self._client.set_external_id(self.field.field_id, option.option_id, wanted)
        except IntegrationError as error:
            keyed = _half_done(target_id, error)
        if write.action is Action.CREATE and self.follows_up:
            tied = keyed if keyed.stop else self._tied(target_id)
        parent = values.get("parent[id]") or None
        self._memory.wrote(option, parent)
        note = tied.note or keyed.note
        outcome = replace(tied.outcome, reason=note, echo=echo(option, parent))
        return _End(outcome, tied.stop or keyed.stop, note)


NAME_LIMIT = FIELDS["name"].max_length or 256


def _refused(error: RecordRejectedError | RequestRejectedError) -> _End:
    """A record's own fault goes on with the next; a fault of every request stops."""
    if isinstance(error, RecordRejectedError) or error.code == "404":
        return _End(Outcome(Verdict.REJECTED, code=error.code, reason=error.reason))
    return _End(Outcome(Verdict.NOT_SENT, code=error.code, reason=error.reason), stop=error)


def _half_done(target_id: str, error: IntegrationError) -> _End:
    """The option itself is written; what comes after it was refused, or is not known to have arrived."""
    refused = isinstance(error, RecordRejectedError | RequestRejectedError) and _refused(error).stop is None
    goes_on = refused or isinstance(error, ContractError | AnswerLostError)
    note = f"option {target_id} is written, but: {error}"
    outcome = Outcome(Verdict.CONFIRMED, target_id, UNTIED if refused else UNFINISHED, note)
    return _End(outcome, None if goes_on else error, note)
