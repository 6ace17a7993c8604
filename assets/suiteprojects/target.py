"""What the delivery engine must know of SuiteProjects Pro: customers, contacts and projects, by one class.

engine  ->  SuiteProjectsTarget.read / find / send  ->  encode  ->  SuiteProjectsClient  ->  answers  ->  engine
"""

from codecs import lookup as codec
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import ClassVar

import polars as pl

from assets.delivery.target import Asked, Estimate, Outcome, Sent, SimpleTarget, TargetField, Verdict, Write
from assets.suiteprojects.answers import NOT_DONE, outcome_of
from assets.suiteprojects.canonical import asked_fields, frame
from assets.suiteprojects.countries import SPELLINGS, spelled, understood
from assets.suiteprojects.encode import UnsendableError, Values, encoded, values_of
from assets.suiteprojects.hierarchies.memberships import LIST_FIELD, Memberships, places_of
from assets.suiteprojects.record_types import ACTIVE_FIELD, KEY_FIELD, KINDS, RecordKind
from resources.errors import AnswerLostError, CredentialsError, IntegrationError, RequestRejectedError
from resources.suiteprojects.client import PAGE, SuiteProjectsClient, read_command
from resources.suiteprojects.errors import refusal
from resources.suiteprojects.xml import Element, Record

__all__ = ["KINDS", "SuiteProjectsTarget"]

BATCH, MOST = 500, 1000  # suiteprojects_api.md §7: typically 500; up to 1000 are allowed
DAY_S = 86_400.0  # a plan that needs more requests than are left goes on with the next day's
MATCHES = 10  # rows asked for per key: more than one means that the key is not unique there
# the request as a whole was refused for what it holds, so a smaller one may pass
DIVISIBLE = frozenset({"10", "555", "854", "855", "400", "413", "422"})
_PICKER_KINDS = {"checkbox": "boolean", "numeric": "number", "currency": "number", "date": "date"}


