"""Headers, redirects, cookies and forms of our own responses."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl, quote

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.web.forms import SESSION_ENDED
from orchestration.web.sessions import EXPIRY

SIGN_IN = "/sign-in"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_TIMEOUT_S = 10.0  # a browser sends the form at once
MAX_FORM_BYTES = 4096
# not `no-referrer`: with it a browser sends the form with `Origin: null`, like another site's page
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"}
# of the pages of the sign-in, which have a style and no script
FORM = {
    **PRIVATE,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
}
# on every page, Dagster's as well: no other site may show the UI in a frame
EVERYWHERE = {"Content-Security-Policy": "frame-ancestors 'none'", "X-Frame-Options": "DENY",
              "X-Content-Type-Options": "nosniff"}  # fmt: skip
REPORT = re.compile(r"[\w-]+\.html")
REPORT_OF_RUN = re.compile(r"run-([0-9a-f]{8})\.html")


def with_headers(send: Send) -> Send:
    """Add the headers of every page."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name.lower().encode(), value.encode()) for name, value in EVERYWHERE.items()]
            given = [each for each in message.get("headers", []) if each[0].lower() != b"x-frame-options"]
            message = {**message, "headers": [*given, *own]}
        await send(message)

    return sending


class Sending:
    """Sends one response, and knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send, self.has_begun = send, False

    async def __call__(self, message: Message) -> None:
        """Send a part of the response."""
        self.has_begun = True
        await self._send(message)


async def answer(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request; an error gets a page with the headers of every page, which the server's own does not have."""
    sending = Sending(send)
    try:
        await app(scope, receive, sending)
    except Exception:
        if scope["type"] == "http" and not sending.has_begun:
            text = "the page could not be made; the server's log has the reason"
            await PlainTextResponse(text, 500, PRIVATE)(scope, receive, send)
        raise  # the server logs it


async def read_form(request: Request) -> dict[str, str] | Response:
    """Return the fields of a form, or a refusal."""
    length = request.headers.get("content-length", "")
    if not EXPIRY.fullmatch(length) or int(length) > MAX_FORM_BYTES:
        return PlainTextResponse("too large", 413)
    try:
        body = await asyncio.wait_for(request.body(), FORM_TIMEOUT_S)
    except (TimeoutError, ClientDisconnect):
        return PlainTextResponse("too slow", 408)
    return dict(parse_qsl(body.decode("latin-1")))


def redirect(following: str) -> Response:
    """Redirect to a path of this server; a sign-in link must not lead elsewhere."""
    return RedirectResponse(following if re.match(r"/(?![/\\])", following) else "/", 303, headers=PRIVATE)


def keep(response: Response, request: Request, name: str, value: str, seconds: int) -> None:
    """Set a cookie, which needs TLS where the UI has it."""
    # the header may be anyone's, but says at most that the cookie needs TLS
    schemes = {each.strip() for each in request.headers.get("x-forwarded-proto", "").lower().split(",")}
    is_tls = "https" in {request.url.scheme, *schemes}
    is_tls = is_tls or request.headers.get("origin", "").startswith("https://")
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="strict", secure=is_tls)


def too_many() -> Response:
    """Refuse a guess that comes too early."""
    return PlainTextResponse("one attempt per second", 429, {"Retry-After": "1", **PRIVATE})


def unauthorized(scope: Scope, headers: Headers) -> Response:
    """Redirect a browser to the form, without the loss of what it sends, and respond 401 to a program."""
    if scope["type"] == "http" and "text/html" in headers.get("accept", ""):
        if scope["method"] not in SAFE_METHODS:
            return HTMLResponse(SESSION_ENDED, 401, headers=FORM)
        return RedirectResponse(f"{SIGN_IN}?next={quote(_asked_for(scope), safe='/')}", 303, headers=PRIVATE)
    return PlainTextResponse("sign in first", 401, {"WWW-Authenticate": "Bearer"})


def _asked_for(scope: Scope) -> str:
    """The page that was asked for as it was spelled, with its query: a filter is a part of the page.

    A token of a link that no longer signs in is left out, so that it does not stay in the address.
    """
    path, query = bytes(scope.get("raw_path") or quote(scope["path"]).encode()), bytes(scope["query_string"])
    kept = b"&".join(each for each in query.split(b"&") if each and not each.startswith(b"token="))
    return (path + b"?" + kept if kept else path).decode("latin-1")


def report(folders: Sequence[Path], name: str) -> Response:
    """Return a report by its file name, or by its run: `run-<first eight characters of the id>.html`."""
    of_run = REPORT_OF_RUN.fullmatch(name)
    pattern = f"*-{of_run[1]}.html" if of_run else name
    found = [page for folder in folders for page in folder.glob(pattern)] if REPORT.fullmatch(name) else []
    if of_run and not found:  # only runs that publish write it: the console makes it of the ledger
        return RedirectResponse(f"/console/reports/{name}", 303, headers=PRIVATE)
    if not found:
        return PlainTextResponse("no such report; a run writes its report when it ends", 404)
    return FileResponse(max(found, key=lambda page: page.name), headers=PRIVATE)
