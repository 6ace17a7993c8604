"""The three stand-ins on loopback ports, for clients that cannot be handed a transport.

millpond sandbox serve  ->  one process, three listeners, one JSON line when ready, until SIGINT or SIGTERM
"""

import asyncio
import json
import signal
import socket
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from resources.sandbox.certificates import TlsFiles, tls_files
from resources.sandbox.sandbox import SYSTEMS, Sandbox, SystemName
from resources.sandbox.transport import Answer, Call, Loss, System

HOST = "127.0.0.1"
THREADS = 32
GRACE_S = 2

# what a client of each system must know; server-side halves (public keys, refresh secrets) stay in the folder
TOLD: dict[SystemName, tuple[str, ...]] = {
    "netsuite": (
        "account",
        "consumer_key",
        "consumer_secret",
        "token_id",
        "token_secret",
        "client_id",
        "certificate_id",
        "private_key_file",
    ),
    "suiteprojects": ("company", "user", "password", "namespace", "key", "access_token"),
    "precoro": ("token", "email", "item_custom_field_id"),
}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class LossyProtocol(HttpToolsProtocol):
    """Lets the application reach the connection itself, so that an answer can be lost as networks lose it."""

    def on_message_begin(self) -> None:
        """Put the connection into the request's scope."""
        super().on_message_begin()
        self.scope["extensions"] = {"millpond.connection": {"transport": self.transport}}

    def shutdown(self) -> None:
        """End an idle connection at once: over TLS a polite close waits for a client that is not reading."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            super().shutdown()


class Quiet(uvicorn.Server):
    """A server that leaves the signals to us and says when it listens."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Three servers share one process: `serve` handles its signals."""
        yield


class Front:
    """One stand-in as an ASGI application: every path and method goes to `System.answer`."""

    def __init__(self, system: System, pool: ThreadPoolExecutor) -> None:
        self._system = system
        self._pool = pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request in a thread, because the stand-ins' memory is SQLite."""
        if scope["type"] != "http":
            return
        call = await _call(Request(scope, receive))
        answer = await asyncio.get_running_loop().run_in_executor(self._pool, self._system.answer, call)
        await _reply(answer, scope, receive, send)


async def _call(request: Request) -> Call:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path = request.scope["raw_path"].decode("ascii")
    query = request.scope["query_string"].decode("ascii")
    host = headers.get("host", HOST)
    # the address as the client spelled it: OAuth 1 signs it, and NetSuite's links repeat it
    url = f"{request.scope['scheme']}://{host}{path}" + (f"?{query}" if query else "")
    return Call(request.method, url, headers, await request.body())


async def _reply(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer, or lose it: nothing at all, or half of the body and then the end of the connection."""
    transport = scope["extensions"]["millpond.connection"]["transport"]
    half = len(answer.body) // 2
    if answer.loss is Loss.DROPPED or (answer.loss is Loss.CUT and not half):
        transport.abort()
        await receive()  # comes back when the connection is gone
        return
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
    if answer.status not in {204, 304}:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.loss is Loss.CUT:
        await send({"type": "http.response.body", "body": answer.body[:half], "more_body": True})
        transport.close()
        await receive()
        return
    await send({"type": "http.response.body", "body": answer.body})


def _config(app: Front, files: TlsFiles | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=LossyProtocol,
        lifespan="off",
        log_level="warning",
        access_log=False,  # addresses may carry names
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=files.certificate if files else None,
        ssl_keyfile=files.key if files else None,
    )


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback address; port 0 picks a free one.

    Raises:
        OSError: The port is taken.
    """
    # asyncio switches Nagle's delay off only where the protocol is named; with it an answer takes 40 ms
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener


def connection_details(sandbox: Sandbox, base_urls: dict[SystemName, str], tls: TlsFiles | None) -> dict[str, Any]:
    """What any client needs: addresses, keys made for this folder, and the authority to trust."""
    told: dict[str, Any] = {
        name: {"base_url": base_urls[name]} | {key: sandbox.credentials[name][key] for key in TOLD[name]}
        for name in SYSTEMS
    }
    return told | {"ca_file": str(tls.ca) if tls else None}


def serve(sandbox: Sandbox, ports: dict[SystemName, int], *, tls: bool, announce: Callable[[str], None]) -> None:
    """Serve the three stand-ins until SIGINT or SIGTERM.

    Args:
        sandbox: The stand-ins.
        ports: A port for each system; 0 picks a free one.
        tls: Speak https, under the folder's own authority.
        announce: Called once, with one line of JSON, when all three listen.

    Raises:
        OSError: A port is taken.
    """
    files = tls_files(sandbox.folder) if tls else None
    listeners = {name: listen(ports[name]) for name in SYSTEMS}
    scheme = "https" if tls else "http"
    base_urls = {name: f"{scheme}://{HOST}:{each.getsockname()[1]}" for name, each in listeners.items()}
    line = json.dumps(connection_details(sandbox, base_urls, files))
    with ThreadPoolExecutor(THREADS) as pool:
        asyncio.run(_serve_all(sandbox, listeners, files, pool, lambda: announce(line)))


async def _serve_all(
    sandbox: Sandbox,
    listeners: dict[SystemName, socket.socket],
    files: TlsFiles | None,
    pool: ThreadPoolExecutor,
    ready: Callable[[], None],
) -> None:
    servers = [Quiet(_config(Front(sandbox.system(name), pool), files)) for name in SYSTEMS]
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = [
        asyncio.create_task(server.serve(sockets=[listeners[name]]))
        for name, server in zip(SYSTEMS, servers, strict=True)
    ]
    while not all(server.started for server in servers):
        await asyncio.sleep(0.005)
        for each in filter(asyncio.Task.done, running):
            each.result()  # a server that cannot start says why
    ready()
    await stop.wait()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*running)
