"""One workflow from pond to target: shape, read back, plan, send, remember.

stg_  ->  make_mart  ->  read_twin  ->  make_plan  ->  run_sync  ->  sync_<workflow>, ledger, twin
"""

import fcntl
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic, sleep

import duckdb
import polars as pl

from assets.delivery import ledger
from assets.delivery.decide import KEY, PLAN_COMMENTS, TargetShape, decide
from assets.delivery.deliver import Delivery, Progress, deliver
from assets.delivery.guard import Tripped, check
from assets.delivery.lineage import column_lineage
from assets.delivery.mapping import MART_COMMENTS, MappingError, key_column, shape
from assets.delivery.spec import WorkflowSpec
from assets.delivery.target import TWIN_COLUMNS, Action, Target, Verdict
from resources.clock import Clock
from resources.warehouse import (
    Warehouse,
    describe_table,
    has_table,
    insert_frame,
    quoted,
    read_frame,
    replace_table,
)

ONE_WRITER_TIMEOUT_S = 3600.0

TWIN_COMMENTS = {
    "target_id": "The target's internal id.",
    "external_id": "Our key in the target's record; null for records that are not ours.",
    "is_active": "Whether the target's record is switched on.",
    "parent_id": "Target id of the parent record, where the target tells it.",
    "updated_at": "When the target's record last changed, as the target says it.",
}
SYNC_COMMENTS = {
    "source": "Staging table that the record comes from, without its prefix.",
    "source_id": "NetSuite internal id.",
    "action": "What was decided and done, corrected by what the target answered.",
    "reason_code": "Why, as a code.",
    "reason": "Why, in words.",
    "target_id": "Internal id of the target's record.",
}
STAMP_COMMENTS = {
    "plan_id": "The plan that this row belongs to.",
    "workflow_version": "Fingerprint of the workflow file that decided.",
    "run_id": "The run that wrote this row.",
    "decided_at": "When it was decided, UTC.",
}


class SyncError(Exception):
    """The workflow cannot go on; the text says what to do."""


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


def make_mart(warehouse: Warehouse, workflow: Workflow) -> pl.DataFrame:
    """Shape the workflow's source records and keep them as mart_<workflow>; see `mapping.shape`.

    Raises:
        MappingError: The workflow file does not fit the staging tables.
    """
    tables = {}
    with warehouse.writer(transaction=False) as con:
        for record in workflow.spec.records:
            key_column(record.source)
            if not has_table(con, record.table):
                raise MappingError(f"{workflow.name}: there is no table {record.table} yet; materialize it first")
            tables[record.table] = read_frame(con, f"select * from {quoted(record.table)}")
    mart = shape(workflow.spec, workflow.name, tables)
    lineage = column_lineage(workflow.spec, workflow.name)
    with warehouse.writer() as con:
        replace_table(con, workflow.mart, mart)
        comments = {**MART_COMMENTS, **workflow.field_comments()}
        about = f"What {workflow.spec.target} should hold, one row per NetSuite record of the workflow's sources."
        describe_table(con, workflow.mart, about, [(name, comments[name]) for name in mart.columns])
        ledger.ensure_ledger(con)
        ledger.write_lineage(con, workflow.name, lineage)
    return mart


def read_twin(warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock) -> pl.DataFrame:
    """Read back every record of the target and keep them as twin_<workflow>."""
    began, before = _moment(clock), target.calls
    twin = target.read(workflow.spec.columns)
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


def make_plan(warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock) -> Planned:
    """Decide for every record of the mart and keep the plan as plan_<workflow>."""
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        mart = read_frame(con, f"select * from {quoted(workflow.mart)}")
        twin = read_frame(con, f"select * from {quoted(workflow.twin)}")
        links = ledger.read_links(con, workflow.name)
        intents = ledger.open_intents(con, workflow.name)
        since = _moment(clock) - timedelta(hours=workflow.spec.retry_refused_after_h)
        refused = ledger.read_refused(con, workflow.name, since)
    before = target.calls
    shape_of = TargetShape(target.key_field, target.active_field, target.fields())
    plan = decide(workflow.spec, shape_of, mart, twin, links, refused)
    plan_id = uuid.uuid4().hex[:12]
    moment = _moment(clock)
    kept = plan.with_columns(
        pl.lit(plan_id).alias("plan_id"),
        pl.lit(workflow.spec.version).alias("workflow_version"),
        pl.lit(run_id).alias("run_id"),
        pl.lit(moment).alias("decided_at"),
    )
    keyed = pl.col("external_id").is_in(mart[target.key_field].drop_nulls().implode())
    # the links know what was ours also when the source has lost every record
    ours = twin.filter(keyed | pl.col("target_id").is_in(links["target_id"].implode())).height
    with warehouse.writer() as con:
        replace_table(con, workflow.plan, kept)
        comments = {**PLAN_COMMENTS, **STAMP_COMMENTS}
        about = f"What would be done to {workflow.spec.target}, one row and one reason per NetSuite record."
        describe_table(con, workflow.plan, about, [(name, comments[name]) for name in kept.columns])
        ledger.write_attempts(con, _read_back(intents, plan, run_id, moment))
        noted = {"state": "planned", "source_records": plan.height, **_counts(plan)}
        ledger.note_run(con, run_id, workflow.name, noted, calls=target.calls - before)
    return Planned(plan_id, kept, list(check(workflow.spec.guards, plan, ours=ours)))


