"""The console beside Dagster's pages: one server, and a link on each side.

/console/…  ->  the console     /docs/…  ->  the guide     everything else  ->  Dagster, with a link to the console
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.web.console.pages import PREFIX, asset
from orchestration.web.guide import PREFIX as GUIDE

END = b"</body>"


class BesideDagster:
    """An ASGI application of all three."""

    def __init__(self, console: ASGIApp, dagster: ASGIApp, guide: ASGIApp) -> None:
        self._own, self._dagster = {PREFIX: console, GUIDE: guide}, dagster

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to one of them."""
        first = "/" + scope.get("path", "").removeprefix("/").partition("/")[0]  # `*` and `host:port` have no slash
        own = self._own.get(first) if scope["type"] == "http" else None
        if own:
            await own(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "GET":
            await self._dagster(scope, receive, _LinkedPage(send))
        else:
            await self._dagster(scope, receive, send)


class _LinkedPage:
    """Adds the link to a page; other responses pass unchanged."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Pass one part of a response on."""
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
            return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = self._body.replace(END, _link() + END, 1)
        kept = [each for each in self._start["headers"] if each[0].lower() != b"content-length"]
        headers = [*kept, (b"content-length", str(len(body)).encode())]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _is_page(message: Message) -> bool:
    headers = {name.lower(): value for name, value in message.get("headers", [])}
    return headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers


def _link() -> bytes:
    style = f'<link rel="stylesheet" href="{asset("beside.css")}">'
    return f'{style}<a id="millpond-console" href="{PREFIX}/">Millpond console</a>'.encode()
