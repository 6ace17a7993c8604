"""The one HTTP door: retries, waiting, the error tree, host pinning, nothing secret in texts.

client method  ->  HttpClient.send(…)  ->  httpx.Client (transport: network, or the sandbox in process)
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
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
READABLE = 3  # tries for an answer that came and makes no sense
MAX_BACKOFF_S = 60.0
TIMEOUT_S = 120.0
CONNECT_S = 15.0  # a host that is there takes the connection at once
NOWHERE = "https://not-configured.invalid"

Translate = Callable[[httpx.Response], IntegrationError | None]
Understood = TypeVar("Understood")


def retry_after_s(response: httpx.Response, now: datetime) -> float | None:
    """Seconds to wait by the Retry-After header, which comes as seconds or as a date (RFC 9110 §10.2.3)."""
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


class PinnedTransport(httpx.BaseTransport):
    """Refuses every host but the configured one: an address in an answer never takes our credentials elsewhere."""

    def __init__(self, base_url: str, inner: httpx.BaseTransport) -> None:
        self._origin = httpx.URL(base_url)
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass on what goes to the configured scheme, host and port."""
        asked, allowed = request.url, self._origin
        if (asked.scheme, asked.host, asked.port) != (allowed.scheme, allowed.host, allowed.port):
            raise httpx.UnsupportedProtocol(f"refused to call {asked.host}: configured is {allowed.host}")
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the connection pool."""
        self._inner.close()


class ClosedTransport(httpx.BaseTransport):
    """Lets nothing through and says why: a system that is not configured stops only those who call it."""

    def __init__(self, system: str, reason: str) -> None:
        self._system = system
        self._reason = reason

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Refuse; nothing is sent."""
        raise CredentialsError(self._system, "sign in", f"{self._reason}; {request.method} was not sent")


def not_configured(system: str, **settings: str) -> str:
    """What must be set before a system can be called, by environment variable; empty when nothing is missing."""
    missing = [f"{system}_{name}".upper() for name, value in settings.items() if not value]
    return f"not configured: set {', '.join(missing)}" if missing else ""


