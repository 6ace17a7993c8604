"""Reads Precoro's refusals: what a 429 says in its body, and the text inside the doubled `errors` envelope.

Source: precoro.md §3 (429 body) and §4 (error envelope).
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx
import orjson

from resources.clock import Clock
from resources.errors import (
    CredentialsError,
    IntegrationError,
    QuotaExhaustedError,
    RateLimitedError,
    RecordRejectedError,
    RequestRejectedError,
)
from resources.http import retry_after_s

MEND = (
    "the token or its user was refused; renew {0}_TOKEN, check that {0}_EMAIL is the user whose token it is and"
    " that this user may see and edit custom fields, and that {0}_REGION is where the account lives"
)
STAMP = "%Y-%m-%d %H:%M:%S UTC"
LONGEST_TEXT = 300
# a stamp in full seconds may lie up to one second before the moment that it means
ROUNDING_S = 1.0
# waiting this long is waiting for the next day
LONGEST_WAIT_S = 3700.0


class Refusals:
    """Turns Precoro's refusals into our errors; `HttpClient` asks it first."""

    def __init__(self, clock: Clock, account: str = "precoro") -> None:
        """Take the clock that stamps are compared with, and how the account's settings begin."""
        self._clock = clock
        self._mend = MEND.format(account.upper())

    def __call__(self, response: httpx.Response) -> IntegrationError | None:
        """The error in words of Precoro, or None to leave it to the HTTP status."""
        status = response.status_code
        if not response.is_client_error or status == httpx.codes.REQUEST_TIMEOUT:
            return None
        operation = f"{response.request.method} {response.request.url.path}"
        if status in {401, 403}:
            return CredentialsError("precoro", operation, f"HTTP {status}: {self._mend}", code=str(status))
        body = _json(response)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return self._too_many(response, body, operation)
        text = _without_contents(error_text(body), response.request)
        reason = f"HTTP {status}: {text}" if text else f"HTTP {status}"
        refused = RecordRejectedError if status in {400, 409, 422} else RequestRejectedError
        return refused("precoro", operation, reason, code=str(status))

    def _too_many(self, response: httpx.Response, body: Any, operation: str) -> IntegrationError:
        told = body if isinstance(body, dict) else {}
        kind = str(told.get("RateLimit-Type") or "unnamed limiter")
        stamp = told.get("RateLimit-Retry-After") or response.headers.get("ratelimit-retry-after")
        seconds = self._until(str(stamp)) if stamp else None
        if seconds is None:
            seconds = retry_after_s(response, self._clock.now())
        if "daily" in kind.lower() or (seconds or 0.0) > LONGEST_WAIT_S:
            until = f"; it goes on at {stamp}" if stamp else ""
            return QuotaExhaustedError("precoro", operation, f"HTTP 429: {kind}{until}")
        return RateLimitedError("precoro", operation, f"HTTP 429: {kind}", retry_after_s=seconds)

    def _until(self, stamp: str) -> float | None:
        """Seconds until a stamp, in the documented form or in ISO 8601."""
        try:
            moment = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
        except ValueError:
            try:
                moment = datetime.fromisoformat(stamp)
            except ValueError:
                return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - self._clock.now()).total_seconds()) + ROUNDING_S


def _json(response: httpx.Response) -> Any:
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None  # non-JSON refusals happen; the status says enough


def error_text(body: Any) -> str:
    """The message of any known envelope: a string, `message`, `error`, or the first text inside `errors`."""
    if isinstance(body, str):
        return body
    if not isinstance(body, dict):
        return ""
    for key in ("message", "error"):
        if isinstance(body.get(key), str) and body[key]:
            return str(body[key])
    return _first_text(body.get("errors"))


def _first_text(node: Any, path: str = "") -> str:
    """The first text, depth first, with the field that it stands under."""
    if isinstance(node, str):
        return f"{path}: {node}" if path else node
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        name = path if key == "errors" or isinstance(key, int) else str(key)
        text = _first_text(value, name)
        if text:
            return text
    return ""


def _without_contents(text: str, request: httpx.Request) -> str:
    """The text without the values that we sent: names are personal data and stay out of errors."""
    if request.method != "GET":
        for key, value in parse_qsl(request.content.decode("utf-8", "replace")):
            if key in {"name", "code"} and value:
                text = text.replace(value, f"<{key}>")
    return text[:LONGEST_TEXT]
