"""Undo a run: a plan made from its before-images, which waits for approval like any other.

sync_attempts (images of a run), the target as it is  ->  make_undo()  ->  plan_<workflow>; later edits are conflicts
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from assets.delivery.errors import MappingError, NothingToUndoError, PlanError, SyncError
from assets.delivery.ledger.attempts import owner_of
from assets.delivery.ledger.decisions import read_upstream
from assets.delivery.ledger.events import since_rebind
from assets.delivery.ledger.freshness import require_mart_of_file
from assets.delivery.ledger.links import read_links
from assets.delivery.ledger.normalization import target_hash
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.restores import last_restore
from assets.delivery.ledger.shadows import require_unshadowed
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.plan.existence_check import fields_to_read, read_with_unlisted
from assets.delivery.plan.keep import Stamp, keep_plan
from assets.delivery.plan.undo_below import CONFLICT, keep_above_active
from assets.delivery.plan.undo_row import CHANGES, Change, Written, undo_row
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import KEY, PLAN_COLUMNS, SourceKey, is_among
from assets.delivery.spec.expressions import FAILURES, parse
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import did_you_mean
from resources.encryption import EncryptionError
from resources.warehouse.tables import has_table, quoted, read_frame
from resources.warehouse.warehouse import Warehouse

PLAN_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(PLAN_COLUMNS, pl.String), "level": pl.Int32, "changes": CHANGES,
}  # fmt: skip


@dataclass(frozen=True)
class PlannedUndo:
    """A stored undo plan, and the number of its conflicts."""

    plan_id: str
    plan: pl.DataFrame
    conflicts: int


def runs_to_undo(warehouse: Warehouse, run: str) -> list[tuple[str, str]]:
    """Return (run id, workflow) of the run whose id begins with a text, for each workflow that it sent records of.

    Raises:
        SyncError: No run begins with it, or several do.
    """
    with warehouse.writer() as con:
        ensure_ledger(con)
        rows = con.execute(
            "select distinct run_id, workflow from sync_attempts where starts_with(run_id, ?) and state = 'intent'"
            " and attempt_id in (select attempt_id from sync_attempts where state in ('confirmed', 'found'))"
            " and image is not null"  # null once it is older than the retention period
            " order by workflow",
            [run],
        ).fetchall()
        known = last_restore(con), _last_position(con, rows)
    if len({run_id for run_id, _ in rows}) != 1:
        raise SyncError(f"{'several runs begin' if rows else 'no run that sent records begins'} with {run}")
    restore, last = known
    if restore and last <= restore.position:
        raise SyncError(
            f"run {rows[0][0][:8]} cannot be undone: {restore.text}, so what later runs sent is not in the ledger"
        )
    return [(str(run_id), str(workflow)) for run_id, workflow in rows]


def _last_position(con: duckdb.DuckDBPyConnection, rows: Sequence[tuple[str, str]]) -> int:
    """Return the place of the last attempt of a run in the ledger's sequence."""
    query = "select coalesce(max(position), 0) from sync_attempts where run_id = ?"
    return max((int(con.execute(query, [run_id]).fetchall()[0][0]) for run_id, _ in rows), default=0)