def bad_address(system: str, base_url: str) -> str:
    """Why this cannot be the root of a service; empty when it can."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme in {"http", "https"} and url.host:
        return ""
    return f"{system.upper()}_BASE_URL is no address of the form https://host: correct it"


@contextmanager
def open_http(
    base_url: str,
    *,
    auth: httpx.Auth | None = None,
    headers: dict[str, str] | None = None,
    transport: httpx.BaseTransport | None = None,
    timeout_s: float = TIMEOUT_S,
    connections: int = 20,
    ca_file: Path | None = None,
    around: Callable[[httpx.BaseTransport], httpx.BaseTransport] | None = None,
) -> Iterator[httpx.Client]:
    """One connection pool, closed whatever happens.

    Args:
        base_url: Scheme, host and port of the system; every request is pinned to it.
        auth: Signs each request.
        headers: Sent with each request.
        transport: The sandbox in process; None is the network.
        timeout_s: Seconds to wait for one answer.
        connections: Pool size.
        ca_file: A certificate authority beside the system's own, for the sandbox behind TLS.
        around: Put around the transport, such as a budget that counts each request.
    """
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    verify: Any = httpx.create_ssl_context(verify=str(ca_file)) if ca_file else True
    inner = transport or httpx.HTTPTransport(verify=verify, limits=limits)
    with httpx.Client(
        base_url=base_url,
        auth=auth,
        headers=headers,
        timeout=httpx.Timeout(timeout_s, connect=CONNECT_S),
        transport=PinnedTransport(base_url, around(inner) if around else inner),
        follow_redirects=False,
        trust_env=False,
    ) as http:
        yield http


class HttpClient:
    """Sends one request until it is answered, refused, or no longer worth trying."""

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
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Wrap an httpx client.

        Args:
            http: The connection pool.
            system: How the system is called in errors.
            clock: Time for waiting; the wall's by default.
            attempts: Tries for one request, the first included.
            patience_s: Seconds of waiting within which a request that came too often is tried on all the same.
            translate: Reads a refusal that only this system words so; None leaves it to the HTTP status.
            before_send: Called before every try; the place for a rate limiter and for counting calls.
            turn: Held around every try, until its answer is read, and not while waiting for the next one.
        """
        self._http = http
        self._system = system
        self._clock = clock or WallClock()
        self._attempts = attempts
        self._patience_s = patience_s
        self._translate = translate
        self._before_send = before_send
        self._turn = turn
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
        """Send, wait and retry, translate errors.

        Args:
            method: HTTP verb.
            path: Path below the base URL.
            operation: What is being done, for error texts.
            safe_to_repeat: False for a write that could happen twice: then a lost answer raises AnswerLostError.
            attempts: Tries of this request, where they shall be others than the door's.
            request: Passed to httpx (`content`, `json`, `data`, `params`, `headers`).

        Raises:
            IntegrationError: One of its classes, see `resources/errors.py`.
        """
        waits = wait_random_exponential(multiplier=1.0, max=MAX_BACKOFF_S)  # full jitter

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, RateLimitedError) and error.retry_after_s is not None:
                return error.retry_after_s
            return waits(state)

        def enough(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            patient = isinstance(error, RateLimitedError) and state.idle_for < self._patience_s
            return not patient and state.attempt_number >= (1 if self._unreachable else attempts or self._attempts)

        def worth_it(error: BaseException) -> bool:
            return isinstance(error, TransientError) and not isinstance(error, AnswerLostError)

        retrying = Retrying(
            retry=retry_if_exception(worth_it),
            wait=wait,
            stop=enough,
            sleep=self._clock.sleep,
            reraise=True,
        )
        try:
            answered: httpx.Response = retrying(self._once, method, path, operation, safe_to_repeat, request)
        except UnreachableError:
            self._unreachable = True  # the next caller tries once, and does not wait for the same nobody as long again
            raise
        self._unreachable = False
        return answered

    def ask(
        self, method: str, path: str, operation: str, understand: Callable[[httpx.Response], Understood], **request: Any
    ) -> Understood:
        """Send what only reads, and ask again a few times when the answer came with success and makes no sense.

        Args:
            method: HTTP verb.
            path: Path below the base URL.
            operation: What is being done, for error texts.
            understand: Takes the answer apart; raises ContractError where it cannot.
            request: Passed to `send`.

        Raises:
            ContractError: No answer could be understood.
            IntegrationError: See `send`.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(ContractError),
            wait=wait_random_exponential(multiplier=1.0, max=MAX_BACKOFF_S),
            stop=stop_after_attempt(READABLE),
            sleep=self._clock.sleep,
            reraise=True,
        )
        return retrying(lambda: understand(self.send(method, path, operation, safe_to_repeat=True, **request)))

    def _once(
        self,
        method: str,
        path: str,
        operation: str,
        safe_to_repeat: bool,  # noqa: FBT001 - handed on by tenacity, by position
        request: dict[str, Any],
    ) -> httpx.Response:
        if self._before_send:
            self._before_send()
        self.calls += 1
        try:
            with self._turn():
                reach("request_begins")
                response = self._http.request(method, path, **request)
                reach("request_served")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            reason = (
                f"no connection to {self._http.base_url.netloc.decode()} ({type(error).__name__}); check the address"
                f" ({self._system.upper()}_BASE_URL), the network and the firewall"
            )
            raise UnreachableError(self._system, operation, reason) from error
        except httpx.UnsupportedProtocol as error:  # another host than the configured one: it would never be sent
            raise RequestRejectedError(self._system, operation, str(error)) from error
        except httpx.TransportError as error:
            reason = f"no answer ({type(error).__name__})"
            lost = TransientError if safe_to_repeat else AnswerLostError
            raise lost(self._system, operation, reason) from error
        error_found = (self._translate and self._translate(response)) or self._by_status(
            response, operation, safe_to_repeat=safe_to_repeat
        )
        if error_found:
            raise error_found
        return response

    def _by_status(self, response: httpx.Response, operation: str, *, safe_to_repeat: bool) -> IntegrationError | None:
        status = response.status_code
        reason = f"HTTP {status}"
        if response.is_success:
            return None
        if status in {401, 403}:
            return CredentialsError(self._system, operation, f"{reason}: the credentials or the role were refused")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            after = retry_after_s(response, self._clock.now())
            return RateLimitedError(self._system, operation, reason, retry_after_s=after)
        if status == httpx.codes.REQUEST_TIMEOUT or response.is_server_error:
            lost = TransientError if safe_to_repeat else AnswerLostError
            return lost(self._system, operation, reason)
        if status in {400, 409, 422}:
            return RecordRejectedError(self._system, operation, reason, code=str(status))
        return RequestRejectedError(self._system, operation, reason, code=str(status))
