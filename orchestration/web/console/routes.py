"""The addresses of the console.

GET /console/…   pages, of which each reads one moment          POST /console/…   decisions (`decisions.py`)
"""

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from assets.delivery.audit.held_back import CAUSE
from assets.delivery.audit.record_links import RecordLinks
from assets.delivery.audit.record_versions import differs
from assets.delivery.shadow.report import TITLES
from assets.warehouse.run_report.page import render
from orchestration.configuration.settings import MillpondSettings, netsuite_settings
from orchestration.moments import end_of
from orchestration.run_report import run_report
from orchestration.web.console import decisions
from orchestration.web.console.certificates import certificates
from orchestration.web.console.dagster_jobs import LaunchError, progress
from orchestration.web.console.forget import forgotten_records, survey
from orchestration.web.console.held_back import causes, ignored, records_of
from orchestration.web.console.ledger import ledger_state
from orchestration.web.console.matches import PER_PAGE as MATCHES_PER_PAGE
from orchestration.web.console.matches import match_page
from orchestration.web.console.overview import overview
from orchestration.web.console.pages import (
    HEADERS,
    HERE,
    PREFIX,
    REPLAY_POLICY,
    account_of,
    page,
    page_number,
    paged,
    site_of,
)
from orchestration.web.console.parity import parities
from orchestration.web.console.plan import plan_page
from orchestration.web.console.plan_effects import plan_effects
from orchestration.web.console.plan_list import plan_list
from orchestration.web.console.plan_queries import Filters
from orchestration.web.console.records import record_page, search
from orchestration.web.console.runs import has_sent, run_list, run_page, sent_so_far
from orchestration.web.console.simulations import replay, simulations
from orchestration.web.console.site import Account, BusyError, Site
from orchestration.web.pages import PRIVATE
from resources.redaction import redact
from resources.visible_text import visible
from resources.warehouse.warehouse import WarehouseError

RUN_ID = re.compile(r"[0-9a-f-]{8,36}")
NO_PLAN = "There is no such plan; it may be older than the ledger keeps them."
# what Starlette finds of an address is said in our words
NO_ADDRESS = {
    HTTPStatus.NOT_FOUND: "There is no such page.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address takes a form; open the page that has it, and send it from there.",
}
FIRST_FIELDS = 6  # of a new record; the others can be opened


