"""Reads NetSuite by SuiteQL over REST, page by page in the order of internal ids.

NetSuiteClient.read_keyset("select … where c.id > ? order by c.id asc")  ->  pages of {column: text}

Relies on (NetSuite help, section_157909186990): at most 1000 rows a page; every value is text, booleans are 'T' and
'F', an empty column is left out of the row; values are bound by position. Offset paging runs the query anew for each
page and so repeats and skips rows while data moves, and ends at 100,000 rows: it is not used here.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

import httpx
import orjson

from resources.clock import Clock
from resources.errors import ContractError, CredentialsError, RateLimitedError, RequestRejectedError
from resources.http import ATTEMPTS, HttpClient, Understood
from resources.netsuite.concurrency import Lanes
from resources.netsuite.errors import UnexpectedError, refusal
from resources.netsuite.pages import PAGE, Page, RawPage, Row, ascending, json_object, look_at, read_page

SUITEQL_PATH = "/services/rest/query/v1/suiteql"
SYSTEM_PATH = "/services/rest/system/v1"
CATALOGUE_PATH = "/services/rest/record/v1/metadata-catalog"
TRIES = 2  # of a query that is sent to see whether NetSuite takes it
TIME_S = timedelta(seconds=60)
PATIENCE_S = 300.0  # a window of a minute may be full of calls, others' too: netsuite.md §4 [U]
QUARTER_S = 900  # time zones differ by quarters of an hour
Answered = TypeVar("Answered")
TIMESTAMP = "%Y-%m-%d %H:%M:%S"

ZONE_PROBE = (
    "select to_char(current_timestamp, 'YYYY-MM-DD HH24:MI:SS') as local_now,"
    " to_char(sys_extract_utc(current_timestamp), 'YYYY-MM-DD HH24:MI:SS') as utc_now from dual"
)
# where SYS_EXTRACT_UTC does not work, the server's time stands in
LOCAL_PROBE = "select to_char(current_timestamp, 'YYYY-MM-DD HH24:MI:SS') as local_now from dual"


def open_http_client(http: httpx.Client, clock: Clock, lanes: Lanes, attempts: int = ATTEMPTS) -> HttpClient:
    """The HTTP door that understands NetSuite's refusals and narrows the lanes on "too many"."""

    def translate(response: httpx.Response) -> Any:
        error = refusal(response, clock.now())
        if isinstance(error, RateLimitedError):
            lanes.narrow()
        return error

    return HttpClient(
        http,
        system="netsuite",
        clock=clock,
        attempts=attempts,
        patience_s=PATIENCE_S,
        translate=translate,
        turn=lanes.lane,
    )


