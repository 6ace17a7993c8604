"""Decisions: each is checked, handed to Dagster as a run of an operator job, and followed on its own page.

form  ->  role, site, content  ->  run of apply_plan, reject_plan, undo_run, link_record …  ->  /console/jobs/<run>
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from assets.delivery.audit.held_back import CAUSE
from orchestration.automation.groups import (
    ACTIVATE,
    APPLY_PLAN,
    DEACTIVATE,
    FORGET_RECORD,
    IGNORE_RECORDS,
    LINK_RECORD,
    REJECT_PLAN,
    RESEND_RECORD,
    UNDO_RUN,
    UNLINK_RECORD,
)
from orchestration.web.console.dagster_jobs import launch
from orchestration.web.console.pages import (
    HEADERS,
    PREFIX,
    Form,
    account_of,
    page,
    read_form,
    require_approver,
    require_operator,
    site_of,
)
from orchestration.web.console.plan import PlanPage, plan_page
from orchestration.web.console.plan_queries import Filters
from orchestration.web.console.record_now import record_now

# the op of each job; an op must not share its job's name
OPS = {
    APPLY_PLAN: "apply", REJECT_PLAN: "reject", UNDO_RUN: "undo", LINK_RECORD: "link", UNLINK_RECORD: "unlink",
    RESEND_RECORD: "resend", IGNORE_RECORDS: "ignore", FORGET_RECORD: "forget", ACTIVATE: "activate",
    DEACTIVATE: "deactivate",
}  # fmt: skip
MAX_REASON = 500
Decision = Callable[[Request, Form], Awaitable[Response]]


def _decided(decide: Decision) -> Callable[[Request], Awaitable[Response]]:
    """Check who decides, and read the form."""

    async def handler(request: Request) -> Response:
        require_approver(request)
        return await decide(request, await read_form(request))

    return handler


def _reason(form: Form) -> str:
    reason = form.one("reason")[:MAX_REASON]
    if not reason:
        raise HTTPException(400, "Write a reason; it is recorded with the decision.")
    return reason


async def _start(request: Request, job: str, config: Mapping[str, Any], back: str) -> Response:
    """Start a job, and show its progress."""
    account = account_of(request).name
    run_id = await launch(request, job, OPS[job], config, account)
    query = {"back": back, **({"account": account} if account else {})}
    return RedirectResponse(f"{PREFIX}/jobs/{run_id}?{urlencode(query)}", 303, headers=HEADERS)


async def _open_plan(request: Request) -> PlanPage:
    """Return the plan that a form is about, as it is now.

    Raises:
        HTTPException: There is none.
    """
    found, _ = await run_in_threadpool(
        plan_page, site_of(request), account_of(request), request.path_params["plan_id"], Filters(), 1
    )
    if found is None:
        raise HTTPException(404, "There is no such plan.")
    return found


async def _approve(request: Request, form: Form) -> Response:
    """Send a plan, whole or as far as actions, fields and records are ticked."""
    reason, found = _reason(form), await _open_plan(request)
    plan_id = str(found.plan["plan_id"])
    if found.problem:
        raise HTTPException(409, f"Plan {plan_id} cannot be approved: {found.problem}.")
    only: list[str] = []
    if form.one("extent") != "all":
        only = [f"{name}={value}" for name in ("action", "field", "record") for value in form.all(name)]
        if not only:
            raise HTTPException(400, "Tick records, actions or fields, or approve the whole plan.")
    config = {"plan_id": plan_id, "only": only, "reason": reason}
    return await _start(request, APPLY_PLAN, config, f"plans/{plan_id}")


async def _reject(request: Request, form: Form) -> Response:
    """Drop a plan."""
    reason, found = _reason(form), await _open_plan(request)
    plan_id = str(found.plan["plan_id"])
    if not found.is_open:
        raise HTTPException(409, f"Plan {plan_id} is {found.plan['state']} already.")
    return await _start(request, REJECT_PLAN, {"plan_id": plan_id, "reason": reason}, f"plans/{plan_id}")


async def _undo(request: Request, form: Form) -> Response:
    """Plan the undo of a run, whole or of ticked records or actions; the plan is reviewed before it is sent."""
    run_id = request.path_params["run_id"]
    actions = [each for each in form.all("action") if each.isalpha()]
    where = " or ".join(f"action = '{each}'" for each in actions)
    config = {"run": run_id, "records": form.all("record"), "where": where, "reason": _reason(form)}
    return await _start(request, UNDO_RUN, config, f"runs/{run_id}")


async def _link(request: Request, form: Form) -> Response:
    """Link a record to a record of the target, or to none, so that the next run creates one."""
    key = _key(request, form)
    target_id, choice = form.one("target_id"), form.one("choice")
    if choice == "new":
        target_id = ""
    elif not target_id:
        raise HTTPException(400, "Choose a record of the target, or a new one.")
    back = form.one("back") or "match"
    config = {**key, "target_id": target_id, "reason": form.one("reason")[:MAX_REASON]}
    return await _start(request, LINK_RECORD, config, back)


async def _unlink(request: Request, form: Form) -> Response:
    """Remove the link that a person set."""
    config = {**_key(request, form), "reason": form.one("reason")[:MAX_REASON]}
    return await _start(request, UNLINK_RECORD, config, form.one("back") or "match")


async def _resend(request: Request, form: Form) -> Response:
    """Read one record again, and send what differs."""
    config = {**_key(request, form), "reason": _reason(form)}
    return await _start(request, RESEND_RECORD, config, f"records/{config['source']}/{config['source_id']}")


async def _now(request: Request) -> Response:
    """Read one record again, and show what would happen to it; this decides nothing."""
    require_operator(request)
    form = await read_form(request)
    found = await run_in_threadpool(record_now, account_of(request), form.one("source"), form.one("source_id"))
    if found is None:
        raise HTTPException(404, "This record was never read from NetSuite.")
    return page(request, "record_now", found=found)


async def _ignore(request: Request, form: Form) -> Response:
    """Ignore the ticked records, or all of a cause, until a date; without a date, count them again."""
    workflow, source, ids = form.one("workflow"), form.one("source"), form.all("record")
    if workflow not in site_of(request).workflows or not source:
        raise HTTPException(400, "The form names no records of a workflow.")
    until, is_all = form.one("until"), form.one("extent") == "all"
    if not is_all and not ids:
        raise HTTPException(400, "Tick records, or choose all of them.")
    if form.one("decision") == "ignore" and not until:
        raise HTTPException(400, "Choose the last day on which the records are ignored.")
    cause = {name: form.one(name) for name in CAUSE if name not in {"workflow", "source"}}
    config = {
        "workflow": workflow, "source": source, "source_ids": [] if is_all else ids, "cause": cause,
        "until": until if form.one("decision") == "ignore" else "", "reason": _reason(form),
    }  # fmt: skip
    return await _start(request, IGNORE_RECORDS, config, form.one("back") or "held")


async def _forget(request: Request, form: Form) -> Response:
    """Erase the personal values of one record; the id is written once more, because this cannot be undone."""
    source, source_id = form.one("source"), form.one("source_id")
    if not source or not source_id or form.one("again") != source_id:
        raise HTTPException(400, "Enter the record's NetSuite id again to confirm: this cannot be undone.")
    config = {"source": source, "source_id": source_id, "reason": _reason(form)}
    return await _start(request, FORGET_RECORD, config, "forget")


def _key(request: Request, form: Form) -> dict[str, str]:
    key = {name: form.one(name) for name in ("workflow", "source", "source_id")}
    if key["workflow"] not in site_of(request).workflows or not all(key.values()):
        raise HTTPException(400, "The form names no record of a workflow.")
    return key


async def _switch(request: Request, form: Form) -> Response:
    """Switch a workflow on or off."""
    workflow = request.path_params["workflow"]
    if workflow not in site_of(request).workflows:
        raise HTTPException(404, "There is no such workflow.")
    job = ACTIVATE if form.one("state") == "on" else DEACTIVATE
    return await _start(request, job, {"workflow": workflow, "reason": _reason(form)}, "")


ROUTES = [
    Route("/plans/{plan_id}/approve", _decided(_approve), methods=["POST"]),
    Route("/plans/{plan_id}/reject", _decided(_reject), methods=["POST"]),
    Route("/runs/{run_id}/undo", _decided(_undo), methods=["POST"]),
    Route("/link", _decided(_link), methods=["POST"]),
    Route("/now", _now, methods=["POST"]),
    Route("/ignore", _decided(_ignore), methods=["POST"]),
    Route("/forget", _decided(_forget), methods=["POST"]),
    Route("/resend", _decided(_resend), methods=["POST"]),
    Route("/unlink", _decided(_unlink), methods=["POST"]),
    Route("/workflows/{workflow}/switch", _decided(_switch), methods=["POST"]),
]
