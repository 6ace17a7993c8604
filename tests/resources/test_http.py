"""The HTTP client: what is retried, how long it waits, and that every failure is in the error tree."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import (
    AnswerLostError,
    ContractError,
    CredentialsError,
    IntegrationError,
    RateLimitedError,
    RequestRejectedError,
    TransientError,
    UnreachableError,
    UntrustedError,
)
from resources.http import ATTEMPTS, MAX_WAIT_S, PARSE_ATTEMPTS, HttpClient
from resources.http_failures import proxy_of, retry_after_s, temporary_failure
from resources.http_pool import CONNECT_TIMEOUT_S, open_http
from resources.precoro.client import PrecoroClient
from resources.precoro.errors import ErrorTranslator
from resources.sandbox.certificates import tls_files
from tests.resources.netsuite.test_netsuite_client import answering, page, rejecting
from tests.resources.raw_server import raw_server

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)


class JumpingClock:
    """A clock that moves only on `sleep`, and records the waits."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> datetime:
        """Return noon and the waits since."""
        return NOON + timedelta(seconds=sum(self.waits))

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.waits.append(seconds)


def client_of(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> tuple[HttpClient, JumpingClock]:
    """Return the real client of a service with these answers, and its clock."""
    clock = JumpingClock()
    http = httpx.Client(base_url="https://service.example", transport=httpx.MockTransport(answer))
    return HttpClient(http, system="service", clock=clock, **options), clock


RETRY_AFTER = [
    ("7", 7.0),
    ("+7", 7.0),
    (" 1.5 ", 1.5),
    ("7, 9", 7.0),
    ("0", 0.0),
    ("-5", 0.0),
    ("1e11", 1e11),
    ("100000000000", 1e11),
    ("", None),
    ("nan", None),
    ("inf", None),
    ("-inf", None),
    ("soon", None),
    ("²", None),
    ("9" * 400, None),
    ("Mon, 16 Nov 2026 12:00:30 GMT", 30.0),
    ("Monday, 16-Nov-26 12:00:30 GMT", 30.0),
    ("Mon Nov 16 12:00:30 2026", 30.0),
    ("2026-11-16T12:00:30Z", 30.0),
    ("2026-11-16 12:00:30", 30.0),
    ("Mon, 16 Nov 2026 11:00:00 GMT", 0.0),
    ("Mon, 99 Nov 2026 12:00:30 GMT", None),
    ("Fri, 31 Dec 9999 23:59:59 -1200", None),
    ("Sat, 01 Jan 0001 00:00:00 +1400", 0.0),
]


@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER)
def test_retry_after_is_read_in_any_form(header: str, seconds: float | None) -> None:
    """Seconds, dates in three forms, or nonsense: it never raises."""
    headers = [(b"retry-after", header.encode())]

    assert retry_after_s(httpx.Response(429, headers=headers), NOON) == seconds


def test_a_date_to_retry_after_counts_from_the_services_own_clock() -> None:
    """This machine's clock may be an hour off."""
    headers = {"retry-after": "Mon, 16 Nov 2026 13:00:30 GMT", "date": "Mon, 16 Nov 2026 13:00:00 GMT"}

    assert retry_after_s(httpx.Response(429, headers=headers), NOON) == 30


@given(st.text(max_size=40))
def test_retry_after_never_raises(header: str) -> None:
    """Whatever a proxy writes."""
    response = httpx.Response(429, headers=[(b"retry-after", header.encode("utf-8", "replace"))])

    seconds = retry_after_s(response, NOON)

    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("header", ["86400", "100000000000", "Tue, 17 Nov 2026 12:00:00 GMT"])
