"""The one HTTP client: retries with backoff, rate limits, the error tree; no secret in any text.

client method  ->  HttpClient.send(…)  ->  httpx.Client of `http_pool.open_http`
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from resources.clock import Clock, WallClock, steady
from resources.errors import (
    AnswerLostError,
    BusyError,
    ContractError,
    CredentialsError,
    IntegrationError,
    RateLimitedError,
    RecordRejectedError,
    RequestRejectedError,
    TransientError,
    UnreachableError,
    UntrustedError,
)
from resources.failpoints import reach
from resources.http_calls import Calls
from resources.http_failures import (
    BUSY,
    ONE_RECORD,
    TEXT_LENGTH,
    advice_on,
    host_of,
    is_untrusted,
    retry_after_s,
    temporary_failure,
)
from resources.http_limits import AnswerLimitError
from resources.http_pool import UNSENDABLE

ATTEMPTS = 6
PARSE_ATTEMPTS = 3  # at most, for a response that arrived but cannot be parsed
UNREACHABLE_S = 30.0  # after which no further connection is tried: one that hangs takes CONNECT_TIMEOUT_S each time
MAX_BACKOFF_S = 60.0
MAX_WAIT_S = 300.0  # for a limit; if a service asks for more, the call is repeated once after this, then given up
BACKOFF = wait_random_exponential(multiplier=1.0, max=MAX_BACKOFF_S)  # full jitter

SERVICE_UNAVAILABLE = httpx.codes.SERVICE_UNAVAILABLE

Translate = Callable[[httpx.Response], IntegrationError | None]
Parsed = TypeVar("Parsed")


@dataclass
class _Reached:
    """The result of the last request, shared by the clients of one host."""

    is_unreachable: bool = False


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
        max_wait_s: float = MAX_WAIT_S,
        address_settings: str = "",
        translate: Translate | None = None,
        slot: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Wrap an httpx client.

        Args:
            http: The connection pool.
            system: Name of the system in errors.
            clock: Time for waiting; wall time by default.
            attempts: Maximum attempts per request.
            patience_s: Seconds for which a rate-limited request is retried beyond its attempts.
            max_wait_s: Longest single wait, whatever the service asks for.
            address_settings: The settings that contain the address, for errors; `<SYSTEM>_BASE_URL` by default.
            translate: Returns the error of a response in this system's own wording; None leaves it to the HTTP status.
            slot: Held during each attempt until its response is read, but not while waiting for the next one.
        """
        self._http = http
        self._system = system
        self._clock = clock or WallClock()
        self._attempts = attempts
        self._patience_s = patience_s
        self._max_wait_s = max_wait_s
        self._address_settings = address_settings or f"{system.upper()}_BASE_URL"
        self._translate = translate
        self._slot = slot
        self._reached, self._calls = _Reached(), Calls()

    @property
    def calls(self) -> int:
        """Requests made so far, retries included."""
        return self._calls.number

    def apart(self, stopped: threading.Event) -> Self:
        """Return this client with a count of its own, which counts here too; once `stopped` is set, no call begins."""
        own = copy(self)
        own._calls = self._calls.apart(stopped)  # noqa: SLF001 - of its own class
        return own

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
        unreached: list[float] = []  # when the last attempts began, if none of them found a connection

        def attempt() -> httpx.Response:
            unreached.append(steady(self._clock).seconds)
            try:
                return self._attempt(method, path, operation, request, safe_to_repeat=safe_to_repeat)
            except IntegrationError as error:
                if not isinstance(error, UnreachableError):
                    unreached.clear()
                raise

        retrying = Retrying(
            retry=retry_if_exception(_is_worth_retrying),
            wait=self._wait_s,
            stop=lambda state: self._is_over(state, attempts or self._attempts, unreached),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            response = retrying(attempt)
        except UnreachableError:
            self._reached.is_unreachable = True  # later requests try once instead of waiting for the same dead host
            raise
        self._reached.is_unreachable = False
        return response

    def _sleep(self, seconds: float) -> None:
        self._calls.wait(self._clock, seconds)

    def _wait_s(self, state: RetryCallState) -> float:
        error = _error_of(state)
        if isinstance(error, RateLimitedError) and error.retry_after_s is not None:
            return min(max(error.retry_after_s, 0.0), self._max_wait_s)
        return BACKOFF(state)

    def _is_over(self, state: RetryCallState, attempts: int, unreached: Sequence[float]) -> bool:
        error = _error_of(state)
        if isinstance(error, RateLimitedError):
            if (error.retry_after_s or 0.0) > self._max_wait_s and state.attempt_number > 1:
                return True
            if state.idle_for < self._patience_s:
                return False
        if unreached and steady(self._clock).seconds - unreached[0] >= UNREACHABLE_S:
            return True
        return state.attempt_number >= (1 if self._reached.is_unreachable else attempts)

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
            stop=stop_after_attempt(min(PARSE_ATTEMPTS, self._attempts)),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(lambda: parse(self.send(method, path, operation, safe_to_repeat=True, **request)))

    def _attempt(
        self, method: str, path: str, operation: str, request: dict[str, Any], *, safe_to_repeat: bool
    ) -> httpx.Response:
        try:
            with self._slot():
                self._calls.begin()
                reach("request_begins")
                response = self._http.request(method, path, **request)
                reach("request_served")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            reason = advice_on(error, str(self._http.base_url), self._address_settings)
            failed = UntrustedError if is_untrusted(error) else UnreachableError
            raise failed(self._system, operation, reason) from None  # it may quote a proxy's password
        except httpx.UnsupportedProtocol as error:  # another host than the configured one: retrying cannot help
            raise RequestRejectedError(self._system, operation, str(error)) from None
        except (httpx.LocalProtocolError, UnicodeEncodeError):  # nothing was sent; the error quotes the header
            raise CredentialsError(self._system, operation, UNSENDABLE) from None
        except AnswerLimitError as error:  # the next one would be no better
            over = ContractError if safe_to_repeat else AnswerLostError
            raise over(self._system, operation, str(error)) from None
        except httpx.RequestError as error:  # lost, cut, or compressed in a way that cannot be undone
            lost = TransientError if safe_to_repeat else AnswerLostError
            raise lost(
                self._system, operation, f"no usable response ({type(error).__name__})"
            ) from None  # it may quote
        found = (self._translate and self._translate(response)) or self._by_status(
            response, operation, safe_to_repeat=safe_to_repeat
        )
        if type(found) is TransientError and not safe_to_repeat:  # it may have been processed
            found = AnswerLostError(self._system, operation, found.reason)
        if found:
            raise found
        return response

    def _by_status(self, response: httpx.Response, operation: str, *, safe_to_repeat: bool) -> IntegrationError | None:
        if response.is_success:
            return None
        return self._temporary(response, operation, safe_to_repeat=safe_to_repeat) or self._final(response, operation)

    def _temporary(self, response: httpx.Response, operation: str, *, safe_to_repeat: bool) -> TransientError | None:
        """Return the error of a temporary failure, by its status or its words; None for a final one."""
        status, reason = response.status_code, f"HTTP {response.status_code}"
        after = retry_after_s(response, self._clock.now())
        if status == httpx.codes.TOO_MANY_REQUESTS or (status == SERVICE_UNAVAILABLE and after and safe_to_repeat):
            return RateLimitedError(self._system, operation, reason, retry_after_s=after)
        if status in BUSY:
            return BusyError(self._system, operation, reason, code=str(status))
        if status == httpx.codes.REQUEST_TIMEOUT or response.is_server_error:
            lost = TransientError if safe_to_repeat else AnswerLostError
            return lost(self._system, operation, reason)
        if not response.is_client_error or status == httpx.codes.UNAUTHORIZED:
            return None
        return temporary_failure(self._system, operation, reason, response.text[:TEXT_LENGTH], after_s=after)

    def _final(self, response: httpx.Response, operation: str) -> IntegrationError:
        status, reason = response.status_code, f"HTTP {response.status_code}"
        if status in {401, 403}:
            text = f"{reason}: the credentials or the role were rejected"
            return CredentialsError(self._system, operation, text, code=str(status))
        if status in ONE_RECORD:
            return RecordRejectedError(self._system, operation, reason, code=str(status))
        if response.is_redirect:
            there = host_of(response.headers.get("location", "")) or "another page"
            reason = (
                f"{reason}: sent on to {there}, so the address is not the account's: check {self._address_settings}"
            )
        return RequestRejectedError(self._system, operation, reason, code=str(status))


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _is_worth_retrying(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, AnswerLostError)
