"""Reads NetSuite by SuiteQL over REST, page by page in the order of internal ids.

NetSuiteClient.read_keyset("select … where c.id > ? order by c.id asc")  ->  pages of {column: text}

Relies on (NetSuite help, section_157909186990): at most 1000 rows a page; every value is text, booleans are 'T' and
'F', an empty column is left out of the row; values are bound by position. Offset paging runs the query anew for each
page and so repeats and skips rows while data moves, and ends at 100,000 rows: it is not used here.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

import httpx
import orjson

from resources.clock import Clock
from resources.errors import ContractError, CredentialsError, RateLimitedError, RequestRejectedError
from resources.http import HttpDoor
from resources.netsuite.lanes import Lanes
from resources.netsuite.refusals import refusal

PAGE = 1000  # rows; NetSuite's maximum
SUITEQL_PATH = "/services/rest/query/v1/suiteql"
SYSTEM_PATH = "/services/rest/system/v1"
QUARTER_S = 900  # time zones differ by quarters of an hour
TIMESTAMP = "%Y-%m-%d %H:%M:%S"

ZONE_PROBE = (
    "select to_char(current_timestamp, 'YYYY-MM-DD HH24:MI:SS') as local_now,"
    " to_char(sys_extract_utc(current_timestamp), 'YYYY-MM-DD HH24:MI:SS') as utc_now from dual"
)

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a query."""

    rows: list[Row]
    has_more: bool


def open_door(http: httpx.Client, clock: Clock, lanes: Lanes) -> HttpDoor:
    """The HTTP door that understands NetSuite's refusals and narrows the lanes on "too many"."""

    def translate(response: httpx.Response) -> Any:
        error = refusal(response, clock.now())
        if isinstance(error, RateLimitedError):
            lanes.narrow()
        return error

    return HttpDoor(http, system="netsuite", clock=clock, translate=translate)


class NetSuiteClient:
    """A typed face on SuiteQL and two system calls; knows nothing of Dagster, DuckDB or what the tables mean."""

    def __init__(self, door: HttpDoor, clock: Clock, lanes: Lanes | None = None) -> None:
        self._door = door
        self.clock = clock
        self.lanes = lanes or Lanes()

    @property
    def calls(self) -> int:
        """Requests made so far, retries included, sign-in left out."""
        return self._door.calls

    def server_time(self) -> datetime:
        """NetSuite's own time in UTC, in whole seconds: the next watermark.

        Raises:
            ContractError: The answer has no time that can be read.
        """
        answer = self._get(f"{SYSTEM_PATH}/serverTime", "read the server time")
        try:
            moment = datetime.fromisoformat(answer["serverTime"])
        except (KeyError, TypeError, ValueError) as error:
            raise ContractError("netsuite", "read the server time", "no serverTime in the answer") from error
        if moment.tzinfo is None:
            raise ContractError("netsuite", "read the server time", "serverTime carries no time zone")
        return moment.astimezone(UTC).replace(microsecond=0)

    def governance_limits(self) -> dict[str, Any] | None:
        """How many calls may run side by side; None when the role may not know (it needs an administrator)."""
        try:
            return self._get(f"{SYSTEM_PATH}/governanceLimits", "read the concurrency limits")
        except RequestRejectedError:
            return None

    @cached_property
    def concurrency(self) -> int:
        """Lanes in use at most, after a look at the account's limit."""
        limits = self.governance_limits() or {}
        for name in ("accountConcurrencyLimit", "integrationConcurrencyLimit"):
            if isinstance(limits.get(name), int) and limits[name] > 0:
                self.lanes.cap(limits[name])
        return self.lanes.most

    @cached_property
    def session_zone_offset(self) -> timedelta | None:
        """How far the session's local time is ahead of UTC just now; None when NetSuite does not tell.

        Literals in a query are read in the zone of the integration user, not in UTC.
        """
        try:
            row = self.suiteql(ZONE_PROBE)[0]
            ahead = datetime.strptime(row["local_now"], TIMESTAMP) - datetime.strptime(row["utc_now"], TIMESTAMP)  # noqa: DTZ007
        except CredentialsError:
            raise
        except (RequestRejectedError, IndexError, KeyError, ValueError):
            return None
        return timedelta(seconds=round(ahead.total_seconds() / QUARTER_S) * QUARTER_S)

    def suiteql(self, query: str, params: Sequence[str] = ()) -> list[Row]:
        """The first page of a query's rows, at most 1000; column names in lower case.

        Args:
            query: SuiteQL with `?` for each value.
            params: The values, as text.

        Raises:
            ContractError: The answer is cut, empty, not JSON, or counts other rows than it brings.
            RequestRejectedError: See `resources/netsuite/refusals.py`.
        """
        return self._page(query, params).rows

    def read_keyset(
        self, query: str, params: Sequence[str] = (), *, key: str = "id", after: str = "-1000000000"
    ) -> Iterator[list[Row]]:
        """Every page of a query that ends with `… > ? order by … asc`, by ascending key.

        Args:
            query: Its last `?` is the key after which a page begins.
            params: Values of the other `?`.
            key: The column by which it is ordered; a whole number, unique.
            after: Begin behind this key. Internal ids of NetSuite's own rows may be negative.

        Raises:
            ContractError: Keys do not ascend, or a page is short although more rows are announced.
        """
        while True:
            page = self._page(query, (*params, after))
            after = _last_key(page.rows, key, after)
            if page.rows:
                yield page.rows
            if not page.has_more:
                return

    def _page(self, query: str, params: Sequence[str]) -> Page:
        operation = f"query {_table(query)}"
        body: dict[str, Any] = {"q": " ".join(query.split()), **({"params": list(params)} if params else {})}
        with self.lanes.lane():
            response = self._door.send(
                "POST",
                SUITEQL_PATH,
                operation,
                safe_to_repeat=True,  # it only reads
                params={"limit": str(PAGE), "offset": "0"},
                headers={"Prefer": "transient", "Content-Type": "application/json"},
                content=orjson.dumps(body),
                extensions={"operation": operation},
            )
        self.lanes.widen()
        return _read_page(response, operation)

    def _get(self, path: str, operation: str) -> dict[str, Any]:
        response = self._door.send("GET", path, operation, safe_to_repeat=True, extensions={"operation": operation})
        return _json(response, operation)


