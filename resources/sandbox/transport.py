"""How a request reaches a stand-in: in process through httpx, or over a port (see `serve.py`).

Both ways end in `System.answer(call)`, so that a client cannot tell them apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx
import orjson


class Loss(Enum):
    """What happens to an answer on its way to the client."""

    NONE = "none"
    DROPPED = "dropped"  # the work is done, the connection closes without an answer
    CUT = "cut"  # half of the body arrives, then the connection closes


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request as a stand-in sees it; header names are lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path without query."""
        return urlsplit(self.url).path

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's pairs in order."""
        return parse_qsl(urlsplit(self.url).query, keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; header names as the system spells them."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    loss: Loss = Loss.NONE


def json_answer(
    content: Any, status: int = 200, media_type: str = "application/json", headers: Mapping[str, str] | None = None
) -> Answer:
    """An answer whose body is JSON."""
    return Answer(status, orjson.dumps(content), {"Content-Type": media_type, **(headers or {})})


class System(Protocol):
    """One stand-in."""

    def answer(self, call: Call) -> Answer:
        """Do what the real system would do with this request."""
        ...


class SandboxTransport(httpx.BaseTransport):
    """Hands a client's requests to a stand-in in the same process: no port, no thread."""

    def __init__(self, system: System) -> None:
        self._system = system

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the network would, losses included."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = self._system.answer(Call(request.method, str(request.url), headers, request.read()))
        if answer.loss is Loss.DROPPED:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        if answer.loss is Loss.CUT:
            raise httpx.ReadError("connection reset while reading the body", request=request)
        return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.body, request=request)
