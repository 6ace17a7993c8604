"""The guide at /docs/: the site that `make docs` builds, or how to build it.

build/guide/site/<page>.html  ->  /docs/<page>.html, under a policy that loads nothing from elsewhere
"""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.guide.site import SITE
from orchestration.web.pages import PRIVATE

PREFIX = "/docs"
# the site's own pages have scripts and styles in them; they are files of ours and contain no values of records
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'"
)
NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>Millpond guide</title>
<body style="font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem">
<h1>The guide is not built</h1>
<p><code>make docs</code> in the project's folder builds it, without network; then load this page again.
The same pages can be read as Markdown in the folder <code>docs/</code>.</p>
<p>Without <code>make</code>: <code>pip install 'millpond[docs]'</code>, then
<code>python -m orchestration.guide.site</code>.</p>
<p><a href="/console/">Console</a> · <a href="/">Dagster</a></p></body></html>"""


def guide(folder: Path = SITE) -> Starlette:
    """Return the guide; the site may be built while the server runs."""
    files = _Own(StaticFiles(directory=folder, html=True, check_dir=False))

    async def pages(scope: Scope, receive: Receive, send: Send) -> None:
        is_built = (folder / "index.html").is_file()
        answer: ASGIApp = (
            files if is_built else HTMLResponse(NOT_BUILT, 404, {**PRIVATE, "Content-Security-Policy": POLICY})
        )
        await answer(scope, receive, send)

    return Starlette(routes=[Route(PREFIX, _first), Mount(PREFIX, pages)])


async def _first(_request: Request) -> Response:
    return RedirectResponse(f"{PREFIX}/")


class _Own:
    """Adds the guide's policy to each file."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"same-origin")]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        await self._app(scope, receive, sending)
