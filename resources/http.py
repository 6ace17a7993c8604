"""The one HTTP client: retries with backoff, rate limits, the error tree; no secret in any text.

client method  ->  HttpClient.send(…)  ->  httpx.Client of `http_pool.open_http`
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from resources.clock import Clock, WallClock
from resources.errors import (
    AnswerLostError,
    ContractError,
    CredentialsError,
    IntegrationError,
    RateLimitedError,
    RecordRejectedError,
    RequestRejectedError,
    TransientError,
    UnreachableError,
)
from resources.failpoints import reach

ATTEMPTS = 6
PARSE_ATTEMPTS = 3  # for a response that arrived but cannot be parsed
MAX_BACKOFF_S = 60.0
BACKOFF = wait_random_exponential(multiplier=1.0, max=MAX_BACKOFF_S)  # full jitter

Translate = Callable[[httpx.Response], IntegrationError | None]
Parsed = TypeVar("Parsed")


def retry_after_s(response: httpx.Response, now: datetime) -> float | None:
    """Return the seconds of the Retry-After header, which holds seconds or a date (RFC 9110 §10.2.3)."""
    text = response.headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - now).total_seconds())


class HttpClient:
    """Sends a request until it is answered, rejected, or out of attempts."""

    def __init__(
        self,
        http: httpx.Client,
        *,
        system: str,
        clock: Clock | None = None,
        attempts: int = ATTEMPTS,
        patience_s: float = 0.0,
        translate: Translate | None = None,
        before_send: Callable[[], None] | None = None,
        slot: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Wrap an httpx client.

        Args:
            http: The connection pool.
            system: Name of the system in errors.
            clock: Time for waiting; wall time by default.
            attempts: Maximum attempts per request.
            patience_s: Seconds for which a rate-limited request is retried beyond its attempts.
            translate: Returns the error of a response in this system's own wording; None leaves it to the HTTP status.
            before_send: Called before each attempt, for rate limits and for counting calls.
            slot: Held during each attempt until its response is read, but not while waiting for the next one.
        """
        self._http = http
        self._system = system
        self._clock = clock or WallClock()
        self._attempts = attempts
        self._patience_s = patience_s
        self._translate = translate
        self._before_send = before_send
        self._slot = slot
        self._unreachable = False
        self.calls = 0

    @property
    def base_url(self) -> str:
        """Scheme, host and port of the system."""
        return str(self._http.base_url).rstrip("/")

    def send(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        safe_to_repeat: bool,
        attempts: int | None = None,
        **request: Any,
    ) -> httpx.Response:
        """Send a request, retry transient errors with backoff, translate errors.

        Args:
            method: HTTP verb.
            path: Path below the base URL.
            operation: Operation for error texts.
            safe_to_repeat: False for a write that could happen twice: then a lost response raises AnswerLostError.
            attempts: Maximum attempts of this request, if not the client's.
            request: Passed to httpx (`content`, `json`, `data`, `params`, `headers`).

        Raises:
            IntegrationError: One of its classes, see `resources/errors.py`.
        """
        retrying = Retrying(
            retry=retry_if_exception(_is_worth_retrying),
            wait=_wait_s,
            stop=lambda state: self._is_over(state, attempts or self._attempts),
            sleep=self._clock.sleep,
            reraise=True,
        )
        try:
            response: httpx.Response = retrying(self._attempt, method, path, operation, safe_to_repeat, request)
        except UnreachableError:
            self._unreachable = True  # later requests try once instead of waiting for the same dead host
            raise
        self._unreachable = False
        return response

    def _is_over(self, state: RetryCallState, attempts: int) -> bool:
        if isinstance(_error_of(state), RateLimitedError) and state.idle_for < self._patience_s:
            return False
        return state.attempt_number >= (1 if self._unreachable else attempts)

    def read(
        self, method: str, path: str, operation: str, parse: Callable[[httpx.Response], Parsed], **request: Any
    ) -> Parsed:
        """Send a read, and repeat it while `parse` raises ContractError; the arguments are those of `send`.

        Raises:
            ContractError: No response could be parsed.
            IntegrationError: See `send`.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(ContractError),
            wait=BACKOFF,
            stop=stop_after_attempt(PARSE_ATTEMPTS),
            sleep=self._clock.sleep,
            reraise=True,
        )
        return retrying(lambda: parse(self.send(method, path, operation, safe_to_repeat=True, **request)))

    def _attempt(
        self,
        method: str,
        path: str,
        operation: str,
        safe_to_repeat: bool,  # noqa: FBT001 - tenacity passes it by position
        request: dict[str, Any],
    ) -> httpx.Response:
        if self._before_send:
            self._before_send()
        self.calls += 1
        try:
            with self._slot():
                reach("request_begins")
                response = self._http.request(method, path, **request)
                reach("request_served")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            reason = (
                f"no connection to {self._http.base_url.netloc.decode()} ({type(error).__name__}); check the address"
                f" ({self._system.upper()}_BASE_URL), the network and the firewall"
            )
            raise UnreachableError(self._system, operation, reason) from error
        except httpx.UnsupportedProtocol as error:  # another host than the configured one: retrying cannot help
            raise RequestRejectedError(self._system, operation, str(error)) from error
        except httpx.TransportError as error:
            lost = TransientError if safe_to_repeat else AnswerLostError
            raise lost(self._system, operation, f"no response ({type(error).__name__})") from error
        found = (self._translate and self._translate(response)) or self._by_status(
            response, operation, safe_to_repeat=safe_to_repeat
        )
        if found:
            raise found
        return response

    def _by_status(self, response: httpx.Response, operation: str, *, safe_to_repeat: bool) -> IntegrationError | None:
        status = response.status_code
        reason = f"HTTP {status}"
        if response.is_success:
            return None
        if status in {401, 403}:
            return CredentialsError(self._system, operation, f"{reason}: the credentials or the role were rejected")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            after = retry_after_s(response, self._clock.now())
            return RateLimitedError(self._system, operation, reason, retry_after_s=after)
        if status == httpx.codes.REQUEST_TIMEOUT or response.is_server_error:
            lost = TransientError if safe_to_repeat else AnswerLostError
            return lost(self._system, operation, reason)
        if status in {400, 409, 422}:
            return RecordRejectedError(self._system, operation, reason, code=str(status))
        return RequestRejectedError(self._system, operation, reason, code=str(status))


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _wait_s(state: RetryCallState) -> float:
    error = _error_of(state)
    if isinstance(error, RateLimitedError) and error.retry_after_s is not None:
        return error.retry_after_s
    return BACKOFF(state)


def _is_worth_retrying(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, AnswerLostError)
