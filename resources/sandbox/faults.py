"""Trouble on purpose, seeded and replayable: planned faults that any process can lay out for a stand-in."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from html import escape
from pathlib import Path

from resources.sandbox.store import Store
from resources.sandbox.transport import Answer, Call, Loss, System

SCHEMA = """
create table if not exists faults (
    fault_id integer primary key, system text not null, kind text not null, method text not null,
    pattern text not null, skip integer not null, times integer not null
)
"""


class FaultKind(StrEnum):
    """What goes wrong."""

    REFUSED_500 = "refused_500"  # HTTP 500, nothing was done
    DONE_500 = "done_500"  # the work is done, HTTP 500 comes back
    LOST = "lost"  # the work is done, no answer comes
    CUT = "cut"  # the work is done, half of the body comes
    TRUNCATED = "truncated"  # HTTP 200 with half of the body
    HTML = "html"  # HTTP 200 with a maintenance page, nothing was done
    EMPTY = "empty"  # HTTP 200 with an empty body, nothing was done


@dataclass(frozen=True)
class Fault:
    """One planned fault: let `skip` matching calls pass, then spoil the next `times`."""

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
        """Lay out a fault for calls of `method` (any when empty) whose URL or body matches `pattern`."""
        with self._store.write() as connection:
            connection.execute(
                "insert into faults (system, kind, method, pattern, skip, times) values (?, ?, ?, ?, ?, ?)",
                (system, fault.kind, fault.method, fault.pattern, fault.skip, fault.times),
            )

    def clear(self) -> None:
        """Forget every planned fault."""
        with self._store.write() as connection:
            connection.execute("delete from faults")

    def due(self, system: str, call: Call) -> FaultKind | None:
        """The fault that this call meets, counted down."""
        with self._store.read() as connection:
            planned = connection.execute("select 1 from faults where system = ? and times > 0", (system,)).fetchall()
        if not planned:
            return None
        with self._store.write() as connection:
            rows = connection.execute(
                "select * from faults where system = ? and times > 0 order by fault_id", (system,)
            ).fetchall()
            for row in rows:
                text = call.url + "\n" + call.body.decode("utf-8", "replace")
                if row["method"] not in {"", call.method} or not re.search(row["pattern"], text):
                    continue
                if row["skip"] > 0:
                    connection.execute("update faults set skip = skip - 1 where fault_id = ?", (row["fault_id"],))
                    continue
                connection.execute("update faults set times = times - 1 where fault_id = ?", (row["fault_id"],))
                return FaultKind(row["kind"])
        return None


class Faulty:
    """A stand-in as the network shows it on a bad day."""

    def __init__(self, name: str, system: System, faults: Faults) -> None:
        self._name = name
        self._system = system
        self._faults = faults

    def answer(self, call: Call) -> Answer:
        """The system's answer, spoiled when a fault is due."""
        kind = self._faults.due(self._name, call)
        if kind in _INSTEAD:
            return _INSTEAD[kind](call)
        answer = self._system.answer(call)
        return _SPOILED[kind](answer, call) if kind in _SPOILED else answer


def _quoted(call: Call) -> str:
    """The request as error pages of proxies and frameworks show it, keys and contents included."""
    head = "\n".join(f"{name}: {value}" for name, value in call.headers.items())
    return f"{call.method} {call.url}\n{head}\n\n{call.body.decode('utf-8', 'replace')}"


def _page(call: Call) -> Answer:
    page = f"<!DOCTYPE html><html><body><h1>Down for maintenance</h1><pre>{escape(_quoted(call))}</pre></body></html>"
    return Answer(200, page.encode(), {"Content-Type": "text/html"})


def _error(call: Call) -> Answer:
    return Answer(500, f"Internal Server Error\n{_quoted(call)}".encode(), {"Content-Type": "text/plain"})


# what comes instead of doing the work, and what becomes of the answer after it was done
_INSTEAD: dict[FaultKind | None, Callable[[Call], Answer]] = {
    FaultKind.REFUSED_500: _error,
    FaultKind.HTML: _page,
    FaultKind.EMPTY: lambda _: Answer(200, b"", {"Content-Type": "application/json"}),
}
_SPOILED: dict[FaultKind | None, Callable[[Answer, Call], Answer]] = {
    FaultKind.DONE_500: lambda _, call: _error(call),
    FaultKind.LOST: lambda answer, _: replace(answer, loss=Loss.DROPPED),
    FaultKind.CUT: lambda answer, _: replace(answer, loss=Loss.CUT),
    FaultKind.TRUNCATED: lambda answer, _: replace(answer, body=answer.body[: len(answer.body) // 2]),
}
