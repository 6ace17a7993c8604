"""Preview one record by the workflow file as it is: its values, and the decision; nothing is written.

staged record  ->  preview_record(): mart row, target record read again, decision  ->  Preview

All of it happens in one transaction of the warehouse that is rolled back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import polars as pl

from assets.delivery.audit.find import Record
from assets.delivery.diff.decide import decide
from assets.delivery.diff.ledger_facts import read_ledger_facts
from assets.delivery.diff.near_duplicates import read_near_duplicates
from assets.delivery.diff.prefilter import Prefilter
from assets.delivery.errors import SyncError
from assets.delivery.mart.build import today_of, transform_records
from assets.delivery.mart.lookup import SystemReader, read_lookups
from assets.delivery.plan.scope import SelectedRecords
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import BLOCK, DELIVER, KEY, QUARANTINE
from assets.delivery.target import TARGET_STATE_COLUMNS, Action
from resources.warehouse.tables import columns_of, has_table, insert_frame, quoted, read_frame

MAX_DEPTH = 20


@dataclass(frozen=True)
class Decision:
    """An action with its reason; blank if there is none yet."""

    action: str = ""
    reason: str = ""


@dataclass(frozen=True)
class PreviewField:
    """One field: what the target has, what the last run wanted there, what the file as it is wants."""

    field: str
    target: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Preview:
    """One record of one workflow, before and after an edit of the workflow file."""

    workflow: str
    record: Record
    before: Decision
    after: Decision
    fields: Sequence[PreviewField]


def preview_record(run: RunContext, record: Record, *, read_system: SystemReader | None = None) -> Preview:
    """Return the preview of a record; its row of the target is read again, by its key.

    Raises:
        SyncError: The workflow was never run.
        MappingError: The workflow file does not fit the staging tables.
        IntegrationError: The target cannot be read.
    """
    workflow = run.workflow
    if not run.warehouse.has(workflow.mart) or not run.warehouse.has(workflow.target_state):
        raise SyncError(f"{workflow.name} was never run or planned; `millpond plan {workflow.name}` does that first")
    lookups = read_lookups(run.warehouse, workflow, read_system)
    with run.warehouse.trial() as con:
        keys = _with_ancestors(con, workflow.mart, record)
        rows = transform_records(con, workflow, keys, lookups, today_of(workflow, run.clock))
        old = _row(read_frame(con, f"from {quoted(workflow.mart)}" + _IS, [record.source, record.source_id]))
        new = _row(rows.filter(_is(record)))
        before = _decided(con, workflow.name, record)
        current = run.target.find([new[run.target.key_field]], workflow.spec.target_fields) if new else None
        _replace(con, workflow.mart, rows, keys)
        if current is not None:
            _replace_target(con, workflow.target_state, current)
        after = _decide(con, run, SelectedRecords(keys), record, new) if new else Decision()
    now = _row(current) if current is not None else {}
    return Preview(workflow.name, record, before, after, _fields(workflow.spec.target_fields, now, old, new))


_IS = " where source = ? and source_id = ?"
# what the mart holds back by itself
_HELD = {QUARANTINE: Action.QUARANTINED, BLOCK: Action.BLOCKED}


def _is(record: Record) -> pl.Expr:
    return (pl.col("source") == record.source) & (pl.col("source_id") == record.source_id)


def _row(frame: pl.DataFrame) -> dict[str, Any]:
    return frame.row(0, named=True) if frame.height else {}


def _with_ancestors(con: duckdb.DuckDBPyConnection, mart: str, record: Record) -> pl.DataFrame:
    """Return the keys of a record and of those above it, as the last run knew them."""
    query = (
        "with recursive above as (select ? as source, ? as source_id, 0 as depth union"
        f" select parent_source, parent_source_id, above.depth + 1 from {quoted(mart)}"
        " join above using (source, source_id)"
        f" where parent_source_id is not null and above.depth < {MAX_DEPTH})"
        " select distinct source, source_id from above"
    )
    return read_frame(con, query, [record.source, record.source_id])


def _decided(con: duckdb.DuckDBPyConnection, workflow: str, record: Record) -> Decision:
    if not has_table(con, "sync_decisions"):
        return Decision()
    rows = con.execute(
        f"select action, coalesce(reason, '') from sync_decisions{_IS} and workflow = ? and to_run is null",
        [record.source, record.source_id, workflow],
    ).fetchall()
    return Decision(*rows[0]) if rows else Decision()


def _replace(con: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame, keys: pl.DataFrame) -> None:
    _add_columns(con, table, rows.columns)
    for source, source_id in keys.select(KEY).iter_rows():
        con.execute(f"delete from {quoted(table)}{_IS}", [source, source_id])
    insert_frame(con, table, rows)


def _replace_target(con: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame) -> None:
    _add_columns(con, table, rows.columns)
    con.execute(f"delete from {quoted(table)} where list_contains(?, target_id)", [rows["target_id"].to_list()])
    insert_frame(con, table, rows)


def _add_columns(con: duckdb.DuckDBPyConnection, table: str, names: Sequence[str]) -> None:
    """Add the columns of fields that the file maps since the last run."""
    known = columns_of(con, table)
    for name in names:
        if name not in known:
            con.execute(f"alter table {quoted(table)} add column {quoted(name)} varchar")


def _decide(
    con: duckdb.DuckDBPyConnection, run: RunContext, scope: SelectedRecords, record: Record, new: Mapping[str, Any]
) -> Decision:
    comparison = scope.comparison(con, run)
    facts = read_ledger_facts(con, run.workflow, run.now)
    prefilter = Prefilter(con, comparison, facts)
    undecided = prefilter.read_undecided()
    facts = replace(facts, near=read_near_duplicates(con, run.workflow, undecided))
    plan = decide(run.workflow.spec, comparison.target, undecided, facts)
    found = _row(scope.restrict(plan, prefilter).filter(_is(record)))
    if not found and new["disposition"] != DELIVER:
        return Decision(_HELD.get(new["disposition"], Action.SKIPPED).value, new["reason"] or "")
    if not found:
        return Decision(Action.UNCHANGED.value, "nothing to do for this record")
    return Decision(found["action"], found["reason"] or "")


def _fields(
    mapped: Sequence[str], target: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]
) -> Sequence[PreviewField]:
    dropped = [name for name in old if name in target and name not in mapped and name not in TARGET_STATE_COLUMNS]
    return [PreviewField(name, target.get(name), old.get(name), new.get(name)) for name in (*mapped, *dropped)]
