"""From pond and target to a plan: shape what is desired, read back what is there, decide, guard, keep.

stg_  ->  make_mart  ->  read_twin  ->  make_plan  ->  plan_<workflow>, sync_plans
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from assets.delivery import ledger, plans
from assets.delivery.aftermath import close_dead, settle_open
from assets.delivery.decide import decide
from assets.delivery.few import Few
from assets.delivery.frames import PLAN_COMMENTS, TargetShape
from assets.delivery.guard import Tripped, canary_found, check
from assets.delivery.levels import FAMILY_SCHEMA, levels_of
from assets.delivery.lineage import column_lineage
from assets.delivery.mapping import (
    MART_COLUMNS,
    MART_COMMENTS,
    MappingError,
    as_list,
    check_columns,
    check_flag,
    family_of,
    key_column,
    resolved,
    shape_records,
)
from assets.delivery.picking import Chosen, Mode, narrow, read_selection
from assets.delivery.plans import Seal
from assets.delivery.rows import LookUp
from assets.delivery.rules import Imports
from assets.delivery.settled import Sides, count_ours, count_settled, data_version, part, read_open, write_settled
from assets.delivery.spec import RecordMap, WorkflowSpec
from assets.delivery.target import Estimate, Target
from assets.delivery.turns import one_maker, turn_if_free
from assets.delivery.unlisted import ask_unlisted, withhold
from resources.clock import Clock, WallClock
from resources.failpoints import reach
from resources.warehouse import (
    Warehouse,
    columns_of,
    describe_table,
    has_table,
    insert_frame,
    quoted,
    read_frame,
    replace_table,
)

PART = 122_880  # rows shaped at once; DuckDB keeps so many together

TWIN_COMMENTS = {
    "target_id": "The target's internal id.",
    "external_id": "Our key in the target's record; null for records that are not ours.",
    "is_active": "Whether the target's record is switched on.",
    "parent_id": "Target id of the parent record, where the target tells it.",
    "updated_at": "When the target's record last changed, as the target says it.",
}
STAMP_COMMENTS = {
    "plan_id": "The plan that this row belongs to.",
    "workflow_version": "Fingerprint of the workflow file that decided.",
    "run_id": "The run that wrote this row.",
    "decided_at": "When it was decided, UTC.",
}


@dataclass(frozen=True)
class Workflow:
    """A workflow's name and what its file says."""

    name: str
    spec: WorkflowSpec

    @property
    def mart(self) -> str:
        """Name of the desired frame's table and asset."""
        return f"mart_{self.name}"

    @property
    def twin(self) -> str:
        """Name of the actual frame's table and asset."""
        return f"twin_{self.name}"

    @property
    def plan(self) -> str:
        """Name of the plan's table and asset."""
        return f"plan_{self.name}"

    @property
    def sync(self) -> str:
        """Name of the sink's table and asset."""
        return f"sync_{self.name}"

    @property
    def chosen(self) -> Chosen:
        """What picking needs to know; a workflow without `imports` selects everything."""
        imports = self.spec.imports or Imports()
        return Chosen(self.name, self.mart, imports.label, imports.select == "all")

    def field_comments(self) -> dict[str, str]:
        """A comment per target field: where its value comes from."""
        return {row.field: f"{row.field} ← {row.origin}" for record in self.spec.records for row in record.rows}


# records of the target's system by kind, with the asked columns: what a look-up may name beside the pond's tables
Foreign = Callable[[str, Sequence[str]], pl.DataFrame]


def make_mart(
    warehouse: Warehouse, workflow: Workflow, *, clock: Clock | None = None, foreign: Foreign | None = None
) -> int:
    """Shape the workflow's source records and keep them as mart_<workflow>; see `mapping.shape`.

    A part of a table at a time, so that memory does not grow with the table.

    Args:
        warehouse: The pond.
        workflow: The workflow.
        clock: Time, for `_today`; the wall's when left out.
        foreign: Reads records of the target's system for look-ups.

    Returns:
        How many records it has.

    Raises:
        MappingError: The workflow file does not fit the staging tables.
        SyncError: Another run has been making it for an hour.
    """
    with one_maker(warehouse, workflow.mart):
        return _make_mart(warehouse, workflow, clock or WallClock(), foreign)


