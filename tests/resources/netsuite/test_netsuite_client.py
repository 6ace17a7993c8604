"""Read NetSuite page by page: requests, pages, retries, errors."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from resources.clock import Clock, WallClock
from resources.errors import (
    ContractError,
    CredentialsError,
    RateLimitedError,
    RequestRejectedError,
    TransientError,
)
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.concurrency import ConcurrencyLimit
from resources.netsuite.connect import open_http_client
from resources.netsuite.errors import MissingTableError, UnknownColumnError

QUERY = "select c.id from customer c where c.id > ? order by c.id asc"


class NoWait(WallClock):
    """A clock that never waits."""

    def sleep(self, seconds: float) -> None:
        """Return at once."""


def answering(
    answer: Callable[[httpx.Request], httpx.Response], limit: ConcurrencyLimit | None = None
) -> NetSuiteClient:
    """Return the real client of a NetSuite with these answers."""
    clock: Clock = NoWait()
    limit = limit or ConcurrencyLimit(4)
    http = httpx.Client(base_url="https://1234567.example", transport=httpx.MockTransport(answer))
    return NetSuiteClient(open_http_client(http, clock, limit), clock, limit)


def page(*ids: int, more: bool = False, **changes: Any) -> dict[str, Any]:
    """Return a well-formed page."""
    items = [{"links": [], "id": str(key)} for key in ids]
    return {
        "links": [],
        "count": len(ids),
        "hasMore": more,
        "items": items,
        "offset": 0,
        "totalResults": len(ids) + (1 if more else 0),
        **changes,
    }


def rejecting(status: int, code: str, detail: str) -> NetSuiteClient:
    """Return the real client of a NetSuite that answers with this error."""
    body = {"title": "x", "status": status, "o:errorDetails": [{"detail": detail, "o:errorCode": code}]}
    return answering(lambda _: httpx.Response(status, json=body))


def test_a_query_is_sent_as_netsuite_documents() -> None:
    """Header, limit and bound values are sent; a value is never part of the text."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=page(7))

    rows = answering(answer).suiteql("select c.id\nfrom customer c\nwhere c.email = ?", ["o'hara@x"])

    assert rows == [{"id": "7"}]
    assert seen[0].headers["prefer"] == "transient"
    assert seen[0].url.query == b"limit=1000&offset=0"
    assert orjson.loads(seen[0].content) == {
        "q": "select c.id from customer c where c.email = ?",
        "params": ["o'hara@x"],
    }


def test_a_row_of_nulls_is_a_row_and_names_are_lower_case() -> None:
    """NetSuite omits empty columns; the case of names is undocumented."""
    items = [{"links": []}, {"links": [], "EntityId": "A", "n": 3, "b": True, "gone": None}]

    rows = answering(lambda _: httpx.Response(200, json=page(1, 2, items=items))).suiteql(QUERY, ["0"])

    assert rows == [{}, {"entityid": "A", "n": "3", "b": "T"}]


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(httpx.Response(200, content=orjson.dumps(page(1, 2, 3))[:40]), id="truncated"),
        pytest.param(httpx.Response(200, html="<html>Down for maintenance</html>"), id="html"),
        pytest.param(httpx.Response(200, content=b""), id="empty"),
        pytest.param(httpx.Response(200, json=[]), id="a list"),
        pytest.param(httpx.Response(200, json={"items": []}), id="no hasMore"),
        pytest.param(httpx.Response(200, json=page(1, 2, count=3)), id="fewer than announced"),
        pytest.param(httpx.Response(200, json=page(1, 2, more=True)), id="short, but announces more"),
        pytest.param(httpx.Response(200, json=page(1, 2, totalResults=5)), id="ends before the total"),
        pytest.param(httpx.Response(200, json=page(1, 2, offset=1000)), id="another page"),
        pytest.param(httpx.Response(200, json=page(1, items=["x"])), id="not an object"),
    ],
)
def test_a_malformed_response_is_never_read_as_fewer_rows(response: httpx.Response) -> None:
    """Rows missing here would look deleted later."""
    with pytest.raises(ContractError, match="netsuite: query customer"):
        answering(lambda _: response).suiteql(QUERY, ["0"])


