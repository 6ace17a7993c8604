"""Precoro's REST API, typed: custom fields and their options.

Source: precoro.md §5. Forms have bracket keys, booleans are 1 and 0, lists have pages of 200, a call writes one option.
The client relies on the `id` in each response to a write, and not on `parent` in responses, filters or paging keys.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from resources.account import Account, account_of
from resources.clock import Clock
from resources.errors import AnswerLostError, ContractError, RequestRejectedError
from resources.http import HttpClient
from resources.json_body import load_json, repaired
from resources.precoro.errors import PAGE
from resources.precoro.field_cache import FieldCache
from resources.precoro.pages import PER_PAGE, read_all
from resources.precoro.records import CustomField, Option, custom_field, options_of, written_option

LEGAL_ENTITIES = 1  # depend_type: precoro.md §5 row 7 [C]


class PrecoroClient:
    """Lists fields and options and writes options; knows nothing of Dagster, DuckDB or NetSuite."""

    def __init__(
        self,
        http: HttpClient,
        *,
        clock: Clock,
        remaining: Callable[[], Mapping[str, int]] | None = None,
        room_at: Callable[[int], datetime] | None = None,
        field_cache: FieldCache | None = None,
    ) -> None:
        """Wrap an HTTP client.

        Args:
            http: Signs, sends, retries and counts requests.
            clock: Time for waiting.
            remaining: Returns the calls left in each window of the budget.
            room_at: Returns when the budget has room for so many calls.
            field_cache: Stores the custom fields for `recent_fields`.
        """
        self._field_cache = field_cache
        self._http = http
        self._remaining = remaining
        self._room_at = room_at
        self.clock = clock

    @property
    def base_url(self) -> str:
        """The service's address."""
        return self._http.base_url

    @property
    def account(self) -> Account:
        """The service's address: nothing that Precoro returns names the company, and its keys are renewed."""
        return account_of(self.base_url)

    @property
    def calls(self) -> int:
        """Requests made so far, reads and writes."""
        return self._http.calls

    def remaining(self) -> Mapping[str, int]:
        """Return the calls left in each window of the budget; empty without a budget."""
        return self._remaining() if self._remaining else {}

    def room_at(self, calls: int) -> datetime | None:
        """Return when the budget has room for so many calls; None without a budget."""
        return self._room_at(calls) if self._room_at else None

    def check(self) -> None:
        """Make a cheap call, to check the credentials."""
        self._get("/users", "check credentials", page=1, per_page=10)

    def fields(self) -> list[CustomField]:
        """List every items custom field."""
        operation = "list item custom fields"
        fields = [custom_field(each) for each in self._list("/itemcustomfields", operation)]
        if self._field_cache:
            self._field_cache.write(fields)
        return fields

    def recent_fields(self) -> list[CustomField]:
        """Return every items custom field from the cache, if a process listed them within a day; else list them."""
        cached = self._field_cache.read(CustomField) if self._field_cache else None
        return self.fields() if cached is None else cached

    def options(self, field_id: int) -> list[Option]:
        """List every option of a field, foreign and disabled ones included.

        Raises:
            ContractError: The response is not the whole list.
        """
        operation = "list options"
        try:
            records = self._list(f"/itemcustomfields/{field_id}/options", operation)
        except RequestRejectedError as error:
            if error.code not in {"404", "405", PAGE}:
                raise
            # precoro.md §7.7: only one client uses this path; the field itself contains its options too
            body = self._get(f"/itemcustomfields/{field_id}", operation)
            nested = body.get("options") if isinstance(body, dict) else None
            records = read_all(lambda _: nested, operation)  # it has no further pages, so it must announce none
        return options_of(records, operation)

    def create_option(self, field_id: int, values: Mapping[str, str]) -> Option:
        """Create one option.

        Args:
            field_id: The items custom field.
            values: name, code, enable ("1", "0"), externalId, `parent[id]`; absent ones are not sent.

        Raises:
            AnswerLostError: It may exist now; look it up by its external id before retrying.
        """
        path = f"/itemcustomfields/{field_id}/options"
        return self._write("POST", path, "create option", values, safe_to_repeat=False)

    def replace_option(self, field_id: int, option_id: int, values: Mapping[str, str]) -> Option:
        """Write every value of one option, because the service may reset absent ones."""
        path = f"/itemcustomfields/{field_id}/options/{option_id}"
        return self._write("PUT", path, "replace option", values, option_id=option_id)

    def set_external_id(self, field_id: int, option_id: int, external_id: str) -> Option:
        """Set the external id of one option and nothing else."""
        path = f"/itemcustomfields/{field_id}/options/{option_id}"
        return self._write("PATCH", path, "set external id", {"externalId": external_id}, option_id=option_id)

    def depend_add(self, option_id: int, entity_ids: Sequence[str]) -> None:
        """Link an option to legal entities; the parameter names were seen in production.

        Raises:
            AnswerLostError: The response is a page of another service, or an error: it may not be linked.
        """
        listed = entity_ids[0] if len(entity_ids) == 1 else f"[{', '.join(entity_ids)}]"
        form = {"item_custom_field_option_id": str(option_id), "depend_type": str(LEGAL_ENTITIES), "entity_ids": listed}
        path, operation = "/itemcustomfields/options/depend_add", "link option"
        response = self._http.send("PATCH", path, operation, safe_to_repeat=True, data=form)
        try:
            if response.content.strip():  # it may be empty: precoro.md §7.11
                _without_error(response, operation)
        except ContractError as error:
            raise AnswerLostError("precoro", operation, error.reason) from error

    def _list(self, path: str, operation: str) -> list[dict[str, Any]]:
        return read_all(lambda page: self._get(path, operation, page=page, per_page=PER_PAGE), operation)

    def _get(self, path: str, operation: str, **query: int) -> Any:
        """Return a body; an unusable one is asked for again, like an error of the network."""
        return self._http.read("GET", path, operation, lambda answer: _without_error(answer, operation), params=query)

    def _write(
        self,
        method: str,
        path: str,
        operation: str,
        values: Mapping[str, str],
        *,
        option_id: int | None = None,
        safe_to_repeat: bool = True,
    ) -> Option:
        response = self._http.send(method, path, operation, safe_to_repeat=safe_to_repeat, data=dict(values))
        try:
            option = written_option(_without_error(response, operation), values, operation)
        except ContractError as error:  # the status was 2xx, so the write probably succeeded
            raise AnswerLostError("precoro", operation, error.reason) from error
        if option.option_id != (option_id or option.option_id):
            raise AnswerLostError("precoro", operation, f"the response is about another option, {option.option_id}")
        return option


def _without_error(response: httpx.Response, operation: str) -> Any:
    """Return the body of a successful response; ContractError if it contains an error nevertheless."""
    body = _json(response, operation)
    if isinstance(body, dict) and (body.get("error") or body.get("errors")):
        raise ContractError("precoro", operation, "the response says success and contains an error")
    return body


def _json(response: httpx.Response, operation: str) -> Any:
    """Return a body; invalid characters become U+FFFD, so that one bad name does not hide a list."""
    try:
        return repaired(load_json(response.content))
    except ValueError as error:
        kind = response.headers.get("content-type", "no type")
        reason = f"the response is not JSON ({kind}, {len(response.content)} bytes)"
        raise ContractError("precoro", operation, reason) from error
