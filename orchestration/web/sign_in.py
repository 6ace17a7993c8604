"""A sign-in in front of Dagster's webserver, which has none.

request  ->  known host?  own origin?  signed in?  ->  Dagster

A token signs in once; a cookie lasts twelve hours. Other web pages cannot use it: foreign hosts and origins are
rejected (a page may point its own name at this machine), and GraphQL over GET gets no response.
"""

import asyncio
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import time
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.web.guesses import Guesses

COOKIE, SIGN_IN, REPORTS = "millpond", "/sign-in", "/reports/"
SESSION_S = 12 * 3600
FORM_TIMEOUT_S = 10.0  # a browser sends the form at once
MAX_FORM_BYTES = 4096
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# not `no-referrer`: with it a browser sends the form with `Origin: null`, like another site's page
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"}
# on every page, Dagster's as well: no other site may show the UI in a frame
EVERYWHERE = {"Content-Security-Policy": "frame-ancestors 'none'", "X-Frame-Options": "DENY",
              "X-Content-Type-Options": "nosniff"}  # fmt: skip
EXPIRY = re.compile(r"[0-9]{1,12}")
REPORT = re.compile(r"[\w-]+\.html")
REPORT_OF_RUN = re.compile(r"run-([0-9a-f]{8})\.html")
FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Millpond</title><style>:root{color-scheme:light dark}body{font:16px system-ui;display:grid;place-items:center;
min-height:90vh}form{display:grid;gap:.8rem;width:min(22rem,90vw)}input,button{font:inherit;padding:.5rem}</style>
<form method="post"><h1>Millpond</h1><label for="token">Sign-in token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
<button>Sign in</button><p>The token is in the file ui_token in Millpond's home.</p></form></html>"""


@dataclass(frozen=True)
class Access:
    """The credentials of the UI, and the names of this server.

    Attributes:
        token: The sign-in token.
        hosts: Host names, without port.
        reports: Folders of run reports, one per account.
    """

    token: str
    hosts: frozenset[str]
    reports: Sequence[Path]