@pytest.mark.parametrize("recovers", [True, False])
def test_a_long_retry_after_is_bounded(header: str, recovers: bool) -> None:  # noqa: FBT001 - a case
    """The call is repeated once after some minutes; then the next run continues."""
    answers: list[int] = []

    def answer(_: httpx.Request) -> httpx.Response:
        answers.append(1)
        return httpx.Response(200 if recovers and len(answers) > 1 else 429, headers={"retry-after": header})

    client, clock = client_of(answer, patience_s=300.0)

    if recovers:
        assert client.send("GET", "/", "read", safe_to_repeat=True).is_success
    else:
        with pytest.raises(RateLimitedError):
            client.send("GET", "/", "read", safe_to_repeat=True)
    assert clock.waits == [MAX_WAIT_S]
    assert len(answers) == 2


@pytest.mark.parametrize("header", ["-1", "nan", "soon", "Mon, 99 Nov 2026 12:00:30 GMT"])
def test_a_nonsensical_retry_after_is_no_wait_of_its_own(header: str) -> None:
    """Backoff continues as without the header."""
    client, clock = client_of(lambda _: httpx.Response(429, headers={"retry-after": header}))

    with pytest.raises(RateLimitedError):
        client.send("GET", "/", "read", safe_to_repeat=True)
    assert len(clock.waits) == ATTEMPTS - 1
    assert all(0 <= wait <= 60 for wait in clock.waits)


def test_an_unavailable_service_may_say_when_it_is_back() -> None:
    """503 with Retry-After; a write is not sent a second time for it."""
    client, clock = client_of(lambda _: httpx.Response(503, headers={"retry-after": "20"}))

    with pytest.raises(TransientError):
        client.send("GET", "/", "read", safe_to_repeat=True)
    assert set(clock.waits) == {20.0}
    with pytest.raises(AnswerLostError):
        client.send("POST", "/", "write", safe_to_repeat=False)


LIMITS = ["Request Limit Exceeded.", "Concurrent request limit exceeded. Request blocked.", "Too many requests",
          "SSS_REQUEST_LIMIT_EXCEEDED", "WS_REQUEST_BLOCKED", "WS_CONCUR_SESSION_DISALLWD",
          "The service is temporarily unavailable", "Rate limit reached, try again later"]  # fmt: skip
TIME_OUTS = ["timed out", "The request timed out", "SSS_TIME_LIMIT_EXCEEDED", "Script Execution Time Exceeded.",
             "Your search has timed out.", "request timeout", "Connection timed-out"]  # fmt: skip
FINAL = ["Invalid or unsupported search.", "name: This value is too long", "Invalid login attempt.",
         "Unknown identifier 'limit'", "You do not have permission", "credit limit must be a number", ""]  # fmt: skip


@pytest.mark.parametrize("status", [400, 403, 409, 422])
@pytest.mark.parametrize("words", [*LIMITS, *TIME_OUTS, *FINAL])
def test_a_failure_is_classified_by_what_to_do_next(status: int, words: str) -> None:
    """Whatever the status: limits and time-outs are temporary, all else is final; a lost write is looked up."""
    passes = words not in FINAL
    answers: list[int] = []

    def answer(_: httpx.Request) -> httpx.Response:
        answers.append(1)
        return httpx.Response(status, json={"message": words}) if len(answers) == 1 else httpx.Response(200)

    client, _ = client_of(answer)
    if passes:
        assert client.send("GET", "/", "read", safe_to_repeat=True).is_success
    else:
        with pytest.raises(IntegrationError) as raised:
            client.send("GET", "/", "read", safe_to_repeat=True)
        assert not isinstance(raised.value, TransientError)
        assert len(answers) == 1

    answers.clear()
    if words in LIMITS:
        assert client.send("POST", "/", "write", safe_to_repeat=False).is_success
    elif words in TIME_OUTS:
        with pytest.raises(AnswerLostError):
            client.send("POST", "/", "write", safe_to_repeat=False)
        assert len(answers) == 1


@pytest.mark.parametrize(("status", "code"), [(400, "SSS_TIME_LIMIT_EXCEEDED"), (403, "WS_REQUEST_BLOCKED")])
def test_netsuites_codes_under_other_statuses_are_tried_again(status: int, code: str) -> None:
    """Three failures, then rows."""
    answers = [1, 2, 3]
    body = {"o:errorDetails": [{"detail": "x", "o:errorCode": code}]}

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=body) if answers and answers.pop() else httpx.Response(200, json=page(7))

    assert answering(answer).suiteql("select c.id from customer c") == [{"id": "7"}]


