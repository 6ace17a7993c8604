"""Answers end: compressed ones that grow, slow ones that drip, and hosts that cannot prove who they are."""

import gzip
import ssl
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from socket import create_server
from threading import Event, Thread
from time import monotonic

import httpx
import pytest
import trustme

from resources import http_limits
from resources.errors import AnswerLostError, ContractError, CredentialsError, UntrustedError
from resources.http import HttpClient
from resources.http_limits import AnswerLimitError, BoundedTransport, Network
from resources.http_pool import invalid_base_url, open_http
from resources.precoro.connect import open_precoro
from tests.resources.test_http import JumpingClock

MEGABYTE = 1024 * 1024


def client_of(body: httpx.SyncByteStream | bytes, *, encoding: str = "", **limits: int) -> HttpClient:
    """Return a client of a service that answers with this body."""
    headers = {"content-encoding": encoding} if encoding else {}
    stream = body if isinstance(body, httpx.SyncByteStream) else httpx.ByteStream(body)
    inner = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=stream))
    bounded = BoundedTransport(inner, now=count().__next__, **limits)
    return HttpClient(
        httpx.Client(base_url="https://service.example", transport=bounded), system="service", clock=JumpingClock()
    )


@pytest.mark.parametrize("encoding", ["gzip", "deflate", ""])
def test_an_answer_that_grows_beyond_the_limit_is_refused(encoding: str) -> None:
    """A megabyte of gzip may hold a gigabyte of zeros; it is refused once, not six times."""
    plain = bytes(40 * MEGABYTE)
    body = {"gzip": gzip.compress(plain, 1), "deflate": zlib.compress(plain), "": plain}[encoding]
    client = client_of(body, encoding=encoding, max_bytes=8 * MEGABYTE, max_seconds=10_000)

    with pytest.raises(ContractError, match="service: read: the response is larger than 8 MB"):
        client.send("GET", "/", "read", safe_to_repeat=True)
    assert client.calls == 1


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,identity, GZIP", "zstd", "br", "deflate, gzip"])
def test_an_answer_compressed_twice_or_unasked_is_refused_unread(encoding: str) -> None:
    """A part of 64 kB becomes 64 MB by gzip once, and 64 GB by gzip twice, before any limit could be seen."""
    client = client_of(Unread(), encoding=encoding)

    with pytest.raises(ContractError, match="the response is compressed in a way that was not requested"):
        client.send("GET", "/", "read", safe_to_repeat=True)
    assert client.calls == 1


class Unread(httpx.SyncByteStream):
    """A body of which nothing may be read."""

    def __iter__(self) -> Iterator[bytes]:
        raise AssertionError


class Drip(httpx.SyncByteStream):
    """A body that never ends."""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b"x"


@pytest.mark.parametrize(("safe", "error"), [(True, ContractError), (False, AnswerLostError)])
def test_a_slow_drip_ends(safe: bool, error: type[Exception]) -> None:  # noqa: FBT001 - a case
    """Each byte came in time, but all of them would take days; a write may have worked."""
    client = client_of(Drip(), max_seconds=60)

    with pytest.raises(error, match="the response is not complete after 60 s"):
        client.send("GET", "/", "read", safe_to_repeat=safe)
    assert client.calls == 1


class EmptyBlocks(httpx.SyncByteStream):
    """A compressed body that never ends and contains nothing."""

    def __iter__(self) -> Iterator[bytes]:
        yield gzip.compress(b"")[:10]
        while True:
            yield b"\x00\x00\x00\xff\xff"