def console(settings: MillpondSettings, dagster: ASGIApp) -> Starlette:
    """Return the console.

    Args:
        settings: The settings of all accounts.
        dagster: Dagster's application, to which decisions are handed as runs of operator jobs.
    """
    routes = [
        Route("/", _in_thread(_overview)),
        Route("/plans", _in_thread(_plans)),
        Route("/plans/{plan_id}", _in_thread(_plan)),
        Route("/plans/{plan_id}/follows", _in_thread(_follows)),
        Route("/held", _in_thread(_held)),
        Route("/held/records", _in_thread(_held_records)),
        Route("/held/ignored", _in_thread(_ignored)),
        Route("/records", _in_thread(_records)),
        Route("/records/{source}/{source_id:path}", _in_thread(_record)),
        Route("/search", _in_thread(_search)),
        Route("/runs", _in_thread(_runs)),
        Route("/runs/{run_id}", _in_thread(_run)),
        Route("/match", _in_thread(_match)),
        Route("/reports/run-{run_id}.html", _in_thread(_report)),
        Route("/certificates", _in_thread(_certificates)),
        Route("/simulations", _in_thread(_simulations)),
        Route("/simulations/{name}", _in_thread(_simulation)),
        Route("/ledger", _in_thread(_ledger)),
        Route("/parity", _in_thread(_parity)),
        Route("/forget", _in_thread(_forget)),
        Route("/forget/survey", _in_thread(_survey)),
        Route("/jobs/{run_id}", _job),
        *decisions.ROUTES,
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    app = Starlette(
        routes=[Route(PREFIX, _overview_at_once), Mount(PREFIX, routes=routes)],
        exception_handlers={
            HTTPException: _refused,
            404: _refused,
            BusyError: _busy,
            WarehouseError: _unreadable,
            LaunchError: _refused_by_dagster,
            Exception: _failed,
        },
    )
    app.state.site, app.state.dagster = Site(settings), dagster
    return app


Handler = Callable[[Request], Awaitable[Response]]


def _in_thread(handler: Callable[[Request], Response]) -> Handler:
    """Run a handler that reads the warehouse in a thread of its own."""

    async def run(request: Request) -> Response:
        return await run_in_threadpool(handler, request)

    return run


async def _overview_at_once(request: Request) -> Response:
    return await run_in_threadpool(_overview, request)


def _links(account: Account) -> RecordLinks:
    return RecordLinks("" if account.settings.sandbox else netsuite_settings(account.name).account)


def _overview(request: Request) -> Response:
    found, reading = overview(site_of(request), account_of(request))
    return page(request, "overview", reading, found=found)


def _certificates(request: Request) -> Response:
    found, reading = certificates(site_of(request), account_of(request))
    return page(request, "certificates", reading, found=found)


def _parity(request: Request) -> Response:
    found, reading = parities(site_of(request), account_of(request))
    return page(request, "parity", reading, found=found, titles=TITLES)


def _ledger(request: Request) -> Response:
    found, reading = ledger_state(account_of(request))
    return page(request, "ledger", reading, found=found)


def _forget(request: Request) -> Response:
    text, (source, source_id) = request.query_params.get("q", "").strip(), _key(request)
    account = account_of(request)
    records, _ = search(account, text) if text else ([], None)
    forgotten, reading = forgotten_records(account)
    return page(
        request, "forget", reading, forgotten=forgotten, records=records, text=text, source=source, source_id=source_id
    )


def _survey(request: Request) -> Response:
    """The values that would be erased of a record; the page of forgetting loads the middle part alone."""
    source, source_id = _key(request)
    if not (source and source_id):
        raise HTTPException(404, "The address names no record.")
    found, reading = survey(account_of(request), source, source_id)
    return page(request, "survey_part" if "part" in request.query_params else "survey", reading, found=found)


def _key(request: Request) -> tuple[str, str]:
    asked = request.query_params
    return asked.get("source", "").strip(), asked.get("source_id", "").strip()


def _simulations(request: Request) -> Response:
    return page(request, "simulations", found=simulations(account_of(request).settings.home))


def _simulation(request: Request) -> Response:
    """The replay of a saved simulation, a page without scripts."""
    found = replay(account_of(request).settings.home, request.path_params["name"])
    if found is None:
        raise HTTPException(404, "There is no replay of that name.")
    return HTMLResponse(redact(found), headers={**PRIVATE, "Content-Security-Policy": REPLAY_POLICY})


def _plans(request: Request) -> Response:
    found, reading = plan_list(account_of(request))
    return page(request, "plans", reading, found=found)


def _plan(request: Request) -> Response:
    asked = request.query_params
    filters = Filters(*(asked.get(name, "")[:200] for name in ("action", "field", "code", "text")))
    number = page_number(request)
    found, reading = plan_page(site_of(request), account_of(request), request.path_params["plan_id"], filters, number)
    if found is None:
        raise HTTPException(404, NO_PLAN)
    return paged(request, "plan", reading, found, number, filters=filters, first=FIRST_FIELDS)


def _follows(request: Request) -> Response:
    """The effects of a plan; the plan's page loads the middle part alone."""
    plan_id = request.path_params["plan_id"]
    found, reading = plan_effects(site_of(request), account_of(request), plan_id)
    if found is None:
        raise HTTPException(404, NO_PLAN)
    template = "follows_part" if "part" in request.query_params else "follows"
    return page(request, template, reading, found=found, plan_id=plan_id)


def _held(request: Request) -> Response:
    workflow = request.query_params.get("workflow", "")
    found, reading = causes(site_of(request), account_of(request), workflow)
    return page(request, "held", reading, found=found, workflow=workflow)


def _held_records(request: Request) -> Response:
    key = {name: request.query_params.get(name, "") for name in CAUSE}
    account, number = account_of(request), page_number(request)
    found, reading = records_of(site_of(request), account, _links(account), key, number)
    if found is None:
        raise HTTPException(404, "This cause holds nothing back any more, or its workflow has another name.")
    return paged(request, "held_records", reading, found, number, key=key)


def _ignored(request: Request) -> Response:
    account, asked, number = account_of(request), request.query_params, page_number(request)
    key = (asked.get("workflow", ""), asked.get("source", ""))
    found, reading = ignored(site_of(request), account, _links(account), key, number)
    return paged(request, "ignored", reading, found, number)


def _records(request: Request) -> Response:
    text = request.query_params.get("q", "")
    records, reading = search(account_of(request), text) if text.strip() else ([], None)
    return page(request, "records", reading, records=records, text=text)


def _search(request: Request) -> Response:
    """The same as JSON, for the search while someone types."""
    records, _ = search(account_of(request), request.query_params.get("q", ""))
    rows = [{"source": e.source, "id": e.source_id, "number": e.number, "name": visible(e.name or "")} for e in records]
    return JSONResponse(rows, headers=HEADERS)


def _record(request: Request) -> Response:
    account, key = account_of(request), request.path_params
    as_of = request.query_params.get("as_of", "").strip()
    try:
        then = end_of(as_of) if as_of else None
    except (ValueError, OverflowError):
        raise HTTPException(400, "As of: not a time; write one such as 2026-11-17 06:04, UTC.") from None
    found, reading = record_page(site_of(request), account, _links(account), key["source"], key["source_id"], then)
    if found is None:
        raise HTTPException(404, "This record was never read from NetSuite.")
    return page(request, "record", reading, found=found, as_of=as_of, differs=differs)


def _runs(request: Request) -> Response:
    number = page_number(request)
    found, reading = run_list(account_of(request), number)
    return paged(request, "runs", reading, found, number)


def _run(request: Request) -> Response:
    number = page_number(request)
    found, reading = run_page(account_of(request), request.path_params["run_id"], number)
    if found is None:
        raise HTTPException(404, "There is no such run.")
    return paged(request, "run", reading, found, number)


def _match(request: Request) -> Response:
    account, asked, number = account_of(request), request.query_params, page_number(request)
    found, reading = match_page(
        site_of(request), account, _links(account), asked.get("workflow", ""), asked.get("action", ""), number
    )
    return paged(request, "match", reading, found, number, MATCHES_PER_PAGE)


def _report(request: Request) -> Response:
    """The report of a run that did not write one: it only planned, a guard stopped it, or it sent an approved plan."""
    run_id = request.path_params["run_id"]
    for account in site_of(request).accounts.values():
        if RUN_ID.fullmatch(run_id) and account.live.exists():
            settings = account.settings
            found, _ = account.read(lambda warehouse: run_report(warehouse, settings, run_id), is_private=True)  # noqa: B023 - it is called at once
            if found:
                return HTMLResponse(render(found), headers=PRIVATE)
    raise HTTPException(404, "There is no such run.")


async def _job(request: Request) -> Response:
    """The progress of a decision; its middle part alone for the script that follows it."""
    found = await progress(request, request.path_params["run_id"])
    if found is None:
        raise HTTPException(404, "There is no such run.")
    template = "job_part" if "part" in request.query_params else "job"
    account, back = account_of(request), request.query_params.get("back", "")
    sent = None if found.is_ended else await run_in_threadpool(sent_so_far, account, found.run_id)
    is_sent = found.is_ended and await run_in_threadpool(has_sent, account, found.run_id)
    return page(request, template, found=found, sent=sent, has_sent=is_sent, back=back)


def _refused(request: Request, error: Exception) -> Response:
    status = HTTPStatus(getattr(error, "status_code", 500))
    text = getattr(error, "detail", "")
    if text == status.phrase:
        text = NO_ADDRESS.get(status, text)
    return page(
        request,
        "problem",
        status=status,
        title="Not found" if status == HTTPStatus.NOT_FOUND else "Not possible",
        text=text,
    )


def _busy(request: Request, _error: Exception) -> Response:
    text = "A run is writing, and nothing was published yet that could be shown meanwhile. This page loads again."
    response = page(request, "problem", title="A run is writing", text=text)
    response.headers["Refresh"] = "3"
    return response


def _unreadable(request: Request, error: Exception) -> Response:
    return page(request, "problem", status=503, title="The warehouse cannot be read", text=str(error))


def _failed(request: Request, _error: Exception) -> Response:
    text = "The page could not be made; the server's log has the reason."
    return page(request, "problem", status=500, title="An error", text=text)


def _refused_by_dagster(request: Request, error: Exception) -> Response:
    return page(request, "problem", status=409, title="Not started", text=str(error))
