"""NetSuite's envelopes in any form: pages, limits, the metadata catalog, notes of deletions, errors."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from assets.netsuite.change_probe import changed_since
from assets.netsuite.extract.capabilities import KnownColumns
from assets.netsuite.extract.deletions import _deletion
from assets.netsuite.extract.reader import Extent, Reader
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.extract.undated import has_undated
from assets.netsuite.extract.unreadable_rows import find_unreadable
from assets.netsuite.record_types import RECORD_TYPES
from resources.errors import ContractError, CredentialsError
from resources.netsuite.catalog import field_kind
from resources.netsuite.concurrency import ConcurrencyLimit
from resources.netsuite.errors import error_of
from resources.netsuite.id_ranges import IdRange
from resources.netsuite.pages import parse_page, scan_page
from tests.resources.netsuite.test_netsuite_client import QUERY, NoWait, answering, page, rejecting

WHOLE = page(1, 2)


def without(name: str) -> dict[str, Any]:
    """Return a page without a key."""
    return {key: value for key, value in WHOLE.items() if key != name}


ENVELOPES = [
    WHOLE,
    {**WHOLE, "count": "2", "offset": "0", "totalResults": "2"},
    {**WHOLE, "hasMore": "false"},
    {**WHOLE, "hasMore": "F"},
    {**WHOLE, "hasMore": 0},
    {**WHOLE, "totalResults": None},
    {**WHOLE, "totalResults": "many"},
    {**WHOLE, "offset": None},
    {**WHOLE, "count": None},
    {**WHOLE, "links": None, "somethingNew": {"a": 1}},
    without("totalResults"),
    without("offset"),
    without("count"),
    without("links"),
]


@pytest.mark.parametrize("envelope", ENVELOPES, ids=range(len(ENVELOPES)))
def test_an_envelope_in_any_form_is_read(envelope: dict[str, Any]) -> None:
    """Parsed and scanned alike."""
    body = httpx.Response(200, json=envelope).content

    assert parse_page(body, "query").rows == [{"id": "1"}, {"id": "2"}]
    scanned = scan_page(body, "id", "query")
    assert (scanned.count, scanned.last_key, scanned.has_more) == (2, 2, False)


@pytest.mark.parametrize("items", [None, []])
def test_an_empty_page_may_have_null_rows(items: Any) -> None:
    """If its count says so."""
    assert parse_page(httpx.Response(200, json=page(items=items)).content, "query").rows == []


CONTRADICTIONS = [
    {**WHOLE, "count": 3},
    {**WHOLE, "count": "3"},
    {**WHOLE, "count": "two"},
    {**WHOLE, "count": True},
    {**WHOLE, "hasMore": None},
    {**WHOLE, "hasMore": "perhaps"},
    {**WHOLE, "offset": "1000"},
    {**WHOLE, "totalResults": "5"},
    {**WHOLE, "items": None},
    {**WHOLE, "count": None, "totalResults": None},
]


@pytest.mark.parametrize("envelope", CONTRADICTIONS, ids=range(len(CONTRADICTIONS)))
def test_an_envelope_that_contradicts_its_rows_is_an_error(envelope: dict[str, Any]) -> None:
    """It is in the error tree, whatever the types."""
    body = httpx.Response(200, json=envelope).content

    for read in (lambda: parse_page(body, "query"), lambda: scan_page(body, "id", "query")):
        with pytest.raises(ContractError):
            read()


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "boolean"}, "boolean"),
        ({"type": ["boolean", "null"]}, "boolean"),
        ({"type": ["null", "string"], "format": "date-time"}, "date-time"),
        ({"type": "string", "format": None}, "text"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "string", "format": ["date"]}, "date"),
        ({"type": None}, "text"),
        ({"type": {"odd": 1}}, "text"),
        ({"type": []}, "text"),
        ({}, "text"),
        (None, "text"),
        ("string", "text"),
        ({"type": "object", "properties": None}, "text"),
        ({"type": "object", "properties": {"id": {"type": "string"}}}, "reference"),
        ({"type": ["array", "null"]}, "references"),
    ],
)
def test_a_schema_in_any_form_has_a_kind(schema: Any, kind: str) -> None:
    """One odd field does not hide the catalog."""
    assert field_kind(schema) == kind


@pytest.mark.parametrize(
    ("limits", "slots"),
    [
        ({"accountConcurrencyLimit": "3"}, 2),
        ({"accountConcurrencyLimit": 3.0, "integrationConcurrencyLimit": None}, 2),
        ({"integrationConcurrencyLimit": "2"}, 2),
        ({"accountConcurrencyLimit": "unlimited", "new": []}, 4),
        ({"accountConcurrencyLimit": True}, 4),
        ({"accountConcurrencyLimit": -1}, 4),
        ({}, 4),
    ],
)
def test_limits_in_any_form_are_obeyed(limits: dict[str, Any], slots: int) -> None:
    """A number may be a text."""
    limit = ConcurrencyLimit(4)

    limit.apply(limits)

    assert limit.slots == slots


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json=[1]),
        httpx.Response(200, html="<html>Not here</html>"),
        httpx.Response(204),
        httpx.Response(403),
        httpx.Response(404),
        httpx.Response(500, json={"o:errorDetails": [{"detail": "…", "o:errorCode": "UNEXPECTED_ERROR"}]}),
    ],
    ids=["list", "html", "empty", "forbidden", "missing", "unexpected"],
)
def test_a_run_does_without_what_an_account_does_not_answer(answer: httpx.Response) -> None:
    """Limits, types of fields and the zone: an unknown field, or a role, may lead to any answer (§1.5)."""
    client = answering(lambda _: answer)

    assert client.max_concurrency() == 4
    assert client.custom_fields("customer") is None
    assert client.session_zone_offset is None


def test_a_rejected_sign_in_does_not_hide_the_catalog() -> None:
    """Too many calls may be answered with 401 (§1.5): dates would then be read in the user's format."""
    rejected = {"o:errorDetails": [{"detail": "Invalid login attempt.", "o:errorCode": "INVALID_LOGIN"}]}

    with pytest.raises(CredentialsError):
        answering(lambda _: httpx.Response(401, json=rejected)).custom_fields("customer")


