"""From pond and target to a plan: shape what is desired, read back what is there, decide, guard, keep.

stg_  ->  make_mart  ->  read_twin  ->  make_plan  ->  plan_<workflow>, sync_plans
"""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from assets.delivery import ledger, plans
from assets.delivery.aftermath import close_dead, settle_open
from assets.delivery.decide import decide
from assets.delivery.frames import PLAN_COMMENTS, TargetShape
from assets.delivery.guard import Tripped, canary_found, check
from assets.delivery.lineage import column_lineage
from assets.delivery.mapping import MART_COMMENTS, MappingError, key_column, shape
from assets.delivery.plans import Seal
from assets.delivery.spec import LookUp, WorkflowSpec
from assets.delivery.target import Target
from assets.delivery.turns import one_maker, turn_if_free
from resources.clock import Clock, WallClock
from resources.failpoints import reach
from resources.warehouse import Warehouse, columns_of, describe_table, has_table, quoted, read_frame, replace_table

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

    def field_comments(self) -> dict[str, str]:
        """A comment per target field: where its value comes from."""
        return {row.field: f"{row.field} ← {row.origin}" for record in self.spec.records for row in record.rows}


# records of the target's system by kind, with the asked columns: what a look-up may name beside the pond's tables
Foreign = Callable[[str, Sequence[str]], pl.DataFrame]


def make_mart(
    warehouse: Warehouse, workflow: Workflow, *, clock: Clock | None = None, foreign: Foreign | None = None
) -> pl.DataFrame:
    """Shape the workflow's source records and keep them as mart_<workflow>; see `mapping.shape`.

    Args:
        warehouse: The pond.
        workflow: The workflow.
        clock: Time, for `_today`; the wall's when left out.
        foreign: Reads records of the target's system for look-ups.

    Raises:
        MappingError: The workflow file does not fit the staging tables.
        SyncError: Another run has been making it for an hour.
    """
    with one_maker(warehouse, workflow.mart):
        return _make_mart(warehouse, workflow, clock or WallClock(), foreign)


def _make_mart(warehouse: Warehouse, workflow: Workflow, clock: Clock, foreign: Foreign | None) -> pl.DataFrame:
    looked_up = {lookup: look_up(warehouse, workflow, lookup, foreign) for lookup in workflow.spec.lookups}
    today = clock.now().astimezone(ZoneInfo(workflow.spec.timezone)).date()
    tables = {}
    with warehouse.writer(transaction=False) as con:
        for record in workflow.spec.records:
            key_column(record.source)
            if not has_table(con, record.table):
                raise MappingError(f"{workflow.name}: there is no table {record.table} yet; materialize it first")
            tables[record.table] = read_frame(con, f"select * from {quoted(record.table)}")
        ledger.ensure_ledger(con)
        ids = {name: ledger.ids_there(con, name) for name in workflow.spec.waits_for}
    mart = shape(workflow.spec.linked(ids), workflow.name, tables, looked_up=looked_up, today=today)
    lineage = column_lineage(workflow.spec, workflow.name)
    reach("mart_shaped")
    with warehouse.writer() as con:
        replace_table(con, workflow.mart, mart)
        comments = {**MART_COMMENTS, **workflow.field_comments()}
        about = f"What {workflow.spec.target} should hold, one row per NetSuite record of the workflow's sources."
        describe_table(con, workflow.mart, about, [(name, comments[name]) for name in mart.columns])
        ledger.ensure_ledger(con)
        ledger.write_lineage(con, workflow.name, lineage)
    return mart


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
    """A plan that was kept in the pond, and what the guards say of it."""

    plan_id: str
    plan: pl.DataFrame
    tripped: list[Tripped]


def make_plan(
    warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock, base_url: str = ""
) -> Planned:
    """Decide for every record of the mart and keep the plan; one that a guard trips over waits for a person.

    Args:
        warehouse: The pond.
        workflow: The workflow.
        target: What the records go to.
        run_id: The run, for the ledger.
        clock: Time.
        base_url: The service's address, for links to its records.
    """
    with one_maker(warehouse, workflow.plan):
        return _make_plan(warehouse, workflow, target, run_id=run_id, clock=clock, base_url=base_url)