@pytest.mark.parametrize("key", [{"refName": "x"}, [1], "", "1\ufffd", None])
def test_a_row_without_a_readable_key_is_never_skipped(key: Any) -> None:
    """Any other value is held as it came, and named; a record that nothing identifies would be lost."""
    client = answering(lambda _: httpx.Response(200, json=page(1, items=[{"id": key}])))

    with pytest.raises(ContractError, match="whole number in id"):
        list(client.read_keyset(QUERY))


UNUSABLE = [
    httpx.Response(200, content=b""),
    httpx.Response(200, html="<html>Down for maintenance</html>"),
    httpx.Response(200, content=orjson.dumps(page(1, 2, 3))[:60]),
    httpx.Response(200, json=page(1, 2, count=3)),  # half of the rows, with the count of all
]


@pytest.mark.parametrize("unusable", UNUSABLE, ids=["empty", "html", "truncated", "half"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_unreadable_response_is_requested_again_up_to_three_times(unusable: httpx.Response, times: int) -> None:
    """One bad page in a hundred must not fail the table; many of them must not take an hour."""
    answers = [unusable] * times + [httpx.Response(200, json=page(1, 2, 3))]
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answers[len(requests) - 1]

    client = answering(answer)

    if times < 3:
        assert client.raw_page(QUERY, ["0"], "id").last_key == 3
        assert len(requests) == times + 1
    else:
        with pytest.raises(ContractError, match="netsuite: query customer"):
            client.raw_page(QUERY, ["0"], "id")
        assert len(requests) == 3


@pytest.mark.parametrize("ids", [(3, 2), (2, 2), (0, 1)])
def test_keys_that_do_not_ascend_raise_an_error(ids: tuple[int, ...]) -> None:
    """NetSuite was seen to page wrongly without an explicit order; rows would be lost silently."""
    client = answering(lambda _: httpx.Response(200, json=page(*ids)))

    with pytest.raises(ContractError, match="does not ascend"):
        list(client.read_keyset(QUERY, after="0"))


def test_pages_follow_the_last_key_and_never_an_offset() -> None:
    """Rows inserted or deleted meanwhile shift offsets, not keys."""
    begins: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        after = orjson.loads(request.content)["params"][-1]
        begins.append(after)
        low = int(after) + 1
        return httpx.Response(200, json=page(*range(low, min(low + 1000, 2501)), more=low + 1000 <= 2500))

    rows = [row for rows in answering(answer).read_keyset(QUERY, after="0") for row in rows]

    assert [int(row["id"]) for row in rows] == list(range(1, 2501))
    assert begins == ["0", "1000", "2000"]


def test_a_missing_table_names_permission_and_feature() -> None:
    """NetSuite reports a missing permission as a missing table."""
    client = rejecting(400, "INVALID_PARAMETER", "Invalid search query. Record 'subsidiary' was not found.")

    with pytest.raises(MissingTableError, match=r"'Subsidiaries'.*'OneWorld'") as raised:
        client.suiteql(QUERY, ["0"])
    assert raised.value.table == "subsidiary"


@pytest.mark.parametrize(
    "detail",
    [
        "Unknown identifier 'custentity_region'. Available identifiers are: {customer=customer}.",
        "Search error occurred: Field 'custentity_region' for record 'customer' was not found.",
    ],
)
def test_an_unknown_column_is_named(detail: str) -> None:
    """The reader leaves the column out or names the fix; both need its name."""
    with pytest.raises(UnknownColumnError, match="custentity_region") as raised:
        rejecting(400, "INVALID_PARAMETER", detail).suiteql(QUERY, ["0"])
    assert raised.value.column == "custentity_region"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "INVALID_PARAMETER", RequestRejectedError),
        (400, "SSS_REQUEST_LIMIT_EXCEEDED", RateLimitedError),
        (401, "INVALID_LOGIN", CredentialsError),
        (403, "INSUFFICIENT_PERMISSION", CredentialsError),
        (404, "NONEXISTENT_ID", RequestRejectedError),
        (429, "CONCURRENCY_LIMIT_EXCEEDED", RateLimitedError),
    ],
)
def test_errors_contain_netsuites_code(status: int, code: str, kind: type[RequestRejectedError]) -> None:
    """An operator searches NetSuite's help by this code."""
    with pytest.raises(kind, match=code):
        rejecting(status, code, "…").suiteql(QUERY, ["0"])


