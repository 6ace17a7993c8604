"""A typed face on Precoro's REST API: custom fields and their options.

Source: precoro.md §5. Forms with bracket keys, booleans as 1 and 0, lists in pages of 200, one option a call.
Relied upon: the `id` in every answer to a write. Not relied upon: `parent` in answers, filters, paging keys.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from resources.clock import Clock
from resources.errors import AnswerLostError, ContractError, RequestRejectedError
from resources.http import HttpClient
from resources.precoro.field_cache import Notes
from resources.precoro.pages import PER_PAGE, read_all, records_of

LEGAL_ENTITIES = 1  # depend_type: precoro.md §5 row 7 [C]


@dataclass(frozen=True, slots=True)
class CustomField:
    """One field definition; `type_text` is how Precoro calls its type, empty when it does not say."""

    field_id: int
    name: str
    enable: bool
    type_text: str


@dataclass(frozen=True, slots=True)
class Option:
    """One option; `parent_id` is None at the top, and whenever `tells_parent` is false."""

    option_id: int
    name: str
    code: str | None
    enable: bool
    external_id: str | None
    level: int | None
    parent_id: int | None = None
    tells_parent: bool = False
    updated_at: str | None = None


class PrecoroClient:
    """Lists fields and options, writes options; knows nothing of Dagster, DuckDB or NetSuite."""

    def __init__(
        self,
        http: HttpClient,
        *,
        clock: Clock,
        remaining: Callable[[], Mapping[str, int]] | None = None,
        notes: Notes | None = None,
    ) -> None:
        """Wrap the door.

        Args:
            door: Sends the requests; it signs, waits and counts.
            clock: The time that the door waits by.
            remaining: Tells how many calls each window of the budget has left.
            notes: Where the custom fields are noted for `fields_of_late`.
        """
        self._notes = notes
        self._http = http
        self._remaining = remaining
        self.clock = clock

    @property
    def base_url(self) -> str:
        """The service's address."""
        return self._http.base_url

    @property
    def calls(self) -> int:
        """Requests made so far, reads and writes."""
        return self._http.calls

    def remaining(self) -> Mapping[str, int]:
        """Calls left in each window of the budget; empty without a budget."""
        return self._remaining() if self._remaining else {}

    def check(self) -> None:
        """Ask for something cheap, to see whether the credentials are good."""
        self._get("/users", "check credentials", page=1, per_page=10)

    def fields(self) -> list[CustomField]:
        """Every items custom field."""
        operation = "list item custom fields"
        fields = [_field(each, operation) for each in self._list("/itemcustomfields", operation)]
        if self._notes:
            self._notes.write(fields)
        return fields

    def fields_of_late(self) -> list[CustomField]:
        """Every items custom field as some process listed them within the last day; else as they are now."""
        noted = self._notes.read(CustomField) if self._notes else None
        return self.fields() if noted is None else noted

    def options(self, field_id: int) -> list[Option]:
        """Every option of a field, foreign and disabled ones included, as the service lists them now.

        Raises:
            ContractError: The answer was not the whole list.
        """
        operation = "list options"
        try:
            records = self._list(f"/itemcustomfields/{field_id}/options", operation)
        except RequestRejectedError as error:
            if error.code not in {"404", "405"}:
                raise
            # precoro.md §7.7: one client only uses this path; the field itself carries its options too
            body = self._get(f"/itemcustomfields/{field_id}", operation)
            nested = body.get("options") if isinstance(body, dict) else None
            records = records_of(nested, operation)
        return [_option(each, operation) for each in records]

    def create_option(self, field_id: int, values: Mapping[str, str]) -> Option:
        """Create one option.

        Args:
            field_id: The items custom field.
            values: name, code, enable ("1", "0"), externalId, `parent[id]`; what is absent is not sent.

        Raises:
            AnswerLostError: It may be there now; find it by its external id before sending it again.
        """
        path = f"/itemcustomfields/{field_id}/options"
        return self._write("POST", path, "create option", values, safe_to_repeat=False)

    def replace_option(self, field_id: int, option_id: int, values: Mapping[str, str]) -> Option:
        """Write one option whole: give every value, because the service may reset what is absent."""
        path = f"/itemcustomfields/{field_id}/options/{option_id}"
        return self._write("PUT", path, "replace option", values)

    def set_external_id(self, field_id: int, option_id: int, external_id: str) -> Option:
        """Set the external id of one option and nothing else."""
        path = f"/itemcustomfields/{field_id}/options/{option_id}"
        return self._write("PATCH", path, "set external id", {"externalId": external_id})

    def depend_add(self, option_id: int, entity_ids: Sequence[str], *, depend_type: int = LEGAL_ENTITIES) -> None:
        """Tie an option to records, legal entities by default; parameter names as seen in production."""
        listed = entity_ids[0] if len(entity_ids) == 1 else f"[{', '.join(entity_ids)}]"
        form = {
            "item_custom_field_option_id": str(option_id),
            "depend_type": str(depend_type),
            "entity_ids": listed,
        }
        path = "/itemcustomfields/options/depend_add"
        self._http.send("PATCH", path, "tie option", safe_to_repeat=True, data=form)

    def _list(self, path: str, operation: str) -> list[dict[str, Any]]:
        return read_all(lambda page: self._get(path, operation, page=page, per_page=PER_PAGE), operation)

    def _get(self, path: str, operation: str, **query: int) -> Any:
        response = self._http.send("GET", path, operation, safe_to_repeat=True, params=query)
        return _decoded(response, operation)

    def _write(
        self,
        method: str,
        path: str,
        operation: str,
        values: Mapping[str, str],
        *,
        safe_to_repeat: bool = True,
    ) -> Option:
        response = self._http.send(method, path, operation, safe_to_repeat=safe_to_repeat, data=dict(values))
        try:
            return _option(_decoded(response, operation), operation)
        except ContractError as error:  # the service said 2xx: the work may well be done
            raise AnswerLostError("precoro", operation, error.reason) from error


