"""Planned faults of the simulated systems' responses, shared by all processes of a sandbox folder."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from html import escape
from pathlib import Path

from resources.sandbox.store import Store
from resources.sandbox.transport import Loss, Request, Response, System

SCHEMA = """
create table if not exists faults (
    fault_id integer primary key, system text not null, kind text not null, method text not null,
    pattern text not null, skip integer not null, times integer not null
)
"""


class FaultKind(StrEnum):
    """Kinds of faults, by whether the request is processed and what the client receives."""

    NOT_APPLIED_500 = "not_applied_500"  # not processed, HTTP 500
    APPLIED_500 = "applied_500"  # processed, HTTP 500
    LOST = "lost"  # processed, no response
    CUT = "cut"  # processed, half of the body, then the connection closes
    TRUNCATED = "truncated"  # processed, HTTP 200 with half of the body
    HTML = "html"  # not processed, HTTP 200 with a maintenance page
    EMPTY = "empty"  # not processed, HTTP 200 with an empty body
    LOCKED_423 = "locked_423"  # not processed, HTTP 423: what it writes is in use
    REFUSED_451 = "refused_451"  # not processed, HTTP 451: a firewall refuses its text
    REFUSED_401 = "refused_401"  # not processed, HTTP 401: the key or token is not accepted
    PAGE_404 = "page_404"  # not processed, HTTP 404 with the page of a proxy


@dataclass(frozen=True)
class Fault:
    """One planned fault: let `skip` matching requests pass, then affect the next `times`."""

    kind: FaultKind
    method: str = ""
    pattern: str = ""
    skip: int = 0
    times: int = 1


class Faults:
    """The planned faults of one sandbox folder."""

    def __init__(self, path: Path) -> None:
        self._store = Store(path, SCHEMA)

    def plan(self, system: str, fault: Fault) -> None:
        """Plan a fault for requests of `method` (any if empty) whose URL or body matches `pattern`."""
        with self._store.write() as connection:
            connection.execute(
                "insert into faults (system, kind, method, pattern, skip, times) values (?, ?, ?, ?, ?, ?)",
                (system, fault.kind, fault.method, fault.pattern, fault.skip, fault.times),
            )

    def clear(self) -> None:
        """Remove every planned fault."""
        with self._store.write() as connection:
            connection.execute("delete from faults")

    def left(self) -> int:
        """Return the number of requests that planned faults have yet to affect."""
        with self._store.read() as connection:
            return int(connection.execute("select coalesce(sum(times), 0) as left from faults").fetchall()[0]["left"])

    def due(self, system: str, request: Request) -> FaultKind | None:
        """Return the fault for this request, if any, and count it down."""
        with self._store.read() as connection:
            planned = connection.execute("select 1 from faults where system = ? and times > 0", (system,)).fetchall()
        if not planned:
            return None
        with self._store.write() as connection:
            rows = connection.execute(
                "select * from faults where system = ? and times > 0 order by fault_id", (system,)
            ).fetchall()
            for row in rows:
                text = request.url + "\n" + request.body.decode("utf-8", "replace")
                if row["method"] not in {"", request.method} or not re.search(row["pattern"], text):
                    continue
                if row["skip"] > 0:
                    connection.execute("update faults set skip = skip - 1 where fault_id = ?", (row["fault_id"],))
                    continue
                connection.execute("update faults set times = times - 1 where fault_id = ?", (row["fault_id"],))
                return FaultKind(row["kind"])
        return None


OF_ONE_RECORD = frozenset({FaultKind.LOCKED_423, FaultKind.REFUSED_451})
OUTAGES = tuple(kind for kind in FaultKind if kind not in {*OF_ONE_RECORD, FaultKind.REFUSED_401, FaultKind.PAGE_404})


class FaultInjector:
    """A simulated system behind an unreliable network."""

    def __init__(self, name: str, system: System, faults: Faults) -> None:
        self._name = name
        self._system = system
        self._faults = faults

    def handle(self, request: Request) -> Response:
        """Return the system's response, or a faulty one if a fault is due."""
        kind = self._faults.due(self._name, request)
        if kind in _NOT_PROCESSED:
            return _NOT_PROCESSED[kind](request)
        response = self._system.handle(request)
        return _PROCESSED[kind](response, request) if kind in _PROCESSED else response


def _quote(request: Request) -> str:
    """Quote the request as error pages of proxies and frameworks do, credentials and content included."""
    head = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
    return f"{request.method} {request.url}\n{head}\n\n{request.body.decode('utf-8', 'replace')}"


def _maintenance_page(request: Request, status: int = 200) -> Response:
    page = f"<!DOCTYPE html><html><body><h1>Down for maintenance</h1><pre>{escape(_quote(request))}</pre></body></html>"
    return Response(status, page.encode(), {"Content-Type": "text/html"})


def _internal_error(request: Request) -> Response:
    return Response(500, f"Internal Server Error\n{_quote(request)}".encode(), {"Content-Type": "text/plain"})


_NOT_PROCESSED: dict[FaultKind | None, Callable[[Request], Response]] = {
    FaultKind.NOT_APPLIED_500: _internal_error,
    FaultKind.HTML: _maintenance_page,
    FaultKind.EMPTY: lambda _: Response(200, b"", {"Content-Type": "application/json"}),
    FaultKind.LOCKED_423: lambda request: Response(423, _quote(request).encode(), {"Content-Type": "text/plain"}),
    FaultKind.REFUSED_451: lambda request: Response(451, _quote(request).encode(), {"Content-Type": "text/html"}),
    FaultKind.PAGE_404: lambda request: _maintenance_page(request, 404),
    FaultKind.REFUSED_401: lambda request: Response(401, _quote(request).encode(), {"Content-Type": "text/html"}),
}
_PROCESSED: dict[FaultKind | None, Callable[[Response, Request], Response]] = {
    FaultKind.APPLIED_500: lambda _, request: _internal_error(request),
    FaultKind.LOST: lambda response, _: replace(response, loss=Loss.DROPPED),
    FaultKind.CUT: lambda response, _: replace(response, loss=Loss.CUT),
    FaultKind.TRUNCATED: lambda response, _: replace(response, body=response.body[: len(response.body) // 2]),
}
