"""The three simulated systems on loopback ports, for clients that cannot take an httpx transport.

millpond sandbox serve  ->  one process, three listeners, one line of JSON when ready, until SIGINT or SIGTERM
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
from starlette.requests import Request as HttpRequest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from resources.sandbox.certificates import TlsFiles, tls_files
from resources.sandbox.sandbox import SYSTEMS, Sandbox, SystemName
from resources.sandbox.transport import Loss, Request, Response, System

HOST = "127.0.0.1"
THREADS = 32
SHUTDOWN_S = 2

# the settings that a client of each system needs; public keys and refresh tokens stay in the folder
CLIENT_SETTINGS: dict[SystemName, tuple[str, ...]] = {
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
    """HTTP protocol that gives the application its connection, so that it can drop a response."""

    def on_message_begin(self) -> None:
        """Add the connection to the request's scope."""
        super().on_message_begin()
        self.scope["extensions"] = {"millpond.connection": {"transport": self.transport}}

    def shutdown(self) -> None:
        """Abort an idle connection: over TLS a graceful close would wait for a client that is not reading."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            super().shutdown()


class EmbeddedServer(uvicorn.Server):
    """A server that leaves signal handling to `serve`."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle no signals: three servers share one process."""
        yield


class AsgiApp:
    """One simulated system as an ASGI application: `System.handle` serves every path and method."""

    def __init__(self, system: System, pool: ThreadPoolExecutor) -> None:
        self._system = system
        self._pool = pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request in a thread, because the state is in SQLite."""
        if scope["type"] != "http":
            return
        request = await _read_request(HttpRequest(scope, receive))
        response = await asyncio.get_running_loop().run_in_executor(self._pool, self._system.handle, request)
        await _send(response, scope, receive, send)


async def _read_request(http: HttpRequest) -> Request:
    headers: dict[str, str] = {}
    for name, value in http.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path = http.scope["raw_path"].decode("ascii")
    query = http.scope["query_string"].decode("ascii")
    host = headers.get("host", HOST)
    # the URL as the client spelled it: OAuth 1 signs it, and NetSuite's links repeat it
    url = f"{http.scope['scheme']}://{host}{path}" + (f"?{query}" if query else "")
    return Request(http.method, url, headers, await http.body())


async def _send(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a response, or lose it: send nothing, or half of the body, and close the connection."""
    transport = scope["extensions"]["millpond.connection"]["transport"]
    half = len(response.body) // 2
    if response.loss is Loss.DROPPED or (response.loss is Loss.CUT and not half):
        transport.abort()
        await receive()  # returns when the connection is closed
        return
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
    if response.status not in {204, 304}:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.loss is Loss.CUT:
        await send({"type": "http.response.body", "body": response.body[:half], "more_body": True})
        transport.close()
        await receive()
        return
    await send({"type": "http.response.body", "body": response.body})


def uvicorn_config(app: AsgiApp, files: TlsFiles | None) -> uvicorn.Config:
    """Return the configuration of one listener, with TLS if certificates are given."""
    return uvicorn.Config(
        app,
        http=LossyProtocol,
        lifespan="off",
        log_level="warning",
        access_log=False,  # URLs may carry names
        server_header=False,
        date_header=False,  # NetSuite's has its own clock
        timeout_graceful_shutdown=SHUTDOWN_S,
        ssl_certfile=files.certificate if files else None,
        ssl_keyfile=files.key if files else None,
    )


def listen(port: int) -> socket.socket:
    """Open a socket on the loopback address; port 0 picks a free one.

    Raises:
        OSError: The port is taken.
    """
    # asyncio disables Nagle's algorithm only if the protocol is named; with it a response takes 40 ms
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener


def connection_details(sandbox: Sandbox, base_urls: dict[SystemName, str], tls: TlsFiles | None) -> dict[str, Any]:
    """Return what clients need: base URLs, credentials of this folder, and the authority to trust."""
    details: dict[str, Any] = {
        name: {"base_url": base_urls[name]} | {key: sandbox.credentials[name][key] for key in CLIENT_SETTINGS[name]}
        for name in SYSTEMS
    }
    return details | {"ca_file": str(tls.ca) if tls else None}


def serve(sandbox: Sandbox, ports: dict[SystemName, int], *, tls: bool, announce: Callable[[str], None]) -> None:
    """Serve the three simulated systems until SIGINT or SIGTERM.

    Args:
        sandbox: The sandbox to serve.
        ports: A port for each system; 0 picks a free one.
        tls: Serve https with the certificates of the folder's own authority.
        announce: Called once with one line of JSON when all three listen.

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
    servers = [EmbeddedServer(uvicorn_config(AsgiApp(sandbox.system(name), pool), files)) for name in SYSTEMS]
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
            each.result()  # raise the reason of a server that cannot start
    ready()
    await stop.wait()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*running)
