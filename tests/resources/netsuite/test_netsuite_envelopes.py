"""NetSuite's envelopes in any form: pages, limits, the metadata catalog, notes of deletions, errors."""

from typing import Any

import httpx
import pytest

from assets.netsuite.extract.deletions import _deletion
from resources.errors import ContractError
from resources.netsuite.catalog import field_kind
from resources.netsuite.concurrency import ConcurrencyLimit
from resources.netsuite.errors import error_of
from resources.netsuite.pages import parse_page, scan_page
from tests.resources.netsuite.test_netsuite_client import NoWait, answering, page, rejecting

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


def test_unreadable_limits_do_not_stop_a_run() -> None:
    """They are not needed."""
    assert answering(lambda _: httpx.Response(200, json=[1])).max_concurrency() == 4


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"recordid": "7", "kind": "customer", "deleteddate": "2026-11-16 06:00:00"}, True),
        ({"recordid": "7.0", "kind": " Customer ", "deleteddate": "2026-11-16 06:00:00.0"}, True),
        ({"kind": "customer", "deleteddate": "2026-11-16 06:00:00"}, False),
        ({"recordid": "x", "kind": "customer", "deleteddate": "2026-11-16 06:00:00"}, False),
        ({"recordid": "7", "kind": "customer"}, False),
        ({"recordid": "7", "kind": "customer", "deleteddate": "11/16/2026"}, False),
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
