"""One table of failures for all three systems: the same status and words mean the same next step."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import orjson
import pytest

from resources.errors import (
    AnswerLostError,
    BusyError,
    ContractError,
    CredentialsError,
    IntegrationError,
    QuotaExhaustedError,
    RateLimitedError,
    RecordRejectedError,
    RequestRejectedError,
    TransientError,
)
from resources.http import ATTEMPTS, MAX_WAIT_S, HttpClient
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.errors import error_of
from resources.precoro.client import PrecoroClient
from resources.precoro.errors import ErrorTranslator
from resources.suiteprojects.auth import PasswordSignIn
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.xml import command
from tests.resources.test_http import JumpingClock

Answer = Callable[[], httpx.Response]
Call = Callable[[Answer, JumpingClock], Any]


def _http(answer: Answer, clock: JumpingClock, **options: Any) -> HttpClient:
    client = httpx.Client(base_url="https://service.example", transport=httpx.MockTransport(lambda _: answer()))
    return HttpClient(client, system="service", clock=clock, **options)


def read_netsuite(answer: Answer, clock: JumpingClock) -> Any:
    """Query NetSuite."""
    http = _http(answer, clock, translate=lambda response: error_of(response, clock.now()))
    return NetSuiteClient(http, clock).suiteql("select c.id from customer c where c.id > ?", ["0"])


def _precoro(answer: Answer, clock: JumpingClock) -> PrecoroClient:
    return PrecoroClient(_http(answer, clock, translate=ErrorTranslator(clock)), clock=clock)


def read_precoro(answer: Answer, clock: JumpingClock) -> Any:
    """List options."""
    return _precoro(answer, clock).options(1)


def write_precoro(answer: Answer, clock: JumpingClock) -> Any:
    """Create an option."""
    return _precoro(answer, clock).create_option(1, {"name": "x"})


def _suiteprojects(answer: Answer, clock: JumpingClock) -> SuiteProjectsClient:
    sign_in = PasswordSignIn("company", "user", "password")
    return SuiteProjectsClient(_http(answer, clock), namespace="n", key="k", sign_in=sign_in, clock=clock)


def read_suiteprojects(answer: Answer, clock: JumpingClock) -> Any:
    """Read the time."""
    return _suiteprojects(answer, clock).server_time()


def write_suiteprojects(answer: Answer, clock: JumpingClock) -> Any:
    """Add a customer."""
    return _suiteprojects(answer, clock).execute([command("Add", {"type": "Customer"})])


READS: list[Call] = [read_netsuite, read_precoro, read_suiteprojects]
WRITES: list[Call] = [write_precoro, write_suiteprojects]
HTML = b"<html><body>The page cannot be shown</body></html>"
PAGE = {"content-type": "text/html"}


class _Stream(httpx.SyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body


def given(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    """Return an answer."""
    return lambda: httpx.Response(status, content=body, headers=headers)


def compressed(encoding: str, body: bytes) -> Answer:
    """Return an answer that claims to be compressed."""
    return lambda: httpx.Response(200, headers={"content-encoding": encoding}, stream=_Stream(body))


def worded(status: int, words: str, headers: dict[str, str] | None = None) -> Answer:
    """Return an answer with words in no known envelope."""
    return given(status, words.encode(), headers)


# answer, next step of a read, next step of a write
FAILURES: dict[str, tuple[Answer, type[IntegrationError], type[IntegrationError]]] = {
    "429": (given(429), RateLimitedError, RateLimitedError),
    "429 of a proxy": (given(429, HTML, PAGE), RateLimitedError, RateLimitedError),
    "429 in plain text": (given(429, b"slow down", {"content-type": "text/plain"}), RateLimitedError, RateLimitedError),
    "429 with any JSON": (given(429, b"[1]"), RateLimitedError, RateLimitedError),
    "408 of a proxy": (given(408, HTML, PAGE), TransientError, AnswerLostError),
    "500": (given(500, b"boom"), TransientError, AnswerLostError),
    "502 of a proxy": (given(502, HTML, PAGE), TransientError, AnswerLostError),
    "503 of a proxy": (given(503, HTML, PAGE), TransientError, AnswerLostError),
    "504": (given(504), TransientError, AnswerLostError),
    "a proxy's own status": (given(520), TransientError, AnswerLostError),
    "a limit as 403": (worded(403, "Request Limit Exceeded."), RateLimitedError, RateLimitedError),
    "a limit as 403 page": (worded(403, "<p>Request Limit Exceeded.</p>", PAGE), RateLimitedError, RateLimitedError),
    "a limit as 400": (worded(400, "SSS_REQUEST_LIMIT_EXCEEDED"), RateLimitedError, RateLimitedError),
    "concurrency as 400": (worded(400, "CONCURRENCY_LIMIT_EXCEEDED"), RateLimitedError, RateLimitedError),
    "a block as 403": (worded(403, "WS_REQUEST_BLOCKED"), RateLimitedError, RateLimitedError),
    "a time-out as 400": (worded(400, "SSS_TIME_LIMIT_EXCEEDED"), TransientError, AnswerLostError),
    "401": (given(401), CredentialsError, CredentialsError),
    "403": (given(403), CredentialsError, CredentialsError),
    "410": (given(410), RequestRejectedError, RequestRejectedError),
    "423": (given(423), BusyError, BusyError),
    "423 of a proxy": (given(423, HTML, PAGE), BusyError, BusyError),
    "425": (given(425), BusyError, BusyError),
    # the request as such is wrong, so no other one would be accepted
    **{
        str(status): (given(status), RequestRejectedError, RequestRejectedError)
        for status in (402, 407, 411, 415, 416, 417, 421, 426, 428, 431, 499)
    },
    "a redirect": (given(302, b"", {"location": "https://other.example"}), RequestRejectedError, RequestRejectedError),
    "200 without a body": (given(200), ContractError, AnswerLostError),
    "204": (given(204), ContractError, AnswerLostError),
    "200 with a page": (given(200, HTML, PAGE), ContractError, AnswerLostError),
    "200 with nested brackets": (given(200, b"[" * 100_000), ContractError, AnswerLostError),
    "cut gzip": (compressed("gzip", gzip.compress(b"x" * 999)[:20]), ContractError, AnswerLostError),
    "cut deflate": (compressed("deflate", zlib.compress(b"x" * 999)[:8]), ContractError, AnswerLostError),
}


@pytest.mark.parametrize("name", FAILURES)
def test_the_next_step_is_the_same_in_every_system(name: str) -> None:
    """Temporary ones are tried again, an unusable answer to a read too; a write that may have arrived never is."""
    answer, of_read, of_write = FAILURES[name]
    for calls, expected in ((READS, of_read), (WRITES, of_write)):
        for call in calls:
            clock, answers = JumpingClock(), list[int]()

            def counted(seen: list[int] = answers) -> httpx.Response:
                seen.append(1)
                return answer()

            with pytest.raises(IntegrationError) as raised:
                call(counted, clock)

            assert isinstance(raised.value, expected), f"{call.__name__}: {raised.value!r}"
            lost = isinstance(raised.value, AnswerLostError)
            again = not lost and isinstance(raised.value, TransientError | ContractError)
            assert (len(answers) > 1) is again, f"{call.__name__}: {len(answers)} attempts"
            assert len(answers) <= ATTEMPTS * 4


WAITS: dict[str, float | None] = {
    "Wed, 21 Oct 2015 07:28:00 GMT": 0.0,
    "-5": 0.0,
    "0": 0.0,
    "100000000000": MAX_WAIT_S,
    "Fri, 31 Dec 9999 23:59:59 GMT": MAX_WAIT_S,
    "soon": None,
    "inf": None,
    "nan": None,
    "1e400": None,
    "7": 7.0,
}


@pytest.mark.parametrize("header", WAITS)
@pytest.mark.parametrize("call", [*READS, *WRITES], ids=lambda call: call.__name__)
def test_the_wait_is_bounded_in_every_system(call: Call, header: str) -> None:
    """Whatever Retry-After says; a limit of a day ends the run instead."""
    clock, wait = JumpingClock(), WAITS[header]

    with pytest.raises(IntegrationError) as raised:
        call(given(429, b"", {"retry-after": header}), clock)

    assert isinstance(raised.value, RateLimitedError | QuotaExhaustedError)
    assert all(0 <= each <= MAX_WAIT_S for each in clock.waits)
    if wait is not None and isinstance(raised.value, RateLimitedError):
        assert set(clock.waits) == {wait}


@pytest.mark.parametrize("status", [400, 406, 409, 412, 413, 414, 418, 422, 424, 451])
def test_a_rejected_record_does_not_stop_the_others(status: int) -> None:
    """This holds where a call writes one record; a request of many records has its own statuses."""
    for body in (orjson.dumps({"message": "name: too long"}), HTML):
        with pytest.raises(RecordRejectedError):
            write_precoro(given(status, body), JumpingClock())
    for call in (read_netsuite, write_suiteprojects):
        with pytest.raises(RequestRejectedError):
            call(given(status, HTML, PAGE), JumpingClock())


ANY: list[Any] = [None, "", [], {}, "x", 5, 1.5, True, "5", [1], {"a": 1}, "\ufffd", -1, 1e30, "1e5", "²", "T"]
ROW = {"items": [{"links": [], "id": "1"}], "hasMore": False, "count": 1, "offset": 0, "totalResults": 1}
OPTION = {
    "id": 7, "name": "A", "code": "c", "level": 2, "enable": True, "externalId": "9", "parent": None, "updateDate": "x",
}  # fmt: skip
FIELD = {"id": 1, "name": "a", "enable": True, "typeString": "dropDown"}
XML = b'<response><Auth status="0"/><Time status="0"><Date><year>2026</year></Date></Time></response>'
STATUSES = ("", " ", "x", "0.0", " 0 ", "-1", "1e5", "²", "9" * 30, "601", "910", "556")


def netsuite_reads(value: Any) -> Iterator[tuple[Any, Callable[[NetSuiteClient], Any]]]:
    """Yield bodies with this value in each place that a reader of NetSuite touches, with the reader."""

    def query(client: NetSuiteClient) -> Any:
        return client.suiteql("select a.b from c a")

    for name in ROW:
        yield {**ROW, name: value}, query
    for body in (value, {**ROW, "items": [value]}, {**ROW, "items": [{"links": value, "id": value, "": value}]}):
        yield body, query
    yield {**ROW, "items": [{"local_now": value, "utc_now": value}]}, lambda client: client.session_zone_offset
    yield {"serverTime": value}, lambda client: client.server_time()
    names = ("accountConcurrencyLimit", "integrationConcurrencyLimit", "accountUnallocatedConcurrencyLimit")
    yield dict.fromkeys(names, value), lambda client: client.max_concurrency()
    for properties in (value, {"custentity_a": value}, {"custentity_a": {"type": value, "format": value, "n": value}}):
        yield {"properties": properties}, lambda client: client.custom_fields("customer")


def errors_of(value: Any) -> list[Any]:
    """Return error bodies with this value in each place that a reader touches."""
    first = {"detail": value, "o:errorCode": value, "code": value, "message": value}
    netsuite = [{"o:errorDetails": value, "error": value, "title": value}, {"o:errorDetails": [value]}]
    precoro = [{"message": value, "error": value}, {"errors": {"name": {"errors": [value]}}}, {"errors": value}]
    limits = [{"RateLimit-Type": value, "RateLimit-Retry-After": value}]
    return [value, *netsuite, {"o:errorDetails": [first]}, {"error": value}, *precoro, *limits]


def try_call(call: Callable[..., Any], *given_to_it: Any) -> None:
    """Call; any error but one of the tree fails the test."""
    with suppress(IntegrationError):
        call(*given_to_it)


@pytest.mark.parametrize("value", ANY, ids=repr)
def test_any_value_in_any_place_of_an_answer_stays_in_the_error_tree(value: Any) -> None:
    """Absent, null, blank, of another type or unknown: read, or refused in words, and never a traceback."""
    clock = JumpingClock()
    for body, read in netsuite_reads(value):
        try_call(read, NetSuiteClient(_http(given(200, orjson.dumps(body)), clock), clock))
    lists = [{**OPTION, name: value} for name in OPTION]
    pages = [{"data": value}, {"data": [OPTION], "meta": value}]
    pages += [{"data": [OPTION], "meta": {"pagination": {name: value}}} for name in ("has_next_page", "total_pages")]
    for body in (*({"data": [each]} for each in lists), *pages):
        try_call(read_precoro, given(200, orjson.dumps(body)), clock)
    for body in (*lists, *({"data": each} for each in lists), value):
        try_call(write_precoro, given(200, orjson.dumps(body)), clock)
    for name in FIELD:
        try_call(_precoro(given(200, orjson.dumps({"data": [{**FIELD, name: value}]})), clock).fields)


@pytest.mark.parametrize("status", [400, 403])
def test_any_error_in_any_form_stays_in_the_error_tree(status: int) -> None:
    """A list without an element, a number as code, a nested text."""
    for body in (body for value in ANY[:12] for body in errors_of(value)):
        for call in (read_netsuite, write_precoro):
            with pytest.raises(IntegrationError):
                call(given(status, orjson.dumps(body)), JumpingClock())


@pytest.mark.parametrize("status", STATUSES)
def test_any_status_of_a_block_stays_in_the_error_tree(status: str) -> None:
    """Of the sign-in, of a command, and left out."""
    for old, new in ((b'Auth status="0"', b'Auth status="%s"'), (b'Time status="0"', b'Time status="%s"')):
        for body in (XML.replace(old, new % status.encode()), XML.replace(old, old.partition(b" ")[0])):
            try_call(read_suiteprojects, given(200, body), JumpingClock())
