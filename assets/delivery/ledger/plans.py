"""The store of plans: a plan is ready or waits for approval, and is sent at most once.

make_plan  ->  save()  ->  sync_plans, plan_<workflow>  ->  take()  ->  deliver
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import duckdb
import polars as pl

from assets.delivery.errors import PlanError
from assets.delivery.ledger.events import Happened
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.sequence import next_position
from assets.delivery.ledger.tables import ensure_ledger
from resources.clock import Reading
from resources.warehouse.tables import (
    columns_of,
    describe_table,
    has_table,
    insert_frame,
    insert_row,
    quoted,
    read_frame,
    replace_table,
)

PLAN_DESCRIPTION = (
    "One row per NetSuite record and plan: its change and reason. The newest plan and waiting plans are kept."
)


class PlanState(StrEnum):
    """The states of a plan."""

    READY = "ready"  # the next run sends it
    WAITING = "waiting"  # for approval
    SENDING = "sending"
    SENT = "sent"
    PARTIAL = "partial"  # sending stopped early, or a part was approved
    REJECTED = "rejected"
    EXPIRED = "expired"
    DIED = "died"  # its run died while sending


A_PART = "a part of it was approved"  # begins the note of a plan that is therefore partial
OPEN_STATES = (PlanState.READY, PlanState.WAITING)  # can still be sent


@dataclass(frozen=True)
class StoredPlan:
    """A row of sync_plans."""

    plan_id: str
    workflow: str
    workflow_version: str
    kind: str
    undone_run: str | None
    made_by: str
    made_at: datetime
    expires_at: datetime
    state: str
    writes: int
    checksum: str
    note: str | None
    requested_by: str | None
    data_version: str | None
    clock_origin: str | None
    clock_s: float | None

    @property
    def table(self) -> str:
        """The table of its rows."""
        return f"plan_{self.workflow}"


def save(
    con: duckdb.DuckDBPyConnection, plan: pl.DataFrame, row: Mapping[str, object], comments: Mapping[str, str]
) -> None:
    """Store a plan; older plans of the workflow that can no longer be sent lose their rows.

    Args:
        con: An open writer section.
        plan: PLAN_COLUMNS and the stamp's columns, sealed.
        row: The columns of sync_plans.
        comments: Column comments of the plan's table.
    """
    ensure_ledger(con)
    expire(con, row["made_at"], Reading(str(row["clock_origin"]), float(str(row["clock_s"]))))
    _replace_ready(con, row)
    table = f"plan_{row['workflow']}"
    if list(columns_of(con, table)) == plan.columns:
        _delete_closed_rows(con, table, row)
        insert_frame(con, table, plan)
    else:
        replace_table(con, table, plan)
        describe_table(con, table, PLAN_DESCRIPTION, [(name, comments[name]) for name in plan.columns])
    insert_row(con, "sync_plans", {**row, "position": next_position(con)})


def _replace_ready(con: duckdb.DuckDBPyConnection, row: Mapping[str, object]) -> None:
    """Expire the ready plan that the new one replaces; real-time and other plans do not replace each other."""
    con.execute(
        "update sync_plans set state = 'expired', state_at = $made_at, note = 'replaced by a newer plan'"
        " where workflow = $workflow and state = 'ready' and (kind = 'realtime') = ($kind = 'realtime')",
        {name: row[name] for name in ("made_at", "workflow", "kind")},
    )


def _delete_closed_rows(con: duckdb.DuckDBPyConnection, table: str, row: Mapping[str, object]) -> None:
    """Delete the rows of plans that can no longer be sent; a real-time or undo plan keeps those of full plans."""
    con.execute(
        f"delete from {quoted(table)} where plan_id not in (select plan_id from sync_plans where workflow = $workflow"
        " and (state = 'waiting' or (kind <> 'realtime' and $kind = 'realtime') or (kind = 'sync' and $kind = 'undo')"
        " or (kind = 'realtime' and state in ('ready', 'sending'))))",
        {name: row[name] for name in ("workflow", "kind")},
    )


# a condition on sync_plans: a newer plan of all records knows more, whether it waits or not
REPLACED = """
kind = 'sync' and exists (
    select 1 from sync_plans as newer
    where newer.workflow = sync_plans.workflow and newer.kind = 'sync' and newer.position > sync_plans.position
)
"""
# the age by the steady clock; after a restart, or from another machine, by the distance of two wall clocks
_OVERDUE = """
coalesce(
    case when clock_origin = $origin then $seconds - clock_s else abs(epoch($moment::timestamp) - epoch(made_at)) end
        > epoch(expires_at) - epoch(made_at),
    expires_at < $moment::timestamp
)
"""


def waiting(con: duckdb.DuckDBPyConnection, moment: object, reading: Reading) -> list[tuple[str, str, int, int]]:
    """Return workflow, newest plan, number of plans and its writes, of the workflows with plans that need approval.

    Plans that are past their lifetime are left out, and those that a newer one replaces which needs no approval;
    `moment` and `reading` are now, by the two clocks.
    """
    query = f"""
    select workflow, arg_max(plan_id, place), count(*), arg_max(writes, place)
    from (
        select *, row_number() over (order by position nulls first, made_at) as place, {REPLACED} as is_replaced
        from sync_plans
        where kind = 'sync' and state = 'waiting' and not coalesce({_OVERDUE}, false){_unshadowed(con)}
    )
    group by workflow having not bool_and(is_replaced) order by workflow
    """
    return con.execute(query, {**reading._asdict(), "moment": moment}).fetchall()


def _unshadowed(con: duckdb.DuckDBPyConnection) -> str:
    """Return the condition that leaves out workflows in shadow mode, whose plans no one can approve."""
    if not has_table(con, "sync_shadow_periods"):
        return ""
    return " and workflow not in (select workflow from sync_shadow_periods where stopped_at is null)"


def expire(con: duckdb.DuckDBPyConnection, moment: object, reading: Reading) -> None:
    """Expire open plans that are past their lifetime; `moment` and `reading` are now, by the two clocks."""
    con.execute(
        "update sync_plans set state = 'expired', state_at = $moment"
        f" where state in ('ready', 'waiting') and {_OVERDUE}",
        {**reading._asdict(), "moment": moment},
    )


def is_overdue(con: duckdb.DuckDBPyConnection, plan: StoredPlan, moment: datetime, reading: Reading) -> bool:
    """Return whether a plan is past its lifetime; `moment` and `reading` are now, by the two clocks."""
    query = f"select 1 from sync_plans where plan_id = $plan_id and {_OVERDUE}"
    values = {**reading._asdict(), "moment": moment, "plan_id": plan.plan_id}
    return bool(con.execute(query, values).fetchall())


def find(con: duckdb.DuckDBPyConnection, plan_id: str) -> StoredPlan:
    """Return a plan by its id or by the first characters of it; PlanError if none or several match."""
    ensure_ledger(con)
    found = _read(con, "starts_with(plan_id, ?)", [plan_id])
    exact = [each for each in found if each.plan_id == plan_id] or found
    if len(exact) != 1:
        raise PlanError(f"{len(exact) or 'no'} plans begin with {plan_id}; list them with `millpond plans`")
    return exact[0]


def newest(con: duckdb.DuckDBPyConnection, workflow: str, kind: PlanKind = PlanKind.SYNC) -> StoredPlan:
    """Return the newest plan of a workflow; PlanError if there is none."""
    ensure_ledger(con)
    found = _read(con, "workflow = ? and kind = ?", [workflow, kind])
    if not found:
        raise PlanError(f"{workflow}: no plan yet; {_another(workflow)}")
    return found[0]


def _another(workflow: str, undone_run: str | None = None) -> str:
    """Return how to make another plan of a workflow, or of the undo of a run, on the command line and in Dagster."""
    command, elsewhere = f"millpond plan {workflow}", f"materialize plan_{workflow}"
    if undone_run:
        command, elsewhere = f"millpond undo {undone_run[:8]}", "launch the job undo_run"
    return f"make a new one: `{command}`, or {elsewhere}"


def _read(con: duckdb.DuckDBPyConnection, condition: str, values: Sequence[object]) -> list[StoredPlan]:
    names = ", ".join(StoredPlan.__annotations__)
    rows = con.execute(
        f"select {names} from sync_plans where {condition} order by position desc nulls last limit 20", list(values)
    ).fetchall()
    return [StoredPlan(*row) for row in rows]


def take(
    con: duckdb.DuckDBPyConnection, plan: StoredPlan, run_id: str, moment: datetime, reading: Reading, *, approved: bool
) -> pl.DataFrame:
    """Mark a plan as being sent, so that no other run can take it.

    Args:
        con: An open writer section; its commit takes the plan.
        plan: The plan.
        run_id: The run that sends it.
        moment: Now, UTC.
        reading: Now, by the steady clock.
        approved: Whether an operator applies this plan; a waiting plan requires that.

    Returns:
        Its rows, still sealed and not verified (see `sealing.opened`).

    Raises:
        PlanError: It waits for approval, is no longer open, or has expired.
    """
    name, another = f"{plan.workflow}: plan {plan.plan_id}", _another(plan.workflow, plan.undone_run)
    if plan.state == PlanState.WAITING and not approved:
        raise PlanError(
            f"{name} waits for approval ({plan.note}); send it with `millpond apply {plan.plan_id}`, or drop it"
            f" with `millpond reject {plan.plan_id}`"
        )
    if plan.state not in OPEN_STATES:
        was_sent = plan.state == PlanState.SENT  # its note is a guard's, which a person overruled
        why = f" ({plan.note})" if plan.note and not was_sent else ""
        raise PlanError(f"{name} is {plan.state}{why}; {another}")
    if _is_rejected(con, plan):
        raise PlanError(f"{name} was rejected, and its state was changed afterwards; {another}")
    if plan.made_by != run_id and is_overdue(con, plan, moment, reading):
        raise PlanError(f"{name} expired at {plan.expires_at:%Y-%m-%d %H:%M} UTC; {another}")
    rows = read_frame(con, f"select * from {quoted(plan.table)} where plan_id = ?", [plan.plan_id])
    con.execute(
        "update sync_plans set state = ?, state_at = ?, sent_by = ? where plan_id = ?",
        [PlanState.SENDING, moment, run_id, plan.plan_id],
    )
    return rows


def _is_rejected(con: duckdb.DuckDBPyConnection, plan: StoredPlan) -> bool:
    """Return whether a person rejected the plan, as the event says; whoever can write the file can change its state."""
    query = "select 1 from sync_events where event = ? and subject = ?"
    return bool(con.execute(query, [Happened.REJECTED.value, plan.plan_id]).fetchall())


def set_state(
    con: duckdb.DuckDBPyConnection, plan_id: str, state: PlanState, moment: datetime, note: str | None = None
) -> None:
    """Set a plan's state; without a note the old one stays."""
    con.execute(
        "update sync_plans set state = ?, state_at = ?, note = coalesce(?, note) where plan_id = ?",
        [state, moment, note, plan_id],
    )


def reject(con: duckdb.DuckDBPyConnection, plan: StoredPlan, moment: datetime, reason: str) -> None:
    """Drop a plan that was not sent; PlanError if it is no longer open."""
    if plan.state not in OPEN_STATES:
        another = _another(plan.workflow, plan.undone_run)
        raise PlanError(f"plan {plan.plan_id} is already {plan.state}; {another}")
    set_state(con, plan.plan_id, PlanState.REJECTED, moment, reason)


def set_decided_by(con: duckdb.DuckDBPyConnection, plan_id: str, person: str) -> None:
    """Store the name of the person who applied or rejected a plan."""
    con.execute("update sync_plans set decided_by = ? where plan_id = ?", [person, plan_id])