def test_a_column_named_like_a_limit_is_a_column() -> None:
    """NetSuite quotes it."""
    detail = "Unknown identifier 'timed out'. Available identifiers are: {request limit exceeded}."

    with pytest.raises(RequestRejectedError, match="column timed out is unknown"):
        rejecting(400, "INVALID_PARAMETER", detail).suiteql("select c.id from customer c")


def test_precoros_errors_are_read_without_the_names_that_were_sent() -> None:
    """A customer may be called 'Timed Out Ltd'."""
    clock = JumpingClock()
    http = httpx.Client(
        base_url="https://p.example",
        transport=httpx.MockTransport(lambda _: httpx.Response(400, json={"message": "Timed Out Ltd is taken"})),
    )
    client = PrecoroClient(
        HttpClient(http, system="precoro", clock=clock, translate=ErrorTranslator(clock)), clock=clock
    )

    with pytest.raises(IntegrationError, match="<name> is taken") as raised:
        client.create_option(1, {"name": "Timed Out Ltd"})
    assert not isinstance(raised.value, TransientError)


OK = b"HTTP/1.1 200 OK\r\n"
ZIPPED = gzip.compress(b"{}" * 500)
BROKEN = {
    "not gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nplaintext",
    "cut gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n" + ZIPPED[:12],
    "garbled gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + ZIPPED[:14] + b"\xff" * 6,
    "not deflate": OK + b"Content-Encoding: deflate\r\nContent-Length: 9\r\n\r\nplaintext",
    "short": OK + b"Content-Length: 100\r\n\r\nshort",
    "cut chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    "bad chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n",
    "no length": OK + b"Content-Length: many\r\n\r\nhello",
    "not http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("broken", [name for name in BROKEN if name != "cut gzip"])
def test_a_broken_response_is_in_the_error_tree(broken: str) -> None:
    """A read is sent again, a write is uncertain."""
    good = OK + b"Content-Length: 2\r\n\r\n{}"
    with raw_server(BROKEN[broken], good, BROKEN[broken]) as url, open_http(url) as pool:
        client = HttpClient(pool, system="service", clock=JumpingClock())

        assert client.send("GET", "/", "read", safe_to_repeat=True).content == b"{}"
        with pytest.raises(AnswerLostError, match="no usable response"):
            client.send("POST", "/", "write", safe_to_repeat=False)


@given(st.binary(max_size=60), st.sampled_from(["gzip", "deflate", "identity", "gzip, deflate", "x-unknown"]))
def test_any_bytes_in_any_encoding_stay_in_the_error_tree(body: bytes, encoding: str) -> None:
    """A response, or one of our errors."""
    client, _ = client_of(
        lambda _: httpx.Response(200, headers={"content-encoding": encoding}, stream=httpx.ByteStream(body))
    )

    try:
        client.send("GET", "/", "read", safe_to_repeat=True, attempts=1)
    except IntegrationError as error:
        assert isinstance(error, TransientError)  # noqa: PT017 - a response is as good


@pytest.mark.parametrize("location", ["https://login.example/x", "/login", "http://[bad", ""])
def test_a_redirect_names_the_address(location: str) -> None:
    """It is followed nowhere: the address is not the account's."""
    client, _ = client_of(lambda _: httpx.Response(302, headers={"location": location}))

    with pytest.raises(RequestRejectedError, match="check SERVICE_BASE_URL"):
        client.send("GET", "/", "read", safe_to_repeat=True)


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate", "set SSL_CERT_FILE"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired", "this machine's clock"),
        ("certificate verify failed: certificate is not yet valid", "correct this machine's clock"),
        ("certificate verify failed: Hostname mismatch", "correct the address"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "does not speak TLS"),
        ("[Errno -2] Name or service not known", "the host service.example is unknown"),
        ("[Errno -3] Temporary failure in name resolution", "name service"),
        ("[Errno 111] Connection refused", "the firewall"),
        ("407 Proxy Authentication Required", "wants user and password"),
    ],
)
def test_the_cause_of_a_failed_connection_is_named(words: str, advice: str) -> None:
    """With what to do about it, and the setting of the address."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ProxyError(words) if "Proxy" in words else httpx.ConnectError(words)

    client, _ = client_of(answer)
    error = UntrustedError if "certificate" in words else UnreachableError
    with pytest.raises(error, match="SERVICE_BASE_URL") as raised:
        client.send("GET", "/", "read", safe_to_repeat=True)
    assert advice in str(raised.value)


def test_a_host_that_does_not_answer_is_given_up_soon() -> None:
    """A connection that hangs takes its whole time-out, so time limits the attempts, not only their number."""
    clock, connections = JumpingClock(), []

    def hang(request: httpx.Request) -> httpx.Response:
        connections.append(request.url)
        clock.sleep(CONNECT_TIMEOUT_S)
        raise httpx.ConnectTimeout("timed out")

    http = httpx.Client(base_url="https://service.example", transport=httpx.MockTransport(hang))
    with pytest.raises(UnreachableError, match=r"no connection to service\.example"):
        HttpClient(http, system="service", clock=clock).send("GET", "/", "read", safe_to_repeat=True)

    assert len(connections) == 2
    assert sum(clock.waits) < 40


@pytest.mark.parametrize("before", [{"retry-after": "60"}, {}])
def test_what_was_answered_before_leaves_a_lost_connection_its_attempts(before: dict[str, str]) -> None:
    """The time limit is for a host that does not answer: not for the wait that it asked for, nor for a slow answer."""
    slow = 0.0 if before else 120.0

    def answer(_: httpx.Request) -> httpx.Response:
        number = next(numbers)
        if number == 0:
            clock.sleep(slow)
            return httpx.Response(429 if before else 504, headers=before)
        if number == 1:
            raise httpx.ConnectError("connection refused")
        return httpx.Response(200)

    numbers = iter(range(9))
    client, clock = client_of(answer)
    assert client.send("GET", "/", "read", safe_to_repeat=True).status_code == 200


class SignIn(httpx.Auth):
    """A sign-in with a request of its own."""

    def auth_flow(self, request: httpx.Request) -> Any:
        """Ask for a token first."""
        yield httpx.Request("POST", "https://service.example/token")
        yield request


def test_a_sign_ins_own_request_is_timed_out() -> None:
    """The pool's time-out is in the requests that it makes itself; without one, a token endpoint may hang forever."""
    asked = {}

    def answer(request: httpx.Request) -> httpx.Response:
        asked[request.url.path] = request.extensions["timeout"]
        return httpx.Response(200)

    with open_http("https://service.example", auth=SignIn(), transport=httpx.MockTransport(answer)) as pool:
        pool.get("/records")

    assert asked["/token"] == asked["/records"]
    assert asked["/token"]["connect"] == CONNECT_TIMEOUT_S


