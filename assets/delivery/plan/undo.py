"""Take back what a run did: a plan made from the before-images, which waits for a person like any other.

sync_attempts (images of a run), fresh target state  ->  plan_undo()  ->  plan_<workflow>; later edits are conflicts
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from assets.delivery.ledger import ledger
from assets.delivery.ledger.normalization import shown_hash
from assets.delivery.ledger.plans import PlanError, Seal, SyncError
from assets.delivery.plan.planner import Workflow, keep_plan, new_stamp, stamped
from assets.delivery.schemas import KEY, PARENT, PLAN_COLUMNS
from assets.delivery.send.batches import Key
from assets.delivery.spec.expressions import MappingError, parse
from assets.delivery.target import Action, Target
from resources.clock import Clock
from resources.warehouse.tables import quoted, read_frame
from resources.warehouse.warehouse import Warehouse

_CHANGES = pl.List(pl.Struct({"field": pl.String, "before": pl.String, "after": pl.String}))
PLAN_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(PLAN_COLUMNS, pl.String), "level": pl.Int32, "changes": _CHANGES,
}  # fmt: skip

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Undone:
    """An undo plan as it was kept: what it would put back, and what stands against it."""

    plan_id: str
    plan: pl.DataFrame
    conflicts: int


def runs_to_undo(warehouse: Warehouse, run: str) -> list[tuple[str, str]]:
    """(run id, workflow) of the run whose id begins so, one for each workflow that it sent something for.

    Raises:
        SyncError: No run, or several, begin so.
    """
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        rows = con.execute(
            "select distinct run_id, workflow from sync_attempts where starts_with(run_id, ?) and state = 'intent'"
            " and attempt_id in (select attempt_id from sync_attempts where state in ('confirmed', 'found'))"
            " and image is not null"  # older than what is kept
            " order by workflow",
            [run],
        ).fetchall()
    if len({run_id for run_id, _ in rows}) != 1:
        raise SyncError(f"{'several runs begin' if rows else 'no run that sent anything begins'} with {run}")
    return [(str(run_id), str(workflow)) for run_id, workflow in rows]


def plan_undo(
    warehouse: Warehouse,
    workflow: Workflow,
    target: Target,
    undo_run: str,
    *,
    run_id: str,
    clock: Clock,
    records: Sequence[str] = (),
    where: str = "",
) -> Undone:
    """Make the plan that takes back what one run wrote.

    Args:
        warehouse: The warehouse.
        workflow: The workflow whose writes are taken back.
        target: Read afresh, to see what was edited since.
        undo_run: The run.
        run_id: The run that makes the plan.
        clock: Time.
        records: NetSuite ids to take back; all when empty.
        where: Condition in SQL over action, source, source_id, target_id and the mapped fields as they are now.

    Raises:
        SyncError: The run confirmed nothing of that for this workflow, or the condition cannot be used.
    """
    seal = Seal(warehouse.seal_key)
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        written = read_frame(con, _WRITTEN, [workflow.name, undo_run])
        now = read_frame(con, _NOW.format(quoted(workflow.mart)))
        mart = read_frame(con, f"from {quoted(workflow.mart)}") if where else now
        left = read_frame(con, _LEFT, [undo_run, workflow.name])
        links = ledger.read_links(con, workflow.name)
        others = ledger.read_places(con, workflow.spec.waits_for).drop_nulls("target_id")
    if records:
        written = written.filter(pl.col("source_id").is_in(list(records)))
    if where:
        written = _only(written, mart, where)
    if written.is_empty():
        asked = f" for {', '.join(records)}" if records else f" where {where}" if where else ""
        raise SyncError(f"{workflow.name}: run {undo_run[:8]} confirmed nothing{asked} that could be undone")
    there = {row["target_id"]: row for row in target.read(workflow.spec.columns).iter_rows(named=True)}
    ours = links.filter(pl.col("target_id").is_in(list(there)))
    homes = _homes(workflow, pl.concat([each.select(*KEY, "target_id") for each in (others, ours)]))
    joined = written.join(now, on=KEY, how="left").join(left, on=KEY, how="left")
    rows = []
    for row in joined.iter_rows(named=True):
        image, shows = _shown(seal, row, undo_run), there.get(row["target_id"])
        untouched = shows is not None and shown_hash(shows, workflow.spec.columns) == row["left_hash"]
        rows.append(_undo_row(row, image, shows, homes.get(row["source"], {}), target, undo_run, untouched=untouched))
    stamp = new_stamp(run_id, clock)
    plan = stamped(pl.DataFrame(rows, schema=PLAN_SCHEMA), workflow, stamp)
    with warehouse.writer() as con:
        keep_plan(con, workflow, plan, target, seal, stamp, kind=f"undo {undo_run}")
    conflicts = plan.filter(pl.col("reason_code") == "conflict").height
    return Undone(stamp.plan_id, plan, conflicts)


# the image stands beside the intent, the target's id beside the confirmation
_WRITTEN = """
select
    intent.source, intent.source_id, intent.action, ended.target_id, intent.image
