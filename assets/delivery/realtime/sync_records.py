"""Bring a few records of one workflow up to date in its target, by the same decisions as a run of all.

keys  ->  their rows of the mart  ->  a look at what would be written  ->  make_plan(few)  ->  run_sync

Everything else of mart, target state and plan stays as the last run of all left it. Where that cannot be built upon (no such
run yet, another version of the file, a run that died) the records wait for the next one.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from assets.delivery.diff.prefilter import Sides, part
from assets.delivery.ledger import ledger, plans
from assets.delivery.ledger.plans import SyncError
from assets.delivery.ledger.recovery import close_dead
from assets.delivery.locks import one_maker, turn_if_free
from assets.delivery.mart.build import Foreign, check_table, look_up, read_target_state
from assets.delivery.mart.hierarchy import levels_of
from assets.delivery.mart.transform import DELIVER, MART_COLUMNS, RETIRE, family_of, shape_records
from assets.delivery.plan.guards import Tripped
from assets.delivery.plan.planner import Planned, Workflow, make_plan, moment_of
from assets.delivery.plan.scope import Few
from assets.delivery.schemas import KEY, TargetShape
from assets.delivery.send.apply import Synced, run_sync
from assets.delivery.spec.expressions import as_list, key_column, resolved
from assets.delivery.target import TARGET_STATE_COLUMNS, Asked, Target
from resources.clock import Clock
from resources.warehouse.tables import columns_of, has_table, insert_frame, quoted, read_frame
from resources.warehouse.warehouse import Warehouse

OTHERS_MAY_SEND_S = 20.0  # a run of all that sends longer than this is not waited for: it may take a day


@dataclass(frozen=True)
class Targeted:
    """What became of a few records; without `synced` nothing was sent, and `told` says why."""

    told: str = ""
    planned: Planned | None = None
    synced: Synced | None = None

    @property
    def tripped(self) -> list[Tripped]:
        """The guards that hold the plan back."""
        return self.planned.tripped if self.planned else []


def sync_few(
    warehouse: Warehouse,
    workflow: Workflow,
    target: Target,
    keys: pl.DataFrame,
    *,
    run_id: str,
    clock: Clock,
    foreign: Foreign | None = None,
    base_url: str = "",
) -> Targeted:
    """Shape, look, decide, guard, send and confirm some records.

    Args:
        warehouse: The warehouse; the records' staged rows are as NetSuite has them now.
        workflow: The workflow.
        target: Where to send.
        keys: KEY: the records and all above them, of any source; those of other workflows are left out.
        run_id: The run, for the ledger.
        clock: Time.
        foreign: Reads records of the target's system for look-ups.
        base_url: The service's address, for links to its records.

    Raises:
        MappingError, SyncError, IntegrationError: As in a run of all; what was sent is in the ledger.
    """
    few = Few(workflow.spec, keys.filter(pl.col("source").is_in([each.source for each in workflow.spec.records])))
    if few.keys.is_empty():
        return Targeted("no record of this workflow")
    missing = not_ready(warehouse, workflow)
    if missing:
        return Targeted(missing)
    renew_mart(warehouse, workflow, few.keys, clock=clock, foreign=foreign)
    few = look(warehouse, workflow, target, few, run_id=run_id, clock=clock)
    planned = make_plan(warehouse, workflow, target, run_id=run_id, clock=clock, base_url=base_url, few=few)
    if planned.tripped:
        return Targeted(f"plan {planned.plan_id} waits for a person", planned)
    synced = run_sync(warehouse, workflow, target, run_id=run_id, clock=clock, kind=plans.REALTIME)
    return Targeted(planned=planned, synced=synced)


def not_ready(warehouse: Warehouse, workflow: Workflow) -> str:
    """Why a few records cannot be brought up to date before the next run of all; blank when they can."""
    spec, expected = workflow.spec, [*MART_COLUMNS, *workflow.spec.columns]
    with warehouse.writer(transaction=False) as con:
        missing = [name for name in (workflow.mart, workflow.target_state, "sync_links") if not has_table(con, name)]
        missing += [record.table for record in spec.records if not has_table(con, record.table)]
        if missing or not ledger.proven_whole(con, workflow.name, spec.version):
            return "no run of all records followed this version of the workflow file yet; the next one takes them"
        if list(columns_of(con, workflow.mart)) != expected:
            return "its mart has other columns; the next run of all makes it anew"
    return ""


def renew_mart(
    warehouse: Warehouse, workflow: Workflow, keys: pl.DataFrame, *, clock: Clock, foreign: Foreign | None = None
) -> None:
    """Shape these records anew and put them in place of their rows in the mart."""
    with one_maker(warehouse, workflow.mart):
        spec = workflow.spec
        lists = {lookup: as_list(look_up(warehouse, workflow, lookup, foreign)) for lookup in spec.lookups}
        today = clock.now().astimezone(ZoneInfo(spec.timezone)).date()
        with warehouse.writer() as con:
            con.execute("create or replace temp table _renewed (source varchar, source_id varchar)")
            insert_frame(con, "_renewed", keys.select(KEY))
            for record in spec.records:
                check_table(con, record, workflow.name)
            spec = spec.linked({name: ledger.ids_there(con, name) for name in spec.waits_for})
            staged = {record.source: _staged(con, record.source, record.table) for record in spec.records}
            levels = levels_of(pl.concat([family_of(record, staged[record.source]) for record in spec.records]))
            shaped = pl.concat(
                shape_records(
                    spec, resolved(record, lists), workflow.name, staged[record.source], levels, con, today
                )
                for record in spec.records
            )  # fmt: skip
            mart = quoted(workflow.mart)
            con.execute(f"delete from {mart} where (source, source_id) in (select (source, source_id) from _renewed)")
            insert_frame(con, workflow.mart, shaped)


def _staged(con: duckdb.DuckDBPyConnection, source: str, table: str) -> pl.DataFrame:
    chosen = f"cast({quoted(key_column(source))} as varchar) in (select source_id from _renewed where source = ?)"
    return read_frame(con, f"from {quoted(table)} where {chosen}", [source])


def look(warehouse: Warehouse, workflow: Workflow, target: Target, few: Few, *, run_id: str, clock: Clock) -> Few:
    """Ask the target for those of the records that are not as they should be, as far as the target state tells.

    What a run that died has surely made is in the ledger, and looked for by its id. What it may have made is not told
    by a look at a few: then all of the target is read.

    Raises:
        SyncError: Another run is sending.
    """
    with turn_if_free(warehouse, workflow.spec.connection_name, OTHERS_MAY_SEND_S) as alone:
        if not alone:
            raise SyncError(
                f"{workflow.name}: another run is sending to {workflow.spec.connection_name}; tried again in a moment"
            )
        with warehouse.writer() as con:
            close_dead(con, workflow.name, moment_of(clock))
            left_open = ledger.open_intents(con, workflow.name).height
    if left_open:
        read_target_state(warehouse, workflow, target, run_id=run_id, clock=clock)
        return few
    with one_maker(warehouse, workflow.target_state):
        began, before = moment_of(clock), target.calls
        with warehouse.writer(transaction=False) as con:
            asked = _asked(con, workflow, target, few, clock)
            fields = [name for name in columns_of(con, workflow.target_state) if name not in TARGET_STATE_COLUMNS]
        shown, unasked = target.look(asked, fields) if asked.keys else (None, ())
        with warehouse.writer() as con:
            if shown is not None:
                _renew_target_state(con, workflow, asked, shown, set(unasked))
            noted = {"state": "read", "started_at": began, "workflow_version": workflow.spec.version}
            ledger.note_run(con, run_id, workflow.name, noted, calls=target.calls - before)
    return replace(few, unasked=unasked)


_OPEN = """
select distinct wanted.key, actual.target_id, link.target_id as linked_id, wanted.place
from _wanted as wanted
semi join _open using (place)
semi join _few using (source, source_id)
left join _actual as actual on actual.external_id = wanted.key
left join sync_links as link
    on link.workflow = ? and link.source = wanted.source and link.source_id = wanted.source_id
