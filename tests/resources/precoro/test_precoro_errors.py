"""Precoro's error responses become errors of our tree."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from resources.errors import QuotaExhaustedError, RateLimitedError
from resources.precoro.errors import PAGE, ErrorTranslator, error_text

NOW = datetime(2025, 12, 16, 9, 0, 0, tzinfo=UTC)
TIMESTAMP = "2025-12-16 09:00:49 UTC"


class StoppedClock:
    """A clock that does not move."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return NOW

    def sleep(self, seconds: float) -> None:
        """Return at once."""


def error_for_429(body: Any, headers: dict[str, str] | None = None) -> Exception | None:
    """Return the error for a 429."""
    request = httpx.Request("GET", "https://api.precoro.com/itemcustomfields")
    return ErrorTranslator(StoppedClock())(httpx.Response(429, json=body, headers=headers, request=request))


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"RateLimit-Type": "Route based limiter by minute", "RateLimit-Retry-After": TIMESTAMP}, {}, 50.0),
        ({"RateLimit-Retry-After": TIMESTAMP}, {"Retry-After": "7"}, 50.0),
        ({}, {"RateLimit-Retry-After": "2025-12-16T09:00:10+00:00"}, 11.0),
        ({}, {"Retry-After": "7"}, 7.0),
        ({"RateLimit-Retry-After": "soon"}, {"Retry-After": "7"}, 7.0),
        # this machine's clock is an hour ahead, or three hours behind
        ({"RateLimit-Retry-After": "2025-12-16 08:00:49 UTC"}, {"Date": "Tue, 16 Dec 2025 08:00:00 GMT"}, 50.0),
        ({"RateLimit-Retry-After": "2025-12-16 12:00:49 UTC"}, {"Date": "Tue, 16 Dec 2025 12:00:00 GMT"}, 50.0),
        ([], {}, None),
    ],
)
def test_the_body_takes_precedence_over_headers(body: Any, headers: dict[str, str], seconds: float | None) -> None:
    """§3: the details are in the body; whether there are headers is unknown."""
    error = error_for_429(body, headers)

    assert isinstance(error, RateLimitedError)
    assert error.retry_after_s == seconds


@pytest.mark.parametrize(
    "body",
    [
        {"RateLimit-Type": "Daily limiter", "RateLimit-Retry-After": "2025-12-16 09:10:00 UTC"},
        {"RateLimit-Type": "Some new limiter", "RateLimit-Retry-After": "2025-12-16 20:00:00 UTC"},
    ],
)
def test_a_wait_until_tomorrow_ends_the_run(body: Any) -> None:
    """It is recognized by its name, or because it lasts longer than an hour."""
    assert isinstance(error_for_429(body), QuotaExhaustedError)


@pytest.mark.parametrize("seconds", ["99999999999999999999", "1e300"])
def test_a_wait_of_any_length_ends_the_run(seconds: str) -> None:
    """No date can represent it."""
    assert isinstance(error_for_429({}, {"Retry-After": seconds}), QuotaExhaustedError)


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_for_people_says_nothing_of_a_record(status: int) -> None:
    """Its code is not that of a record that is gone, which would be created again."""
    request = httpx.Request("GET", "https://api.precoro.com/itemcustomfields/1/options/2")
    answers = [{"html": "<h1>Not found</h1>"}, {"json": {"message": "Not found"}}, {}]
    errors = [ErrorTranslator(StoppedClock())(httpx.Response(status, request=request, **each)) for each in answers]

    assert [getattr(each, "code", None) for each in errors] == [PAGE, str(status), str(status)]


def test_an_error_never_contains_sent_values() -> None:
    """If the service quotes a customer's name, it is removed; error texts are logged."""
    form = {"name": "Jörg & Söhne", "externalId": "7"}
    request = httpx.Request("POST", "https://api.precoro.com/itemcustomfields/1/options", data=form)
    body = {"errors": {"errors": {"name": "Jörg & Söhne is taken."}}}

    error = ErrorTranslator(StoppedClock())(httpx.Response(400, json=body, request=request))

    assert str(error) == "precoro: POST /itemcustomfields/1/options: HTTP 400: name: <name> is taken."


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("plain", "plain"),
        ({"message": "m", "error": "e"}, "m"),
        ({"error": "e", "errors": {"errors": {"name": "n"}}}, "e"),
        ({"errors": {"errors": {"name": "too long"}}}, "name: too long"),
        ({"errors": {"name": ["too long", "ugly"]}}, "name: too long"),
        ({"errors": [{"errors": {}}, "second"]}, "second"),
        ({"errors": [{"field": "name", "message": "too long"}]}, "name: too long"),
        ({"violations": [{"propertyPath": "name", "message": "too long"}]}, "name: too long"),
        ({"error": {"code": 422, "message": "too long"}}, "too long"),
        ({"title": "Bad", "detail": "too long"}, "too long"),
        ({"title": "Bad", "errors": {"errors": {"title": "too long"}}}, "title: too long"),
        ({"title": "Bad", "violations": [{"propertyPath": "name", "message": "too long"}]}, "name: too long"),
        ({"title": "Bad"}, "Bad"),
        (None, ""),
        ({"errors": 5}, ""),
    ],
)
def test_the_text_of_any_envelope_is_found(body: Any, text: str) -> None:
    """§4: tolerant, because only one envelope was seen in production."""
    assert error_text(body) == text