def test_a_page_in_place_of_the_catalog_stops_no_table() -> None:
    """A proxy may let only the paths of queries pass; the types that are known stay."""
    assert answering(lambda _: httpx.Response(404, html="<h1>Not found</h1>")).custom_fields("customer") is None


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "yesterday"])
def test_a_server_time_that_is_none_is_reported(time: str) -> None:
    """It becomes the next watermark."""
    with pytest.raises(ContractError, match="no serverTime"):
        answering(lambda _: httpx.Response(200, json={"serverTime": time})).server_time()


def test_the_zone_is_read_where_times_are_not_converted() -> None:
    """SYS_EXTRACT_UTC may be answered like an unknown field, with 500 (§10.10)."""

    def answer(request: httpx.Request) -> httpx.Response:
        if b"sys_extract_utc" in request.content:
            return httpx.Response(500)
        if request.method == "GET":
            return httpx.Response(200, json={"serverTime": "2026-11-16T12:00:00Z"})
        return httpx.Response(200, json=page(1, items=[{"local_now": "2026-11-16 13:00:00"}]))

    assert answering(answer).session_zone_offset == timedelta(hours=1)


NUMBERS: list[list[dict[str, Any]]] = [[], [{}], [{"which": "customers", "n": "1,200", "hi": "many"}], [{"n": None}]]


@pytest.mark.parametrize("items", NUMBERS, ids=["no row", "blank", "formatted", "null"])
def test_numbers_of_rows_in_any_form_stop_nothing(items: list[dict[str, Any]], tmp_path: Path) -> None:
    """They divide the work, start runs or save calls: an unreadable one is unknown."""
    client = answering(lambda _: httpx.Response(200, json=page(*range(len(items)), items=items)))
    customers = RECORD_TYPES["customers"]
    reader = Reader(client, customers, tmp_path, (), KnownColumns())
    client.apply_limits(None)

    assert reader._extent(IdRange(7)) == Extent(0, 7)
    assert has_undated(client, customers, ExtractionSettings())
    assert changed_since(client, NoWait().now()) == {}


def test_limits_that_cannot_be_read_now_are_asked_for_in_the_next_run() -> None:
    """A run does without them, and does not record that the role may not read them."""
    client = answering(lambda _: httpx.Response(503))

    assert client.max_concurrency() == 4
    asked = client.calls
    assert client.max_concurrency() == 4
    assert (client.calls, client.limits) == (asked, None)