where wanted.disposition in (?, ?) and wanted.key is not null
"""


def _asked(con: duckdb.DuckDBPyConnection, workflow: Workflow, target: Target, few: Few, clock: Clock) -> Asked:
    """Which of the target's records could be meant by what is not settled."""
    name, spec = workflow.name, workflow.spec
    mart, target_state = few.sides(con, name, target.key_field)
    shape = TargetShape(target.key_field, target.active_field, target.fields())
    since = moment_of(clock) - timedelta(hours=spec.retry_refused_after_h)
    part(
        con, Sides(name, spec, shape, mart, target_state), ledger.read_refused(con, name, since), ledger.read_holds(con, name),
        ledger.read_places(con, spec.waits_for), ledger.read_pins(con, name),
    )  # fmt: skip
    rows = con.execute(_OPEN, [name, DELIVER, RETIRE]).fetchall()
    known = {there: key for key, *ids, _ in rows for there in ids if there}
    new = [place for _, target_id, linked_id, place in rows if not target_id and not linked_id]
    fields = [rule.field for rule in spec.match_order] if new else []
    values = read_frame(con, f"select * from {mart} where rowid in (select unnest(?::bigint[]))", [new])
    alike = {each: values[each].drop_nulls().unique().sort().to_list() for each in fields}
    return Asked(sorted({row[0] for row in rows}), known, alike)


def _renew_target_state(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, asked: Asked, shown: pl.DataFrame, unasked: set[str]
) -> None:
    """Put what the target shows in place of what it showed of these records before."""
    gone = [*(each for each in asked.known if each not in unasked), *shown["target_id"]]
    con.execute(f"delete from {quoted(workflow.target_state)} where list_contains(?, target_id)", [gone])
    insert_frame(con, workflow.target_state, shown)
