"""Read NetSuite by SuiteQL over REST, page by page in the order of internal ids.

NetSuiteClient.read_keyset("select … where c.id > ? order by c.id asc")  ->  pages of {column: text}

Relies on (NetSuite help, section_157909186990): at most 1000 rows per page; every value is text, booleans are 'T' and
'F', an empty column is left out of the row; values are bound by position. Offset paging runs the query again for each
page, so it repeats and skips rows while data changes, and ends at 100,000 rows: it is not used here.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx
import orjson

from resources.account import UNKNOWN, Account
from resources.clock import Clock
from resources.errors import ContractError, CredentialsError, RequestRejectedError, TransientError
from resources.http import HttpClient, Parsed
from resources.netsuite.catalog import field_kind
from resources.netsuite.concurrency import ConcurrencyLimit
from resources.netsuite.errors import SYSTEM, WRONG_HOST, PermissionRefusedError, UnexpectedError
from resources.netsuite.pages import PAGE, Page, RawPage, Row, json_object, last_ascending, parse_page, scan_page
from resources.netsuite.shared_answers import Answer, SharedAnswers

SUITEQL_PATH = "/services/rest/query/v1/suiteql"
SYSTEM_PATH = "/services/rest/system/v1"
CATALOG_PATH = "/services/rest/record/v1/metadata-catalog"
PROBE_ATTEMPTS = 2  # of a query that only tests whether NetSuite accepts it
CACHE_TIME = timedelta(seconds=60)
QUARTER_HOUR_S = 900  # time zones differ by quarters of an hour
# a question that this account does not answer, in whatever form: a role or a field may lead to any of them
NO_ANSWER = (RequestRejectedError, UnexpectedError, ContractError)
TIMESTAMP = "%Y-%m-%d %H:%M:%S"

ZONE_PROBE = (
    "select to_char(current_timestamp, 'YYYY-MM-DD HH24:MI:SS') as local_now,"
    " to_char(sys_extract_utc(current_timestamp), 'YYYY-MM-DD HH24:MI:SS') as utc_now from dual"
)
# where SYS_EXTRACT_UTC does not work, the server time replaces it
LOCAL_PROBE = "select to_char(current_timestamp, 'YYYY-MM-DD HH24:MI:SS') as local_now from dual"


class NetSuiteClient:
    """SuiteQL and three system calls, typed; knows nothing of Dagster, DuckDB or the meaning of the tables."""

    def __init__(
        self, http: HttpClient, clock: Clock, concurrency: ConcurrencyLimit | None = None, *, account: Account = UNKNOWN
    ) -> None:
        self.account = account
        self._http = http
        self.clock = clock
        self.concurrency = concurrency or ConcurrencyLimit()
        self._answers = SharedAnswers(clock.now)
        self._limits: list[dict[str, Any]] = []  # NetSuite's answer; none: not read yet

    def apart(self, stopped: threading.Event) -> Self:
        """Return the same client, with a count of its own calls: for one of several tables that are read at once."""
        own = copy(self)
        own._http = self._http.apart(stopped)  # noqa: SLF001 - of its own class
        return own

    @property
    def calls(self) -> int:
        """Requests made so far, retries included, sign-in excluded."""
        return self._http.calls

    def cached(self, name: str, since: str, read: Callable[[], Answer]) -> Answer:
        """Return an answer that the tables of a run share, read again once it is older than CACHE_TIME.

        A known answer must cover the time `since`; one that covers more will do.
        """
        return self._answers.get(name, read, since=since, max_age=CACHE_TIME)

    def server_time(self) -> datetime:
        """Return NetSuite's UTC time in whole seconds, at most CACHE_TIME old: the next watermark.

        An earlier watermark is safe, it only reads a few rows twice; so consecutive tables of a run share one call.

        Raises:
            ContractError: The response has no readable time.
        """
        return self.cached("server time", "", self._read_time)

    def _read_time(self) -> datetime:
        answer = self._get(f"{SYSTEM_PATH}/serverTime", "read the server time")
        try:
            moment = datetime.fromisoformat(answer["serverTime"])
            utc = moment.astimezone(UTC).replace(microsecond=0)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ContractError(SYSTEM, "read the server time", "the response has no serverTime") from error
        if moment.tzinfo is None:
            raise ContractError(SYSTEM, "read the server time", "serverTime has no time zone")
        return utc

    def governance_limits(self) -> dict[str, Any] | None:
        """Return the concurrency limits; None when the role may not read them (only an administrator may)."""
        try:
            return self._get(f"{SYSTEM_PATH}/governanceLimits", "read the concurrency limits")
        except NO_ANSWER:  # they are not needed
            return None

    @property
    def limits(self) -> Mapping[str, Any] | None:
        """NetSuite's answer for the concurrency limits; None: not read yet."""
        return self._limits[-1] if self._limits else None

    def apply_limits(self, limits: Mapping[str, Any] | None) -> None:
        """Obey these limits from now on; None keeps the configured concurrency."""
        self._limits.append(dict(limits or {}))
        self.concurrency.apply(self._limits[-1])

    def learn_limits(self) -> None:
        """Read and obey the account's limits, unless they are known; if the call fails, the next run asks again."""

        def learn() -> None:
            with suppress(TransientError):  # they are not needed
                self.apply_limits(self.governance_limits())

        if not self._limits:
            self._answers.get("limits", learn)

    def max_concurrency(self) -> int:
        """Return how many calls may run in parallel at most, after reading the account's limits once."""
        self.learn_limits()
        return self.concurrency.maximum

    def custom_fields(self, record: str) -> Mapping[str, str] | None:
        """Return the fields of a record type, such as customer, in the metadata catalog, with their kinds.

        Returns:
            Kind by field name in lower case (`resources/netsuite/catalog.py`); None without access to the catalog.

        Raises:
            CredentialsError: NetSuite rejected the sign-in, as it may for too many calls: that says nothing of access.
        """
        try:
            answer = self._get(f"{CATALOG_PATH}/{record}", "read the fields", accept="application/schema+json")
        except CredentialsError as error:
            if _is_of_sign_in(error) and error.code != WRONG_HOST:
                raise
            return None
        except NO_ANSWER:
            return None
        fields = answer.get("properties")
        if not isinstance(fields, dict):
            return None
        return {name.lower(): field_kind(schema) for name, schema in fields.items()}

    @property
    def session_zone_offset(self) -> timedelta | None:
        """Offset of the session's local time from UTC, asked for once; None if unknown.

        Literals in a query are read in the zone of the integration user, not in UTC.
        """
        return self._answers.get("session zone", self._read_zone_offset)

    def _read_zone_offset(self) -> timedelta | None:
        for probe in (ZONE_PROBE, LOCAL_PROBE):
            try:
                row = self.row(probe)
                local = datetime.strptime(row["local_now"], TIMESTAMP).replace(tzinfo=UTC)
                utc = row.get("utc_now")
                now = datetime.strptime(utc, TIMESTAMP).replace(tzinfo=UTC) if utc else self._read_time()
            except (*NO_ANSWER, KeyError, ValueError) as error:
                if _is_of_sign_in(error):
                    raise
                continue
            return timedelta(seconds=round((local - now).total_seconds() / QUARTER_HOUR_S) * QUARTER_HOUR_S)
        return None

    def suiteql(self, query: str, params: Sequence[str] = ()) -> list[Row]:
        """Return the first page of a query's rows, at most 1000; column names in lower case, `?` for each value.

        Raises:
            ContractError: The response is truncated, empty, not JSON, or announces other rows than it holds.
            RequestRejectedError: See `resources/netsuite/errors.py`.
        """
        return self.page(query, params).rows

    def row(self, query: str, params: Sequence[str] = ()) -> Row:
        """Return the first row of a query's rows, such as of one that counts; empty without any."""
        return next(iter(self.suiteql(query, params)), {})

    def read_keyset(
        self, query: str, params: Sequence[str] = (), *, key: str = "id", after: str = "-1000000000"
    ) -> Iterator[list[Row]]:
        """Yield every page of a query that ends with `… > ? order by … asc`, by ascending key.

        Args:
            query: Its last `?` is the key after which a page begins.
            params: Values of the other `?`.
            key: The column that orders the rows; a whole number, unique.
            after: Begin after this key. Internal ids of NetSuite's own rows may be negative.

        Raises:
            ContractError: Keys do not ascend, or a page is short although more rows are announced.
        """
        while True:
            page = self.page(query, (*params, after))
            after = last_ascending(page.rows, key, after)
            if page.rows:
                yield page.rows
            if not page.has_more:
                return

    def page(self, query: str, params: Sequence[str] = ()) -> Page:
        """Return one page of a query, and whether there are more rows; see `suiteql`."""
        operation = f"query {_table(query)}"

        def parse(response: httpx.Response) -> Page:
            return parse_page(response.content, operation, response.headers.get("content-type", ""))

        return self._query(query, params, operation, parse)

    def raw_page(self, query: str, params: Sequence[str], key: str) -> RawPage:
        """Return one page of a query without parsing its cells: see `resources/netsuite/pages.py`.

        Raises:
            ContractError: The response is truncated, not JSON, or announces other rows than it holds.
        """
        operation = f"query {_table(query)}"
        return self._query(query, params, operation, lambda response: scan_page(response.content, key, operation))

    def accepts(self, query: str, params: Sequence[str] = (), *, parsed: bool = False) -> bool:
        """Return whether NetSuite runs a query; any error but a failed sign-in means that it does not.

        Args:
            query: The query.
            params: Values of its `?`.
            parsed: Whether a response that is no page counts as an error.
        """
        operation = f"try a query on {_table(query)}"

        def parse(response: httpx.Response) -> object:
            return parse_page(response.content, operation) if parsed else None

        try:
            self._query(query, params, operation, parse, attempts=PROBE_ATTEMPTS)
        except NO_ANSWER as error:
            if _is_of_sign_in(error):
                raise
            return False
        return True

    def _query(
        self,
        query: str,
        params: Sequence[str],
        operation: str,
        parse: Callable[[httpx.Response], Parsed],
        attempts: int | None = None,
    ) -> Parsed:
        body: dict[str, Any] = {"q": " ".join(query.split()), **({"params": list(params)} if params else {})}
        answer = self._http.read(
            "POST",
            SUITEQL_PATH,
            operation,
            parse,
            attempts=attempts,
            params={"limit": str(PAGE), "offset": "0"},
            headers={"Prefer": "transient", "Content-Type": "application/json"},
            content=orjson.dumps(body),
            extensions={"operation": operation},
        )
        self.concurrency.increase()
        return answer

    def _get(self, path: str, operation: str, accept: str = "application/json") -> dict[str, Any]:
        def parse(response: httpx.Response) -> dict[str, Any]:
            return json_object(response.content, response.headers.get("content-type", ""), operation)

        headers = {"Accept": accept}
        return self._http.read("GET", path, operation, parse, headers=headers, extensions={"operation": operation})


def _is_of_sign_in(error: Exception) -> bool:
    """Return whether a sign-in failed, which concerns every call."""
    return isinstance(error, CredentialsError) and not isinstance(error, PermissionRefusedError)


def _table(query: str) -> str:
    found = re.search(r"\bfrom\s+(\w+)", query, re.IGNORECASE)
    return found[1].lower() if found else "netsuite"
