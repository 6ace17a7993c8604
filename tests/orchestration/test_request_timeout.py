"""Strangers keep no connection, and send no endless headers; a browser's next request and web socket go on."""

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.sync.client import connect

from orchestration import request_timeout
from orchestration.server_log import RepeatedWarnings, limit_warnings
from tests.orchestration.serving import serving

BAD_CHUNK = b"POST /whole HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No stranger causes an error in the log, which is not limited."""
    logged: list[object] = []
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "error", lambda *given, **_: logged.append(given))
    yield
    assert logged == []


async def page(request: Request) -> PlainTextResponse:
    """Answer with the host."""
    return PlainTextResponse(request.headers["host"])


async def whole(request: Request) -> PlainTextResponse:
    """Answer once the body is complete, at length if that is asked for."""
    try:
        return PlainTextResponse("a" * int(await request.body() or 2))
    except ClientDisconnect:
        return PlainTextResponse("gone", 408)


async def echo(web_socket: WebSocket) -> None:
    """Answer one message."""
    await web_socket.accept()
    with suppress(WebSocketDisconnect):
        await web_socket.send_text(await web_socket.receive_text())
        await web_socket.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server of this machine that waits less than half a second for headers."""
    app = Starlette(
        routes=[Route("/", page), Route("/whole", whole, methods=["POST"]), WebSocketRoute("/socket", echo)]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request_timeout, "HEADERS_TIMEOUT_S", 0.4)
        patch.setattr(request_timeout, "READING_TIMEOUT_S", 0.2)
        with serving(app, timeout_keep_alive=10, limit_concurrency=6, h11_max_incomplete_event_size=4096) as number:
            yield number


def answers(port: int, *parts: bytes) -> bytes:
    """Return everything that comes until the server closes the connection."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for part in parts:
            connection.sendall(part)
            received += connection.recv(65_536) if part.endswith(b"\r\n\r\n") else b""
        try:
            while part := connection.recv(65_536):
                received += part
        except ConnectionResetError:  # closed with unread bytes
            pass
    return received


@pytest.mark.parametrize(
    ("parts", "statuses"),
    [
        ([b""], []), ([GET], []), ([GET + b"\r\n", GET], [b"200"]),
        ([GET + b"\r\n", GET + b"\r\n"], [b"200", b"200"]), ([GET + b"x: " + b"a" * 10_000], [b"400"]),
        ([GET + b"x: y\r\n" * 2000], [b"400"]), ([GET + b"host: evil.example\r\n\r\n"], [b"400"]),
        ([BAD_CHUNK], [b"400"]), ([GET + b"\r\n", BAD_CHUNK], [b"200", b"400"]),
    ],
    ids=[
        "nothing", "half", "half a second", "two", "a long header", "many headers", "two hosts", "a bad body",
        "a bad second body",
    ],
)  # fmt: skip
def test_a_connection_without_a_whole_request_is_closed(port: int, parts: list[bytes], statuses: list[bytes]) -> None:
    """Whatever was answered on it before."""
    received = answers(port, *parts)

    assert [each.split()[0] for each in received.split(b"HTTP/1.1 ")[1:]] == statuses


@pytest.mark.parametrize(
    "begun", [b"", GET, GET + b"\r\n", b"POST /whole HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n1"],
    ids=["silent", "half a request", "between requests", "half a body"],
)  # fmt: skip
def test_those_who_wait_give_way_to_who_comes(port: int, begun: bytes) -> None:
    """However many connections strangers keep open, the next request is answered."""
    with ExitStack() as stack:
        for _ in range(15):
            held = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            held.sendall(begun)
            assert answers(port, GET + b"connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_web_sockets_do_not_give_way_and_a_full_server_says_so(port: int) -> None:
    """Only those who signed in have one."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(f"ws://127.0.0.1:{port}/socket")) for _ in range(6)]

        refused = answers(port, b"").lower()

        assert refused.startswith(b"http/1.1 503")
        assert b"frame-ancestors 'none'" in refused
        sockets[0].send("still here")
        assert sockets[0].recv(timeout=5) == "still here"


def test_who_reads_nothing_is_cut_off(port: int) -> None:
    """Closing would wait for the rest of the answer to be read."""
    request = b"POST /whole HTTP/1.1\r\nhost: localhost\r\ncontent-length: 8\r\n\r\n30000000"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        time.sleep(0.6)
        received = 0
        while part := connection.recv(1 << 20):
            received += len(part)
    assert 0 < received < 30_000_000


def test_what_is_no_http_is_answered_with_the_headers_of_every_page(port: int) -> None:
    """No one may show it in a frame, or guess its type."""
    answer = answers(port, b"\x16\x03\x01\r\n\r\n").lower()

    assert answer.startswith(b"http/1.1 400")
    assert b"content-security-policy: frame-ancestors 'none'" in answer
    assert b"x-content-type-options: nosniff" in answer


def test_what_is_no_http_does_not_flood_the_log() -> None:
    """One line a minute; errors are all logged."""
    moment = [0.0]
    only = RepeatedWarnings(lambda: moment[0])
    logged = []
    for second in range(150):
        moment[0] = float(second)
        for level in (logging.WARNING, logging.ERROR):
            record = logging.LogRecord("uvicorn.error", level, "", 0, "Invalid HTTP request received.", (), None)
            logged += [level] if only.filter(record) else []

    assert (logged.count(logging.WARNING), logged.count(logging.ERROR)) == (3, 150)
    limit_warnings()
    assert [each for each in logging.getLogger("uvicorn.error").filters if isinstance(each, RepeatedWarnings)]


def test_a_web_socket_is_no_silent_connection(port: int) -> None:
    """A page that waits for events sends nothing for hours."""
    with connect(f"ws://127.0.0.1:{port}/socket") as web_socket:
        time.sleep(0.6)
        web_socket.send("still here")
        assert web_socket.recv(timeout=5) == "still here"