class SuiteProjectsTarget(SimpleTarget):
    """One type of record in one account; see `assets.delivery.target.Target`."""

    system = "suiteprojects"
    key_field = KEY_FIELD
    active_field = ACTIVE_FIELD

    kinds: ClassVar[Mapping[str, RecordKind]] = KINDS

    def __init__(
        self,
        client: SuiteProjectsClient,
        type_name: str = "Customer",
        *,
        batch: int = BATCH,
        charset: str = "",
        countries: str = "names",
    ) -> None:
        """Aim at one type of record.

        Args:
            client: One account.
            type_name: One of `kinds`.
            batch: Records of one request, 1 to 1000.
            charset: The account's character set where it is not Unicode, such as `latin-1`.
            countries: `names`: codes become names and names are read as codes; `as_given`: as the mapping makes them.

        Raises:
            ValueError: There is no such type, character set or spelling, or no request takes so many records.
        """
        if countries not in SPELLINGS:
            raise ValueError(f"countries: {countries!r}; say {' or '.join(SPELLINGS)}")
        if type_name not in self.kinds:
            raise ValueError(f"suiteprojects has no target {type_name!r}; there are {sorted(self.kinds)}")
        if not 1 <= batch <= MOST:
            raise ValueError(f"batch: {batch} records; one request takes 1 to {MOST}")
        kind = self.kinds[type_name]
        self.name = f"suiteprojects.{type_name}"
        self.batch_size = batch
        self._client = client
        self._kind = kind
        self._charset = _known_charset(charset)
        self._names_countries = countries == "names"
        self._memberships = Memberships(client, kind.record_type.name, kind.record_type.association)

    @property
    def calls(self) -> int:
        """Requests made so far, reads and writes."""
        return self._client.calls

    # --- reading ----------------------------------------------------------------------------------------------

    def fields(self) -> Mapping[str, TargetField]:
        """The documented properties and the account's own custom fields."""
        return self._fields

    @cached_property
    def _fields(self) -> dict[str, TargetField]:
        asked = ["name", "title", "picker", "maxlength", "required", "active", "valuelist"]
        query = {"association": self._kind.record_type.association}
        custom = [
            TargetField(
                f"{record['name']}__c",
                record["title"] or "",
                kind=_PICKER_KINDS.get(record["picker"] or "", "text"),
                max_length=_length(record["maxlength"]),
                required=record["required"] == "1",
                choices=_choices(record),
            )
            for record in self._client.read_all("CustField", asked, query=query)
            if record["active"] == "1"  # the service refuses every write to one that is switched off
        ]
        return {**self._kind.fields, **{field.name: field for field in custom}}

    def read(self, fields: Sequence[str]) -> pl.DataFrame:
        """Every live record, 1000 a request.

        Raises:
            ValueError: An asked field does not exist.
        """
        self._check_names(fields)
        records = self._client.read_all(self._type_name, self._asked(fields), custom=_has_custom(fields))
        return self._frame(records, fields)

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """The live records that carry these keys now, a hundred keys a request."""
        return self._where([(KEY_FIELD, external_id) for external_id in external_ids], fields)

    def look(self, asked: Asked, fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """By key, by internal id, and by the fields of rules that are no custom fields; a hundred a request."""
        plain = self._kind.record_type.flat
        alike = [(name, value) for name, values in asked.alike.items() if name in plain for value in values]
        by = [*((KEY_FIELD, key) for key in asked.keys), *(("id", target_id) for target_id in asked.known), *alike]
        return self._where(by, fields).unique("target_id", keep="first", maintain_order=True), ()

    def _where(self, by: Iterable[tuple[str, str]], fields: Sequence[str]) -> pl.DataFrame:
        """The live records of which a property has a value."""
        self._check_names(fields)
        asked = self._asked(fields)
        reads = [
            read_command(self._type_name, asked, limit=str(MATCHES), custom=_has_custom(fields), query={name: value})
            for name, value in dict.fromkeys(by)
        ]
        size = PAGE // MATCHES
        chunks = [reads[start : start + size] for start in range(0, len(reads), size)]
        found = chain.from_iterable(self._client.read_many(chunk, fresh=True) for chunk in chunks)
        return self._frame(chain.from_iterable(found), fields)

    @property
    def _type_name(self) -> str:
        return self._kind.record_type.name

    def _asked(self, fields: Sequence[str]) -> list[str]:
        """The service's properties that show these fields."""
        places = places_of(fields)
        asked = asked_fields(self._kind, [name for name in fields if name not in places])
        return [*asked, *([LIST_FIELD] if places else [])]

    def _frame(self, records: Iterable[Record], fields: Sequence[str]) -> pl.DataFrame:
        shown = (self._seen(record, fields) for record in records)
        return frame(self._kind, self._known(fields), shown, fields)

    def _known(self, fields: Iterable[str]) -> dict[str, TargetField]:
        return {**self._fields, **{name: TargetField(name, "its node in that hierarchy") for name in places_of(fields)}}

    def _check_names(self, fields: Sequence[str]) -> None:
        unknown = set(fields) - self._fields.keys()
        if LIST_FIELD in self._kind.fields:
            unknown -= set(places_of(unknown))
        if unknown:
            mend = "add it there (a custom field must be active), or correct the mapping"
            raise ValueError(f"{self.name} has no field {sorted(unknown)}; {mend}")

    @property
    def calls_left(self) -> int | None:
        """What RateLimit told, less the requests since."""
        return self._client.left_today

    def estimate(self, writes: Mapping[str, int]) -> Estimate:
        """One request for each batch; what RateLimit told when the records were read says whether a day is enough."""
        calls, left = -(-sum(writes.values()) // self.batch_size), self.calls_left
        return Estimate(calls, DAY_S if left is not None and calls > left else None)

    # --- writing ----------------------------------------------------------------------------------------------

    def send(self, batch: Sequence[Write]) -> Sent:
        """Send up to `batch_size` writes as one request; every record has its own outcome."""
        outcomes: dict[int, Outcome] = {}
        commands: dict[int, Element] = {}
        try:
            self._prepare(batch)
        except IntegrationError as error:
            return _not_sent(batch, error)
        for place, write in enumerate(batch):
            try:
                values = self._own(write, values_of(self._kind, write))
                commands[place] = encoded(self._kind, write, values, self._charset)
            except UnsendableError as error:
                outcomes[place] = Outcome(Verdict.REJECTED, write.target_id, error.code, str(error))
        sent = self._send([batch[place] for place in commands], list(commands.values()))
        outcomes.update(zip(commands, sent.outcomes, strict=True))
        ends = Sent([outcomes[place] for place in range(len(batch))], sent.stop)
        return self._moved(batch, commands, ends) if not sent.stop else ends

    def _prepare(self, batch: Sequence[Write]) -> None:
        """What must be known, or be there, before a batch is put into commands."""
        self._memberships.prepare(batch)

    def _own(self, write: Write, values: Values) -> Values:
        """Values in the service's own properties."""
        own = self._memberships.listed(write, values)
        return spelled(own) if self._names_countries else own

    def _seen(self, record: Record, fields: Iterable[str]) -> Record:
        """The service's record as the engine sees it."""
        seen = self._memberships.seen(record, fields)
        return understood(seen) if self._names_countries else seen

    def _moved(self, batch: Sequence[Write], commands: Mapping[int, Element], sent: Sent) -> Sent:
        """End by hand the places that a write did not end, and send those records once more."""
        stayed = [place for place in commands if self._memberships.stayed(batch[place], sent.outcomes[place])]
        if not stayed:
            return sent
        writes = [batch[place] for place in stayed]
        try:
            self._memberships.leave(writes)
        except IntegrationError as error:
            return Sent(sent.outcomes, error)
        again = self._send(writes, [commands[place] for place in stayed])
        ends = dict(zip(stayed, again.outcomes, strict=True))
        return Sent([ends.get(place, outcome) for place, outcome in enumerate(sent.outcomes)], again.stop)

    def _send(self, writes: Sequence[Write], commands: Sequence[Element]) -> Sent:
        if not writes:
            return Sent([])
        try:
            blocks = self._client.execute(commands)
        except AnswerLostError as error:
            return Sent([Outcome(Verdict.UNKNOWN, write.target_id, reason=error.reason) for write in writes])
        except RequestRejectedError as error:
            if isinstance(error, CredentialsError) or error.code not in DIVISIBLE:
                return _not_sent(writes, error)
            return self._halved(writes, commands, error)
        except IntegrationError as error:
            return _not_sent(writes, error)
        text_of = self._client.status_text
        outcomes = [self._outcome(write, block, text_of) for write, block in zip(writes, blocks, strict=True)]
        return Sent(outcomes, _stop(outcomes))

    def _outcome(self, write: Write, block: Element, text_of: Callable[[int], str]) -> Outcome:
        fields = list(write.values)
        return outcome_of(
            self._kind, self._known(fields), write, block, text_of, lambda record: self._seen(record, fields)
        )

    def _halved(self, writes: Sequence[Write], commands: Sequence[Element], error: RequestRejectedError) -> Sent:
        """Find the record for whose sake the whole request was refused."""
        if len(writes) == 1:
            return Sent([Outcome(Verdict.REJECTED, writes[0].target_id, error.code, error.reason)])
        middle = len(writes) // 2
        first = self._send(writes[:middle], commands[:middle])
        if first.stop:
            rest = _not_sent(writes[middle:], first.stop)
            return Sent([*first.outcomes, *rest.outcomes], first.stop)
        second = self._send(writes[middle:], commands[middle:])
        return Sent([*first.outcomes, *second.outcomes], second.stop)


def _known_charset(name: str) -> str:
    """Python's name of a character set; empty when it holds every character anyway."""
    try:
        found = codec(name or "utf-8").name
    except LookupError as error:
        raise ValueError(f"charset: no character set {name!r}; say latin-1, or leave it out for Unicode") from error
    return "" if found == "utf-8" else found


def _length(text: str | None) -> int | None:
    """A definition's length; none when it has no number or 0, which stands for no limit."""
    return int(text) or None if text and text.isdigit() else None


def _choices(record: Record) -> frozenset[str] | None:
    """What a list field takes; nobody documents how several values of one field are parted, so those are not judged."""
    values = record["valuelist"]
    return frozenset(values.split(",")) if values and record["picker"] in {"dropdown", "radio"} else None


def _has_custom(fields: Sequence[str]) -> bool:
    return any(name.endswith("__c") for name in fields)


def _not_sent(writes: Sequence[Write], error: Exception) -> Sent:
    reason = error.reason if isinstance(error, IntegrationError) else str(error)
    return Sent([Outcome(Verdict.NOT_SENT, write.target_id, reason=reason) for write in writes], error)


def _stop(outcomes: Sequence[Outcome]) -> Exception | None:
    """A status that concerns the service and not the record ends the run."""
    codes = {int(outcome.code) for outcome in outcomes if outcome.verdict is Verdict.NOT_SENT}
    return refusal(min(codes & NOT_DONE), "write") if codes & NOT_DONE else None
