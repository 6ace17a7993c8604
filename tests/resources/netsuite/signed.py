"""A NetSuite client with given keys, and a transport that records its requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from resources.http_pool import open_http
from resources.netsuite.auth import ClientCredentials, NetSuiteAuth, TokenBased
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.concurrency import ConcurrencyLimit
from resources.netsuite.connect import open_http_client
from resources.sandbox.sandbox import BASE_URLS, Sandbox


class RecordingTransport(httpx.BaseTransport):
    """Records every request."""

    def __init__(self, inner: httpx.BaseTransport, requests: list[httpx.Request]) -> None:
        self._inner = inner
        self._requests = requests

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Record and forward a request; it may be signed again in place, so its headers are copied."""
        self._requests.append(
            httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        )
        return self._inner.handle_request(request)


@contextmanager
def with_keys(
    sandbox: Sandbox, auth: str, requests: list[httpx.Request] | None = None, **changes: str
) -> Iterator[NetSuiteClient]:
    """Open the real client with the sandbox's keys, or others.

    Args:
        sandbox: The sandbox.
        auth: oauth2 or tba.
        requests: Receives every request.
        changes: Keys that differ from the sandbox's.
    """
    keys = {**sandbox.credentials["netsuite"], **changes}
    base = BASE_URLS["netsuite"]
    signing: NetSuiteAuth
    if auth == "tba":
        names = ("account", "consumer_key", "consumer_secret", "token_id", "token_secret")
        signing = TokenBased(clock=sandbox.clock, **{name: keys[name] for name in names})
    else:
        signing = ClientCredentials(
            base_url=base,
            client_id=keys["client_id"],
            certificate_id=keys["certificate_id"],
            private_key=Path(keys["private_key_file"]).read_bytes(),
            clock=sandbox.clock,
        )
    limit = ConcurrencyLimit(4)
    transport = RecordingTransport(sandbox.transport("netsuite"), [] if requests is None else requests)
    with open_http(base, auth=signing, transport=transport) as http:
        yield NetSuiteClient(open_http_client(http, sandbox.clock, limit), sandbox.clock, limit)