def test_the_setting_limits_the_attempts_to_parse() -> None:
    """As it does those to get an answer."""
    answers = []

    def answer(request: httpx.Request) -> httpx.Response:
        answers.append(request.url)
        return httpx.Response(200, text="<html>")

    def parse(_: httpx.Response) -> None:
        raise ContractError("service", "read", "not JSON")

    for attempts, made in ((1, 1), (2, 2), (ATTEMPTS, PARSE_ATTEMPTS)):
        client, _ = client_of(answer, attempts=attempts)
        answers.clear()
        with pytest.raises(ContractError):
            client.read("GET", "/", "read", parse)
        assert len(answers) == made


PROXIES = [
    ({}, ""),
    ({"HTTPS_PROXY": "http://proxy.example:3128"}, "http://proxy.example:3128"),
    ({"https_proxy": "proxy.example:3128"}, "http://proxy.example:3128"),
    ({"ALL_PROXY": "http://proxy.example:1"}, "http://proxy.example:1"),
    ({"HTTP_PROXY": "http://proxy.example:1"}, ""),
    ({"HTTPS_PROXY": "http://proxy.example:1", "NO_PROXY": "other.example"}, "http://proxy.example:1"),
    ({"HTTPS_PROXY": "http://proxy.example:1", "NO_PROXY": "service.example"}, ""),
    ({"HTTPS_PROXY": "http://proxy.example:1", "NO_PROXY": ".example"}, ""),
    ({"HTTPS_PROXY": "http://proxy.example:1", "NO_PROXY": "*"}, ""),
]


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Remove the proxies and authorities of this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(("environment", "proxy"), PROXIES)
def test_the_environments_proxy_is_honoured(
    clean_environment: pytest.MonkeyPatch, environment: dict[str, str], proxy: str
) -> None:
    """Not for this machine itself."""
    for name, value in environment.items():
        clean_environment.setenv(name, value)

    assert proxy_of("https://service.example") == proxy
    assert proxy_of("https://127.0.0.1:8443") == ""


