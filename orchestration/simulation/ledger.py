"""The ledger's tables as the invariants read them: attempts, decisions, certificates, plans, links.

Every function takes the warehouse and returns plain rows; a table that no run made yet has none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assets.delivery.ledger import sequence
from assets.delivery.ledger.certificates import TABLE as CERTIFICATES
from assets.delivery.ledger.certificates import UNVERIFIED
from assets.delivery.ledger.runs import COUNT_COLUMNS
from assets.netsuite.record_types import record_type_of
from resources.warehouse.tables import has_table, quoted
from resources.warehouse.warehouse import Warehouse

Rows = list[tuple[Any, ...]]
WAITING = "waiting"


def rows(warehouse: Warehouse, table: str, query: str, params: Sequence[Any] = ()) -> Rows:
    """Return the rows of a query, none if its table does not exist."""
    if not warehouse.exists():
        return []
    with warehouse.writer(transaction=False) as con:
        found: Rows = con.execute(query, list(params)).fetchall() if has_table(con, table) else []
        return found


def was_read(warehouse: Warehouse, source: str, source_id: str) -> bool:
    """Return whether NetSuite ever showed a record."""
    record_type = record_type_of(source)
    query = f"select 1 from {{}} where cast({quoted(record_type.query.key)} as varchar) = ?"
    return any(rows(warehouse, table, query.format(table), [source_id]) for table in record_type.raw_tables)


def last_position(warehouse: Warehouse) -> int:
    """Return the place of the ledger's newest row."""
    if not warehouse.exists():
        return 0
    with warehouse.writer(transaction=False) as con:
        return sequence.last_position(con) if has_table(con, "sync_attempts") else 0


@dataclass(frozen=True)
class Attempt:
    """One row of an attempt."""

    run_id: str
    workflow: str
    source: str
    source_id: str
    action: str
    state: str
    target_id: str | None

    @property
    def record(self) -> tuple[str, str, str]:
        """Workflow, source and NetSuite id."""
        return self.workflow, self.source, self.source_id


def attempts_since(warehouse: Warehouse, position: int) -> list[Attempt]:
    """Return the rows of attempts after a place in the ledger, in order."""
    query = (
        "select run_id, workflow, source, source_id, action, state, target_id from sync_attempts where position > ?"
        " order by position, workflow, source, try_cast(source_id as bigint), source_id, state"
    )
    return [Attempt(*row) for row in rows(warehouse, "sync_attempts", query, [position])]


@dataclass(frozen=True)
class RunRow:
    """One workflow of a run that ended by itself: its counts, and who approved what it sent."""

    run_id: str
    workflow: str
    counts: Mapping[str, int]
    approved_by: str | None


def runs_since(warehouse: Warehouse, position: int) -> list[RunRow]:
    """Return the runs that sent a plan and changed after a place in the ledger, in order."""
    columns = list(COUNT_COLUMNS.values())
    query = (
        f"select run.run_id, run.workflow, coalesce(plan.decided_by, plan.requested_by), {', '.join(columns)}"
        " from sync_runs as run join sync_plans as plan on plan.plan_id = run.plan_id and plan.sent_by = run.run_id"
        " where run.position > ? and run.state in ('finished', 'partial', 'halted') order by run.position"
    )
    found = rows(warehouse, "sync_runs", query, [position])
    return [RunRow(row[0], row[1], dict(zip(columns, row[3:], strict=True)), row[2]) for row in found]


def open_attempts(warehouse: Warehouse) -> Rows:
    """Return workflow, source and NetSuite id of the attempts without an end."""
    query = (
        "select any_value(workflow), any_value(source), any_value(source_id) from sync_attempts group by attempt_id"
        " having bool_and(state in ('intent', 'unknown')) order by all"
    )
    return rows(warehouse, "sync_attempts", query)


def still_sending(warehouse: Warehouse) -> Rows:
    """Return runs and plans that are still being sent."""
    query = (
        "select workflow, state from sync_runs where state = 'sending' union all"
        " select workflow, state from sync_plans where state = 'sending' order by all"
    )
    return rows(warehouse, "sync_plans", query)


def open_decisions(warehouse: Warehouse) -> Rows:
    """Return workflow, source, NetSuite id, action and reason code of the open decisions."""
    query = (
        "select workflow, source, source_id, action, coalesce(reason_code, '') from sync_decisions"
        " where to_run is null order by workflow, source, try_cast(source_id as bigint), source_id, action"
    )
    return rows(warehouse, "sync_decisions", query)


def decisions_of(warehouse: Warehouse) -> Rows:
    """Return workflow, source, NetSuite id, action, reason code and first run of all decisions, in order."""
    query = (
        "select workflow, source, source_id, action, coalesce(reason_code, ''), from_run from sync_decisions"
        " order by from_position, workflow, source, try_cast(source_id as bigint), source_id"
    )
    return rows(warehouse, "sync_decisions", query)


def reasons_given(warehouse: Warehouse) -> Rows:
    """Return action, reason code and a workflow of all kinds of decisions that there were."""
    query = (
        "select action, coalesce(reason_code, ''), min(workflow) from sync_decisions group by all order by action, 2"
    )
    return rows(warehouse, "sync_decisions", query)


def held_in_certificate(warehouse: Warehouse, workflow: str) -> set[tuple[str, str]]:
    """Return the records that the newest certificate of a workflow leaves out as held back."""
    query = f"select source, source_id from {UNVERIFIED} where workflow = ? and kind = 'held'"
    return {(row[0], row[1]) for row in rows(warehouse, UNVERIFIED, query, [workflow])}


def certificates_of(warehouse: Warehouse, run_id: str) -> list[tuple[str, datetime | None]]:
    """Return workflow and time of the certificates that a run computed."""
    query = f"select workflow, verified_through from {CERTIFICATES} where run_id = ? order by position"
    return [(row[0], row[1]) for row in rows(warehouse, CERTIFICATES, query, [run_id])]


def newest_claims(warehouse: Warehouse) -> dict[str, datetime | None]:
    """Return the time of the newest certificate of each workflow."""
    query = (
        f"select workflow, verified_through from {CERTIFICATES}"
        " qualify row_number() over (partition by workflow order by position desc) = 1 order by workflow"
    )
    return {row[0]: row[1] for row in rows(warehouse, CERTIFICATES, query)}


def waiting_plans(warehouse: Warehouse) -> list[tuple[str, str, str]]:
    """Return workflow, id and note of the plans that wait for approval, oldest first."""
    query = "select workflow, plan_id, coalesce(note, '') from sync_plans where state = ? order by position"
    return [(row[0], row[1], row[2]) for row in rows(warehouse, "sync_plans", query, [WAITING])]
