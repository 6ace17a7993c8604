"""The real client with keys of its own choice, and something to listen to what it sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from resources.http import open_http
from resources.netsuite.auth import ClientCredentials, NetSuiteAuth, TokenBased
from resources.netsuite.client import NetSuiteClient, open_http_client
from resources.netsuite.concurrency import Lanes
from resources.sandbox.sandbox import BASE_URLS, Sandbox


class Ear(httpx.BaseTransport):
    """Hears every request on its way."""

    def __init__(self, inner: httpx.BaseTransport, heard: list[httpx.Request]) -> None:
        self._inner = inner
        self._heard = heard

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Note it and pass it on; a request is signed anew in place, so its headers are copied."""
        self._heard.append(httpx.Request(request.method, request.url, headers=request.headers, content=request.read()))
        return self._inner.handle_request(request)


@contextmanager
def with_keys(
    sandbox: Sandbox, auth: str, heard: list[httpx.Request] | None = None, **changes: str
) -> Iterator[NetSuiteClient]:
    """The real client with the stand-in's keys, or others.

    Args:
        sandbox: The stand-in.
        auth: oauth2 or tba.
        heard: Gets every request.
        changes: Keys that differ from those that the stand-in knows.
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
    lanes, wire = Lanes(4), Ear(sandbox.transport("netsuite"), [] if heard is None else heard)
    with open_http(base, auth=signing, transport=wire) as http:
        yield NetSuiteClient(open_http_client(http, sandbox.clock, lanes), sandbox.clock, lanes)