def _decoded(response: httpx.Response, operation: str) -> Any:
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        kind = response.headers.get("content-type", "no type")
        reason = f"the answer is not JSON ({kind}, {len(response.content)} bytes)"
        raise ContractError("precoro", operation, reason) from error


def _field(record: Mapping[str, Any], operation: str) -> CustomField:
    if not isinstance(record.get("name"), str):
        raise ContractError("precoro", operation, "a field without a name")
    kind = record.get("typeString")
    return CustomField(record["id"], record["name"], _truth(record, operation), kind if isinstance(kind, str) else "")


def _option(record: Any, operation: str) -> Option:
    if not isinstance(record, dict) or not isinstance(record.get("id"), int):
        raise ContractError("precoro", operation, "an option without an id")
    if not isinstance(record.get("name"), str):
        raise ContractError("precoro", operation, "an option without a name")
    level, parent = record.get("level"), record.get("parent")
    return Option(
        option_id=record["id"],
        name=record["name"],
        code=_text(record.get("code")),
        enable=_truth(record, operation),
        external_id=_text(record.get("externalId")),
        level=level if isinstance(level, int) else None,
        parent_id=parent.get("id") if isinstance(parent, dict) else None,  # no parent comes as null or []
        tells_parent="parent" in record,
        updated_at=_text(record.get("updateDate")),
    )


def _text(value: Any) -> str | None:
    """A text or number as text; blank and null are the same."""
    return str(value) if isinstance(value, str | int) and value != "" else None


def _truth(record: Mapping[str, Any], operation: str) -> bool:
    if record.get("enable") not in (True, False):  # 1 and 0 are equal to these
        raise ContractError("precoro", operation, "a record that does not say whether it is enabled")
    return bool(record["enable"])