def test_a_slow_drip_of_nothing_ends() -> None:
    """Decompressed, it has no part whose time could be looked at."""
    client = client_of(EmptyBlocks(), encoding="gzip", max_seconds=60)

    with pytest.raises(ContractError, match="the response is not complete after 60 s"):
        client.send("GET", "/", "read", safe_to_repeat=True)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def dripping(begin: bytes, drop: bytes, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve one connection that sends a beginning and then the same bytes again and again, for two seconds."""
    ended = Event()

    def serve() -> None:
        accepted, _ = listener.accept()
        with tls.wrap_socket(accepted, server_side=True) if tls else accepted as connection, suppress(OSError):
            connection.sendall(begin)
            for _ in range(100):
                connection.sendall(drop)
                if ended.wait(0.02):
                    break

    with create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve)
        thread.start()
        yield f"http{'s' if tls else ''}://localhost:{listener.getsockname()[1]}"
        ended.set()
        thread.join()


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"HTTP/1.1 200 ", b"O"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (CHUNKED, b"0"),
        (CHUNKED + b"1\r\nx\r\n0\r\n", b"X-A: b\r\n"),
    ],
    ids=["status line", "headers", "interim responses", "size of a chunk", "trailers"],
)
def test_a_slow_drip_outside_of_the_body_ends(begin: bytes, drop: bytes) -> None:
    """The body has no part whose time could be looked at, and each read gets a byte within its own timeout."""
    with dripping(begin, drop) as address, Network() as network:
        http = httpx.Client(base_url=address, transport=BoundedTransport(network, max_seconds=0.15))
        client = HttpClient(http, system="service", clock=JumpingClock())

        with pytest.raises(ContractError, match="the response is not complete after 0 s"):
            client.send("GET", "/", "read", safe_to_repeat=True)
    assert client.calls == 1


def test_a_slow_drip_over_tls_ends() -> None:
    """As every system is called."""
    server, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    AUTHORITY.issue_cert("localhost").configure_cert(server)
    AUTHORITY.configure_trust(trusted)
    with dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", server) as address, Network(verify=trusted) as network:
        http = httpx.Client(base_url=address, transport=BoundedTransport(network, max_seconds=0.15))
        with pytest.raises(AnswerLimitError, match="the response is not complete after 0 s"):
            http.get("/")


def test_a_read_without_an_answer_ends_with_its_own_timeout() -> None:
    """It is an outage, after which the request is repeated: only the time of all of it is a limit."""
    with create_server(("127.0.0.1", 0)) as silent, Network() as network:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        http = httpx.Client(base_url=address, transport=BoundedTransport(network, max_seconds=2), timeout=0.05)
        with pytest.raises(httpx.ReadTimeout):
            http.get("/")


def test_a_request_that_no_one_reads_ends() -> None:
    """A write has its own timeout as well, beyond the time of the request."""
    with create_server(("127.0.0.1", 0)) as silent, Network() as network:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        http = httpx.Client(base_url=address, transport=BoundedTransport(network, max_seconds=0.1), timeout=10)
        began = monotonic()
        with pytest.raises(AnswerLimitError, match="the response is not complete after 0 s"):
            http.post("/", content=bytes(20 * MEGABYTE))
        assert monotonic() - began < 5
        assert not network._pool.connections


def test_a_request_within_another_leaves_it_its_own_time() -> None:
    """A sign-in may be renewed in the middle of a request."""
    left: list[float] = []

    def answer(_: httpx.Request) -> httpx.Response:
        inner.handle_request(httpx.Request("GET", "https://service.example"))
        left.append(http_limits._seconds_left.get()())
        return httpx.Response(200)

    inner = BoundedTransport(httpx.MockTransport(lambda _: httpx.Response(200)), max_seconds=7, now=lambda: 0)
    outer = BoundedTransport(httpx.MockTransport(answer), max_seconds=60, now=lambda: 0)
    outer.handle_request(httpx.Request("GET", "https://service.example"))

    assert left == [60]
    assert http_limits._seconds_left.get()() == http_limits.MAX_SECONDS


def test_a_compressed_answer_within_the_limits_is_read() -> None:
    """Its content is decompressed once."""
    response = client_of(gzip.compress(b'{"a": 1}'), encoding="gzip").send("GET", "/", "read", safe_to_repeat=True)

    assert response.json() == {"a": 1}
    assert "content-encoding" not in response.headers


def test_every_pool_has_the_limits() -> None:
    """Also that of the sign-in, whose answer is read before ours."""
    inner = httpx.MockTransport(lambda _: httpx.Response(200, stream=Drip()))
    with open_http("https://service.example", transport=inner) as http:
        bounded = http._transport._inner  # type: ignore[attr-defined]
        assert isinstance(bounded, BoundedTransport)
        bounded._now = iter(range(0, 10**9, 100)).__next__
        with pytest.raises(AnswerLimitError):
            http.get("/")
    with open_http("https://service.example") as http:
        assert isinstance(http._transport._inner._inner, Network)  # type: ignore[attr-defined]


@pytest.mark.parametrize("url", ["http://api.example.com", "http://10.0.0.5:8080", "http://localhost.example.com"])
def test_an_address_without_tls_is_refused_unless_it_is_this_machine(url: str) -> None:
    """Credentials would be readable on the way."""
    assert invalid_base_url("precoro", url).startswith("PRECORO_BASE_URL begins with http://")
    for local in ("http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", url.replace("http:", "https:")):
        assert invalid_base_url("precoro", local) == ""
    with open_precoro(token="t" * 20, email="a@example.com", base_url=url) as client:
        with pytest.raises(CredentialsError, match="begins with http://"):
            client.fields()
        assert client.base_url.startswith("https://not-configured")


@pytest.mark.parametrize(
    "url", ["https://a.example:65536", "https://a.example:port", "https://[::1", "//a.example", ""]
)
def test_an_address_that_is_none_is_named_before_anything_reads_its_parts(url: str) -> None:
    """A port that no host has raises an error in whatever asks for it, such as the file of the tokens."""
    assert invalid_base_url("precoro", url).startswith("PRECORO_BASE_URL is not an address of the form https://host")


AUTHORITY, OTHER = trustme.CA(), trustme.CA()
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
CERTIFICATES = {
    "expired": (AUTHORITY.issue_cert("localhost", not_after=YESTERDAY), "the certificate of localhost has expired"),
    "untrusted": (OTHER.issue_cert("localhost"), "the certificate of localhost is not trusted"),
    "wrong host": (AUTHORITY.issue_cert("other.example"), "the certificate is of another host"),
}


@contextmanager
def served(certificate: trustme.LeafCert) -> Iterator[int]:
    """Serve this certificate; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server = ThreadingHTTPServer(("localhost", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("certificate", "problem"), CERTIFICATES.values(), ids=CERTIFICATES.keys())
def test_a_host_that_cannot_prove_itself_is_named_and_not_retried(
    tmp_path: Path, certificate: trustme.LeafCert, problem: str
) -> None:
    """It is no outage: waiting would not help, and a silent retry would hide an attack."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    clock = JumpingClock()
    with (
        served(certificate) as port,
        open_http(f"https://localhost:{port}", ca_file=tmp_path / "ca.pem") as http,
        pytest.raises(UntrustedError, match=problem),
    ):
        HttpClient(http, system="service", clock=clock).send("GET", "/", "read", safe_to_repeat=True)
    assert clock.waits == []
