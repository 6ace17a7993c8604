"""Precoro's errors as classes of our error tree: the body of a 429, the text in the nested `errors` envelope.

Source: precoro.md §3 (429 body) and §4 (error envelope).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx

from resources.clock import Clock
from resources.errors import (
    CredentialsError,
    IntegrationError,
    QuotaExhaustedError,
    RateLimitedError,
    RecordRejectedError,
    RequestRejectedError,
)
from resources.http_failures import BUSY, ONE_RECORD, retry_after_s, sent_at, temporary_failure
from resources.json_body import load_json, repaired
from resources.scalars import as_moment, as_number

FIX = (
    "the token or its user was rejected; renew {0}_TOKEN, check that {0}_EMAIL is the user of the token and that this"
    " user may view and edit custom fields, and that {0}_REGION is the account's region"
)
FIRST_TIMESTAMP = 1e8  # a larger number is no number of seconds to wait
MAX_TEXT = 300
MESSAGES = ("message", "error", "detail")  # of an answer, or of one of its details
TITLE = "title"  # of all answers of a kind
DETAILS = ("errors", "violations", "error")
FIELDS = ("field", "propertyPath", "property")
# a timestamp in full seconds may be up to one second too early
ROUNDING_S = 1.0
MAX_WAIT_S = 3700.0  # a longer one means the limit of a day
YEAR_S = 366 * 86_400.0  # no limit lasts longer
PAGE = "page"  # code of a 404 or 410 that is a page for people: it may be that of a proxy, and says nothing of a record


class ErrorTranslator:
    """Translates Precoro's responses into errors, for `HttpClient`."""

    def __init__(self, clock: Clock, account: str = "precoro") -> None:
        """Use a clock for retry timestamps, and the prefix of the account's settings for fixes."""
        self._clock = clock
        self._fix = FIX.format(account.upper())

    def __call__(self, response: httpx.Response) -> IntegrationError | None:
        """Return the error with Precoro's text; None leaves it to the HTTP status."""
        status = response.status_code
        if not response.is_client_error or status == httpx.codes.REQUEST_TIMEOUT or status in BUSY:
            return None
        operation = f"{response.request.method} {response.request.url.path}"
        body = _json(response)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return self._rate_limit(response, body, operation)
        text = _without_values(error_text(body), response.request)
        reason = f"HTTP {status}: {text}" if text else f"HTTP {status}"
        after_s = retry_after_s(response, self._clock.now())
        failure = temporary_failure("precoro", operation, reason, text or response.text, after_s=after_s)
        if failure:
            return failure
        if status in {401, 403}:
            words = f" ({text})" if text else ""
            return CredentialsError("precoro", operation, f"HTTP {status}{words}: {self._fix}", code=str(status))
        if status in {404, 410} and response.headers.get("content-type", "").lower().startswith("text/html"):
            reason = f"{reason}: {response.request.url.host} answered with a page, as a proxy does"
            return RequestRejectedError("precoro", operation, reason, code=PAGE)
        rejected = RecordRejectedError if status in ONE_RECORD else RequestRejectedError
        return rejected("precoro", operation, reason, code=str(status))

    def _rate_limit(self, response: httpx.Response, body: Any, operation: str) -> IntegrationError:
        details = body if isinstance(body, dict) else {}
        kind = str(details.get("RateLimit-Type") or "unnamed limiter")
        timestamp = details.get("RateLimit-Retry-After") or response.headers.get("ratelimit-retry-after")
        now = sent_at(response, self._clock.now())
        seconds = _seconds_until(str(timestamp).strip(), now) if timestamp else None
        if seconds is None:
            seconds = retry_after_s(response, self._clock.now())
        if "daily" in kind.lower() or (seconds or 0.0) > MAX_WAIT_S:
            until = f"; continues at {timestamp}" if timestamp else ""
            moment = None if seconds is None else self._clock.now() + timedelta(seconds=min(seconds, YEAR_S))
            return QuotaExhaustedError("precoro", operation, f"HTTP 429: {kind}{until}", until=moment)
        return RateLimitedError("precoro", operation, f"HTTP 429: {kind}", retry_after_s=seconds)


def _seconds_until(timestamp: str, now: datetime) -> float | None:
    """Return the seconds until a timestamp, in the documented form, as an HTTP date, in ISO 8601, or as seconds."""
    seconds = as_number(timestamp)
    if seconds is not None:
        return max(0.0, seconds) if seconds < FIRST_TIMESTAMP else None
    moment = as_moment(timestamp.removesuffix(" UTC"))
    return None if moment is None else max(0.0, (moment - now).total_seconds()) + ROUNDING_S


def _json(response: httpx.Response) -> Any:
    try:
        return repaired(load_json(response.content))
    except ValueError:
        return None  # the status alone decides


def error_text(body: Any) -> str:
    """Return the text of any known envelope: a string, its message, the first text in its details, or its title."""
    if isinstance(body, str):
        return body
    if not isinstance(body, dict):
        return ""
    details = next(filter(None, (_first_text(body.get(key)) for key in DETAILS)), "")
    return _text_at(body, MESSAGES) or details or _text_at(body, [TITLE])


def _text_at(node: Mapping[str, Any], keys: Iterable[str]) -> str:
    """Return the first text at one of these keys."""
    return next((node[key] for key in keys if isinstance(node.get(key), str) and node[key]), "")


def _first_text(node: Any, path: str = "") -> str:
    """Return the first text, depth first, with the name of its field."""
    if isinstance(node, dict) and (message := _text_at(node, MESSAGES)):
        node, path = message, _text_at(node, FIELDS) or path
    if isinstance(node, str):
        return f"{path}: {node}" if path else node
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        name = path if key == "errors" or isinstance(key, int) else str(key)
        text = _first_text(value, name)
        if text:
            return text
    return ""


def _without_values(text: str, request: httpx.Request) -> str:
    """Return the text without the values that we sent: names are personal data, and the token is a secret."""
    for header in ("x-auth-token", "email"):
        text = text.replace(request.headers.get(header) or "\0", f"<{header}>")
    if request.method != "GET":
        for key, value in parse_qsl(request.content.decode("utf-8", "replace")):
            if key in {"name", "code"} and value:
                text = text.replace(value, f"<{key}>")
    return text[:MAX_TEXT]