def make_undo(
    run: RunContext, undone_run: str, *, records: Sequence[str] = (), where: str = "", requested_by: str = "",
    reason: str = "",
) -> PlannedUndo:  # fmt: skip
    """Make the plan that undoes what one run wrote.

    Args:
        run: The run that makes the plan; it reads the target, to see later edits.
        undone_run: The run to undo.
        records: The records to undo, as in `is_among`; all if empty.
        where: SQL condition over action, source, source_id, target_id and the mapped fields of the mart.
        requested_by: The name of the person who asks for it.
        reason: The person's reason.

    Raises:
        NothingToUndoError: The run has no confirmed writes of these records, or the mart no column of the condition.
        SyncError: The condition is not valid.
        PlanError: The images are encrypted with another key, or the workflow file has changed since its last run.
    """
    workflow = run.workflow
    with run.warehouse.writer() as con:
        ensure_ledger(con)
        require_unshadowed(con, workflow.name, workflow.spec.upstream)
        written = _written(con, run, undone_run, records, where)
        links, upstream = read_links(con, workflow.name), read_upstream(con, workflow.spec.upstream)
    keys = dict(written.filter(pl.col("target_id").is_not_null()).select("target_id", "our_key").iter_rows())
    images = [_image(run, row, undone_run) for row in written.iter_rows(named=True)]
    changed = {str(change["field"]) for image in images for change in image}
    fields = fields_to_read(run.target, workflow.spec.target_fields, changed)
    shown, unread = read_with_unlisted(run.target, keys, fields)
    actual = {row["target_id"]: row for row in shown.iter_rows(named=True)}
    ours = links.filter(pl.col("target_id").is_in(list(actual)))
    known = pl.concat([each.select(*KEY, "target_id") for each in (upstream.drop_nulls("target_id"), ours)])
    parents = _parents(workflow, known)
    rows = []
    for row, image in zip(written.iter_rows(named=True), images, strict=True):
        current = actual.get(row["target_id"])
        same = current is not None and target_hash(current, workflow.spec.target_fields) == row["hash_after_run"]
        known_parents = parents.get(row["source"], {})
        of_record = Written(row, image, current, known_parents, same, row["target_id"] in unread)
        rows.append(undo_row(of_record, run.target.active_field, undone_run))
    mart, stamp = run.warehouse.table(workflow.mart), Stamp.new(run)
    undone = pl.DataFrame(_with_levels(rows, mart), schema=PLAN_SCHEMA)
    plan = stamp.on(keep_above_active(undone, links, mart, shown))
    with run.warehouse.writer() as con:
        keep_plan(con, run, plan, stamp, PlanKind.UNDO, undone_run=undone_run, requested_by=requested_by, reason=reason)
    return PlannedUndo(stamp.plan_id, plan, plan.filter(pl.col("reason_code") == CONFLICT).height)


# the image is in the row of the intent, the target id in that of the confirmation; hash_after_run: what the target
# showed right after the run wrote the record, null once a later run wrote it; last_parent: its last confirmed parent
_WRITTEN = """
select
    intent.source, intent.source_id, intent.action, coalesce(intent.target_id, ended.target_id) as target_id,
    intent.image, intent.attempt_id, intent.target_id as intended_id,
    mart.payload_hash, mart.level, mart.parent_source, mart.parent_source_id, mart.{key} as our_key,
    case when link.run_id = intent.run_id then link.target_hash end as hash_after_run,
    link.parent_target_id as last_parent
from sync_attempts as intent
join sync_attempts as ended on ended.attempt_id = intent.attempt_id and ended.state in ('confirmed', 'found')
left join {mart} as mart on mart.source = intent.source and mart.source_id = intent.source_id
left join sync_links as link
    on link.workflow = intent.workflow and link.source = intent.source and link.source_id = intent.source_id
where intent.workflow = ? and intent.run_id = ? and intent.state = 'intent' and intent.image is not null
"""
_SENT = "select distinct source, source_id from sync_attempts where workflow = ? and run_id = ?"
_ELSEWHERE = (
    "select 1 from sync_attempts as intent where workflow = ? and run_id = ? and state = 'intent'"
    f" and not {since_rebind('intent')} limit 1"
)


def _written(
    con: duckdb.DuckDBPyConnection, run: RunContext, undone_run: str, records: Sequence[str], where: str
) -> pl.DataFrame:
    """Return the confirmed writes of a run that the ids and the condition name.

    Raises:
        NothingToUndoError: There are none.
        SyncError: They cannot be undone.
    """
    workflow = run.workflow
    nothing = NothingToUndoError(
        f"{workflow.name}: run {undone_run[:8]} has no confirmed writes{_asked(records, where)} to undo"
    )
    sent = read_frame(con, _SENT, [workflow.name, undone_run])
    if records and sent.filter(is_among(records, workflow.name)).is_empty():
        raise nothing  # whatever the state of this workflow: its records are not meant
    if con.execute(_ELSEWHERE, [workflow.name, undone_run]).fetchall():
        raise SyncError(
            f"{workflow.name}: run {undone_run[:8]} cannot be undone: it wrote to the account that the workflow had"
            " before `millpond rebind`, and the same ids are other records in this one"
        )
    if not has_table(con, workflow.mart):
        raise SyncError(f"{workflow.name}: there is no mart yet; run the workflow, then undo run {undone_run[:8]}")
    require_mart_of_file(con, workflow)  # else the next run maps other values, and sends them again
    mart, key = quoted(workflow.mart), quoted(run.target.key_field)
    written = read_frame(con, _WRITTEN.format(mart=mart, key=key), [workflow.name, undone_run])
    if records:
        written = written.filter(is_among(records, workflow.name))
    if where:
        written = _meeting(written, read_frame(con, f"from {mart}"), where, workflow.name)
    if written.is_empty():
        raise nothing
    return written


