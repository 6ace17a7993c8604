"""Operator jobs that the console starts and follows, over the GraphQL of the same process.

decision  ->  launch(): the run of an operator job, checked and tagged with the user's name as from Dagster's pages
run id    ->  progress()
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message

REPOSITORY, LOCATION = "__repository__", "millpond"
PARTITION_TAG = "dagster/partition"
USER_TAG = "millpond/user"
ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
LINES = 12

_LAUNCH = """mutation Launch($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } ... on UnauthorizedError { message }
  ... on RunConfigValidationInvalid { errors { message } } ... on PipelineNotFoundError { message } } }"""
_PROGRESS = """query Progress($id: ID!) { runOrError(runId: $id) { __typename ... on Run {
  status jobName startTime endTime tags { key value }
  eventConnection(limit: 1000) { events { __typename
    ... on MessageEvent { message timestamp level }
    ... on ObservationEvent { description metadataEntries { label
      ... on TextMetadataEntry { text } ... on IntMetadataEntry { intValue } } }
    ... on RunFailureEvent { error { message } }
    ... on ExecutionStepFailureEvent { error { message cause { message } } failureMetadata { description } }
  } } } } }"""


class LaunchError(Exception):
    """Dagster refused a run; the text has its reason."""


@dataclass(frozen=True)
class Progress:
    """One run of an operator job.

    Attributes:
        status: Dagster's status.
        lines: What it logged last.
        results: What it did: a sentence each.
        plans: Plans that it made or sent.
        problems: Why it failed.
    """

    run_id: str
    job: str
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    user: str
    lines: Sequence[str]
    results: Sequence[str]
    plans: Sequence[str]
    facts: Sequence[tuple[str, str]]
    problems: Sequence[str]

    @property
    def is_ended(self) -> bool:
        """True if nothing more comes."""
        return self.status in ENDED


async def launch(request: Request, job: str, op: str, config: Mapping[str, Any], account: str) -> str:
    """Start a job as the user of the request; return the run's id.

    Raises:
        LaunchError: Dagster refuses it.
    """
    selector = {"repositoryName": REPOSITORY, "repositoryLocationName": LOCATION, "jobName": job}
    tags = [{"key": PARTITION_TAG, "value": account}] if account else []
    given = {
        "selector": selector,
        "runConfigData": {"ops": {op: {"config": dict(config)}}},
        "mode": "default",
        "executionMetadata": {"tags": tags},
    }
    found = (await _ask(request, _LAUNCH, {"p": given}))["launchPipelineExecution"]
    if found["__typename"] != "LaunchRunSuccess":
        texts = [found.get("message", ""), *(each["message"] for each in found.get("errors", ()))]
        raise LaunchError("; ".join(text for text in texts if text) or found["__typename"])
    return str(found["run"]["runId"])


async def progress(request: Request, run_id: str) -> Progress | None:
    """Return the state of a run; None if there is no such run."""
    found = (await _ask(request, _PROGRESS, {"id": run_id}))["runOrError"]
    if found["__typename"] != "Run":
        return None
    events = found["eventConnection"]["events"]
    observed = [each for each in events if each["__typename"] == "ObservationEvent"]
    failed = [each for each in events if each["__typename"] == "ExecutionStepFailureEvent"]
    failed = failed or [each for each in events if each["__typename"] == "RunFailureEvent"]  # it never began
    facts = [_facts(each) for each in observed]
    return Progress(
        run_id=run_id,
        job=found["jobName"],
        status=found["status"],
        started_at=_time(found["startTime"]),
        ended_at=_time(found["endTime"]),
        user=next((each["value"] for each in found["tags"] if each["key"] == USER_TAG), ""),
        lines=_lines(events),
        results=[each["description"] for each in observed if each["description"]],
        plans=list(dict.fromkeys(each["plan"] for each in facts if "plan" in each)),
        facts=[(name, value) for each in facts for name, value in each.items() if name not in {"plan", "reason"}],
        problems=[_problem(each) for each in failed],
    )


def _lines(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the last lines that people read: what the job logged, and the begin and end of its steps."""
    shown = ("LogMessageEvent", "ExecutionStepStartEvent", "ExecutionStepSuccessEvent", "RunStartEvent")
    texts = [each["message"] for each in events if each["__typename"] in shown and each.get("message")]
    return [text.partition("\n")[0] for text in texts][-LINES:]


def _facts(event: Mapping[str, Any]) -> dict[str, str]:
    values = ((each["label"], each.get("text", each.get("intValue"))) for each in event["metadataEntries"])
    return {name: f"{value:,}" if isinstance(value, int) else str(value) for name, value in values if value is not None}


def _problem(event: Mapping[str, Any]) -> str:
    """Return the sentence of a failure; Dagster wraps what a step raises."""
    described = (event.get("failureMetadata") or {}).get("description")
    error = event.get("error") or {}
    cause = (error.get("cause") or {}).get("message")
    text = described or cause or error.get("message") or event.get("message") or "failed"
    return str(text).strip().rpartition("Failure: ")[2]


def _time(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


async def _ask(request: Request, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Send a query to Dagster's application in this process, as the user of the request.

    Raises:
        LaunchError: The role does not allow it, or Dagster cannot answer.
    """
    body = json.dumps({"query": query, "variables": dict(variables)}).encode()
    dagster: ASGIApp = request.app.state.dagster
    scope = {
        **{name: value for name, value in request.scope.items() if name in {"server", "client", "scheme", "asgi"}},
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/graphql", "raw_path": b"/graphql",
        "root_path": "", "query_string": b"", "state": dict(request.scope.get("state", {})),
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
    }  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await dagster(scope, receive, send)
    answer = json.loads(b"".join(each.get("body", b"") for each in sent))
    if answer.get("errors") and not answer.get("data"):
        raise LaunchError("; ".join(str(each.get("message", "")) for each in answer["errors"]))
    data: dict[str, Any] = answer["data"]
    return data