def test_requests_go_through_the_proxy(clean_environment: pytest.MonkeyPatch) -> None:
    """The proxy rejects the request: it is named, its password is not."""
    with raw_server(*[b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"] * ATTEMPTS) as proxy:
        clean_environment.setenv("HTTPS_PROXY", proxy.replace("//", "//user:geheim@"))
        with open_http("https://service.example") as pool:
            client = HttpClient(pool, system="service", clock=JumpingClock())
            with pytest.raises(UnreachableError, match=r"through the proxy 127\.0\.0\.1") as raised:
                client.send("GET", "/", "read", safe_to_repeat=True)
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE: /nowhere/ca.pem"),
        ("HTTPS_PROXY", "ftp://proxy.example", "HTTPS_PROXY is not an address"),
        ("HTTPS_PROXY", "socks9://x", "HTTPS_PROXY is not an address"),
    ],
)
def test_an_unusable_setting_of_the_environment_is_named(
    clean_environment: pytest.MonkeyPatch, name: str, value: str, text: str
) -> None:
    """At the first call, in the error tree."""
    clean_environment.setenv(name, value)

    with open_http("https://service.example") as pool:
        client = HttpClient(pool, system="service", clock=JumpingClock())
        with pytest.raises(CredentialsError, match=text):
            client.send("GET", "/", "read", safe_to_repeat=True)


def test_a_file_that_is_no_certificate_is_named(clean_environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SSL_CERT_FILE may name any file."""
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    clean_environment.setenv("SSL_CERT_FILE", str(file))

    with open_http("https://service.example") as pool:
        client = HttpClient(pool, system="service", clock=JumpingClock())
        with pytest.raises(CredentialsError, match="SSL_CERT_FILE"):
            client.send("GET", "/", "read", safe_to_repeat=True)


def test_a_private_authority_is_trusted_by_its_file(clean_environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the file, the error names it."""
    files = tls_files(tmp_path)
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with raw_server(b"", *[good] * ATTEMPTS, files=files) as url:
        with open_http(url) as pool, pytest.raises(UntrustedError, match="set SSL_CERT_FILE"):
            HttpClient(pool, system="service", clock=JumpingClock(), attempts=1).send(
                "GET", "/", "read", safe_to_repeat=True
            )
        clean_environment.setenv("SSL_CERT_FILE", str(files.ca))
        with open_http(url) as pool:
            client = HttpClient(pool, system="service", clock=JumpingClock())
            assert client.send("GET", "/", "read", safe_to_repeat=True).is_success


@given(st.text(max_size=80))
def test_words_are_classified_without_raising(words: str) -> None:
    """Whatever they are."""
    assert temporary_failure("service", "read", "HTTP 400", words) is None or words