def _asked(records: Sequence[str], where: str) -> str:
    return f" for {', '.join(records)}" if records else f" where {where}" if where else ""


def condition_of(where: str) -> pl.Expr:
    """Return a condition over the records of any workflow.

    Raises:
        SyncError: It is not valid SQL, or reads more than the record.
    """
    try:
        return parse(where)
    except MappingError as error:
        raise SyncError(f"--where: not a valid condition: {error}") from error


def _meeting(written: pl.DataFrame, mart: pl.DataFrame, where: str, workflow: str) -> pl.DataFrame:
    """Return the writes that meet a condition.

    Raises:
        NothingToUndoError: It names a column that this workflow does not have; another one of the run may have it.
        SyncError: It is not valid.
    """
    plain, condition = written.select(*KEY, "action", "target_id"), condition_of(where)
    known = plain.join(mart.select(*KEY, pl.exclude(plain.columns)), on=KEY, how="left", maintain_order="left")
    if unknown := sorted({*condition.meta.root_names()} - {*known.columns}):
        columns, meant = sorted(known.columns), did_you_mean(unknown[0], known.columns)
        text = f"--where {where}: there is no column {unknown[0]}; {meant}write SQL over {', '.join(columns)}"
        raise NothingToUndoError(f"{workflow}: {text}")
    try:
        met = known.filter(condition).select(KEY)
    except FAILURES as error:
        raise SyncError(f"--where: not a valid condition: `{where}`: {error}") from error
    return written.join(met, on=KEY, how="semi", maintain_order="left")


def _parents(workflow: Workflow, known: pl.DataFrame) -> dict[str, dict[str, SourceKey]]:
    """Return by source its possible parents, by target id; ids of other sources may be the same numbers."""
    return {
        record.source: {
            target_id: SourceKey(source, source_id)
            for source, source_id, target_id in known.filter(pl.col("source").is_in(list(record.parent or {}))).rows()
        }
        for record in workflow.spec.records
    }


def _with_levels(rows: Sequence[dict[str, Any]], mart: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows with the levels that the records will have: each returns to its parent after that one."""
    parents = {SourceKey(row["source"], row["source_id"]): _above(row) for row in rows}
    known = {SourceKey(*key): level for *key, level in mart.select(*KEY, "level").iter_rows()}

    def level_of(key: SourceKey, below: frozenset[SourceKey]) -> int:
        if key not in parents or key in below:
            return known.get(key) or 1
        above = parents[key]
        return level_of(above, below | {key}) + 1 if above else 1

    return [{**row, "level": level_of(SourceKey(row["source"], row["source_id"]), frozenset())} for row in rows]


def _above(row: Mapping[str, Any]) -> SourceKey | None:
    return SourceKey(row["parent_source"], row["parent_source_id"]) if row["parent_source_id"] else None


def _image(run: RunContext, row: Mapping[str, Any], undone_run: str) -> list[Change]:
    """Return what the run changed in one record.

    Raises:
        PlanError: It is encrypted with another key or for another record, or not encrypted although there is a key.
    """
    owner = owner_of({**row, "target_id": row["intended_id"]})
    try:
        changes: list[Change] = json.loads(run.cipher.decrypt(row["image"], of=owner, allow_plain=False))
    except EncryptionError as error:
        name = f"{row['source']} {row['source_id']}"
        raise PlanError(f"run {undone_run[:8]} cannot be undone: {name}: {error}") from error
    return changes