from sync_attempts as intent
join sync_attempts as ended on ended.attempt_id = intent.attempt_id and ended.state in ('confirmed', 'found')
where intent.workflow = ? and intent.run_id = ? and intent.state = 'intent' and intent.image is not null
"""
_NOW = "select source, source_id, payload_hash as now_hash, level, parent_source, parent_source_id from {}"
# how the target showed a record right after the run wrote it, as long as no later run did; where it was put last
_LEFT = """
select source, source_id, case when run_id = ? then shown_hash end as left_hash, parent_target_id as left_parent
from sync_links
where workflow = ?
"""


def _only(written: pl.DataFrame, mart: pl.DataFrame, where: str) -> pl.DataFrame:
    """What the run wrote and a condition names.

    Raises:
        SyncError: It is no SQL, or names a column that is not there.
    """
    known = written.join(mart.select(*KEY, pl.exclude(written.columns)), on=KEY, how="left", maintain_order="left")
    try:
        return known.filter(parse(where, "--where")).select(written.columns)
    except (MappingError, pl.exceptions.PolarsError) as error:
        columns = ", ".join(sorted(set(known.columns) - {"image"}))
        raise SyncError(f"--where {where}: cannot be used; it is SQL over {columns}") from error


def _homes(workflow: Workflow, there: pl.DataFrame) -> dict[str, dict[str, Key]]:
    """Source to its possible parents, by the target's id; ids of other kinds of records may be the same numbers."""
    return {
        record.source: {
            place: (source, source_id)
            for source, source_id, place in there.filter(pl.col("source").is_in(list(record.parent or {}))).iter_rows()
        }
        for record in workflow.spec.records
    }


def _shown(seal: Seal, row: Row, undo_run: str) -> list[dict[str, str | None]]:
    """What the run changed in one record, before and after.

    Raises:
        PlanError: It is sealed with another key.
    """
    try:
        image: list[dict[str, str | None]] = json.loads(seal.show(row["image"] or "[]"))
    except PlanError as error:
        raise PlanError(f"run {undo_run[:8]} cannot be taken back: {error}") from error
    return image


def _undo_row(
    row: Row,
    image: Sequence[Row],
    now: Row | None,
    homes: Mapping[str, Key],
    target: Target,
    undo_run: str,
    *,
    untouched: bool,
) -> dict[str, Any]:
    """One row of the plan: back to before, or why not."""
    base = {
        "source": row["source"], "source_id": row["source_id"], "target_id": row["target_id"], "matched_by": "link",
        "level": row["level"] or 1, "payload_hash": row["now_hash"], "changes": [],
        "parent_source": row["parent_source"], "parent_source_id": row["parent_source_id"],
    }  # fmt: skip
    if now is None:
        return base | _aside("conflict", "the target's record is gone")
    edited = [
        change["field"]
        for change in image
        if change["field"] in now and (now[change["field"]] or None) != (change["after"] or None)
    ]
    now = {**now, PARENT: now["parent_id"] or row["left_parent"]}
    move = next((change for change in image if change["field"] == PARENT), None)
    if move and move["before"] != now[PARENT]:
        if move["after"] != now[PARENT]:
            return base | _aside("conflict", "moved since to another parent; left as it is")
        if move["before"] not in homes:
            return base | _aside("conflict", "its former parent is not there, or none of ours; left as it is")
        base |= dict(zip(("parent_source", "parent_source_id"), homes[move["before"]], strict=True))
    if edited and not untouched:  # the target may keep a value otherwise than it was sent
        return base | _aside("conflict", f"edited since: {', '.join(edited)}; left as it is")
    action, back = _back(row["action"], image, now, target)
    if not back:
        return base | _aside("nothing_to_undo", "the target shows it as it was before")
    values = {name: now[name] for name in now if name not in _NOT_FIELDS}
    values |= {str(change["field"]): change["after"] for change in back if change["field"] != PARENT}
    reason = f"takes back what run {undo_run[:8]} did: {', '.join(str(change['field']) for change in back)}"
    return base | {
        "action": action.value, "reason_code": "undo", "reason": reason, "changes": back, "payload": json.dumps(values),
    }  # fmt: skip


_NOT_FIELDS = {"target_id", "external_id", "is_active", "parent_id", "updated_at", PARENT}


def _aside(code: str, reason: str) -> dict[str, Any]:
    return {"action": Action.SKIPPED.value, "reason_code": code, "reason": reason}


def _back(action: str, image: Sequence[Row], now: Row, target: Target) -> tuple[Action, list[dict[str, str | None]]]:
    """What puts the record back: what was created is switched off, never deleted."""
    if action == Action.CREATE.value:
        off = {"field": target.active_field, "before": now.get(target.active_field), "after": "0"}
        return Action.DEACTIVATE, [off] if now["is_active"] else []
    back: list[dict[str, str | None]] = [
        {"field": change["field"], "before": now.get(change["field"], change["after"]), "after": change["before"]}
        for change in image
    ]
    back = [change for change in back if (change["before"] or None) != (change["after"] or None)]
    undone = {Action.DEACTIVATE.value: Action.REACTIVATE, Action.REACTIVATE.value: Action.DEACTIVATE}
    return undone.get(action, Action.UPDATE), back
