"""SuiteProjects Pro records as targets of the delivery engine: customers, contacts and projects, by one class.

engine  ->  SuiteProjectsTarget.read / find / send  ->  encode  ->  SuiteProjectsClient  ->  answers  ->  engine
"""

from codecs import lookup as codec
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import ClassVar

import polars as pl

from assets.delivery.target import Estimate, Outcome, RecordQuery, SendResult, Target, TargetField, Verdict, Write
from assets.result_texts import named
from assets.suiteprojects.answers import outcome_of
from assets.suiteprojects.batch_request import not_sent, send_commands
from assets.suiteprojects.canonical import frame, requested_fields
from assets.suiteprojects.characters import forbidden_characters
from assets.suiteprojects.countries import SPELLINGS, with_codes, with_names
from assets.suiteprojects.custom_fields import custom_fields
from assets.suiteprojects.encode import UnsendableError, Values, encode, values_of
from assets.suiteprojects.hierarchies.memberships import LIST_FIELD, Memberships, hierarchy_fields
from assets.suiteprojects.record_types import ACTIVE_FIELD, KEY_FIELD, KINDS, RecordKind
from resources.account import Account
from resources.errors import IntegrationError, RequestRejectedError
from resources.suiteprojects.client import PAGE, SuiteProjectsClient
from resources.suiteprojects.dictionary import CURRENCY
from resources.suiteprojects.errors import SYSTEM, ReadRejectedError
from resources.suiteprojects.paging import read_command
from resources.suiteprojects.xml import Element, Record

BATCH, MAX_BATCH = 500, 1000  # suiteprojects_api.md §7: typically 500; at most 1000
DAY_S = 86_400.0  # a plan that needs more requests than are left is continued on the next day
NODES_UNREAD = "the record was not shown when its hierarchy nodes were read again; they would be lost"
CURRENCY_FIELD, CURRENCY_CODE, ENABLED = "currency", "symbol", "currencies that are enabled in the target"
CURRENCY_CHECKS = ("check", "any")
MAX_MATCHES = 10  # rows to read per key; more than one means that the key is not unique


