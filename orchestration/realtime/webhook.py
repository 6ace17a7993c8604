"""Takes "record saved" change notifications from NetSuite: checks each post, keeps it, and answers at once.

POST /hooks/netsuite  ->  host? method? size? signature? time? shape? seen before?  ->  notifications.sqlite  ->  202

Nothing of a post is believed but that NetSuite saved something: a targeted run reads the record itself.
"""

import json
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestration.realtime.queue import NotificationQueue
from resources.netsuite.webhook_signature import MEDIA_TYPE, NONCE, PATH, TIMESTAMP, matches

# SuiteScript's names of the records; a lead, a prospect and a customer are one record
SOURCES = {
    "customer": "customers",
    "lead": "customers",
    "prospect": "customers",
    "job": "projects",
    "contact": "contacts",
}
DELETED = "delete"
LEAST_SECRET = 32  # characters
NUMBER = re.compile(r"[1-9][0-9]{0,17}")
WORD = re.compile(r"[A-Za-z_]{1,40}")
ONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
EPOCH = re.compile(r"[0-9]{10}")
STATUS = {
    401: "not signed as it must be",
    405: "post it",
    409: "taken before",
    413: "too long",
    415: "send JSON",
    421: "not this server's name",
    422: "not a change notification",
    503: "try again",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gate:
    """What a post must show.

    Attributes:
        secrets: Any of them may have signed it: a new one is set beside the old one until NetSuite has it.
        names: Host names of this server.
        window_s: Seconds that its time stamp may differ from now.
        most_bytes: Longest body.
        account: NetSuite account that it must name; blank: any.
        now: The time.
    """

    secrets: Sequence[str]
    names: frozenset[str]
    window_s: float = 300.0
    most_bytes: int = 4096
    account: str = ""
    now: Callable[[], float] = time.time


class RefusedError(Exception):
    """A post that is not taken; `why` is for our log, the sender sees the status alone."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


@dataclass
class Webhook:
    """The application; `answered` counts its answers for whoever asks for its health."""

    gate: Gate
    notifications: NotificationQueue
    answered: Counter[int] = field(default_factory=Counter)

    def app(self) -> Starlette:
        """As ASGI."""
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return Starlette(routes=[Route(PATH, self.take, methods=methods), Route("/health", self.health)])

    async def health(self, request: Request) -> Response:
        """Whether it answers and how many records wait; no more than that."""
        if _host(request) not in self.gate.names:
            return self._refused(RefusedError(421, "foreign host"))
        return JSONResponse({"status": "ok", "waiting": await run_in_threadpool(self.notifications.waiting)})

    async def take(self, request: Request) -> Response:
        """One post."""
        try:
            body = await self._body(request)
            told = self._checked(request, body)
        except RefusedError as error:
            return self._refused(error)
        source = SOURCES.get(told["type"])
        if source is None:
            log.warning("ignored: nothing here follows records of type %s", told["type"])
            return self._answer(202, "ignored")
        try:
            fresh = await run_in_threadpool(
                self.notifications.keep, source, told["id"], is_deleted=told["event"] == DELETED,
                nonce=request.headers[NONCE], now=self.gate.now(), remember_s=2 * self.gate.window_s + 60,
            )  # fmt: skip
        except Exception:
            log.exception("a change notification could not be kept")
            return self._refused(RefusedError(503, "not kept"))
        if not fresh:
            return self._refused(RefusedError(409, "nonce seen before"))
        log.info("kept: %s %s, %s, %s", source, told["id"], told["event"], told["context"])
        return self._answer(202, "kept")

    async def _body(self, request: Request) -> bytes:
        """The body, after what can be judged without it; never more of it than is allowed."""
        if _host(request) not in self.gate.names:
            raise RefusedError(421, "foreign host")
        if request.method != "POST":
            raise RefusedError(405, "method")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise RefusedError(415, "content type")
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.gate.most_bytes:
            raise RefusedError(413, "length told")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self.gate.most_bytes:
                raise RefusedError(413, "length sent")
        return bytes(body)

    def _checked(self, request: Request, body: bytes) -> dict[str, str]:
        headers = request.headers
        timestamp, nonce = headers.get(TIMESTAMP, ""), headers.get(NONCE, "")
        if not EPOCH.fullmatch(timestamp) or not ONCE.fullmatch(nonce):
            raise RefusedError(401, "no time stamp or nonce")
        if not matches(self.gate.secrets, headers, body):
            raise RefusedError(401, "signature")
        if abs(self.gate.now() - int(timestamp)) > self.gate.window_s:
            raise RefusedError(401, f"time stamp {timestamp} is out of the window")
        return self._told(body)

    def _told(self, body: bytes) -> dict[str, str]:
        """What a signed body says, each value of the form that it must have."""
        try:
            told: Any = json.loads(body)
            values = {name: str(told[name]) for name in ("account", "type", "id", "event", "context")}
        except (ValueError, TypeError, KeyError) as error:
            raise RefusedError(422, type(error).__name__) from error
        if not NUMBER.fullmatch(values["id"]) or not all(
            WORD.fullmatch(values[name]) for name in ("type", "event", "context")
        ):
            raise RefusedError(422, "a value has another form")
        if self.gate.account and values["account"].lower() != self.gate.account.lower():
            raise RefusedError(422, "another account")
        return values

    def _refused(self, error: RefusedError) -> Response:
        log.warning("refused with %d: %s", error.status, error.why)
        return self._answer(error.status, STATUS[error.status])

    def _answer(self, status: int, text: str) -> Response:
        self.answered[status] += 1
        name = "status" if status < 400 else "error"  # noqa: PLR2004 - HTTP's own border
        return JSONResponse({name: text}, status)


def _host(request: Request) -> str | None:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:  # brackets that never close
        return None