class SignIn:
    """An ASGI application in front of another one."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access, self._guesses = app, access, Guesses()
        # not derived from the token: a cookie must not be another way to guess it
        self._session_key = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass allowed requests on, and respond to the others."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        response = await self._response(scope, receive)
        if response is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4401})  # before it is accepted: the handshake fails
        else:
            await response(scope, receive, send)

    async def _response(self, scope: Scope, receive: Receive) -> Response | None:  # noqa: PLR0911 - one for each refusal
        """Our own response, or None for a request that Dagster answers."""
        headers = Headers(scope=scope)
        is_safe = scope.get("method") in SAFE_METHODS  # a web socket has no method and is never safe
        client = (scope.get("client") or ("",))[0]
        if _host_of(f"//{headers.get('host', '')}") not in self._access.hosts:
            return PlainTextResponse("unknown host name; add it to MILLPOND_UI_ALLOWED_HOSTS", 421)
        if "authorization" in headers and not self._guesses.is_allowed(client):
            return _too_many()
        if "authorization" in headers and not self._has_token(headers):
            self._guesses.was_wrong(client)
            return PlainTextResponse("wrong token", 401, {"WWW-Authenticate": "Bearer"})
        if not is_safe and not self._is_same_origin(headers):
            return PlainTextResponse("requests from other origins are not allowed", 403)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if scope["path"] == SIGN_IN or (is_safe and "token" in query):
            return await self._sign_in(Request(scope, receive), query, client)
        if not self._is_signed_in(headers):
            return _unauthorized(scope, headers)
        return self._own_page(scope["path"], query) if is_safe else None

    def _own_page(self, path: str, query: Mapping[str, str]) -> Response | None:
        if path == "/graphql" and "query" in query:
            return PlainTextResponse("use POST for GraphQL", 405, {"Allow": "POST"})
        return self._report(path.removeprefix(REPORTS)) if path.startswith(REPORTS) else None

    def _is_same_origin(self, headers: Mapping[str, str]) -> bool:
        """Return whether the request comes from a page of this server, or from a program with the token."""
        origin = headers.get("origin")
        if origin is None:
            return self._has_token(headers)
        return origin.partition("://")[2] == headers.get("host")

    def _has_token(self, headers: Mapping[str, str]) -> bool:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(token.encode(), self._access.token.encode())

    def _is_signed_in(self, headers: Headers) -> bool:
        if self._has_token(headers):
            return True
        cookies = Request({"type": "http", "headers": headers.raw}).cookies
        until, _, _ = cookies.get(COOKIE, "").partition(".")
        if not EXPIRY.fullmatch(until) or int(until) < time():
            return False
        return hmac.compare_digest(cookies[COOKIE].encode(), self._session(int(until)).encode())

    def _session(self, until: int) -> str:
        return f"{until}.{hmac.new(self._session_key, f'until {until}'.encode(), sha256).hexdigest()}"

    async def _sign_in(self, request: Request, query: dict[str, str], client: str) -> Response:
        """Sign in by the form, or by a link with the token, which is removed from the address at once."""
        if request.method not in SAFE_METHODS:
            length = request.headers.get("content-length", "")
            if not EXPIRY.fullmatch(length) or int(length) > MAX_FORM_BYTES:
                return PlainTextResponse("too large", 413)
            try:
                body = await asyncio.wait_for(request.body(), FORM_TIMEOUT_S)
            except (TimeoutError, ClientDisconnect):
                return PlainTextResponse("too slow", 408)
            form = dict(parse_qsl(body.decode("latin-1")))
            return self._check(form.get("token", ""), query.get("next", "/"), request, client)
        token = query.pop("token", None)
        if token is None:
            return HTMLResponse(FORM, headers=PRIVATE)
        path = request.url.path
        return self._check(token, f"{path}?{urlencode(query)}" if query else path, request, client)

    def _check(self, token: str, following: str, request: Request, client: str) -> Response:
        if not self._guesses.is_allowed(client):
            return _too_many()
        if not hmac.compare_digest(token.encode(errors="replace"), self._access.token.encode()):
            self._guesses.was_wrong(client)
            return HTMLResponse(FORM, 401, headers=PRIVATE)
        # paths of this server only: a sign-in link must not redirect elsewhere
        path = following if re.match(r"/(?![/\\])", following) else "/"
        response = RedirectResponse(path, 303, headers=PRIVATE)
        session = self._session(int(time()) + SESSION_S)
        # the header may be anyone's, but says at most that the cookie needs TLS
        is_tls = "https" in {request.url.scheme, request.headers.get("x-forwarded-proto", "").lower()}
        is_tls = is_tls or request.headers.get("origin", "").startswith("https://")
        response.set_cookie(COOKIE, session, max_age=SESSION_S, httponly=True, samesite="strict", secure=is_tls)
        return response

    def _report(self, name: str) -> Response:
        """A report by its file name, or by its run: `run-<first eight characters of the id>.html`."""
        of_run = REPORT_OF_RUN.fullmatch(name)
        pattern = f"*-{of_run[1]}.html" if of_run else name
        folders = self._access.reports if REPORT.fullmatch(name) else ()
        found = [page for folder in folders for page in folder.glob(pattern)]
        if not found:
            return PlainTextResponse("no such report; a run writes its report when it ends", 404)
        return FileResponse(max(found, key=lambda page: page.name), headers=PRIVATE)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name.lower().encode(), value.encode()) for name, value in EVERYWHERE.items()]
            given = [each for each in message.get("headers", []) if each[0].lower() != b"x-frame-options"]
            message = {**message, "headers": [*given, *own]}
        await send(message)

    return sending


def _too_many() -> Response:
    return PlainTextResponse("one attempt per second", 429, {"Retry-After": "1", **PRIVATE})


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:  # an unclosed bracket
        return None


def _unauthorized(scope: Scope, headers: Headers) -> Response:
    """Redirect a browser to the form, and respond 401 to a program."""
    if scope["type"] == "http" and scope["method"] in SAFE_METHODS and "text/html" in headers.get("accept", ""):
        return RedirectResponse(f"{SIGN_IN}?next={quote(scope['path'])}", 303, headers=PRIVATE)
    return PlainTextResponse("sign in first", 401, {"WWW-Authenticate": "Bearer"})