class SuiteProjectsTarget(Target):
    """One type of record in one account; see `assets.delivery.target.Target`."""

    system = "suiteprojects"
    key_field = KEY_FIELD
    active_field = ACTIVE_FIELD
    lists_deleted = True  # suiteprojects_api.md §1.3; a filter set of the user hides records from every Read

    kinds: ClassVar[Mapping[str, RecordKind]] = KINDS

    def __init__(
        self,
        client: SuiteProjectsClient,
        type_name: str = "Customer",
        *,
        batch: int = BATCH,
        charset: str = "",
        countries: str = "names",
        currencies: str = "check",
    ) -> None:
        """Set the type of record.

        Args:
            client: One account.
            type_name: One of `kinds`.
            batch: Records per request, 1 to 1000.
            charset: The account's character set if it is not Unicode, such as `latin-1`.
            countries: `names`: codes are sent as names, and names are read as codes; `as_given`: unchanged.
            currencies: `check`: a plan quarantines records whose currency the account does not list; `any`: none.

        Raises:
            ValueError: The type, batch size, character set, or what is to be done with countries or currencies is not
                supported.
        """
        if countries not in SPELLINGS:
            raise ValueError(f"countries: {countries!r} is not supported; use {' or '.join(SPELLINGS)}")
        if currencies not in CURRENCY_CHECKS:
            raise ValueError(f"currencies: {currencies!r} is not supported; use {' or '.join(CURRENCY_CHECKS)}")
        if type_name not in self.kinds:
            raise ValueError(f"suiteprojects has no target {type_name!r}; use one of {sorted(self.kinds)}")
        if not 1 <= batch <= MAX_BATCH:
            raise ValueError(f"batch: {batch} records; one request takes 1 to {MAX_BATCH}")
        kind = self.kinds[type_name]
        self.name = f"suiteprojects.{type_name}"
        self.batch_size = batch
        self._client = client
        self._kind = kind
        self._type_name = kind.record_type.name
        self._charset = _known_charset(charset)
        self._names_countries = countries == "names"
        self._checks_currencies = currencies == "check"
        self._memberships = Memberships(client, self._type_name, kind.record_type.association)

    @property
    def calls(self) -> int:
        """Requests made so far, reads and writes."""
        return self._client.calls

    @property
    def account(self) -> Account:
        """The account."""
        return self._client.account

    # --- reading ----------------------------------------------------------------------------------------------

    def fields(self) -> Mapping[str, TargetField]:
        """Return the documented properties and the account's custom fields."""
        return self._fields

    @cached_property
    def _fields(self) -> dict[str, TargetField]:
        known = {**self._kind.fields, **custom_fields(self._client, self._kind.record_type.association)}
        forbidden = forbidden_characters(self._charset)
        return {
            name: replace(each, forbidden=forbidden) if each.kind == "text" else each for name, each in known.items()
        }

    def accepted(self, names: Sequence[str]) -> Mapping[str, TargetField]:
        """Return the fields with these hierarchies, a mapped currency with the currencies that the account enables."""
        fields = self._known(names) if LIST_FIELD in self._kind.fields else self.fields()
        if self._checks_currencies and CURRENCY_FIELD in names and CURRENCY_FIELD in fields and self._currencies:
            enabled = replace(fields[CURRENCY_FIELD], choices=self._currencies, choices_of=ENABLED, keeps_others=True)
            return {**fields, CURRENCY_FIELD: enabled}
        return fields

    @cached_property
    def _currencies(self) -> frozenset[str]:
        """The codes of the account's currencies; empty if it shows none to this user: they are not known then."""
        try:
            rows = list(self._client.read_all(CURRENCY.name, [CURRENCY_CODE]))
        except ReadRejectedError:
            return frozenset()
        return frozenset(code for row in rows if (code := row.get(CURRENCY_CODE)))

    def read(self, fields: Sequence[str]) -> pl.DataFrame:
        """Read every live record, 1000 per request.

        Raises:
            RequestRejectedError: A field does not exist.
        """
        self._check_names(fields)
        records = self._client.read_all(self._type_name, self._requested(fields), custom=_has_custom(fields))
        return self._frame(records, fields)

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """Read the live records that currently have these keys, 100 keys per request."""
        return self._read_where([(KEY_FIELD, external_id) for external_id in external_ids], fields)

    def read_records(self, query: RecordQuery, fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """Read records by key, by internal id, and by match fields that are not custom fields; 100 per request."""
        searchable = self._kind.record_type.flat
        matching = [(name, value) for name, values in query.values.items() if name in searchable for value in values]
        by = [*((KEY_FIELD, key) for key in query.keys), *(("id", target_id) for target_id in query.known), *matching]
        found = self._read_where(by, fields).unique("target_id", keep="first", maintain_order=True)
        return found, self._hidden(query.known, found)

    def read_unlisted(self, keys: Mapping[str, str], fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """Read by internal id the records that `read` did not return; those that are not deleted either are hidden."""
        found = self._read_where([("id", target_id) for target_id in keys], fields)
        return found, self._hidden(keys, found)

    def _hidden(self, known: Collection[str], found: pl.DataFrame) -> Collection[str]:
        """Return the known records that the service neither shows nor lists as deleted."""
        missing = {*known} - {*found["target_id"]}
        return missing - self._client.deleted_ids(self._type_name) if missing else ()

    def _read_where(self, by: Iterable[tuple[str, str]], fields: Sequence[str]) -> pl.DataFrame:
        """Read the live records with one of these property values."""
        self._check_names(fields)
        asked, custom, limit = self._requested(fields), _has_custom(fields), str(MAX_MATCHES)
        reads = [
            read_command(self._type_name, asked, limit=limit, custom=custom, query={name: value})
            for name, value in dict.fromkeys(by)
        ]
        size = PAGE // MAX_MATCHES
        chunks = [reads[start : start + size] for start in range(0, len(reads), size)]
        found = chain.from_iterable(map(self._client.read_each, chunks))
        return self._frame(chain.from_iterable(found), fields)

    def _requested(self, fields: Sequence[str]) -> list[str]:
        """Return the service's properties that contain these fields."""
        assigned = hierarchy_fields(fields)
        requested = requested_fields(self._kind, [name for name in fields if name not in assigned])
        return [*requested, *([LIST_FIELD] if assigned else [])]

    def _frame(self, records: Iterable[Record], fields: Sequence[str]) -> pl.DataFrame:
        def leaves_out_blanks() -> bool:
            custom = _has_custom(fields)
            return self._client.leaves_out_blanks(self._type_name, self._requested(fields), custom=custom)

        decoded = (self._decoded(record, fields) for record in records)
        return frame(self._kind, self._known(fields), decoded, fields, leaves_out_blanks)

    def _known(self, fields: Iterable[str]) -> Mapping[str, TargetField]:
        assigned = hierarchy_fields(fields)
        if not assigned:  # for each record of a batch: a copy of 200 fields takes longer than all the rest
            return self._fields
        return {**self._fields, **{name: TargetField(name, "node in the hierarchy") for name in assigned}}

    def _check_names(self, fields: Sequence[str]) -> None:
        unknown = set(fields) - self._fields.keys()
        if LIST_FIELD in self._kind.fields:
            unknown -= set(hierarchy_fields(unknown))
        if unknown:
            reason = (
                f"{self.name} has no {named('field', sorted(unknown))}; add what is missing to the account (a"
                " custom field must be active), or correct the mapping"
            )
            raise RequestRejectedError(SYSTEM, f"Read {self._type_name}", reason, code="field_missing")

    @property
    def calls_left(self) -> int | None:
        """Requests left for today: the last RateLimit reading less the requests since."""
        return self._client.left_today

    def estimate(self, writes: Mapping[str, int]) -> Estimate:
        """Estimate one request per batch; more requests than are left today take another day."""
        calls, left = -(-sum(writes.values()) // self.batch_size), self.calls_left
        return Estimate(calls, DAY_S if left is not None and calls > left else None)

    # --- writing ----------------------------------------------------------------------------------------------

    def send(self, batch: Sequence[Write]) -> SendResult:
        """Send up to `batch_size` writes as one request; each record has its own outcome."""
        outcomes: dict[int, Outcome] = {}
        commands: dict[int, Element] = {}
        try:
            self._prepare(batch)
        except IntegrationError as error:
            return not_sent(batch, error)
        for position, write in enumerate(batch):
            if self._memberships.are_unread(write):
                outcomes[position] = Outcome(Verdict.NOT_SENT, write.target_id, reason=NODES_UNREAD)
                continue
            try:
                values = self._encoded(write, values_of(self._kind, write))
                commands[position] = encode(self._kind, write, values, self._charset)
            except UnsendableError as error:
                outcomes[position] = Outcome(Verdict.REJECTED, write.target_id, error.code, str(error))
        sent = self._send([batch[position] for position in commands], list(commands.values()))
        outcomes.update(zip(commands, sent.outcomes, strict=True))
        result = SendResult([outcomes[position] for position in range(len(batch))], sent.stop)
        return result if sent.stop else self._reassigned(batch, commands, result)

    def _prepare(self, batch: Sequence[Write]) -> None:
        """Read or create whatever the batch needs before it can be encoded."""
        self._memberships.prepare(batch)

    def _encoded(self, write: Write, values: Values) -> Values:
        """Return the engine's values as properties of the service."""
        own = self._memberships.with_list(write, values)
        return with_names(own) if self._names_countries else own

    def _decoded(self, record: Record, fields: Iterable[str]) -> Record:
        """Return a record of the service with the engine's fields."""
        decoded = self._memberships.with_fields(record, fields)
        return with_codes(decoded) if self._names_countries else decoded

    def _send(self, writes: Sequence[Write], commands: Sequence[Element]) -> SendResult:
        return send_commands(self._client, writes, commands, self._outcome)

    def _outcome(self, write: Write, block: Element) -> Outcome:
        fields = list(write.values)
        return outcome_of(
            self._kind, self._known(fields), write, block, self._client.status_text,
            lambda record: self._decoded(record, fields), ("id", *self._requested(fields)),
        )  # fmt: skip

    def _reassigned(self, batch: Sequence[Write], commands: Mapping[int, Element], sent: SendResult) -> SendResult:
        """Delete the associations that a write should have replaced, and send those records again."""
        kept = [each for each in commands if self._memberships.kept_old_node(batch[each], sent.outcomes[each])]
        if not kept:
            return sent
        writes = [batch[position] for position in kept]
        try:
            self._memberships.detach(writes)
        except IntegrationError as error:
            return SendResult(sent.outcomes, error)
        again = self._send(writes, [commands[position] for position in kept])
        outcomes = {**dict(enumerate(sent.outcomes)), **dict(zip(kept, again.outcomes, strict=True))}
        return SendResult(list(outcomes.values()), again.stop)


def _known_charset(name: str) -> str:
    """Return Python's name of a character set; empty if it represents every character."""
    try:
        found = codec(name or "utf-8").name
    except LookupError as error:
        raise ValueError(f"charset: no character set {name!r}; use latin-1, or omit it for Unicode") from error
    return "" if found == "utf-8" else found


def _has_custom(fields: Sequence[str]) -> bool:
    return any(name.endswith("__c") for name in fields)
