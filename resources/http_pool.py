"""Connection pools that call one host and no other.

base URL, auth  ->  open_http()  ->  httpx.Client over PinnedTransport (network, or the sandbox in process)
"""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from resources.errors import CredentialsError
from resources.http_failures import LOOPBACK, proxy_of
from resources.http_limits import BoundedTransport, Network

TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 15.0  # a reachable host accepts a connection at once
TIMEOUT = httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
UNSENDABLE = "a credential or header has characters that cannot be sent: check the settings of the sign-in"
NOWHERE = "https://not-configured.invalid"
MAX_PORT = 65_535


class PinnedTransport(httpx.BaseTransport):
    """Refuses every host but the configured one: an address in a response never takes our credentials elsewhere."""

    def __init__(self, base_url: str, inner: httpx.BaseTransport) -> None:
        self._origin = httpx.URL(base_url)
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Forward requests to the configured scheme, host and port."""
        url, allowed = request.url, self._origin
        if (url.scheme, url.host, url.port) != (allowed.scheme, allowed.host, allowed.port):
            raise httpx.UnsupportedProtocol(f"not sent to {url.host}: only {allowed.host} is configured")
        request.extensions.setdefault("timeout", TIMEOUT.as_dict())  # a sign-in's own request has none
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the connection pool."""
        self._inner.close()


class ClosedTransport(httpx.BaseTransport):
    """Sends nothing and says why: a system that is not configured stops only the steps that call it."""

    def __init__(self, system: str, reason: str) -> None:
        self._system = system
        self._reason = reason

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raise CredentialsError."""
        raise CredentialsError(self._system, "sign in", f"{self._reason}; {request.method} was not sent")


def missing_settings(system: str, **settings: str) -> str:
    """Return which environment variables must be set before a system can be called; empty if none is missing."""
    missing = [f"{system}_{name}".upper() for name, value in settings.items() if not value]
    return f"not configured: set {', '.join(missing)}" if missing else ""


def invalid_base_url(system: str, base_url: str) -> str:
    """Return why this cannot be the root of a service; empty if it can."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme == "http" and url.host and url.host not in LOOPBACK:
        return f"{system.upper()}_BASE_URL begins with http://, so that anyone on the way could read it: use https://"
    if url.scheme in {"http", "https"} and url.host and (url.port or 0) <= MAX_PORT:
        return ""
    return f"{system.upper()}_BASE_URL is not an address of the form https://host: correct it"


def ssl_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return the trusted authorities: of the file, else of SSL_CERT_FILE or SSL_CERT_DIR, else the public ones.

    Raises:
        OSError: The file is missing or not a PEM file.
    """
    return ssl.create_default_context(cafile=str(ca_file)) if ca_file else httpx.create_ssl_context()


def _network(base_url: str, ca_file: Path | None, limits: httpx.Limits) -> httpx.BaseTransport:
    """Return the transport to the network; an unusable setting of the environment stops only the steps that call."""
    try:
        verify = ssl_context(ca_file)
    except OSError as error:
        name = ca_file or os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
        return ClosedTransport("network", f"SSL_CERT_FILE: {name} cannot be used ({error.strerror or error})")
    try:
        return Network(verify=verify, limits=limits, proxy=proxy_of(base_url) or None)
    except (ValueError, ImportError, httpx.InvalidURL):
        return ClosedTransport("network", "HTTPS_PROXY is not an address of the form http://host:port: correct it")


@contextmanager
def open_http(
    base_url: str,
    *,
    auth: httpx.Auth | None = None,
    headers: dict[str, str] | None = None,
    transport: httpx.BaseTransport | None = None,
    connections: int = 20,
    ca_file: Path | None = None,
    around: Callable[[httpx.BaseTransport], httpx.BaseTransport] | None = None,
) -> Iterator[httpx.Client]:
    """Open one connection pool for the block, through the proxy and with the authorities of the environment.

    Args:
        base_url: Scheme, host and port of the system; every request is pinned to it.
        auth: Signs each request.
        headers: Sent with each request.
        transport: The sandbox in process; None for the network.
        connections: Pool size.
        ca_file: An additional certificate authority, for the sandbox behind TLS.
        around: Wraps the transport, for example with a budget that counts each request.
    """
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    inner = transport or _network(base_url, ca_file, limits)
    if any(not value.isascii() or not value.isprintable() for value in (headers or {}).values()):
        headers, inner = {}, ClosedTransport("network", UNSENDABLE)  # httpx would quote the value in its error
    bounded = BoundedTransport(around(inner) if around else inner)
    with httpx.Client(
        base_url=base_url,
        auth=auth,
        headers=headers,
        timeout=TIMEOUT,
        transport=PinnedTransport(base_url, bounded),
        follow_redirects=False,
        trust_env=False,
    ) as http:
        yield http
