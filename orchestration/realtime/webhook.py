"""The webhook for NetSuite's change notifications: check each post, store it, respond at once.

POST /hooks/netsuite  ->  host, method, size, signature, time, shape, nonce  ->  notifications.sqlite  ->  202

A post only says that NetSuite saved a record; a real-time run reads the record itself.
"""

import asyncio
import json
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestration.realtime.queue import NotificationQueue
from resources.netsuite.webhook_signature import MEDIA_TYPE, NONCE, PATH, TIMESTAMP, is_signed_by

# SuiteScript's record types; a lead, a prospect and a customer are one record
SOURCES = {
    "customer": "customers",
    "lead": "customers",
    "prospect": "customers",
    "job": "projects",
    "contact": "contacts",
}
DELETED = "delete"
MIN_SECRET = 32  # characters
BODY_TIMEOUT_S = 10.0  # of a few hundred bytes
LOG_PAUSE_S = 60.0
RECORD_ID = re.compile(r"[1-9][0-9]{0,17}")
NAME = re.compile(r"[A-Za-z_]{1,40}")
NONCE_FORMAT = re.compile(r"[A-Za-z0-9_-]{16,64}")
EPOCH = re.compile(r"[0-9]{10}")
ERRORS = {
    401: "invalid signature",
    405: "use POST",
    408: "too slow",
    409: "duplicate",
    413: "too large",
    415: "use application/json",
    421: "unknown host name",
    422: "not a change notification",
    503: "try again",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gate:
    """The conditions that a post must meet.

    Attributes:
        secrets: Signing secrets, each of which is accepted: to rotate, a new one is added until NetSuite has it.
        hosts: Host names of this server.
        window_s: Maximum difference in seconds between the post's timestamp and now.
        account: NetSuite account that the post must name; blank: any.
    """

    secrets: Sequence[str]
    hosts: frozenset[str]
    window_s: float = 300.0
    max_bytes: int = 4096
    account: str = ""
    now: Callable[[], float] = time.time


class RefusedError(Exception):
    """A post is not accepted; `reason` goes to our log, the sender gets the status alone."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Webhook:
    """The web application."""

    gate: Gate
    queue: NotificationQueue

    def app(self) -> Starlette:
        """Return the ASGI application."""
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return Starlette(routes=[Route(PATH, self.receive, methods=methods), Route("/health", self.health)])

    async def health(self, request: Request) -> Response:
        """Return the number of pending records, and nothing else."""
        if _host(request) not in self.gate.hosts:
            return _refuse(RefusedError(421, "unknown host"))
        return JSONResponse({"status": "ok", "pending": await run_in_threadpool(self.queue.pending)})

    async def receive(self, request: Request) -> Response:  # noqa: PLR0911 - one for each way to refuse
        """Handle one post."""
        try:
            content = self._checked(request, await asyncio.wait_for(self._body(request), BODY_TIMEOUT_S))
        except TimeoutError:
            return _refuse(RefusedError(408, "the body did not arrive in time"))
        except ClientDisconnect:
            return _refuse(RefusedError(408, "the sender disconnected"))
        except RefusedError as error:
            return _refuse(error)
        source = SOURCES.get(content["type"])
        if source is None:
            log.warning("ignored: no workflow reads records of type %s", content["type"])
            return JSONResponse({"status": "ignored"}, 202)
        try:
            is_new = await run_in_threadpool(
                self.queue.add, source, content["id"], is_deleted=content["event"] == DELETED,
                nonce=request.headers[NONCE], now=self.gate.now(), remember_s=2 * self.gate.window_s + 60,
            )  # fmt: skip
        except Exception:
            log.exception("a change notification could not be stored")
            return _refuse(RefusedError(503, "not stored"))
        if not is_new:
            return _refuse(RefusedError(409, "known nonce"))
        log.info("queued: %s %s, %s, %s", source, content["id"], content["event"], content["context"])
        return JSONResponse({"status": "queued"}, 202)

    async def _body(self, request: Request) -> bytes:
        """The body, after every check that does not need it, and never more of it than allowed."""
        if _host(request) not in self.gate.hosts:
            raise RefusedError(421, "unknown host")
        if request.method != "POST":
            raise RefusedError(405, "method")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise RefusedError(415, "content type")
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.gate.max_bytes:
            raise RefusedError(413, "declared length")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self.gate.max_bytes:
                raise RefusedError(413, "actual length")
        return bytes(body)

    def _checked(self, request: Request, body: bytes) -> dict[str, str]:
        headers = request.headers
        timestamp, nonce = headers.get(TIMESTAMP, ""), headers.get(NONCE, "")
        if not EPOCH.fullmatch(timestamp) or not NONCE_FORMAT.fullmatch(nonce):
            raise RefusedError(401, "no timestamp or nonce")
        if not is_signed_by(self.gate.secrets, headers, body):
            raise RefusedError(401, "signature")
        if abs(self.gate.now() - int(timestamp)) > self.gate.window_s:
            raise RefusedError(401, f"timestamp {timestamp} is outside the window")
        return self._parsed(body)

    def _parsed(self, body: bytes) -> dict[str, str]:
        """The values of a signed body, each in its format."""
        try:
            content: Any = json.loads(body)
            values = {name: str(content[name]) for name in ("account", "type", "id", "event", "context")}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RefusedError(422, type(error).__name__) from error
        names = (values[name] for name in ("type", "event", "context"))
        if not RECORD_ID.fullmatch(values["id"]) or not all(map(NAME.fullmatch, names)):
            raise RefusedError(422, "format of a value")
        if self.gate.account and values["account"].lower() != self.gate.account.lower():
            raise RefusedError(422, "another account")
        return values


class _Refusals:
    """Log lines of refused posts: one a minute for each reason, with the number of those before it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._last, self._unlogged = now, dict[str, float](), Counter[str]()

    def log(self, error: RefusedError) -> None:
        """Log a refusal, or count it."""
        kind = f"{error.status} {re.sub(r'[0-9]+', '#', error.reason)}"
        if self._now() - self._last.get(kind, -LOG_PAUSE_S) < LOG_PAUSE_S:
            self._unlogged[kind] += 1
            return
        more = f" (and {self._unlogged.pop(kind)} more before)" if kind in self._unlogged else ""
        self._last[kind] = self._now()
        log.warning("rejected with %d: %s%s", error.status, error.reason, more)


_refusals = _Refusals()


def _refuse(error: RefusedError) -> Response:
    _refusals.log(error)
    return JSONResponse({"error": ERRORS[error.status]}, error.status)


def _host(request: Request) -> str | None:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:  # an unclosed bracket
        return None
