"""Dagster's webserver, in which a role limits what a user may start and change.

mutation  ->  its resolver, when its arguments are final  ->  may the role?        unlisted mutations: approvers only
run, backfill  ->  when it is stored, whatever described it  ->  may the role?     ->  tagged with the user's name

Both checks are behind GraphQL's parser: aliases, fragments, variables, several operations in one document, web sockets
and re-executions by a run's id end in the same resolver and in the same run.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

import dagster as dg
from dagster_graphql.implementation.utils import UserFacingGraphQLError
from dagster_graphql.schema.errors import GrapheneUnauthorizedError
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestration.authorization import USER_TAG
from orchestration.automation.groups import OPERATOR_JOBS
from orchestration.automation.sensors import REASON_TAG
from orchestration.dagster_internals import PartitionBackfill, limited_context
from orchestration.maintenance.dead_runs import LAUNCHED_BY_CLI
from orchestration.realtime.sensor import BURST_TAG
from orchestration.web.identity import Action, current, may
from orchestration.web.pages import PRIVATE, SAFE_METHODS, Sending

# what an operator may do; each other mutation, and each that a later Dagster adds, needs an approver
RUN_MUTATIONS = frozenset(
    {
        "launchRun", "launchPipelineExecution", "launchMultipleRuns", "launchRunReexecution",
        "launchPipelineReexecution", "launchPartitionBackfill", "cancelPartitionBackfill", "terminateRun",
        "terminatePipelineExecution", "terminateRuns", "reloadRepositoryLocation", "reloadWorkspace", "logTelemetry",
        "setNuxSeen",
    }
)  # fmt: skip
RUN_PERMISSIONS = frozenset(
    {
        "launch_pipeline_execution", "launch_pipeline_reexecution", "terminate_pipeline_execution",
        "launch_partition_backfill", "cancel_partition_backfill", "reload_repository_location", "reload_workspace",
    }
)  # fmt: skip
FORCED = "MARK_AS_CANCELED_IMMEDIATELY"  # marks a run as ended whose process may still be sending
OF_JOB = "_partition_set"
# tags that our own processes give a run and act on; a request, or the run that is re-executed, gives none of them
OWN_TAGS = frozenset({USER_TAG, BURST_TAG, REASON_TAG, *LAUNCHED_BY_CLI})
# a query that runs code: it evaluates a schedule or a sensor, which may send an alert or mark a notification as done
EVALUATION = ("DryRunInstigationTick", "evaluationResult")
# what launchers act on, such as `dagster-k8s/config`, whose image and command would get the credentials
KEPT_NAMESPACES = frozenset({"", "dagster", ".dagster", "millpond"})
LAUNCHER_TAGS = frozenset({"dagster/image"})
# parts of a run's configuration that come from the settings alone; `execution` can name another broker
RESERVED = frozenset({"resources", "execution"})


# addresses at which Dagster fails if what is asked for does not exist, or is no JSON
UNCHECKED = ("/logs/", "/download_debug/", "/report_asset_")


class NotAllowedError(Exception):
    """The role of the user does not allow a mutation."""


class GuardedWebserver(DagsterWebserver[Any, Any]):
    """Dagster's webserver behind the sign-in."""

    def build_graphql_schema(self) -> Any:
        """Return Dagster's schema, each of whose mutations checks the user's role first."""
        schema = super().build_graphql_schema()
        mutations = schema.graphql_schema.mutation_type
        assert mutations is not None
        for name, field in mutations.fields.items():
            field.resolve = partial(_checked, name, field.resolve)
        kind, name = EVALUATION
        query = schema.graphql_schema.type_map[kind].fields[name]
        query.resolve = partial(_checked, name, query.resolve)
        return schema

    def _make_request_context(self, conn: HTTPConnection) -> Any:
        """Show the buttons that the role may use, and no others."""
        identity = current()
        if may(identity, Action.ADMINISTER):
            return super()._make_request_context(conn)
        allowed: Collection[str] = RUN_PERMISSIONS if may(identity, Action.RUN) else ()
        return limited_context(self._process_context, conn, allowed)

    def build_middleware(self) -> list[Middleware]:
        """Check Dagster's forms besides GraphQL as well."""
        return [Middleware(_Forms), *super().build_middleware()]

    async def graphql_http_endpoint(self, request: Request) -> Response:
        """Answer one request; a list of them, or what is no text, is refused, where Dagster would log a traceback."""
        if "application/json" in request.headers.get("content-type", ""):
            with suppress(ValueError):  # no JSON: Dagster says so
                if not await _is_request(request):
                    return PlainTextResponse("send one GraphQL request, as a JSON object", 400)
        try:
            response: Response = await super().graphql_http_endpoint(request)
        except UnicodeDecodeError:
            return PlainTextResponse("the request is not UTF-8", 400)
        return response

    def handle_graphql_errors(self, errors: Sequence[Any]) -> list[Any]:
        """Return refusals without a stack trace."""
        refused = [each.formatted for each in errors if isinstance(each.original_error, NotAllowedError)]
        others = [each for each in errors if not isinstance(each.original_error, NotAllowedError)]
        return [*refused, *super().handle_graphql_errors(others)]

    def _determine_status_code(self, resolver_errors: list[Any] | None, captured_errors: list[Exception]) -> int:
        if any(isinstance(each.original_error, NotAllowedError) for each in resolver_errors or ()):
            return 403
        return super()._determine_status_code(resolver_errors, captured_errors)