def _read_back(intents: pl.DataFrame, plan: pl.DataFrame, run_id: str, moment: datetime) -> list[tuple[object, ...]]:
    """How attempts ended that a killed run or a lost answer left open, by what the twin shows now."""
    now = plan.select(*KEY, pl.col("target_id").alias("now_id"), pl.col("action").alias("now_action"))
    rows: list[tuple[object, ...]] = []
    for row in intents.join(now, on=KEY, how="left").iter_rows(named=True):
        settled = row["action"] == Action.CREATE.value or row["now_action"] == Action.UNCHANGED.value
        arrived = row["now_id"] is not None and settled
        state = "found" if arrived else "absent"
        reason = "the target has it" if arrived else "the target does not show it; decided anew"
        rows.append((
            row["attempt_id"], state, run_id, row["workflow"], row["source"], row["source_id"], row["action"],
            row["now_id"], row["payload_hash"], row["workflow_version"], row["request_hash"], "", reason, moment,
        ))  # fmt: skip
    return rows


@dataclass(frozen=True)
class Synced:
    """What a run did for one workflow; `decisions` has one row per source record."""

    decisions: pl.DataFrame
    counts: Mapping[str, int]
    writes: int
    calls: int
    seconds: float
    stop: Exception | None


def run_sync(
    warehouse: Warehouse,
    workflow: Workflow,
    target: Target,
    *,
    run_id: str,
    clock: Clock,
    progress: Progress | None = None,
) -> Synced:
    """Send the plan of plan_<workflow> and remember what came of it.

    Args:
        warehouse: The pond.
        workflow: The workflow.
        target: Where to send.
        run_id: The run, for the ledger.
        clock: Time.
        progress: Told after each batch.

    Raises:
        SyncError: There is no plan, or it was begun before: a plan is sent once.
    """
    with _one_writer(warehouse, workflow.spec.system):
        before, wall = target.calls, monotonic()
        plan = _begin(warehouse, workflow, run_id, _moment(clock))
        delivery = deliver(
            warehouse,
            target,
            plan,
            workflow=workflow.name,
            version=workflow.spec.version,
            run_id=run_id,
            clock=clock,
            progress=progress,
        )
        decisions = delivery.final(plan)
        counts = _counts(decisions)
        calls, seconds = target.calls - before, monotonic() - wall
        state = "partial" if delivery.stop else "finished"
        with warehouse.writer() as con:
            replace_table(con, workflow.sync, decisions.with_columns(pl.lit(run_id).alias("run_id")))
            about = f"What the last run did to {workflow.spec.target} for each NetSuite record, and why."
            comments = {**SYNC_COMMENTS, "run_id": STAMP_COMMENTS["run_id"]}
            describe_table(con, workflow.sync, about, comments.items())
            ledger.write_decisions(con, workflow.name, workflow.spec.version, run_id, _moment(clock), decisions)
            links = _links(workflow, plan, delivery, run_id, _moment(clock))
            ledger.write_links(
                con,
                links.join(ledger.read_links(con, workflow.name), on=_LINK_KEY, how="anti", nulls_equal=True),
            )
            _confirm(con, workflow, target, delivery)
            note = str(delivery.stop) if delivery.stop else None
            done = {"state": state, "finished_at": _moment(clock), "note": note, "seconds": seconds, **counts}
            ledger.note_run(con, run_id, workflow.name, done, calls=calls)
        return Synced(decisions, counts, len(delivery.writes), calls, seconds, delivery.stop)


