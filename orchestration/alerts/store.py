"""What alerting remembers between looks, in a file of its own: it must work when the warehouse does not.

runs that were looked at · the last end of every step · problems that are open · notices that are still to be delivered
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from orchestration.alerts.conditions import Kind, Problem
from resources.notifiers.notice import Entry, Notice

SCHEMA = """
create table if not exists runs (run_id text primary key, ended_at real not null);
create table if not exists steps (
    step text primary key, run_id text not null, cause_key text, cause text, affected text not null default '[]'
);
create table if not exists problems (
    key text primary key, kind text not null, name text not null, cause text not null, affected text not null,
    lines text not null, since text not null
);
create table if not exists outbox (
    number integer primary key, receiver text not null, notice text not null, made_at real not null,
    tries integer not null default 0
);
"""
BUSY_S = 30


class Memory:
    """The file. Every change of one look is one transaction: a look that dies is made again."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._con = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
        self._con.executescript(SCHEMA)

    def close(self) -> None:
        """Let the file go."""
        self._con.close()

    @contextmanager
    def look(self) -> Iterator[None]:
        """One look, kept whole or not at all; two at once take turns."""
        self._con.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._con.execute("rollback")
            raise
        self._con.execute("commit")

    def last_end(self) -> float | None:
        """When the newest run ended that was looked at."""
        found: float | None = self._con.execute("select max(ended_at) from runs").fetchone()[0]
        return found

    def is_new(self, run_id: str, ended_at: float, forget_before: float) -> bool:
        """Note a run that ended; false when it was looked at before."""
        self._con.execute("delete from runs where ended_at < ?", (forget_before,))
        done = self._con.execute("insert or ignore into runs values (?, ?)", (run_id, ended_at))
        return done.rowcount == 1

    def passed(self, step: str) -> None:
        """Note that a step went well."""
        self._con.execute("delete from steps where step = ?", (step,))

    def failed(self, step: str, run_id: str, cause_key: str, cause: str, affected: Sequence[str]) -> None:
        """Note that a step failed."""
        row = (step, run_id, cause_key, cause, json.dumps(list(affected)))
        self._con.execute("insert or replace into steps values (?, ?, ?, ?, ?)", row)

    def failures(self) -> list[tuple[str, str, str, str, list[str]]]:
        """Steps whose last end was a failure: step, run, cause's key, cause, affected."""
        rows = self._con.execute("select step, run_id, cause_key, cause, affected from steps order by rowid")
        return [(*row[:4], json.loads(row[4])) for row in rows.fetchall()]

    def open_problems(self) -> dict[str, tuple[Problem, str]]:
        """Problems that were told and have not ended, with their beginning."""
        rows = self._con.execute("select kind, name, cause, affected, lines, since from problems").fetchall()
        found = [
            (Problem(Kind(kind), name, cause, tuple(json.loads(affected)), tuple(json.loads(lines))), since)
            for kind, name, cause, affected, lines, since in rows
        ]
        return {problem.key: (problem, since) for problem, since in found}

    def begin(self, problem: Problem, since: str) -> None:
        """Note that a problem is open, or what it is like now."""
        self._con.execute(
            "insert into problems values (?, ?, ?, ?, ?, ?, ?) on conflict (key) do update set cause = excluded.cause,"
            " affected = excluded.affected, lines = excluded.lines",
            (
                problem.key, problem.kind.value, problem.name, problem.cause, json.dumps(problem.affected),
                json.dumps(problem.lines), since,
            ),
        )  # fmt: skip

    def end(self, key: str) -> None:
        """Note that a problem is over."""
        self._con.execute("delete from problems where key = ?", (key,))

    def post(self, receiver: str, notice: Notice, made_at: float) -> None:
        """Keep a notice until a receiver has taken it."""
        row = (receiver, json.dumps(asdict(notice)), made_at)
        self._con.execute("insert into outbox (receiver, notice, made_at) values (?, ?, ?)", row)

    def waiting(self, receiver: str) -> list[tuple[int, Notice]]:
        """What a receiver has not taken yet, the oldest first."""
        rows = self._con.execute("select number, notice from outbox where receiver = ? order by number", (receiver,))
        return [(number, _notice(json.loads(text))) for number, text in rows.fetchall()]

    def delivered(self, number: int) -> None:
        """Forget what was taken."""
        self._con.execute("delete from outbox where number = ?", (number,))

    def tried(self, number: int) -> None:
        """Count a try that failed."""
        self._con.execute("update outbox set tries = tries + 1 where number = ?", (number,))

    def drop(self, receivers: Sequence[str], before: float) -> int:
        """Give up what is too old, and what was for receivers that are no longer set."""
        marks = ", ".join("?" for _ in receivers)
        done = self._con.execute(
            f"delete from outbox where made_at < ? or receiver not in ({marks})", (before, *receivers)
        )
        return done.rowcount


def _notice(told: Mapping[str, object]) -> Notice:
    fields = dict(told)
    entries = fields.pop("entries")
    assert isinstance(entries, list)
    return Notice(entries=[Entry(**each) for each in entries], **fields)  # type: ignore[arg-type]  # as asdict made it
