"""Shadowed workflows: another connector writes to the target, and nothing of ours is sent until a person ends it.

`millpond shadow start`  ->  sync_shadow_periods  ->  require_unshadowed(), before anything is sent

It is asked in the transaction that takes a plan. A period begins under the writer lock of the connection, so that
nothing is being sent when it has begun.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime

import duckdb

from assets.delivery.errors import PlanError, SyncError
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.plans import OPEN_STATES, PlanState
from assets.delivery.ledger.tables import ensure_ledger
from resources.warehouse.tables import has_table, insert_row

TABLE = "sync_shadow_periods"
STOPPED = "made in shadow mode; the next run makes a new plan"


class ShadowedError(PlanError):
    """A workflow is in shadow mode, so nothing of it is sent."""


@dataclass(frozen=True)
class Shadow:
    """A row of sync_shadow_periods."""

    workflow: str
    number: int
    incumbent: str
    declared_s: float | None
    started_by: str
    started_at: datetime
    stopped_by: str | None = None
    stopped_at: datetime | None = None
    note: str | None = None
    off_by: str | None = None
    off_at: datetime | None = None

    @property
    def is_active(self) -> bool:
        """True as long as no one ended it."""
        return self.stopped_at is None

    @property
    def sentence(self) -> str:
        """The reason why nothing is sent, with who decided it and how it ends."""
        return (
            f"{self.workflow} is in shadow mode beside {self.incumbent}: nothing is sent since"
            f" {self.started_at:%Y-%m-%d %H:%M} UTC, as {self.started_by} decided; `millpond shadow stop"
            f" {self.workflow}` ends it"
        )


_COLUMNS = ", ".join(each.name for each in fields(Shadow))


def last_shadow(con: duckdb.DuckDBPyConnection, workflow: str) -> Shadow | None:
    """Return the newest period of a workflow, ended or not."""
    if not has_table(con, TABLE):
        return None
    query = f"select {_COLUMNS} from {TABLE} where workflow = ? order by number desc limit 1"
    rows = con.execute(query, [workflow]).fetchall()
    return Shadow(*rows[0]) if rows else None


def active_shadow(con: duckdb.DuckDBPyConnection, workflow: str) -> Shadow | None:
    """Return the period that a workflow is in."""
    found = last_shadow(con, workflow)
    return found if found and found.is_active else None


def active_shadows(con: duckdb.DuckDBPyConnection) -> list[Shadow]:
    """Return the periods that go on."""
    if not has_table(con, TABLE):
        return []
    query = f"select {_COLUMNS} from {TABLE} where stopped_at is null order by workflow"
    return [Shadow(*row) for row in con.execute(query).fetchall()]


def continue_shadows(con: duckdb.DuckDBPyConnection, shadows: Iterable[Shadow]) -> None:
    """Let periods go on that a restored ledger does not know, in the caller's transaction.

    A backup from before a period must not make Millpond write beside the other connector.
    """
    for each in shadows:
        if active_shadow(con, each.workflow) is None:
            begun = begin_shadow(con, replace(each, off_by=None, off_at=None))
            if each.off_by and each.off_at:
                confirm_off(con, begun, each.off_by, each.off_at)


def require_unshadowed(con: duckdb.DuckDBPyConnection, workflow: str, needs: Iterable[str] = ()) -> None:
    """Refuse to send anything of a workflow in shadow mode, or of one that needs such a workflow.

    Raises:
        ShadowedError: It is; the text says since when, who decided it, and how it ends.
    """
    own = active_shadow(con, workflow)
    if own:
        raise ShadowedError(own.sentence)
    for name in needs:
        needed = active_shadow(con, name)
        if needed:
            raise ShadowedError(f"{workflow} needs {name}, so that nothing of it is sent either: {needed.sentence}")


def begin_shadow(con: duckdb.DuckDBPyConnection, shadow: Shadow) -> Shadow:
    """Begin a period, in the caller's transaction and under the writer lock; SyncError if the workflow is in one."""
    ensure_ledger(con)
    earlier = last_shadow(con, shadow.workflow)
    if earlier and earlier.is_active:
        raise SyncError(f"{earlier.sentence}; `millpond shadow report {shadow.workflow}` shows what was found")
    begun = replace(shadow, number=earlier.number + 1 if earlier else 1)
    for table in ("sync_shadow_records", "sync_shadow_differences"):  # of the period before; its nights stay
        con.execute(f"delete from {table} where workflow = ?", [shadow.workflow])
    insert_row(con, TABLE, asdict(begun))
    details = {"period": begun.number, "beside": begun.incumbent, "interval_s": begun.declared_s}
    at, person = begun.started_at, begun.started_by
    record_event(con, Event(event=Happened.SHADOW_STARTED, at=at, workflow=begun.workflow, by=person, details=details))
    return begun


def end_shadow(con: duckdb.DuckDBPyConnection, workflow: str, person: str, moment: datetime, note: str) -> Shadow:
    """End the period of a workflow; plans that were made in it are not sent; SyncError if the workflow is in none."""
    ensure_ledger(con)
    found = active_shadow(con, workflow)
    if found is None:
        raise SyncError(f"{workflow} is not in shadow mode; `millpond shadow start {workflow}` begins it")
    con.execute(
        f"update {TABLE} set stopped_by = ?, stopped_at = ?, note = ? where workflow = ? and number = ?",
        [person, moment, note or None, workflow, found.number],
    )
    con.execute(
        "update sync_plans set state = ?, state_at = ?, note = ? where workflow = ? and state in (?, ?)",
        [PlanState.EXPIRED, moment, STOPPED, workflow, *OPEN_STATES],
    )
    details = {"period": found.number}
    record_event(
        con, Event(event=Happened.SHADOW_STOPPED, at=moment, workflow=workflow, by=person, details=details, note=note)
    )
    return replace(found, stopped_by=person, stopped_at=moment, note=note or None)


def confirm_off(con: duckdb.DuckDBPyConnection, shadow: Shadow, person: str, moment: datetime) -> None:
    """Store that a person confirmed that the other connector is switched off; the last one who did counts."""
    con.execute(
        f"update {TABLE} set off_by = ?, off_at = ? where workflow = ? and number = ?",
        [person, moment, shadow.workflow, shadow.number],
    )
    details = {"period": shadow.number, "beside": shadow.incumbent}
    record_event(
        con, Event(event=Happened.CONFIRMED_OFF, at=moment, workflow=shadow.workflow, by=person, details=details)
    )