@pytest.mark.parametrize("status", [200, 500, 503, 504])
def test_a_count_that_fails_does_not_stop_a_table(status: int, tmp_path: Path) -> None:
    """Aggregates of a large table may time out where its pages do not: these are then read one after the other."""
    client = answering(lambda _: httpx.Response(status))
    client.apply_limits(None)

    assert Reader(client, RECORD_TYPES["customers"], tmp_path, (), KnownColumns())._extent(IdRange(7)) == Extent(0, 7)


@pytest.mark.parametrize("key", ["1.0", "x", None])
def test_a_page_without_whole_keys_has_no_unreadable_rows(key: str | None) -> None:
    """The first error says what is wrong."""
    client = answering(lambda _: httpx.Response(200, json=page(1, items=[{"id": key}])))

    assert find_unreadable(client, RECORD_TYPES["customers"].query, [], [], "0") == []


@pytest.mark.parametrize("total", [None, "many", 0])
def test_a_full_page_is_the_last_one_only_if_the_total_says_so(total: Any) -> None:
    """One row more would look deleted."""

    def answer(request: httpx.Request) -> httpx.Response:
        after = int(orjson.loads(request.content)["params"][-1])
        return httpx.Response(200, json=page(*range(after + 1, min(after + 1000, 1500) + 1), totalResults=total))

    client = answering(answer)

    assert sum(len(rows) for rows in client.read_keyset(QUERY, after="0")) == 1500
    assert client.raw_page(QUERY, ["0"], "id").has_more
    assert not answering(lambda _: httpx.Response(200, json=page(*range(1000)))).raw_page(QUERY, ["-1"], "id").has_more


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"recordid": "7", "kind": "customer", "deleteddate": "2026-11-16 06:00:00"}, True),
        ({"recordid": "7.0", "kind": " Customer ", "deleteddate": "2026-11-16 06:00:00.0"}, True),
        ({"kind": "customer", "deleteddate": "2026-11-16 06:00:00"}, False),
        ({"recordid": "x", "kind": "customer", "deleteddate": "2026-11-16 06:00:00"}, False),
        ({"recordid": "7", "kind": "customer"}, False),
        ({"recordid": "7", "kind": "customer", "deleteddate": "11/16/2026"}, False),
        ({"recordid": "7", "kind": "customer", "deleteddate": "9999-12-31 23:59:59"}, False),
        ({"recordid": "7", "kind": "customer", "deleteddate": "2026-02-30 06:00:00"}, False),
        ({"recordid": "7", "kind": "customer", "deleteddate": "2026-11-16 24:00:00"}, False),
    ],
)
def test_a_note_without_id_or_time_says_nothing(row: dict[str, str], expected: bool) -> None:  # noqa: FBT001 - a case
    """It does not hide the others."""
    assert _deletion(row) == (("7", "customer", "2026-11-16 06:00:00") if expected else None)


BODIES: list[tuple[Any, str]] = [
    ({"o:errorDetails": [{"detail": "Words.", "o:errorCode": "CODE"}]}, "CODE Words."),
    ({"o:errorDetails": {"detail": "Words.", "o:errorCode": "CODE"}}, "CODE Words."),
    ({"o:errorDetails": [{"detail": None, "o:errorCode": "CODE"}]}, "CODE"),
    ({"o:errorDetails": [{"detail": "Words."}]}, "Words."),
    ({"o:errorDetails": [], "title": "Bad Request"}, "Bad Request"),
    ({"o:errorDetails": ["odd"], "title": "Bad Request"}, "Bad Request"),
    ({"error": {"code": "CODE", "message": "Words."}}, "CODE Words."),
    ({"error": "odd"}, ""),
    ({"title": 5}, "5"),
    ([], ""),
    (None, ""),
]


@pytest.mark.parametrize(("body", "words"), BODIES)
def test_netsuites_words_are_found_in_any_envelope(body: Any, words: str) -> None:
    """Also in that of RESTlets."""
    response = httpx.Response(400, json=body, request=httpx.Request("POST", "https://x.example/q"))

    error = error_of(response, NoWait().now())

    assert error is not None
    assert error.reason == f"HTTP 400 {words}".strip()


def test_the_client_reads_them_as_well() -> None:
    """A value that is no text becomes one."""
    assert rejecting(400, "X", "y").governance_limits() is None
