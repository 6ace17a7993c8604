"""Reading NetSuite page by page: what is believed, what is refused."""

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
from resources.netsuite.client import NetSuiteClient, open_http_client
from resources.netsuite.concurrency import Lanes
from resources.netsuite.errors import MissingTableError, UnknownColumnError

QUERY = "select c.id from customer c where c.id > ? order by c.id asc"


class NoWait(WallClock):
    """Does not wait."""

    def sleep(self, seconds: float) -> None:
        """Return at once."""


def answering(answer: Callable[[httpx.Request], httpx.Response], lanes: Lanes | None = None) -> NetSuiteClient:
    """The real client before a NetSuite that answers as told."""
    clock: Clock = NoWait()
    lanes = lanes or Lanes(4)
    http = httpx.Client(base_url="https://1234567.example", transport=httpx.MockTransport(answer))
    return NetSuiteClient(open_http_client(http, clock, lanes), clock, lanes)


def page(*ids: int, more: bool = False, **changes: Any) -> dict[str, Any]:
    """A well-formed page."""
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


def refusing(status: int, code: str, detail: str) -> NetSuiteClient:
    """The real client before a NetSuite that refuses."""
    body = {"title": "x", "status": status, "o:errorDetails": [{"detail": detail, "o:errorCode": code}]}
    return answering(lambda _: httpx.Response(status, json=body))


def test_a_page_asks_as_netsuite_documents() -> None:
    """Header, limit and bound values; a value is never part of the text."""
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
    """NetSuite leaves empty columns out; the case of names is not promised."""
    items = [{"links": []}, {"links": [], "EntityId": "A", "n": 3, "b": True, "gone": None}]

    rows = answering(lambda _: httpx.Response(200, json=page(1, 2, items=items))).suiteql(QUERY, ["0"])

    assert rows == [{}, {"entityid": "A", "n": "3", "b": "T"}]


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(httpx.Response(200, content=orjson.dumps(page(1, 2, 3))[:40]), id="cut"),
        pytest.param(httpx.Response(200, html="<html>Down for maintenance</html>"), id="html"),
        pytest.param(httpx.Response(200, content=b""), id="empty"),
        pytest.param(httpx.Response(200, json=[]), id="a list"),
        pytest.param(httpx.Response(200, json={"items": []}), id="no hasMore"),
        pytest.param(httpx.Response(200, json=page(1, 2, count=3)), id="fewer than counted"),
        pytest.param(httpx.Response(200, json=page(1, 2, more=True)), id="short, and says more"),
        pytest.param(httpx.Response(200, json=page(1, 2, totalResults=5)), id="last before the total"),
        pytest.param(httpx.Response(200, json=page(1, 2, offset=1000)), id="another page"),
        pytest.param(httpx.Response(200, json=page(1, items=[{"id": {"refName": "x"}}])), id="nested"),
        pytest.param(httpx.Response(200, json=page(1, items=["x"])), id="no object"),
    ],
)
def test_an_answer_of_another_shape_is_never_taken_for_fewer_rows(response: httpx.Response) -> None:
    """Whatever is missing here would look deleted later."""
    with pytest.raises(ContractError, match="netsuite: query customer"):
        answering(lambda _: response).suiteql(QUERY, ["0"])


UNUSABLE = [
    httpx.Response(200, content=b""),
    httpx.Response(200, html="<html>Down for maintenance</html>"),
    httpx.Response(200, content=orjson.dumps(page(1, 2, 3))[:60]),
    httpx.Response(200, json=page(1, 2, count=3)),  # half of the rows, and the count of all
]


