"""Delivery of HTTP requests to a simulated system: in process through httpx, or over a port (see `server.py`).

Both ways call `System.handle`, so they are the same for a client.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx
import orjson


class Loss(Enum):
    """Loss of a response on its way to the client."""

    NONE = "none"
    DROPPED = "dropped"  # the request is processed, the connection closes without a response
    CUT = "cut"  # half of the body arrives, then the connection closes


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as a simulated system receives it; header names are lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.url).path

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's name-value pairs in order."""
        return parse_qsl(urlsplit(self.url).query, keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response; header names as the system spells them."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    loss: Loss = Loss.NONE


def json_response(
    content: Any, status: int = 200, media_type: str = "application/json", headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response with a JSON body."""
    return Response(status, orjson.dumps(content), {"Content-Type": media_type, **(headers or {})})


class System(Protocol):
    """One simulated system."""

    def handle(self, request: Request) -> Response:
        """Respond as the real system would."""
        ...


class SandboxTransport(httpx.BaseTransport):
    """An httpx transport to a simulated system in the same process: no port, no thread."""

    def __init__(self, system: System) -> None:
        self._system = system

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Respond as the network would, losses included."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        response = self._system.handle(Request(request.method, str(request.url), headers, request.read()))
        if response.loss is Loss.DROPPED:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        if response.loss is Loss.CUT:
            raise httpx.ReadError("connection reset while reading the body", request=request)
        return httpx.Response(response.status, headers=dict(response.headers), content=response.body, request=request)