def _make_mart(warehouse: Warehouse, workflow: Workflow, clock: Clock, foreign: Foreign | None) -> int:
    spec, records = workflow.spec, 0
    lists = {each: as_list(look_up(warehouse, workflow, each, foreign), each.several) for each in spec.lookups}
    today = clock.now().astimezone(ZoneInfo(spec.timezone)).date()
    with warehouse.writer(tuned=True) as con:
        warehouse.spare_memory(con)
        for record in spec.records:
            check_table(con, record, workflow.name)
        ledger.ensure_ledger(con)
        spec = spec.linked({name: ledger.ids_there(con, name) for name in spec.waits_for})
        family = [family_of(record, _parents(con, record)) for record in spec.records if record.parent]
        levels = levels_of(pl.concat([pl.DataFrame(schema=FAMILY_SCHEMA), *family]))
        replace_table(
            con, workflow.mart, pl.DataFrame(schema={**MART_COLUMNS, **dict.fromkeys(spec.columns, pl.String)})
        )
        for record in spec.records:
            mapped = resolved(record, lists)
            for part in _parts(con, record.table):
                shaped = shape_records(spec, mapped, workflow.name, part, levels, con, today)
                insert_frame(con, workflow.mart, shaped)
                records += shaped.height
        comments = {**MART_COMMENTS, **workflow.field_comments()}
        about = f"What {spec.target} should hold, one row per NetSuite record of the workflow's sources."
        describe_table(con, workflow.mart, about, [(name, comments[name]) for name in (*MART_COLUMNS, *spec.columns)])
        ledger.write_lineage(con, workflow.name, column_lineage(workflow.spec, workflow.name))
    reach("mart_made")
    return records


def check_table(con: duckdb.DuckDBPyConnection, record: RecordMap, name: str) -> None:
    """Compare a record map with its staging table.

    Raises:
        MappingError: They do not fit.
    """
    where, flag = f"{name}.{record.source}", record.select.require_flag
    key_column(record.source)
    if not has_table(con, record.table):
        raise MappingError(f"{name}: there is no table {record.table} yet; materialize it first")
    check_columns(record, where, list(columns_of(con, record.table)))
    counted = f"count({quoted(flag)})" if flag else "0"
    check_flag(record, where, *con.execute(f"select count(*), {counted} from {quoted(record.table)}").fetchall()[0])


def _parents(con: duckdb.DuckDBPyConnection, record: RecordMap) -> pl.DataFrame:
    """The keys of a staging table, with those of the parents."""
    names = dict.fromkeys([key_column(record.source), *(record.parent or {}).values()])
    return read_frame(con, f"select {', '.join(map(quoted, names))} from {quoted(record.table)}")


def _parts(con: duckdb.DuckDBPyConnection, table: str) -> Iterator[pl.DataFrame]:
    """A table, part by part; one part at least."""
    end = con.execute(f"select coalesce(max(rowid), 0) from {quoted(table)}").fetchall()[0][0]
    for start in range(0, end + 1, PART):
        yield read_frame(con, f"from {quoted(table)} where rowid >= {start} and rowid < {start + PART}")


def look_up(warehouse: Warehouse, workflow: Workflow, lookup: LookUp, foreign: Foreign | None) -> pl.DataFrame:
    """The two columns of a look-up, of the pond's table or of the target's system.

    Raises:
        MappingError: There is no such table, or it has no such column.
    """
    asked = [lookup.by, lookup.return_]
    where = f"{workflow.name}: look-up of {lookup.told}"
    if "." in lookup.table:
        if foreign is None:
            raise MappingError(f"{where}: only a run reads records of {workflow.spec.system}; name a table of the pond")
        return _two(foreign(lookup.table.partition(".")[2], list(dict.fromkeys(asked))), lookup)
    with warehouse.writer(transaction=False) as con:
        if not has_table(con, lookup.table):
            raise MappingError(f"{where}: the pond has no table {lookup.table} yet; materialize it first")
        missing = sorted(set(asked) - columns_of(con, lookup.table).keys())
        if missing:
            raise MappingError(f"{where}: the table has no column {', '.join(missing)}; correct the workflow file")
        live = "where not is_deleted" if "is_deleted" in columns_of(con, lookup.table) else ""
        return _two(read_frame(con, f"select * from {quoted(lookup.table)} {live}"), lookup)


def _two(table: pl.DataFrame, lookup: LookUp) -> pl.DataFrame:
    return table.select(pl.col(lookup.by).alias("by"), pl.col(lookup.return_).alias("return"))


