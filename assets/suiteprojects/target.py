"""What the delivery engine must know of SuiteProjects Pro: customers, contacts and projects, by one class.

engine  ->  SuiteProjectsTarget.read / find / send  ->  encode  ->  SuiteProjectsClient  ->  answers  ->  engine
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain

import polars as pl

from assets.delivery.target import Estimate, Outcome, Sent, TargetField, Verdict, Write
from assets.suiteprojects.answers import NOT_DONE, outcome_of
from assets.suiteprojects.encode import UnsendableError, encoded
from assets.suiteprojects.frames import asked_fields, frame
from assets.suiteprojects.kinds import ACTIVE_FIELD, KEY_FIELD, KINDS
from resources.errors import AnswerLostError, CredentialsError, IntegrationError, RequestRejectedError
from resources.suiteprojects.client import PAGE, SuiteProjectsClient, read_command
from resources.suiteprojects.refusals import refusal
from resources.suiteprojects.xml import Element, Record

__all__ = ["KINDS", "SuiteProjectsTarget"]

BATCH = 500  # suiteprojects_api.md §7: typically 500; up to 1000 are allowed
MATCHES = 10  # rows asked for per key: more than one means that the key is not unique there
# the request as a whole was refused for what it holds, so a smaller one may pass
DIVISIBLE = frozenset({"10", "555", "854", "855", "400", "413", "422"})
_PICKER_KINDS = {"checkbox": "boolean", "numeric": "number", "currency": "number", "date": "date"}


class SuiteProjectsTarget:
    """One type of record in one account; see `assets.delivery.target.Target`."""

    system = "suiteprojects"
    key_field = KEY_FIELD
    active_field = ACTIVE_FIELD
    batch_size = BATCH

    def __init__(self, client: SuiteProjectsClient, type_name: str = "Customer") -> None:
        """Aim at one type of record.

        Args:
            client: One account.
            type_name: One of `KINDS`.

        Raises:
            ValueError: It is none of them.
        """
        if type_name not in KINDS:
            raise ValueError(f"suiteprojects has no target {type_name!r}; there are {sorted(KINDS)}")
        self.name = f"suiteprojects.{type_name}"
        self._client = client
        self._kind = KINDS[type_name]

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
        asked = asked_fields(self._kind, fields)
        records = self._client.read_all(self._type_name, asked, custom=_has_custom(fields))
        return frame(self._kind, self._fields, records, fields)

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """The live records that carry these keys now, a hundred keys a request."""
        self._check_names(fields)
        asked = asked_fields(self._kind, fields)
        reads = [
            read_command(
                self._type_name, asked, limit=str(MATCHES), custom=_has_custom(fields), query={KEY_FIELD: external_id}
            )
            for external_id in dict.fromkeys(external_ids)
        ]
        size = PAGE // MATCHES
        chunks = [reads[start : start + size] for start in range(0, len(reads), size)]
        found = chain.from_iterable(self._client.read_many(chunk, fresh=True) for chunk in chunks)
        return frame(self._kind, self._fields, chain.from_iterable(found), fields)

    @property
    def _type_name(self) -> str:
        return self._kind.record_type.name

    def _check_names(self, fields: Sequence[str]) -> None:
        unknown = set(fields) - self._fields.keys()
        if unknown:
            mend = "add it there (a custom field must be active), or correct the mapping"
            raise ValueError(f"{self.name} has no field {sorted(unknown)}; {mend}")

    def estimate(self, writes: Mapping[str, int]) -> Estimate:
        """One request for each batch of BATCH records."""
        return Estimate(-(-sum(writes.values()) // BATCH))

    # --- writing ----------------------------------------------------------------------------------------------

    def send(self, batch: Sequence[Write]) -> Sent:
        """Send up to `batch_size` writes as one request; every record has its own outcome."""
        outcomes: dict[int, Outcome] = {}
        commands: dict[int, Element] = {}
        for place, write in enumerate(batch):
            try:
                commands[place] = encoded(self._kind, write)
            except UnsendableError as error:
                outcomes[place] = Outcome(Verdict.REJECTED, write.target_id, error.code, str(error))
        sent = self._send([batch[place] for place in commands], list(commands.values()))
        outcomes.update(zip(commands, sent.outcomes, strict=True))
        return Sent([outcomes[place] for place in range(len(batch))], sent.stop)

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
        outcomes = [
            outcome_of(self._kind, self._fields, write, block, text_of)
            for write, block in zip(writes, blocks, strict=True)
        ]
        return Sent(outcomes, _stop(outcomes))

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
