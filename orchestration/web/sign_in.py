"""A small guard before Dagster's webserver, which has no sign-in of its own.

request  ->  known host?  own origin?  signed in?  ->  Dagster

A token signs in, once; a cookie remembers it for twelve hours. Web pages of others cannot use it: foreign hosts and
origins are turned away (a page may point its own name at this machine), and GraphQL is not answered by GET.
"""

import asyncio
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import time
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE, SIGN_IN, REPORTS = "millpond", "/sign-in", "/reports/"
SESSION_S = 12 * 3600
WRONG_TOKEN_S = 1.0  # a guess a second
MOST_FORM_BYTES = 4096
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# not `no-referrer`: with it a browser sends the form's own answer with `Origin: null`, as if another page had
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"}
REPORT = re.compile(r"[\w-]+\.html")
REPORT_OF_RUN = re.compile(r"run-([0-9a-f]{8})\.html")
FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Millpond</title><style>:root{color-scheme:light dark}body{font:16px system-ui;display:grid;place-items:center;
min-height:90vh}form{display:grid;gap:.8rem;width:min(22rem,90vw)}input,button{font:inherit;padding:.5rem}</style>
<form method="post"><h1>Millpond</h1><label for="token">Sign-in token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
<button>Sign in</button><p>It is in the file ui_token in Millpond's home.</p></form></html>"""


@dataclass(frozen=True)
class Access:
    """Who may come in, and by which names this machine is called.

    Attributes:
        token: Signs in.
        names: Host names, without port.
        reports: Folders of the runs' reports, one for each account.
    """

    token: str
    names: frozenset[str]
    reports: Sequence[Path]


class Guard:
    """An ASGI application before another one."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what may pass, answer the rest."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refused = await self._judge(scope, receive)
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4401})  # before it is accepted: the handshake fails
        else:
            await refused(scope, receive, send)

    async def _judge(self, scope: Scope, receive: Receive) -> Response | None:
        headers = Headers(scope=scope)
        is_safe = scope.get("method") in SAFE  # a web socket has no method, and is never safe
        if urlsplit(f"//{headers.get('host', '')}").hostname not in self._access.names:
            return PlainTextResponse("this name is not one of this server's (MILLPOND_UI_NAMES)", 421)
        if not is_safe and not self._is_own(headers):
            return PlainTextResponse("requests from other pages are not taken", 403)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if scope["path"] == SIGN_IN or (is_safe and "token" in query):
            return await self._sign_in(Request(scope, receive), query)
        if not self._is_signed_in(headers):
            return _ask(scope, headers)
        return self._own_page(scope["path"], query) if is_safe else None

    def _own_page(self, path: str, query: Mapping[str, str]) -> Response | None:
        """What is answered here and not by Dagster."""
        if path == "/graphql" and "query" in query:
            return PlainTextResponse("GraphQL is answered by POST alone", 405, {"Allow": "POST"})
        return self._report(path.removeprefix(REPORTS)) if path.startswith(REPORTS) else None

    def _is_own(self, headers: Mapping[str, str]) -> bool:
        """Whether a page of this server asks, or a program that shows the token itself."""
        origin = headers.get("origin")
        if origin is None:
            return self._shows_token(headers)
        return urlsplit(origin).netloc == headers.get("host")

    def _shows_token(self, headers: Mapping[str, str]) -> bool:
        shown = headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(shown.encode(), self._access.token.encode())

    def _is_signed_in(self, headers: Headers) -> bool:
        if self._shows_token(headers):
            return True
        cookies = Request({"type": "http", "headers": headers.raw}).cookies
        until, _, _ = cookies.get(COOKIE, "").partition(".")
        if not until.isdecimal() or int(until) < time():
            return False
        return hmac.compare_digest(cookies[COOKIE].encode(), self._session(int(until)).encode())

    def _session(self, until: int) -> str:
        return f"{until}.{hmac.new(self._access.token.encode(), f'until {until}'.encode(), sha256).hexdigest()}"

    async def _sign_in(self, request: Request, query: dict[str, str]) -> Response:
        """By the form, or by a link with the token, which is gone from the address at once."""
        if request.method not in SAFE:
            if int(request.headers.get("content-length") or MOST_FORM_BYTES + 1) > MOST_FORM_BYTES:
                return PlainTextResponse("too long", 413)
            form = dict(parse_qsl((await request.body()).decode("latin-1")))
            return await self._let_in(form.get("token", ""), query.get("next", "/"))
        token = query.pop("token", None)
        if token is None:
            return HTMLResponse(FORM, headers=PRIVATE)
        path = request.url.path
        return await self._let_in(token, f"{path}?{urlencode(query)}" if query else path)

    async def _let_in(self, token: str, after: str) -> Response:
        if not hmac.compare_digest(token.encode(), self._access.token.encode()):
            await asyncio.sleep(WRONG_TOKEN_S)
            return HTMLResponse(FORM, 401, headers=PRIVATE)
        # on this server only: a link that signs in leads nowhere else
        where = after if re.match(r"/(?![/\\])", after) else "/"
        answer = RedirectResponse(where, 303, headers=PRIVATE)
        session = self._session(int(time()) + SESSION_S)
        answer.set_cookie(COOKIE, session, max_age=SESSION_S, httponly=True, samesite="strict")
        return answer

    def _report(self, name: str) -> Response:
        """A report by its file's name, or by its run: `run-<first eight characters of the id>.html`."""
        of_run = REPORT_OF_RUN.fullmatch(name)
        asked = f"*-{of_run[1]}.html" if of_run else name
        found = (
            [page for folder in self._access.reports for page in folder.glob(asked)] if REPORT.fullmatch(name) else []
        )
        if not found:
            return PlainTextResponse("there is no such report; a run writes its own at its end", 404)
        return FileResponse(max(found, key=lambda page: page.name), headers=PRIVATE)


def _ask(scope: Scope, headers: Headers) -> Response:
    """A person is led to the form, a program is told."""
    if scope["type"] == "http" and scope["method"] in SAFE and "text/html" in headers.get("accept", ""):
        return RedirectResponse(f"{SIGN_IN}?next={quote(scope['path'])}", 303, headers=PRIVATE)
    return PlainTextResponse("sign in first", 401, {"WWW-Authenticate": "Bearer"})