def read_twin(warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock) -> pl.DataFrame:
    """Read back every record of the target and keep them as twin_<workflow>."""
    with one_maker(warehouse, workflow.twin):
        return _read_twin(warehouse, workflow, target, run_id=run_id, clock=clock)


def _read_twin(warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock) -> pl.DataFrame:
    began, before = moment_of(clock), target.calls
    twin = target.read(workflow.spec.columns)
    reach("twin_read")
    with warehouse.writer() as con:
        replace_table(con, workflow.twin, twin)
        comments = {**{name: f"{name} as the target has it." for name in twin.columns}, **TWIN_COMMENTS}
        about = f"What {workflow.spec.target} holds, as last read back, records of others included."
        describe_table(con, workflow.twin, about, [(name, comments[name]) for name in twin.columns])
        ledger.ensure_ledger(con)
        noted = {"state": "read", "started_at": began, "workflow_version": workflow.spec.version}
        ledger.note_run(con, run_id, workflow.name, noted, calls=target.calls - before)
    return twin


@dataclass(frozen=True)
class Planned:
    """A plan that was kept in the pond, and what the guards say of it.

    `plan` are the rows about which there was something to decide; the settled ones are in the plan's table only.
    """

    plan_id: str
    plan: pl.DataFrame
    records: int
    tripped: list[Tripped]
    estimate: Estimate


def make_plan(
    warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock, mode: Mode = Mode.SYNC,
    base_url: str = "", few: Few | None = None,
) -> Planned:  # fmt: skip
    """Decide for every record of the mart and keep the plan; one that a guard trips over waits for a person.

    Args:
        warehouse: The pond.
        workflow: The workflow.
        target: What the records go to.
        run_id: The run, for the ledger.
        clock: Time.
        mode: What the run is for.
        base_url: The service's address, for links to its records and for the results.
        few: Only these records are decided on.
    """
    with one_maker(warehouse, workflow.plan):
        planned = _make_plan(warehouse, workflow, target, run_id=run_id, clock=clock, mode=mode, few=few)
    with warehouse.writer() as con:
        ledger.note_run(con, run_id, workflow.name, {"account": base_url or None})
        address = workflow.spec.record_link.replace("{base_url}", base_url.rstrip("/"))
        ledger.keep_address(con, workflow.name, workflow.spec.target, address)
    return planned


def _make_plan(
    warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock, mode: Mode, few: Few | None
) -> Planned:
    spec, seal = workflow.spec, Seal(warehouse.seal_key)
    _settle_left_over(warehouse, workflow, target, seal, run_id, clock)
    before = target.calls
    unasked = few.unasked if few else ask_unlisted(warehouse, workflow.name, target)
    shape_of = TargetShape(target.key_field, target.active_field, target.fields())
    stamp = new_stamp(run_id, clock)
    reach("plan_begins")
    with warehouse.writer(tuned=True) as con:
        warehouse.spare_memory(con)
        since = stamp.made_at - timedelta(hours=spec.retry_refused_after_h)
        mart, twin = few.sides(con, workflow.name, target.key_field) if few else (workflow.mart, workflow.twin)
        sides = Sides(workflow.name, spec, shape_of, mart, twin)
        refused, holds = ledger.read_refused(con, workflow.name, since), ledger.read_holds(con, workflow.name)
        places, pins = ledger.read_places(con, spec.waits_for), ledger.read_pins(con, workflow.name)
        part(con, sides, refused, holds, places, pins)
        left = read_open(con, sides)
        plan = decide(spec, shape_of, left.mart, left.twin, left.links, refused, holds, pins, places, left.above)
        selection = None if workflow.chosen.everything else read_selection(con, workflow.chosen)
        plan = narrow(plan, selection, left.links, mode)  # only writes are taken out, and what is settled has none
        plan = withhold(plan, unasked, left.links) if unasked else plan
        plan = few.only(con, plan) if few else plan
        settled = count_settled(con)
        records = plan.height + sum(settled.values())
        ours, size_before = count_ours(con, workflow.name), 0 if few else ledger.last_size(con, workflow.name)
        tripped = list(
            check(spec.guards, plan, ours=ours, size_before=size_before, key_field=target.key_field, records=records)
        )
        tripped += canary_found(plan, ledger.halts(con, workflow.name, spec.version))
        kept = stamped(plan, workflow, stamp)
        version, kind = data_version(con, mart), plans.HINTS if few else plans.SYNC
        estimate = keep_plan(con, workflow, kept, target, seal, stamp, tripped=tripped, data_version=version, kind=kind)
        write_settled(con, sides, workflow.plan, stamps_of(workflow, stamp))
        noted = {"state": "planned", "source_records": records, **counts_of(plan, settled)}
        ledger.note_run(con, run_id, workflow.name, noted, calls=target.calls - before)
    reach("plan_kept")
    return Planned(stamp.plan_id, kept, records, tripped, estimate)