@pytest.mark.parametrize("unusable", UNUSABLE, ids=["empty", "html", "cut", "half"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_answer_that_makes_no_sense_is_asked_for_again_a_few_times(unusable: httpx.Response, times: int) -> None:
    """One bad page of a hundred must not cost the table; a wall of them must not cost an hour."""
    answers = [unusable] * times + [httpx.Response(200, json=page(1, 2, 3))]
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers[len(asked) - 1]

    client = answering(answer)

    if times < 3:
        assert client.page(QUERY, ["0"], "id").last_key == 3
        assert len(asked) == times + 1
    else:
        with pytest.raises(ContractError, match="netsuite: query customer"):
            client.page(QUERY, ["0"], "id")
        assert len(asked) == 3


@pytest.mark.parametrize("ids", [(3, 2), (2, 2), (0, 1)])
def test_keys_that_do_not_ascend_stop_the_reading(ids: tuple[int, ...]) -> None:
    """NetSuite was seen to page wrongly without an explicit order; rows would be lost in silence."""
    client = answering(lambda _: httpx.Response(200, json=page(*ids)))

    with pytest.raises(ContractError, match="does not ascend"):
        list(client.read_keyset(QUERY, after="0"))


def test_pages_follow_the_last_key_and_never_an_offset() -> None:
    """Rows inserted or deleted while reading shift offsets, not keys."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        after = orjson.loads(request.content)["params"][-1]
        asked.append(after)
        low = int(after) + 1
        return httpx.Response(200, json=page(*range(low, min(low + 1000, 2501)), more=low + 1000 <= 2500))

    rows = [row for rows in answering(answer).read_keyset(QUERY, after="0") for row in rows]

    assert [int(row["id"]) for row in rows] == list(range(1, 2501))
    assert asked == ["0", "1000", "2000"]


def test_a_table_that_is_not_found_names_permission_and_feature() -> None:
    """NetSuite words a missing permission as a missing table."""
    client = refusing(400, "INVALID_PARAMETER", "Invalid search query. Record 'subsidiary' was not found.")

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
    """The reader leaves it out or says what to do; both need its name."""
    with pytest.raises(UnknownColumnError, match="custentity_region") as raised:
        refusing(400, "INVALID_PARAMETER", detail).suiteql(QUERY, ["0"])
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
def test_refusals_carry_netsuites_code(status: int, code: str, kind: type[RequestRejectedError]) -> None:
    """An operator searches NetSuite's help by this code."""
    with pytest.raises(kind, match=code):
        refusing(status, code, "…").suiteql(QUERY, ["0"])


def test_too_many_calls_narrow_the_lanes() -> None:
    """The limit belongs to the whole account; others are reading too."""
    lanes = Lanes(4)
    answers = iter([429, 200])

    def answer(_: httpx.Request) -> httpx.Response:
        status = next(answers)
        refused = {"o:errorDetails": [{"detail": "…", "o:errorCode": "CONCURRENCY_LIMIT_EXCEEDED"}]}
        return httpx.Response(status, json=page(1) if status == 200 else refused)

    rows = answering(answer, lanes).suiteql(QUERY, ["0"])

    assert (rows, lanes.open) == ([{"id": "1"}], 2)


def test_waits_between_tries_are_drawn_and_grow() -> None:
    """Callers that were refused together must not come back together."""

    class Noting(NoWait):
        """Notes how long it would have waited."""

        def __init__(self) -> None:
            self.waits: list[float] = []

        def sleep(self, seconds: float) -> None:
            """Note."""
            self.waits.append(seconds)

    waits = []
    for _ in range(2):
        clock, lanes = Noting(), Lanes(4)
        http = httpx.Client(
            base_url="https://1234567.example", transport=httpx.MockTransport(lambda _: httpx.Response(503))
        )
        with pytest.raises(TransientError):
            NetSuiteClient(open_http_client(http, clock, lanes), clock, lanes).suiteql(QUERY, ["0"])
        waits.append(clock.waits)

    assert waits[0] != waits[1]
    assert all(wait <= 2**number for tried in waits for number, wait in enumerate(tried))
    assert max(max(tried) for tried in waits) > 1, "the fifth wait has up to 16 seconds"


@pytest.mark.parametrize(
    ("answer", "lanes"),
    [
        ({"accountConcurrencyLimit": 3, "accountUnallocatedConcurrencyLimit": 1}, 2),
        ({"accountConcurrencyLimit": 15, "integrationConcurrencyLimit": 2}, 2),
        ({"accountConcurrencyLimit": 3, "integrationConcurrencyLimit": 3}, 2),
        ({"accountConcurrencyLimit": 15}, 4),
        (None, 4),
    ],
)
def test_concurrency_stays_one_below_the_accounts_limit(answer: dict[str, int] | None, lanes: int) -> None:
    """None: only administrators may ask; then the configured number stands."""
    response = httpx.Response(403) if answer is None else httpx.Response(200, json=answer)

    assert answering(lambda _: response).concurrency == lanes


def test_server_time_is_utc_in_whole_seconds() -> None:
    """It becomes the watermark; NetSuite's time stamps have no fractions."""
    client = answering(lambda _: httpx.Response(200, json={"serverTime": "2025-03-26T16:21:00.987Z"}))

    assert client.server_time() == datetime(2025, 3, 26, 16, 21, tzinfo=UTC)


@pytest.mark.parametrize("body", [{}, {"serverTime": "soon"}, {"serverTime": "2025-03-26T16:21:00"}])
def test_a_server_time_that_cannot_be_read_is_no_watermark(body: dict[str, str]) -> None:
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
def test_the_zone_probe_tells_how_far_local_time_is_ahead(local: str, utc: str, hours: float) -> None:
    """Literals in a query are read in the integration user's zone."""
    items = [{"links": [], "local_now": local, "utc_now": utc}]
    client = answering(lambda _: httpx.Response(200, json=page(1, items=items)))

    assert client.session_zone_offset == timedelta(hours=hours)


def test_a_zone_that_is_not_told_is_none() -> None:
    """The caller widens its overlap then."""
    assert refusing(400, "INVALID_PARAMETER", "Invalid or unsupported search.").session_zone_offset is None


def test_error_texts_carry_no_values() -> None:
    """Bound values may be names and e-mail addresses."""
    with pytest.raises(RequestRejectedError) as raised:
        refusing(400, "INVALID_PARAMETER", "Invalid or unsupported search.").suiteql(
            "select c.id from customer c where c.email = ?", ["ann@example.com"]
        )
    assert "ann@example.com" not in str(raised.value)