async def _is_request(request: Request) -> bool:
    """Return whether a body has the types of one GraphQL request.

    Raises:
        ValueError: It is no JSON.
    """
    try:
        given = await request.json()
    except RecursionError:
        return False
    return (
        isinstance(given, dict)
        and isinstance(given.get("query"), str | None)
        and isinstance(given.get("variables"), dict | None)
        and isinstance(given.get("operationName"), str | None)
    )


class _Forms:
    """Refuses what Dagster takes outside of GraphQL: reports that something happened, though no run did it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass pages and GraphQL on; anything else is for approvers."""
        is_form = scope["type"] == "http" and scope["method"] not in SAFE_METHODS and scope["path"] != "/graphql"
        if is_form and not may(current(), Action.ADMINISTER):
            await PlainTextResponse("your role does not allow this", 403, PRIVATE)(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(UNCHECKED):
            await self._answer(scope, receive, send, 400 if is_form else 404)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, status: int) -> None:
        """Answer with a status what Dagster does not check and fails at, if it did not begin to answer."""
        sending = Sending(send)
        try:
            await self._app(scope, receive, sending)
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
            if sending.has_begun:
                raise
            text = "no such file" if status == HTTPStatus.NOT_FOUND else "not a report of an asset"
            await PlainTextResponse(text, status, PRIVATE)(scope, receive, send)


def _checked(name: str, resolve: Callable[..., Any], root: object, info: Any, **arguments: Any) -> Any:
    """Resolve a mutation, if the role may."""
    is_forced = str(getattr(arguments.get("terminatePolicy"), "value", arguments.get("terminatePolicy"))) == FORCED
    action = Action.RUN if name in RUN_MUTATIONS and not is_forced else Action.ADMINISTER
    if not may(current(), action):
        identity = current()
        raise NotAllowedError(f"{identity.title if identity else 'no one'} may not use {name}")
    return resolve(root, info, **arguments)


def checked_run(run: dg.DagsterRun) -> dg.DagsterRun:
    """Return a run as it is stored: with the name of the user that launched it.

    Raises:
        UserFacingGraphQLError: The role of the user does not allow the run.
    """
    _require(run.job_name, run.run_config)
    return run.with_tags(_tags(run.tags))


def checked_backfill(backfill: PartitionBackfill) -> PartitionBackfill:
    """Return a backfill as it is stored: with the name of the user that launched it, which its runs inherit.

    Raises:
        UserFacingGraphQLError: The role of the user does not allow its runs.
    """
    origin = backfill.partition_set_origin
    _require(origin.partition_set_name.removesuffix(OF_JOB) if origin else "", backfill.run_config or {})
    return backfill._replace(tags=_tags(backfill.tags))


def _require(job: str, config: Mapping[str, Any]) -> None:
    identity = current()
    needed = Action.APPROVE if job in OPERATOR_JOBS else Action.RUN
    if not may(identity, needed):
        _refuse(f"{identity.title if identity else 'no one'} may not launch {job}")
    if own := RESERVED & config.keys():  # else an address of one's own would receive the credentials
        parts = " and ".join(f"`{each}`" for each in sorted(own))
        _refuse(f"resources and executor of a run come from the settings; remove {parts} from its configuration")


def _refuse(text: str) -> None:
    raise UserFacingGraphQLError(GrapheneUnauthorizedError(text))  # type: ignore[no-untyped-call]


def _tags(given: Mapping[str, str]) -> dict[str, str]:
    """The tags that a request or an earlier run may give, and the user's real name."""
    identity = current()
    name = {USER_TAG: identity.name} if identity and identity.name else {}
    return {**{key: value for key, value in given.items() if _may_be_given(key)}, **name}


def _may_be_given(tag: str) -> bool:
    """Return whether a tag is a label or Dagster's own, and neither our processes nor a launcher act on it."""
    namespace = tag.rpartition("/")[0]
    return namespace in KEPT_NAMESPACES and tag not in OWN_TAGS | LAUNCHER_TAGS