def _settle_left_over(
    warehouse: Warehouse, workflow: Workflow, target: Target, seal: Seal, run_id: str, clock: Clock
) -> None:
    """Close what a killed run left open, unless somebody is sending just now."""
    with turn_if_free(warehouse, workflow.spec.door) as alone, warehouse.writer() as con:
        ledger.ensure_ledger(con)
        if alone:
            close_dead(con, workflow.name, moment_of(clock))
        if alone and ledger.open_intents(con, workflow.name).height:
            twin = read_frame(con, f"from {quoted(workflow.twin)}")
            settle_open(
                con, workflow.name, run_id, twin, target.key_field, seal, moment_of(clock),
                follows_up=target.follows_up,
            )  # fmt: skip


@dataclass(frozen=True)
class Stamp:
    """A new plan's id, and who made it when."""

    plan_id: str
    run_id: str
    made_at: datetime


def new_stamp(run_id: str, clock: Clock) -> Stamp:
    """The stamp of a plan that is made now."""
    return Stamp(uuid.uuid4().hex[:12], run_id, moment_of(clock))


def stamped(plan: pl.DataFrame, workflow: Workflow, stamp: Stamp) -> pl.DataFrame:
    """The plan with its id, and who made it when."""
    return plan.with_columns(pl.lit(value).alias(name) for name, value in stamps_of(workflow, stamp).items())


def stamps_of(workflow: Workflow, stamp: Stamp) -> dict[str, object]:
    """What every row of a plan says of the plan."""
    return {
        "plan_id": stamp.plan_id,
        "workflow_version": workflow.spec.version,
        "run_id": stamp.run_id,
        "decided_at": stamp.made_at,
    }


def keep_plan(
    con: duckdb.DuckDBPyConnection,
    workflow: Workflow,
    kept: pl.DataFrame,
    target: Target,
    seal: Seal,
    stamp: Stamp,
    *,
    tripped: Sequence[Tripped] = (),
    data_version: str = "",
    kind: str = plans.SYNC,
) -> Estimate:
    """Write a stamped plan down, sealed, with what sending it takes; that is returned."""
    writing = kept.filter(pl.col("payload").is_not_null())
    estimate = target.estimate(dict(writing.group_by("action").len().iter_rows()))
    closed = seal.close(kept)
    row: dict[str, object] = {
        "plan_id": stamp.plan_id,
        "workflow": workflow.name,
        "workflow_version": workflow.spec.version,
        "data_version": data_version,
        "kind": kind,
        "made_by": stamp.run_id,
        "made_at": stamp.made_at,
        "expires_at": stamp.made_at + timedelta(hours=workflow.spec.plan_lifetime_h),
        "state": plans.WAITING if tripped or kind not in {plans.SYNC, plans.HINTS} else plans.MADE,
        "state_at": stamp.made_at,
        "writes": writing.height,
        "calls_needed": estimate.calls,
        "seconds_needed": estimate.seconds,
        "calls_left": target.calls_left,
        "seal": plans.fingerprint(closed),
        "note": "; ".join(each.reason for each in tripped) or None,
    }
    plans.keep(con, closed, row, {**PLAN_COMMENTS, **STAMP_COMMENTS})
    return estimate


def counts_of(decisions: pl.DataFrame, settled: Mapping[str, int] | None = None) -> dict[str, int]:
    """How many records each action has, under the names of sync_runs; `settled` are counted already."""
    found = Counter(settled or {}) + Counter(dict(decisions.group_by("action").len().iter_rows()))
    return {name: found[action.value] for action, name in ledger.COUNTED.items()}


def moment_of(clock: Clock) -> datetime:
    """Now, UTC, as the pond keeps it."""
    return clock.now().replace(tzinfo=None)