def _table(query: str) -> str:
    found = re.search(r"\bfrom\s+(\w+)", query, re.IGNORECASE)
    return found[1].lower() if found else "netsuite"


def _json(response: httpx.Response, operation: str) -> dict[str, Any]:
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        kind = response.headers.get("content-type", "no content type")[:60]
        reason = f"the answer is not JSON ({kind}, {len(response.content)} bytes): cut short, or a maintenance page"
        raise ContractError("netsuite", operation, reason) from error
    if not isinstance(answer, dict):
        raise ContractError("netsuite", operation, "the answer is JSON but no object")
    return answer


def _read_page(response: httpx.Response, operation: str) -> Page:
    answer = _json(response, operation)
    items, count, has_more = answer.get("items"), answer.get("count"), answer.get("hasMore")
    if not isinstance(items, list) or not isinstance(has_more, bool):
        raise ContractError("netsuite", operation, "the answer has no items or no hasMore")
    if count != len(items) or answer.get("offset", 0) != 0:
        raise ContractError("netsuite", operation, f"{len(items)} rows came where {count} were announced")
    if has_more and len(items) < PAGE:
        raise ContractError("netsuite", operation, f"a page of {len(items)} rows says that there are more")
    if not has_more and int(answer.get("totalResults", count)) > len(items):
        raise ContractError("netsuite", operation, "the last page came before the announced total")
    return Page([_row(item, operation) for item in items], has_more)


def _row(item: Any, operation: str) -> Row:
    if not isinstance(item, dict):
        raise ContractError("netsuite", operation, "a row is no object")
    return {
        name.lower(): value if isinstance(value, str) else _text(value, name, operation)
        for name, value in item.items()
        if name != "links" and value is not None
    }


def _text(value: Any, name: str, operation: str) -> str:
    """The documentation promises text; a number or a boolean is harmless, anything nested is not understood."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int | float):
        return str(value)
    raise ContractError("netsuite", operation, f"column {name.lower()} is not a scalar")


def _last_key(rows: list[Row], key: str, after: str) -> str:
    """The key of the last row, once all keys are seen to ascend."""
    try:
        keys = [int(after), *(int(row[key]) for row in rows)]
    except (KeyError, ValueError) as error:
        raise ContractError("netsuite", "read by key", f"a row has no whole number in {key}") from error
    if any(low >= high for low, high in pairwise(keys)):
        raise ContractError("netsuite", "read by key", f"{key} does not ascend: rows could be lost or repeated")
    return str(keys[-1])
