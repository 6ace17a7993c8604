"""Which record is which, for a person to look at and to decide: an account that has data before the first run.

mart, target state, plan  ->  candidates()  ->  pairs that could be one, with the fields that agree  ->  pin()  ->  sync_pins
"""

from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from assets.delivery.ledger import ledger
from assets.delivery.ledger.plans import SyncError
from assets.delivery.schemas import KEY, OURS
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Action
from resources.warehouse.tables import quoted, read_frame

UNDECIDED = (Action.AMBIGUOUS.value, Action.ADOPT.value, Action.CREATE.value)
COMMON = 10  # a value that more of the target's records have tells nothing about which one it is
PIN_COLUMNS = ("workflow", "source", "source_id", "target_id", "decided_by", "decided_at", "note")


def candidates(spec: WorkflowSpec, mart: pl.DataFrame, target_state: pl.DataFrame, plan: pl.DataFrame) -> pl.DataFrame:
    """Every pair of a source record that is not settled and a record of the target that shares a telling value.

    Constants, value lists and look-ups are no evidence, nor are values that many records have. Blanks and letter
    case do not count.

    Args:
        spec: The workflow.
        mart: What is desired.
        target state: What the target has.
        plan: PLAN_COLUMNS: what was decided about it.

    Returns:
        source, source_id, action, reason, target_id, agree, differ (lists of fields), best pairs first.
    """
    fields = telling_fields(spec)
    undecided = plan.filter(pl.col("action").is_in(UNDECIDED)).select(*KEY, "action", "reason")
    settled = plan.filter(OURS & pl.col("target_id").is_not_null())["target_id"].implode()
    mine = _long(mart.join(undecided, on=KEY, how="semi"), KEY, fields)
    theirs = _long(target_state.filter(~pl.col("target_id").is_in(settled)), ["target_id"], fields)
    rare = theirs.filter(pl.len().over("field", "value") <= COMMON)
    pairs = mine.join(rare, on=["field", "value"]).select(*KEY, "target_id").unique()
    beside = pairs.join(mine, on=KEY).join(theirs, on=["target_id", "field"], suffix="_there")
    same = pl.col("value") == pl.col("value_there")
    told = beside.group_by(*KEY, "target_id").agg(
        pl.col("field").filter(same).sort().alias("agree"), pl.col("field").filter(~same).sort().alias("differ")
    )
    return (
        told.join(undecided, on=KEY)
        .select(*KEY, "action", "reason", "target_id", "agree", "differ")
        .sort("action", *KEY, pl.col("agree").list.len(), "target_id", descending=[False, False, False, True, False])
    )


def telling_fields(spec: WorkflowSpec) -> list[str]:
    """Fields of which the source's own value is sent."""
    rows = [row for record in spec.records for row in record.rows]
    return list(
        dict.fromkeys(row.field for row in rows if row.value is None and not (row.values or row.lookup or row.links))
    )


def _long(frame: pl.DataFrame, keys: list[str], fields: list[str]) -> pl.DataFrame:
    """One row per record and field that has a value."""
    there = [name for name in fields if name in frame.columns]
    plain = pl.col("value").str.strip_chars().str.to_lowercase().replace("", None)
    long = frame.unpivot(there, index=keys, variable_name="field", value_name="value")
    return long.with_columns(plain).drop_nulls("value")


@dataclass(frozen=True)
class Pin:
    """A person's decision: this source record is that record of the target, or none of them."""

    workflow: str
    source: str
    source_id: str
    target_id: str | None
    decided_by: str
    decided_at: datetime
    note: str = ""


def pin(con: duckdb.DuckDBPyConnection, decided: Pin) -> None:
    """Keep a decision; the next plan follows it.

    Raises:
        SyncError: The target has no such record, or it is another source record's.
    """
    ledger.ensure_ledger(con)
    if decided.target_id is not None:
        _check(con, decided)
    unpin(con, decided.workflow, decided.source, decided.source_id)
    values = [getattr(decided, name) or None for name in PIN_COLUMNS]
    con.execute(f"insert into sync_pins ({', '.join(PIN_COLUMNS)}) values ({', '.join('?' * len(values))})", values)


def unpin(con: duckdb.DuckDBPyConnection, workflow: str, source: str, source_id: str) -> bool:
    """Forget a decision; False when there was none."""
    ledger.ensure_ledger(con)
    condition, values = "workflow = ? and source = ? and source_id = ?", [workflow, source, source_id]
    known = con.execute(f"select 1 from sync_pins where {condition}", values).fetchall()
    con.execute(f"delete from sync_pins where {condition}", values)
    return bool(known)


def _check(con: duckdb.DuckDBPyConnection, decided: Pin) -> None:
    """The record must be there, nobody else's, and no other one may carry this source record's key already."""
    target_state, plan = f"target_{decided.workflow}", f"plan_{decided.workflow}"
    what = [decided.target_id, decided.source, decided.source_id]
    there = read_frame(con, f"select target_id from {quoted(target_state)} where target_id = ?", [decided.target_id])
    if there.is_empty():
        raise SyncError(
            f"the target has no record {decided.target_id}, as of the last run; its internal id is meant, which"
            f" `millpond adopt {decided.workflow}` shows"
        )
    other = read_frame(
        con,
        f"select source, source_id from {quoted(plan)} where target_id = ? and (source, source_id) <> (?, ?)"
        " and matched_by in ('external_id', 'link')"
        " union select source, source_id from sync_pins where workflow = ? and target_id = ?"
        " and (source, source_id) <> (?, ?)"
        " union select source, source_id from sync_links where workflow = ? and target_id = ?"
        " and (source, source_id) <> (?, ?) limit 1",
        [*what, decided.workflow, *what, decided.workflow, *what],
    )
    if other.height:
        source, source_id = other.row(0)
        raise SyncError(f"record {decided.target_id} is linked to {source} {source_id}; unlink that one first")
    elsewhere = read_frame(
        con,
        f"select target_id from {quoted(plan)} where source = ? and source_id = ? and target_id <> ?"
        " and matched_by in ('external_id', 'link')",
        [decided.source, decided.source_id, decided.target_id],
    )
    if elsewhere.height:
        raise SyncError(
            f"record {elsewhere['target_id'][0]} of the target carries our key for it already; clear the key there"
            " first, then run `millpond plan` and link again"
        )