def test_a_429_reduces_the_slots() -> None:
    """The limit belongs to the whole account, which other integrations use as well."""
    limit = ConcurrencyLimit(4)
    answers = iter([429, 200])

    def answer(_: httpx.Request) -> httpx.Response:
        status = next(answers)
        error = {"o:errorDetails": [{"detail": "…", "o:errorCode": "CONCURRENCY_LIMIT_EXCEEDED"}]}
        return httpx.Response(status, json=page(1) if status == 200 else error)

    rows = answering(answer, limit).suiteql(QUERY, ["0"])

    assert (rows, limit.slots) == ([{"id": "1"}], 2)


def test_backoff_is_random_and_grows() -> None:
    """Callers rejected at the same moment must not all return at the same moment."""

    class RecordingClock(NoWait):
        """Records the waits."""

        def __init__(self) -> None:
            self.waits: list[float] = []

        def sleep(self, seconds: float) -> None:
            """Record the wait."""
            self.waits.append(seconds)

    waits = []
    for _ in range(2):
        clock, limit = RecordingClock(), ConcurrencyLimit(4)
        http = httpx.Client(
            base_url="https://1234567.example", transport=httpx.MockTransport(lambda _: httpx.Response(503))
        )
        with pytest.raises(TransientError):
            NetSuiteClient(open_http_client(http, clock, limit), clock, limit).suiteql(QUERY, ["0"])
        waits.append(clock.waits)

    assert waits[0] != waits[1]
    assert all(wait <= 2**number for attempts in waits for number, wait in enumerate(attempts))
    assert max(max(attempts) for attempts in waits) > 1, "the fifth wait is up to 16 seconds"


@pytest.mark.parametrize(
    ("answer", "slots"),
    [
        ({"accountConcurrencyLimit": 3, "accountUnallocatedConcurrencyLimit": 1}, 2),
        ({"accountConcurrencyLimit": 15, "integrationConcurrencyLimit": 2}, 2),
        ({"accountConcurrencyLimit": 3, "integrationConcurrencyLimit": 3}, 2),
        ({"accountConcurrencyLimit": 15}, 4),
        (None, 4),
    ],
)
def test_concurrency_stays_one_below_the_accounts_limit(answer: dict[str, int] | None, slots: int) -> None:
    """None: the role may not read the limits, so the configured number applies."""
    response = httpx.Response(403) if answer is None else httpx.Response(200, json=answer)

    assert answering(lambda _: response).max_concurrency() == slots


def test_server_time_is_utc_in_whole_seconds() -> None:
    """It becomes the watermark; NetSuite's timestamps have no fractions."""
    client = answering(lambda _: httpx.Response(200, json={"serverTime": "2025-03-26T16:21:00.987Z"}))

    assert client.server_time() == datetime(2025, 3, 26, 16, 21, tzinfo=UTC)


@pytest.mark.parametrize("body", [{}, {"serverTime": "soon"}, {"serverTime": "2025-03-26T16:21:00"}])
def test_an_unreadable_server_time_raises_an_error(body: dict[str, str]) -> None:
    """A wrong watermark loses every change before it."""
    with pytest.raises(ContractError, match="serverTime"):
        answering(lambda _: httpx.Response(200, json=body)).server_time()


@pytest.mark.parametrize(
    ("local", "utc", "hours"),
    [
        ("2026-11-16 04:00:01", "2026-11-16 12:00:00", -8.0),
        ("2026-11-16 17:30:00", "2026-11-16 12:00:00", 5.5),
        ("2026-11-16 12:00:00", "2026-11-16 12:00:00", 0.0),
    ],
)
def test_the_zone_probe_returns_the_offset_from_utc(local: str, utc: str, hours: float) -> None:
    """Literals in a query are read in the integration user's zone."""
    items = [{"links": [], "local_now": local, "utc_now": utc}]
    client = answering(lambda _: httpx.Response(200, json=page(1, items=items)))

    assert client.session_zone_offset == timedelta(hours=hours)


def test_an_unknown_zone_is_none() -> None:
    """The caller then widens its overlap."""
    assert rejecting(400, "INVALID_PARAMETER", "Invalid or unsupported search.").session_zone_offset is None


def test_error_texts_contain_no_values() -> None:
    """Bound values may be names and email addresses."""
    with pytest.raises(RequestRejectedError) as raised:
        rejecting(400, "INVALID_PARAMETER", "Invalid or unsupported search.").suiteql(
            "select c.id from customer c where c.email = ?", ["ann@example.com"]
        )
    assert "ann@example.com" not in str(raised.value)
