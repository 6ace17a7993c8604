"""Strangers keep no connection, and send no endless headers; a browser's next request and web socket go on."""

import logging
import socket
import time
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from orchestration import request_timeout
from orchestration.server_log import RepeatedWarnings, limit_warnings
from tests.orchestration.serving import serving

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n"


async def page(request: Request) -> PlainTextResponse:
    """Answer with the host."""
    return PlainTextResponse(request.headers["host"])


async def echo(web_socket: WebSocket) -> None:
    """Answer one message."""
    await web_socket.accept()
    await web_socket.send_text(await web_socket.receive_text())
    await web_socket.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server of this machine that waits less than half a second for headers."""
    app = Starlette(routes=[Route("/", page), WebSocketRoute("/socket", echo)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request_timeout, "HEADERS_TIMEOUT_S", 0.4)
        with serving(app, timeout_keep_alive=10, h11_max_incomplete_event_size=4096) as number:
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
    ],
    ids=["nothing", "half", "half a second", "two", "a long header", "many headers", "two hosts"],
)  # fmt: skip
def test_a_connection_without_a_whole_request_is_closed(port: int, parts: list[bytes], statuses: list[bytes]) -> None:
    """Whatever was answered on it before."""
    received = answers(port, *parts)

    assert [each.split()[0] for each in received.split(b"HTTP/1.1 ")[1:]] == statuses


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
