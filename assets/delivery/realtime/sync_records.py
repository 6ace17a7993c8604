"""Sync selected records of a workflow in real time, with the same decisions as a full run.

keys  ->  update_mart()  ->  refresh_target_state()  ->  make_plan(scope)  ->  run_sync()

The other rows of mart, target state and plan stay as the last full run left them. Until a full run with the current
workflow file has finished, records wait for it.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import duckdb
import polars as pl

from assets.delivery.diff.ledger_facts import read_ledger_facts
from assets.delivery.diff.prefilter import Prefilter
from assets.delivery.errors import OccupiedError
from assets.delivery.ledger.account import check_account
from assets.delivery.ledger.attempts import open_intents
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.recovery import close_dead
from assets.delivery.ledger.restores import pending_restore
from assets.delivery.ledger.runs import is_proven_by_full_run, update_run
from assets.delivery.ledger.sequence import last_position
from assets.delivery.ledger.shadows import active_shadow
from assets.delivery.ledger.sides import TARGET
from assets.delivery.ledger.versions import keep_versions
from assets.delivery.locks import builder_lock, try_writer_lock
from assets.delivery.mart.build import update_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.mart.lookup import SystemReader
from assets.delivery.mart.versions import selected_reading
from assets.delivery.plan.planner import Planned, make_plan
from assets.delivery.plan.scope import SelectedRecords
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import MART_COLUMNS
from assets.delivery.send.apply import SyncResult, run_sync
from assets.delivery.target import TARGET_STATE_COLUMNS, RecordQuery
from resources.warehouse.tables import columns_of, has_table, insert_frame, quoted, read_frame

WRITER_WAIT_S = 20.0  # a full run may hold the writer lock for a day, so do not wait for it


@dataclass(frozen=True)
class RealtimeResult:
    """The result for the selected records; without `synced` nothing was sent, for this reason."""

    reason: str = ""
    planned: Planned | None = None
    synced: SyncResult | None = None


def sync_records(
    run: RunContext, keys: pl.DataFrame, *, read_system: SystemReader | None = None, base_url: str = "",
    resend: bool = False,
) -> RealtimeResult:  # fmt: skip
    """Bring selected records up to date in the target.

    Args:
        run: The run; the staged rows of the records are current.
        keys: KEY: the records with all of their ancestors, of any source; those of other workflows are ignored.
        read_system: Reads records of the target system for lookups.
        base_url: The target's base URL, for links to its records.
        resend: A person asked to send the records again; see `SelectedRecords`.

    Raises:
        MappingError, SyncError, IntegrationError: As in a full run; what was sent is in the ledger.
    """
    sources = [record.source for record in run.workflow.spec.records]
    scope = SelectedRecords(keys.filter(pl.col("source").is_in(sources)), resends=resend)
    if scope.keys.is_empty():
        return RealtimeResult("no record of this workflow")
    reason = _reason_to_wait(run)
    if reason:
        return RealtimeResult(reason)
    update_mart(run.warehouse, run.workflow, scope.keys, clock=run.clock, read_system=read_system, run_id=run.run_id)
    scope = refresh_target_state(run, scope)
    planned = make_plan(run, base_url=base_url, scope=scope)
    if planned.tripped:
        return RealtimeResult(f"plan {planned.plan_id} waits for approval", planned)
    return RealtimeResult(planned=planned, synced=run_sync(run, kind=PlanKind.REALTIME))


def _reason_to_wait(run: RunContext) -> str:
    """Return the reason why the records must wait for the next full run; blank if they need not."""
    workflow, spec = run.workflow, run.workflow.spec
    with run.warehouse.writer(transaction=False) as con:
        shadows = [active_shadow(con, name) for name in (workflow.name, *spec.upstream)]
        if shadow := next((each for each in shadows if each), None):
            return shadow.sentence
        tables = (workflow.mart, workflow.target_state, "sync_links", *(record.table for record in spec.records))
        missing = [name for name in tables if not has_table(con, name)]
        if missing or not is_proven_by_full_run(con, workflow.name, spec.version):
            return "no full run with this version of the workflow file has finished; the next one syncs the records"
        restore = pending_restore(con, workflow.name)
        if restore:
            return f"{restore.text}; the next full run syncs the records"
        if list(columns_of(con, workflow.mart)) != [*MART_COLUMNS, *spec.target_fields]:
            return "the mart has other columns; the next full run rebuilds it and syncs the records"
    return ""


def refresh_target_state(run: RunContext, scope: SelectedRecords) -> SelectedRecords:
    """Read from the target the records that differ from the mart, by the stored target state.

    After a run that died with open attempts, the whole target is read: its creates have no known target id.

    Returns:
        The scope, with the records that could not be read.

    Raises:
        OccupiedError: Another run is writing to the target.
    """
    workflow, connection = run.workflow, run.workflow.spec.connection_name
    with try_writer_lock(run.warehouse, connection, WRITER_WAIT_S) as is_held:
        if not is_held:
            raise OccupiedError(f"{workflow.name}: another run is writing to {connection}; repeat this after it")
        with run.warehouse.writer() as con:
            close_dead(con, workflow.name, run.now)
            has_open_intents = bool(open_intents(con, workflow.name))
    if has_open_intents:
        read_target_state(run)
        return scope
    with builder_lock(run.warehouse, workflow.target_state):
        started_at, calls_before = run.now, run.target.calls
        with run.warehouse.writer(transaction=False) as con:
            read_position = last_position(con)
            query = _query(con, run, scope)
            fields = [name for name in columns_of(con, workflow.target_state) if name not in TARGET_STATE_COLUMNS]
        records, unverified = run.target.read_records(query, fields) if query.keys else (None, ())
        if records is not None:
            check_account(run)
        with run.warehouse.writer() as con:
            if records is not None:
                kept = set() if run.target.lists_deleted else {*unverified}  # what is hidden is not shown as it was
                _replace_records(con, run, records, query.known.keys() - kept, read_position)
            state = {
                "state": "read", "started_at": started_at, "read_position": read_position,
                "workflow_version": workflow.spec.version,
            }  # fmt: skip
            update_run(con, run.run_id, workflow.name, state, calls=run.target.calls - calls_before)
    return replace(scope, unverified=unverified)


def _replace_records(
    con: duckdb.DuckDBPyConnection, run: RunContext, records: pl.DataFrame, known: Collection[str], read_position: int
) -> None:
    """Store the records that were read in place of those that were known, and keep their versions."""
    workflow, replaced = run.workflow, [*known, *records["target_id"]]
    con.execute(f"delete from {quoted(workflow.target_state)} where list_contains(?, target_id)", [replaced])
    insert_frame(con, workflow.target_state, records)
    con.execute("create or replace temp table _read as select unnest(?::varchar[]) as target_id", [replaced])
    reading = selected_reading(workflow, run.now, run.run_id, read_position)
    keep_versions(con, TARGET, reading, keys="_read")


def _query(con: duckdb.DuckDBPyConnection, run: RunContext, scope: SelectedRecords) -> RecordQuery:
    """Return the query for the target records that undecided records may correspond to."""
    comparison = scope.comparison(con, run)
    prefilter = Prefilter(con, comparison, read_ledger_facts(con, run.workflow, run.now, rejected=not scope.resends))
    rows = prefilter.read_undecided_targets(scope.table)
    known = {target_id: key for key, *target_ids, _ in rows for target_id in target_ids if target_id}
    new = [place for _, target_id, linked_id, place in rows if not target_id and not linked_id]
    fields = [rule.field for rule in run.workflow.spec.match_rules] if new else []
    desired = read_frame(con, f"from {comparison.mart} where rowid in (select unnest(?::bigint[]))", [new])
    values = {name: desired[name].drop_nulls().unique().sort().to_list() for name in fields}
    return RecordQuery(sorted({row[0] for row in rows}), known, values)