def _begin(warehouse: Warehouse, workflow: Workflow, run_id: str, began: datetime) -> pl.DataFrame:
    """Take the plan and write down that it is being sent; nobody can take it a second time."""
    with warehouse.writer() as con:
        if not has_table(con, workflow.plan):
            raise SyncError(f"{workflow.name}: there is no plan; materialize {workflow.plan} first")
        plan = read_frame(con, f"select * from {quoted(workflow.plan)}")
        plan_id = plan["plan_id"][0] if plan.height else ""
        taken = con.execute("select run_id from sync_runs where plan_id = ? and plan_id <> ''", [plan_id]).fetchall()
        if taken:
            raise SyncError(
                f"{workflow.name}: plan {plan_id} was sent by run {taken[0][0]}; materialize {workflow.plan} again"
            )
        noted = {"state": "sending", "plan_id": plan_id, "started_at": began, "source_records": plan.height}
        version = {"workflow_version": workflow.spec.version}
        ledger.note_run(con, run_id, workflow.name, {**noted, **version})
    return plan


def _counts(decisions: pl.DataFrame) -> dict[str, int]:
    found = dict(decisions.group_by("action").len().iter_rows())
    return {name: found.get(action.value, 0) for action, name in ledger.COUNTED.items()}


_LINK_KEY = [*KEY, "target_id", "parent_target_id", "payload_hash", "workflow_version"]


def _links(workflow: Workflow, plan: pl.DataFrame, delivery: Delivery, run_id: str, moment: datetime) -> pl.DataFrame:
    """A link for every source record that is now known to be in the target as the mart says."""
    confirmed = {key: outcome for key, outcome in delivery.ends.items() if outcome.verdict is Verdict.CONFIRMED}
    rows = []
    for row in plan.iter_rows(named=True):
        key = (row["source"], row["source_id"])
        outcome, write = confirmed.get(key), delivery.writes.get(key)
        settled = row["action"] == Action.UNCHANGED.value and row["target_id"]
        if not outcome and not settled:
            continue
        rows.append((
            workflow.name, workflow.spec.target, *key, outcome.target_id if outcome else row["target_id"],
            write.parent_id if write else row["parent_target_id"], row["matched_by"] or "created",
            row["payload_hash"], workflow.spec.version, run_id, moment,
        ))  # fmt: skip
    names = ["workflow", "target", *KEY, "target_id", "parent_target_id", "matched_by", "payload_hash"]
    names += ["workflow_version", "run_id"]
    schema: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(names, pl.String)
    schema["confirmed_at"] = pl.Datetime("us")
    return pl.DataFrame(rows, schema=schema, orient="row")


def _confirm(con: duckdb.DuckDBPyConnection, workflow: Workflow, target: Target, delivery: Delivery) -> None:
    """Bring the twin up to date with what the target confirmed, so that it shows the state after the run."""
    rows = []
    for key, outcome in delivery.ends.items():
        if outcome.verdict is not Verdict.CONFIRMED:
            continue
        write = delivery.writes[key]
        shown = {**write.values, **(outcome.echo or {})}
        rows.append({
            **{name: shown.get(name) for name in workflow.spec.columns},
            "target_id": outcome.target_id,
            "external_id": shown.get(target.key_field),
            "is_active": shown.get(target.active_field) != "0",
            "parent_id": shown.get("parent_id", write.parent_id),
            "updated_at": shown.get("updated_at"),
        })  # fmt: skip
    if not rows:
        return
    schema = {**TWIN_COLUMNS, **dict.fromkeys(workflow.spec.columns, pl.String)}
    fresh = pl.DataFrame(rows, schema=schema)
    table = quoted(workflow.twin)
    con.execute(f"create or replace temp table _fresh_twin as select * from {table} limit 0")
    insert_frame(con, "_fresh_twin", fresh)
    con.execute(f"delete from {table} where target_id in (select target_id from _fresh_twin)")
    con.execute(f"insert into {table} by name select * from _fresh_twin")


def _moment(clock: Clock) -> datetime:
    return clock.now().replace(tzinfo=None)


@contextmanager
def _one_writer(warehouse: Warehouse, system: str) -> Iterator[None]:
    """One sender per target system at a time, over all processes; the kernel frees the lock of a dead one."""
    lock = os.open(warehouse.folder / f"{system}.lock", os.O_RDWR | os.O_CREAT, 0o640)
    give_up = monotonic() + ONE_WRITER_TIMEOUT_S
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() > give_up:
                    raise SyncError(f"another run is sending to {system} since an hour") from None
                sleep(0.2)
        yield
    finally:
        os.close(lock)
