"""Pages of the console: templates, headers, forms and errors.

query  ->  page(): HTML in which every value is escaped, under a policy that runs our own files only
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from assets.delivery.audit.record_links import safe
from assets.delivery.audit.record_versions import what_happened
from assets.result_texts import as_text, counted, duration, singular
from orchestration.web.console.site import Account, Reading, Site
from orchestration.web.guide import PREFIX as GUIDE
from orchestration.web.identity import Action, identity_of, may
from orchestration.web.pages import PRIVATE
from resources.redaction import redact
from resources.visible_text import visible

HERE = Path(__file__).parent
PREFIX = "/console"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {**PRIVATE, "Content-Security-Policy": POLICY}
# of pages that were written before: the same as within them, whatever is in the file now
REPLAY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
MAX_FORM_BYTES = 1_000_000  # some ten thousand ticked records
FORM_TIMEOUT_S = 10.0
SHOWN_CHARACTERS = 300  # of one value; the rest can be opened
PER_PAGE = 50
# the guide's page, and its heading, that explains a page of the console
HELP = {
    "overview": "operate/index.html",
    "plans": "plans.html",
    "plan": "plans.html",
    "follows": "plans.html",
    "follows_part": "plans.html",
    "held": "reference/reasons.html",
    "held_records": "reference/reasons.html",
    "ignored": "console.html#ignore-records-until-a-date",
    "records": "console.html#find-out-why-a-record-is-missing",
    "record": "console.html#find-out-why-a-record-is-missing",
    "record_now": "console.html#find-out-why-a-record-is-missing",
    "runs": "operate/undo.html",
    "run": "operate/undo.html",
    "match": "console.html#match-records",
    "certificates": "certificate.html",
    "simulations": "simulate.html",
    "ledger": "ledger-audit.html",
    "parity": "shadow.html",
    "forget": "forget.html",
    "survey": "forget.html",
    "problem": "reference/errors.html",
}
PAGE_NUMBER = re.compile(r"[0-9]{1,6}")


class Form:
    """The fields of a form, of which each may have several values."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def one(self, name: str) -> str:
        """Return the last value of a field; blank if it is missing."""
        return next((value for key, value in reversed(self._fields) if key == name), "").strip()

    def all(self, name: str) -> list[str]:
        """Return each value of a field once, in their order."""
        return list(dict.fromkeys(value for key, value in self._fields if key == name and value))


def site_of(request: Request) -> Site:
    """Return the site, which the pages read from."""
    site: Site = request.app.state.site
    return site


def account_of(request: Request) -> Account:
    """Return the account that a request names.

    Raises:
        HTTPException: There is none.
    """
    found = site_of(request).account(request.query_params.get("account", ""))
    if found is None:
        raise HTTPException(404, "There is no such account.")
    return found


def page(request: Request, template: str, reading: Reading | None = None, status: int = 200, **values: Any) -> Response:
    """Return a page."""
    identity = identity_of(request.scope)
    account = site_of(request).account(request.query_params.get("account", ""))
    shell = {
        "identity": identity,
        "may_decide": may(identity, Action.APPROVE),
        "may_read_again": may(identity, Action.RUN),
        "account": account.name if account else "",
        "accounts": [name for name in site_of(request).accounts if name],
        "reading": reading,
        "help": f"{GUIDE}/{HELP.get(template, 'console.html')}",
        "here": request.url.path,
        "query": dict(request.query_params),
        "url": _Urls(account.name if account else ""),
        "hides": account.live.hides_personal if account else False,
    }
    html = environment().get_template(f"{template}.html.jinja").render(**shell, **values)
    return HTMLResponse(redact(html), status, HEADERS)