class NetSuiteClient:
    """A typed face on SuiteQL and two system calls; knows nothing of Dagster, DuckDB or what the tables mean."""

    def __init__(self, http: HttpClient, clock: Clock, lanes: Lanes | None = None) -> None:
        self._http = http
        self.clock = clock
        self.lanes = lanes or Lanes()
        self.limits: dict[str, Any] | None = None  # as NetSuite told them; None: not asked yet
        self._shared: dict[str, tuple[datetime, str, Any]] = {}

    @property
    def calls(self) -> int:
        """Requests made so far, retries included, sign-in left out."""
        return self._http.calls

    def shared(self, question: str, since: str, ask: Callable[[], Answered]) -> Answered:
        """An answer that the tables of a run have in common: asked again when it is older than `TIME_S`.

        Args:
            question: Which one.
            since: What it covers; an answer that covers more will do.
            ask: Asks it.
        """
        now = self.clock.now()
        known = self._shared.get(question)
        if known is None or now - known[0] > TIME_S or known[1] > since:
            known = self._shared[question] = now, since, ask()
        answer: Answered = known[2]
        return answer

    def server_time(self) -> datetime:
        """NetSuite's own time in UTC, in whole seconds, not older than `TIME_S`: the next watermark.

        Earlier is safe, it only reads a little twice; so the tables of a run that follow each other ask once.

        Raises:
            ContractError: The answer has no time that can be read.
        """
        return self.shared("server time", "", self._read_time)

    def _read_time(self) -> datetime:
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

    def follow(self, limits: Mapping[str, Any] | None) -> None:
        """Keep to these limits from now on; None leaves the setting alone."""
        self.limits = dict(limits or {})
        self.lanes.grant(self.limits)

    @property
    def concurrency(self) -> int:
        """Lanes in use at most, after a look at the account's limits unless they are known."""
        self.learn_limits()
        return self.lanes.most

    def learn_limits(self) -> None:
        """Ask for the account's limits and keep to them, unless that was done."""
        if self.limits is None:
            self.follow(self.governance_limits())

    def custom_fields(self, record: str) -> Mapping[str, str] | None:
        """The fields of a record type by the metadata catalogue, each with its kind: see `field_kind`.

        None when the role may not see the catalogue.

        Args:
            record: The REST name, such as customer.
        """
        try:
            answer = self._get(f"{CATALOGUE_PATH}/{record}", "read the fields", accept="application/schema+json")
        except RequestRejectedError:
            return None
        fields = answer.get("properties")
        if not isinstance(fields, dict):
            return None
        return {name.lower(): field_kind(about) for name, about in fields.items()}

    @cached_property
    def session_zone_offset(self) -> timedelta | None:
        """How far the session's local time is ahead of UTC just now; None when NetSuite does not tell.

        Literals in a query are read in the zone of the integration user, not in UTC.
        """
        for probe in (ZONE_PROBE, LOCAL_PROBE):
            try:
                row = self.suiteql(probe)[0]
                local = datetime.strptime(row["local_now"], TIMESTAMP)  # noqa: DTZ007
                utc = datetime.strptime(row["utc_now"], TIMESTAMP) if "utc_now" in row else self._naive_time()  # noqa: DTZ007
            except CredentialsError:
                raise
            except (RequestRejectedError, IndexError, KeyError, ValueError):
                continue
            return timedelta(seconds=round((local - utc).total_seconds() / QUARTER_S) * QUARTER_S)
        return None

    def _naive_time(self) -> datetime:
        return self._read_time().replace(tzinfo=None)

    def suiteql(self, query: str, params: Sequence[str] = ()) -> list[Row]:
        """The first page of a query's rows, at most 1000; column names in lower case.

        Args:
            query: SuiteQL with `?` for each value.
            params: The values, as text.

        Raises:
            ContractError: The answer is cut, empty, not JSON, or counts other rows than it brings.
            RequestRejectedError: See `resources/netsuite/errors.py`.
        """
        return self.one_page(query, params).rows

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
            page = self.one_page(query, (*params, after))
            after = ascending(page.rows, key, after)
            if page.rows:
                yield page.rows
            if not page.has_more:
                return

    def one_page(self, query: str, params: Sequence[str] = ()) -> Page:
        """One page of a query, and whether there are more rows; see `suiteql`."""
        operation = f"query {_table(query)}"

        def read(response: httpx.Response) -> Page:
            return read_page(response.content, operation, response.headers.get("content-type", ""))

        return self._send(query, params, operation, read)

    def page(self, query: str, params: Sequence[str], key: str) -> RawPage:
        """One page of a query, its cells not looked at yet: see `resources/netsuite/pages.py`.

        Raises:
            ContractError: The answer is cut, no JSON, or counts other rows than it brings.
        """
        operation = f"query {_table(query)}"
        return self._send(query, params, operation, lambda response: look_at(response.content, key, operation))

    def accepts(self, query: str, params: Sequence[str] = ()) -> bool:
        """Whether NetSuite runs a query; a refusal for any reason but sign-in means that it does not."""
        try:
            self._send(query, params, f"try a query on {_table(query)}", lambda _: None, attempts=TRIES)
        except CredentialsError:
            raise
        except (RequestRejectedError, UnexpectedError):
            return False
        return True

    def _send(
        self,
        query: str,
        params: Sequence[str],
        operation: str,
        understand: Callable[[httpx.Response], Understood],
        attempts: int | None = None,
    ) -> Understood:
        body: dict[str, Any] = {"q": " ".join(query.split()), **({"params": list(params)} if params else {})}
        answer = self._http.ask(
            "POST",
            SUITEQL_PATH,
            operation,
            understand,
            attempts=attempts,
            params={"limit": str(PAGE), "offset": "0"},
            headers={"Prefer": "transient", "Content-Type": "application/json"},
            content=orjson.dumps(body),
            extensions={"operation": operation},
        )
        self.lanes.widen()
        return answer

    def _get(self, path: str, operation: str, accept: str = "application/json") -> dict[str, Any]:
        def read(response: httpx.Response) -> dict[str, Any]:
            return json_object(response.content, response.headers.get("content-type", ""), operation)

        headers = {"Accept": accept}
        return self._http.ask("GET", path, operation, read, headers=headers, extensions={"operation": operation})


def field_kind(about: Any) -> str:
    """What the catalogue's JSON schema says of one field (netsuite.md §2.5).

    reference (an id), references (several: a multi-select), date, date-time, boolean, integer, number, else text.
    """
    if not isinstance(about, dict):
        return "text"
    parts = about.get("properties")
    if isinstance(parts, dict):
        return "references" if "items" in parts else "reference"
    kind, form = about.get("type"), about.get("format")
    if kind == "array":
        return "references"
    return str(form if form in {"date", "date-time"} else kind if kind in {"boolean", "integer", "number"} else "text")


def _table(query: str) -> str:
    found = re.search(r"\bfrom\s+(\w+)", query, re.IGNORECASE)
    return found[1].lower() if found else "netsuite"
