"""The state of alerting between checks, in a file of its own: it must work when the warehouse does not.

checked runs · the last outcome of every step · open alerts · notices to deliver · the time of the last check
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from orchestration.alerts.conditions import Alert, Kind
from resources.notifiers.notice import Entry, Notice
from resources.sqlite_file import SqliteFile

SCHEMA = """
create table if not exists runs (run_id text primary key, ended_at real not null);
create table if not exists steps (
    step text primary key, run_id text not null, cause_key text, cause text, affected text not null default '[]'
);
create table if not exists alerts (
    key text primary key, kind text not null, name text not null, cause text not null, affected text not null,
    lines text not null, since text not null
);
create table if not exists outbox (
    number integer primary key, receiver text not null, notice text not null, made_at real not null
);
create table if not exists checks (number integer primary key check (number = 1), made_at real not null);
"""


class _RollBackError(Exception):
    """Ends a trial."""


class AlertStore:
    """The file. All changes of one check are one transaction: a check that dies is repeated."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, SCHEMA)
        self._con = self._file.connection

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all changes of the block or none; concurrent checks wait for each other."""
        with self._file.write():
            yield

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Run a transaction as `transaction` does, and roll it back."""
        with suppress(_RollBackError), self._file.write():
            yield
            raise _RollBackError

    def last_check(self) -> float | None:
        """Return the time of the last check, in seconds since 1970; None before the first."""
        row = self._con.execute("select made_at from checks").fetchone()
        return row[0] if row else None

    def set_checked(self, at: float) -> None:
        """Record that a check was made."""
        self._con.execute("insert or replace into checks values (1, ?)", (at,))

    def last_run_end(self) -> float | None:
        """Return the end of the newest checked run; None without one."""
        found: float | None = self._con.execute("select max(ended_at) from runs").fetchone()[0]
        return found

    def add_run(self, run_id: str, ended_at: float, forget_before: float) -> bool:
        """Record a run that ended; return False if it was checked before."""
        self._con.execute("delete from runs where ended_at < ?", (forget_before,))
        done = self._con.execute("insert or ignore into runs values (?, ?)", (run_id, ended_at))
        return done.rowcount == 1

    def set_passed(self, step: str) -> None:
        """Record that a step succeeded."""
        self._con.execute("delete from steps where step = ?", (step,))

    def set_failed(self, step: str, run_id: str, cause_key: str, cause: str, affected: Sequence[str]) -> None:
        """Record that a step failed."""
        row = (step, run_id, cause_key, cause, json.dumps(list(affected)))
        self._con.execute("insert or replace into steps values (?, ?, ?, ?, ?)", row)

    def failed_steps(self) -> list[tuple[str, str, str, str, list[str]]]:
        """Return the steps that failed last: step, run, key of the cause, cause, affected."""
        rows = self._con.execute("select step, run_id, cause_key, cause, affected from steps order by rowid")
        return [(*row[:4], json.loads(row[4])) for row in rows.fetchall()]

    def open_alerts(self) -> dict[str, tuple[Alert, str]]:
        """Return the open alerts by key, each with the time it was opened."""
        rows = self._con.execute("select kind, name, cause, affected, lines, since from alerts").fetchall()
        found = [
            (Alert(Kind(kind), name, cause, tuple(json.loads(affected)), tuple(json.loads(lines))), since)
            for kind, name, cause, affected, lines, since in rows
        ]
        return {alert.key: (alert, since) for alert, since in found}

    def save_alert(self, alert: Alert, since: str) -> None:
        """Insert an open alert, or update its text."""
        self._con.execute(
            "insert into alerts values (?, ?, ?, ?, ?, ?, ?) on conflict (key) do update set cause = excluded.cause,"
            " affected = excluded.affected, lines = excluded.lines",
            (
                alert.key, alert.kind.value, alert.name, alert.cause, json.dumps(alert.affected),
                json.dumps(alert.lines), since,
            ),
        )  # fmt: skip

    def delete_alert(self, key: str) -> None:
        """Delete an alert that recovered."""
        self._con.execute("delete from alerts where key = ?", (key,))

    def add_notice(self, receiver: str, notice: Notice, made_at: float) -> None:
        """Keep a notice until its receiver accepts it."""
        row = (receiver, json.dumps(asdict(notice)), made_at)
        self._con.execute("insert into outbox (receiver, notice, made_at) values (?, ?, ?)", row)

    def pending_notices(self, receiver: str) -> list[tuple[int, Notice]]:
        """Return a receiver's notices with their numbers, oldest first."""
        rows = self._con.execute("select number, notice from outbox where receiver = ? order by number", (receiver,))
        return [(number, _notice(json.loads(text))) for number, text in rows.fetchall()]

    def delete_notice(self, number: int) -> None:
        """Delete a notice that was delivered."""
        self._con.execute("delete from outbox where number = ?", (number,))

    def delete_stale_notices(self, receivers: Sequence[str], before: float) -> None:
        """Delete notices that are too old, or whose receiver is no longer configured."""
        marks = ", ".join("?" for _ in receivers)
        self._con.execute(f"delete from outbox where made_at < ? or receiver not in ({marks})", (before, *receivers))


def _notice(content: Mapping[str, object]) -> Notice:
    fields = dict(content)
    entries = fields.pop("entries")
    assert isinstance(entries, list)
    return Notice(entries=[Entry(**each) for each in entries], **fields)  # type: ignore[arg-type]  # as asdict made it