def paged(
    request: Request, template: str, reading: Reading, found: Any, number: int, per_page: int = PER_PAGE, **values: Any
) -> Response:
    """Return a page of a list; a number beyond its end leads to the last page, since lists become shorter."""
    last = max(1, -(-found.total // per_page))
    if number > last:
        query = urlencode({**request.query_params, "page": last})
        return RedirectResponse(f"{request.url.path}?{query}", 303, headers=HEADERS)
    return page(request, template, reading, found=found, number=number, per_page=per_page, **values)


class _Urls:
    """Addresses of pages, which keep the account."""

    def __init__(self, account: str) -> None:
        self._account = account

    def __call__(self, path: str, **values: Any) -> str:
        given = {name: value for name, value in values.items() if value not in ("", None, 0)}
        if self._account:
            given["account"] = self._account
        return f"{PREFIX}/{path}{'?' if given else ''}{urlencode(given, doseq=True)}"


def require_approver(request: Request) -> None:
    """Check the role, and that the form is one of our own.

    Raises:
        HTTPException: The role does not allow it, or another site sent the form.
    """
    if not may(identity_of(request.scope), Action.APPROVE):
        raise HTTPException(403, "Your role does not allow this; an approver decides.")
    check_site(request.headers)


def require_operator(request: Request) -> None:
    """Check the role for what reads from other systems and decides nothing; see `require_approver`.

    Raises:
        HTTPException: The role does not allow it, or another site sent the form.
    """
    if not may(identity_of(request.scope), Action.RUN):
        raise HTTPException(403, "Your role does not allow this; an operator or an approver reads records again.")
    check_site(request.headers)


def check_site(headers: Headers) -> None:
    """Check that a form comes from a page of this server; the sign-in has compared the origin before.

    Raises:
        HTTPException: A browser says that another site sent it.
    """
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(403, "Requests from other sites are not allowed.")


async def read_form(request: Request) -> Form:
    """Return the fields of a form.

    Raises:
        HTTPException: It is too large, or does not arrive.
    """
    parts, size = [], 0
    try:
        async with asyncio.timeout(FORM_TIMEOUT_S):
            async for part in request.stream():
                size += len(part)
                if size > MAX_FORM_BYTES:
                    raise HTTPException(413, "Too many records are ticked; filter them, or approve whole actions.")
                parts.append(part)
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(408, "The form did not arrive.") from None
    text = b"".join(parts).decode("utf-8", errors="replace")
    try:
        return Form(parse_qsl(text, keep_blank_values=True, max_num_fields=100_000))
    except ValueError:
        raise HTTPException(413, "The form has too many fields.") from None


def page_number(request: Request) -> int:
    """Return the number of the page that is asked for, from 1."""
    text = request.query_params.get("page", "1")
    return max(1, int(text)) if PAGE_NUMBER.fullmatch(text) else 1


@cache
def environment() -> Environment:
    """Return the templates."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # an upgrade while the server runs must not mix two versions
    )
    made.filters |= {
        "moment": moment, "ago": ago, "counted": counted, "number": "{:,}".format, "duration": duration,
        "singular": singular, "label": label, "visible": visible, "what_happened": what_happened,
        "short": lambda text: str(text)[:8], "link": safe, "as_text": as_text,
    }  # fmt: skip
    made.globals |= {"SHOWN_CHARACTERS": SHOWN_CHARACTERS, "asset": asset}
    return made


def asset(name: str) -> str:
    """Return the address of a file of ours; it changes with the file, so that browsers may keep it."""
    return f"{PREFIX}/static/{name}?{(HERE / 'static' / name).stat().st_mtime_ns:x}"


def moment(when: datetime | None) -> str:
    """Return a time in UTC, to the minute."""
    return f"{when:%Y-%m-%d %H:%M}" if when else "never"


def ago(when: datetime | None, now: datetime) -> str:
    """Return how long ago a time was, in its largest unit."""
    if when is None:
        return "never"
    seconds = (_plain(now) - _plain(when)).total_seconds()
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "now"


def _plain(when: datetime) -> datetime:
    return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when


def label(workflow: str) -> Mapping[str, str]:
    """Return the system and the records of a workflow, as people read them."""
    system, _, records = workflow.partition("__")
    systems = {"suiteprojects": "SuiteProjects Pro", "precoro": "Precoro"}
    return {"system": systems.get(system, system), "records": (records or system).replace("_", " ")}