def _make_plan(
    warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock, base_url: str
) -> Planned:
    seal = Seal(warehouse.seal_key)
    with turn_if_free(warehouse, workflow.spec.system) as alone, warehouse.writer() as con:
        ledger.ensure_ledger(con)
        mart = read_frame(con, f"select * from {quoted(workflow.mart)}")
        twin = read_frame(con, f"select * from {quoted(workflow.twin)}")
        if alone:
            close_dead(con, workflow.name, moment_of(clock))
            settle_open(con, workflow.name, run_id, twin, target.key_field, seal, moment_of(clock))
        links = ledger.read_links(con, workflow.name)
        since = moment_of(clock) - timedelta(hours=workflow.spec.retry_refused_after_h)
        refused = ledger.read_refused(con, workflow.name, since)
        holds = ledger.read_holds(con, workflow.name)
        pins = ledger.read_pins(con, workflow.name)
        size_before = ledger.last_size(con, workflow.name)
        halts = ledger.halts(con, workflow.name, workflow.spec.version)
        places = ledger.read_places(con, workflow.spec.waits_for)
    before = target.calls
    shape_of = TargetShape(target.key_field, target.active_field, target.fields())
    plan = decide(workflow.spec, shape_of, mart, twin, links, refused, holds, pins, places)
    keyed = pl.col("external_id").is_in(mart[target.key_field].drop_nulls().implode())
    # the links know what was ours also when the source has lost every record
    ours = twin.filter(keyed | pl.col("target_id").is_in(links["target_id"].implode())).height
    tripped = list(check(workflow.spec.guards, plan, ours=ours, size_before=size_before, key_field=target.key_field))
    tripped += canary_found(plan, halts)
    reach("plan_decided")
    stamp = new_stamp(run_id, clock)
    kept = stamped(plan, workflow, stamp)
    with warehouse.writer() as con:
        address = workflow.spec.record_link.replace("{base_url}", base_url.rstrip("/"))
        ledger.keep_address(con, workflow.name, workflow.spec.target, address)
        keep_plan(con, workflow, kept, target, seal, stamp, tripped=tripped, data_version=data_version(mart))
        noted = {"state": "planned", "source_records": plan.height, **counts_of(plan)}
        ledger.note_run(con, run_id, workflow.name, noted, calls=target.calls - before)
    reach("plan_kept")
    return Planned(stamp.plan_id, kept, tripped)


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
    return plan.with_columns(
        pl.lit(stamp.plan_id).alias("plan_id"),
        pl.lit(workflow.spec.version).alias("workflow_version"),
        pl.lit(stamp.run_id).alias("run_id"),
        pl.lit(stamp.made_at).alias("decided_at"),
    )


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
    kind: str = "sync",
) -> None:
    """Write a stamped plan down, sealed, with what sending it takes."""
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
        "state": plans.WAITING if tripped or kind != "sync" else plans.MADE,
        "state_at": stamp.made_at,
        "writes": writing.height,
        "calls_needed": estimate.calls,
        "seconds_needed": estimate.seconds,
        "seal": plans.fingerprint(closed),
        "note": "; ".join(each.reason for each in tripped) or None,
    }
    plans.keep(con, closed, row, {**PLAN_COMMENTS, **STAMP_COMMENTS})


def data_version(mart: pl.DataFrame) -> str:
    """Fingerprint of the source records that a plan was made from."""
    digest = hashlib.sha256()
    for name in ("source_id", "source_hash"):
        digest.update("\n".join(mart.sort("source", "source_id")[name].to_list()).encode())
    return digest.hexdigest()[:16]


def counts_of(decisions: pl.DataFrame) -> dict[str, int]:
    """How many records each action has, under the names of sync_runs."""
    found = dict(decisions.group_by("action").len().iter_rows())
    return {name: found.get(action.value, 0) for action, name in ledger.COUNTED.items()}


def moment_of(clock: Clock) -> datetime:
    """Now, UTC, as the pond keeps it."""
    return clock.now().replace(tzinfo=None)
