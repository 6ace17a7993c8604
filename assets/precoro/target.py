"""Precoro options as targets of the delivery engine: the options of one items custom field.

engine  ->  OptionTarget.read / find / send  ->  PrecoroClient  ->  one call per option
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import polars as pl

from assets.delivery.errors import InterruptedDeliveryError
from assets.delivery.target import (
    UNFINISHED,
    Action,
    Estimate,
    Outcome,
    RecordQuery,
    SendResult,
    TargetField,
    Unkeyed,
    Verdict,
    Write,
)
from assets.precoro.canonical import FIELDS, frame
from assets.precoro.estimate import seconds_for
from assets.precoro.option_state import OptionState
from assets.precoro.option_writer import GONE, OptionWriter, WriteResult
from resources.account import Account
from resources.errors import BusyError, RateLimitedError, RecordRejectedError, RequestRejectedError, TransientError
from resources.http_failures import BUSY, ONE_RECORD, USUAL
from resources.precoro.client import PrecoroClient
from resources.precoro.errors import PAGE
from resources.precoro.records import CustomField, Option, candidates

# a listing is reused for as long as the service rejects the same GET: precoro.md §3
LISTING_AGE = timedelta(seconds=60)
UNUSUAL_IN_A_ROW = 3  # answers that one record may well have, but not each of them


class OptionTarget:
    """The options of one items custom field; see `assets.delivery.target.Target`.

    Precoro does not return an option's parent (precoro.md §5 [U]): `parent_id` is null in the frames unless the service
    returns it after all. The tree is known from the engine's own links.
    """

    name = "precoro.Option"
    system = "precoro"
    key_field = "externalId"
    active_field = "enable"
    name_field = "name"  # a create may ignore the external id: precoro.md §7.2 [U]
    settle_s = LISTING_AGE.total_seconds()  # whether a listing shows a new option at once: precoro.md §12.2 [U]
    batch_size = 50
    lists_all = False  # precoro.md §12.2 [U]
    lists_deleted = False
    one_request = False
    max_single_reads = 500  # options read one by one in a run: a sixth of the daily quota

    def __init__(
        self,
        client: PrecoroClient,
        field: int | str,
        *,
        legal_entity_ids: Sequence[str] = (),
    ) -> None:
        """Set the field; the first read or send looks it up.

        Args:
            client: Precoro, one company.
            field: The field's id, or its exact name.
            legal_entity_ids: Precoro legal entities to which each new option is restricted, with one more call each.
        """
        self._client = client
        self._field_name = str(field)
        self.creates_in_two_calls = bool(legal_entity_ids)
        self._state = OptionState()
        self._writer = OptionWriter(client, lambda: self.field.field_id, self._state, tuple(legal_entity_ids))
        self._selected_only = False  # a run of a few records does not repeat a listing that may be cached

    @property
    def calls(self) -> int:
        """Requests made so far, reads and writes."""
        return self._client.calls

    @property
    def account(self) -> Account:
        """The account and the field."""
        return {**self._client.account, "field": str(self.field.field_id)}

    def fields(self) -> Mapping[str, TargetField]:
        """Return the fields that may be mapped."""
        return FIELDS

    def accepted(self, names: Sequence[str]) -> Mapping[str, TargetField]:  # noqa: ARG002 - Precoro shows nothing more
        """Return the fields that may be mapped."""
        return FIELDS

    @cached_property
    def field(self) -> CustomField:
        """The field, validated.

        Raises:
            RequestRejectedError: There is no such field, several have the name, or it cannot contain options.
        """
        fields = self._client.recent_fields() if self._selected_only else self._client.fields()
        return _usable_field(fields, self._field_name)

    def read(self, fields: Sequence[str]) -> pl.DataFrame:
        """Read every option of the field, including foreign ones (external_id null).

        A listing of the last minute is reused if nothing was sent since.
        """
        return frame(self._listed(), fields)

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """Read the options that currently have these external ids."""
        wanted = set(external_ids)
        return frame([option for option in self._list() if option.external_id in wanted], fields)

    def find_unkeyed(self, creates: Sequence[Write]) -> Unkeyed:
        """Return the options without an external id."""
        options = [each for each in self._listed() if each.external_id is None]
        alike = [[str(each.option_id) for each in options if self._state.could_be(each, write)] for write in creates]
        return Unkeyed([str(each.option_id) for each in options], alike)

    def read_unlisted(self, keys: Mapping[str, str], fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """Read by id the options that the listing does not contain, because it may omit disabled ones.

        No client was ever seen to read one option (precoro.md §5). The documented call by id sets the external id: here
        to its current value, and the response is the option, or a 404.
        """
        limit = min(self.max_single_reads, self._client.remaining().get("day", self.max_single_reads))
        existing: list[Option] = []
        unread, failed = set(list(keys)[limit:]), 0
        for target_id in list(keys)[:limit]:
            try:
                option = self._client.set_external_id(self.field.field_id, int(target_id), keys[target_id])
                failed = 0
                existing += [option] if option.is_whole else []
                unread |= set() if option.is_whole else {target_id}  # the response does not contain its values
            except (RecordRejectedError, BusyError):
                unread.add(target_id)
            except TransientError as error:  # of this option alone, unless it is the service
                failed += 1
                if failed >= UNUSUAL_IN_A_ROW or isinstance(error, RateLimitedError):
                    raise
                unread.add(target_id)
            except RequestRejectedError as error:
                if error.code == PAGE:  # if it counted as deleted, it would be created again
                    unread.add(target_id)
                elif error.code not in GONE:
                    raise
        for option in existing:
            self._state.record_write(option, None)
        return frame(existing, fields), unread

    def read_records(self, query: RecordQuery, fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """Read the options that existed before, one call each; others are taken to be missing.

        A complete listing for each change notification would exhaust the daily quota.
        """
        self._selected_only = True
        return self.read_unlisted(query.known, fields)

    def _listed(self) -> list[Option]:
        """Return the listing of the last minute, or a new one if something was sent since."""
        listing = self._state.listing
        recent = listing and timedelta(0) <= self._client.clock.now() - listing[0] <= LISTING_AGE
        return listing[1] if listing and recent else self._list()

    def _list(self) -> list[Option]:
        field_id, read_at = self.field.field_id, self._client.clock.now()
        options = self._client.options(field_id)
        self._state.record_listing(read_at, options)
        return options

    @property
    def calls_left(self) -> int | None:
        """Calls left of the daily quota, by our own count."""
        return self._client.remaining().get("day")

    def estimate(self, writes: Mapping[str, int]) -> Estimate:
        """Estimate one call per option, and one more per new option that is restricted to legal entities."""
        calls = sum(writes.values())
        calls += writes.get(Action.CREATE.value, 0) if self.creates_in_two_calls else 0
        existing = len(self._state.listing[1]) if self._state.listing else 0
        quota = {} if self.calls_left is None else {"left": self.calls_left}
        return Estimate(calls, seconds_for(calls, existing=existing, **quota))

    def send(self, batch: Sequence[Write]) -> SendResult:
        """Send the writes one by one, in order; a rejected record does not stop the others."""
        outcomes: list[Outcome] = []
        stop: Exception | None = None
        unusual = _Unusual()
        for write in batch:
            if stop:
                outcomes.append(Outcome(Verdict.NOT_SENT, reason=f"not sent, because the run stopped: {stop}"))
                continue
            result = self._write(write)
            outcomes.append(result.outcome)
            stop = result.stop or unusual.error_after(result.outcome)
        return SendResult(outcomes, stop)

    def _write(self, write: Write) -> WriteResult:
        """Send one write; an interrupt leaves its outcome unknown and keeps those before it."""
        try:
            return self._writer.write(write)
        except BaseException as interrupt:
            if isinstance(interrupt, Exception):
                raise
            error = InterruptedDeliveryError(interrupt)
            return WriteResult(Outcome(Verdict.UNKNOWN, write.target_id, reason=str(error)), error)

    def finish_creates(self, target_ids: Sequence[str]) -> SendResult:
        """Restrict options to the legal entities, even if they are already; a rejection is final for that option."""
        outcomes: list[Outcome] = []
        stop: Exception | None = None
        unusual = _Unusual()
        for target_id in target_ids:
            if stop:
                reason = f"not restricted, because the run stopped: {stop}"
                outcomes.append(Outcome(Verdict.CONFIRMED, target_id, UNFINISHED, reason))
                continue
            result = self._writer.restrict(target_id)
            outcomes.append(result.outcome)
            stop = result.stop or unusual.error_after(result.outcome)
        return SendResult(outcomes, stop)


@dataclass
class _Unusual:
    """Counts outcomes in a row that one option may well have, but not each of them."""

    kind: str = ""
    times: int = 0

    def error_after(self, outcome: Outcome) -> Exception | None:
        """Return the error of the service after the next outcome; None if it may still be that of single options."""
        kind = _unusual(outcome)
        self.times = self.times + 1 if kind == self.kind else 1
        self.kind = kind
        if not kind or self.times < UNUSUAL_IN_A_ROW:
            return None
        error = RequestRejectedError if outcome.verdict is Verdict.REJECTED else TransientError
        return error("precoro", "send options", f"{self.times} {kind}")


def _unusual(outcome: Outcome) -> str:
    """Return what is unusual in the outcome of one write, in words; blank if nothing is."""
    if outcome.verdict is Verdict.UNKNOWN:
        return "responses in a row were lost"
    if outcome.code == UNFINISHED:
        return "options in a row lack their second call"
    code = int(outcome.code) if outcome.code.isdecimal() else 0
    if code in (ONE_RECORD - USUAL) | BUSY:
        return f"options in a row were rejected with HTTP {code}"
    return "options in a row were not taken" if outcome.verdict is Verdict.NOT_SENT else ""


def _usable_field(fields: Sequence[CustomField], id_or_name: str) -> CustomField:
    """Return the field of this id or exact name.

    Raises:
        RequestRejectedError: None or several match, or the field cannot contain options.
    """
    found = candidates(fields, id_or_name)
    code, reason = "", ""
    if len(found) != 1:
        code = "field_missing"
        reason = f"{len(found) or 'no'} items custom fields are called {id_or_name!r}; set the field's id"
    elif not found[0].enable:
        code, reason = "field_disabled", f"field {found[0].field_id} is disabled"
    elif not found[0].takes_options:
        code, reason = (
            "field_type",
            f"field {found[0].field_id} is of type {found[0].type_text!r}, not a drop-down list",
        )
    if code:
        raise RequestRejectedError("precoro", "choose the custom field", reason, code=code)
    return found[0]
