"""A sandbox whose responses are altered on their way, for what other accounts answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from resources.http import HttpClient
from resources.http_pool import open_http
from resources.precoro.client import PrecoroClient
from resources.precoro.errors import ErrorTranslator
from resources.sandbox.sandbox import BASE_URLS, Sandbox
from resources.suiteprojects.auth import PasswordSignIn
from resources.suiteprojects.client import SuiteProjectsClient

Change = Callable[[bytes], bytes]


class AlteringTransport(httpx.BaseTransport):
    """Passes every body of a response through a function."""

    def __init__(self, inner: httpx.BaseTransport, change: Change) -> None:
        self._inner = inner
        self._change = change

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Forward the request and alter the response."""
        response = self._inner.handle_request(request)
        body = self._change(response.read())
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return httpx.Response(response.status_code, headers=headers, content=body, request=request)


@contextmanager
def suiteprojects_with(sandbox: Sandbox, change: Change) -> Iterator[SuiteProjectsClient]:
    """Open the real client of the sandbox's account, with altered responses."""
    own = sandbox.credentials["suiteprojects"]
    transport = AlteringTransport(sandbox.transport("suiteprojects"), change)
    with open_http(BASE_URLS["suiteprojects"], transport=transport) as pool:
        http = HttpClient(pool, system="suiteprojects", clock=sandbox.clock)
        sign_in = PasswordSignIn(own["company"], own["user"], own["password"])
        yield SuiteProjectsClient(
            http, namespace=own["namespace"], key=own["key"], sign_in=sign_in, clock=sandbox.clock
        )


@contextmanager
def precoro_with(sandbox: Sandbox, change: Change) -> Iterator[PrecoroClient]:
    """Open the real client of the sandbox's company, with altered responses."""
    own = sandbox.credentials["precoro"]
    transport = AlteringTransport(sandbox.transport("precoro"), change)
    headers = {"X-AUTH-TOKEN": own["token"], "email": own["email"]}
    with open_http(BASE_URLS["precoro"], transport=transport, headers=headers) as pool:
        translate = ErrorTranslator(sandbox.clock)
        http = HttpClient(pool, system="precoro", clock=sandbox.clock, translate=translate)
        yield PrecoroClient(http, clock=sandbox.clock)
