"""Explain one record: its history in every workflow, from NetSuite to the target.

text  ->  search_records()  ->  explain_record()  ->  Explanation, with one WorkflowHistory per workflow
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from assets.delivery.audit.batch_query import RowQuery, Rows, read_rows
from assets.delivery.audit.find import Record, search_columns, search_partly, search_records, search_similar
from assets.delivery.ledger.restores import last_restore
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.netsuite.record_types import record_type_of
from assets.warehouse.record_names import named_record
from resources.warehouse.tables import has_table, literal, quoted, tables_of
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class WorkflowHistory:
    """The rows that one workflow has of one record, in the order of its processing."""

    workflow: str
    mart: Rows
    planned: Rows
    decided: Rows
    attempts: Rows
    linked: Rows
    target_state: Rows
    manual_links: Rows = ()


@dataclass(frozen=True)
class Explanation:
    """A record as NetSuite sent it, and its history in each workflow.

    `as_of` is the past moment that the histories end with, UTC; None: now. `restored` says when the warehouse was
    restored from which backup; blank: never.
    """

    record: Record
    seen: dict[str, Any]
    histories: Sequence[WorkflowHistory]
    as_of: datetime | None = None
    restored: str = ""


def explain_record(
    warehouse: Warehouse, text: str, as_of: datetime | None = None
) -> tuple[list[Record], Explanation | None]:
    """Return the records that a text may mean, with the explanation if it is exactly one, else with similar names.

    Decisions and attempts are kept forever. NetSuite's values, the mart, the plan and the target state are those of
    the last run; an explanation as of a past moment (UTC) leaves them out.
    """
    with warehouse.writer(transaction=False) as con:
        tables = tables_of(con)
        records = search_records(con, tables, text) or search_partly(con, text)
        if not records:
            return search_similar(con, text), None
        return records, _explain(con, tables, records[0], as_of) if len(records) == 1 else None


def explain_one(con: duckdb.DuckDBPyConnection, source: str, source_id: str) -> Explanation | None:
    """Return the explanation of the record with this id; None if it was never read."""
    found = named_record(con, source, source_id)
    return _explain(con, tables_of(con), Record(*found), None) if found else None


def workflows_of(warehouse: Warehouse, source: str) -> list[str]:
    """Return the names of the workflows that deliver records of this source."""
    with warehouse.writer(transaction=False) as con:
        return _workflows(con, tables_of(con), source)


def read_through(con: duckdb.DuckDBPyConnection, source: str, seen: Mapping[str, Any]) -> datetime | None:
    """Return the time through which NetSuite was read for a record, UTC; None if none of its kind was read.

    A change that is seen was read, although the next full run alone moves the time of all records.
    """
    if not has_table(con, "sync_watermarks"):
        return None
    query = "select watermark_at from sync_watermarks where source_table = ?"
    found = con.execute(query, [record_type_of(source).table]).fetchall()
    times = [each for each in (found[0][0] if found else None, seen.get("modified_at")) if each]
    return max(times, default=None)


def _explain(
    con: duckdb.DuckDBPyConnection, tables: AbstractSet[str], record: Record, as_of: datetime | None
) -> Explanation:
    workflows = _workflows(con, tables, record.source)
    queries = _current_queries(con, record, workflows) if as_of is None else _past_queries(con, tables, record, as_of)
    found = _read_existing(con, tables, queries)
    found |= _read_existing(con, tables, _target_queries(found))
    seen = found.get("seen", [])
    histories, restore = [_history(found, each) for each in workflows], last_restore(con)
    return Explanation(record, seen[0] if seen else {}, histories, as_of, restore.text if restore else "")


def _read_existing(
    con: duckdb.DuckDBPyConnection, tables: AbstractSet[str], queries: Mapping[str, RowQuery]
) -> dict[str, Rows]:
    return read_rows(con, {name: each for name, each in queries.items() if each.table in tables})


def _workflows(con: duckdb.DuckDBPyConnection, tables: AbstractSet[str], source: str) -> list[str]:
    if "lineage_columns" not in tables:
        return []
    rows = con.execute(
        "select distinct workflow from lineage_columns where source_table = ? order by workflow",
        [STAGING_PREFIX + source],
    ).fetchall()
    # a workflow that only looks up values of the source has lineage too, but no records of it
    return [str(row[0]) for row in rows if _delivers(con, tables, str(row[0]), source)]


def _delivers(con: duckdb.DuckDBPyConnection, tables: AbstractSet[str], workflow: str, source: str) -> bool:
    mart = f"mart_{workflow}"
    if mart not in tables:
        return True
    return bool(con.execute(f"select 1 from {quoted(mart)} where source = ? limit 1", [source]).fetchall())


# each further column costs a millisecond
_DECIDED = (
    "workflow, action, reason_code, reason, target_id, workflow_version, from_run, from_at, to_run, to_at,"
    " from_position"
)
_ATTEMPTED = "workflow, action, state, code, reason, target_id, run_id, seen_at, position"
# the ledger's order, whatever the clock was set to
_BY_START, _BY_TIME = "order by from_position nulls first, from_at", "order by position nulls first, seen_at"
_MADE = "(select position from sync_plans as made where made.plan_id = found.plan_id)"
_BY_PLAN = f"order by {_MADE} nulls first, decided_at"


def _current_queries(con: duckdb.DuckDBPyConnection, record: Record, workflows: Sequence[str]) -> dict[str, RowQuery]:
    """Return the queries about the record; the large ledger tables are read once for all workflows."""
    of_record, key = "source = ? and source_id = ?", [record.source, record.source_id]
    in_ledger, values = _ledger_condition(con, record)
    queries = {
        "seen": RowQuery(STAGING_PREFIX + record.source, f"{search_columns(record.source)[0]} = ?", [record.source_id]),
        "decided": RowQuery("sync_decisions", in_ledger, values, _DECIDED, _BY_START),
        "attempts": RowQuery("sync_attempts", in_ledger, values, _ATTEMPTED, _BY_TIME),
        "linked": RowQuery("sync_links", of_record, key),
        "manual_links": RowQuery("sync_manual_links", of_record, key),
        "record_urls": RowQuery("sync_record_urls", "true"),
    }
    for each in workflows:
        queries[f"mart {each}"] = RowQuery(f"mart_{each}", of_record, key)
        queries[f"plan {each}"] = RowQuery(f"plan_{each}", of_record, key, order=_BY_PLAN)
    return queries


def _past_queries(
    con: duckdb.DuckDBPyConnection, tables: AbstractSet[str], record: Record, as_of: datetime
) -> dict[str, RowQuery]:
    """Return the queries about decisions and attempts up to a moment; a decision that ended later was still open.

    The moment is the last place in the ledger's sequence that is not later by its clock, as for the values of that
    time: what one run decided while the clock was wrong is before what the next run decided.
    """
    in_ledger, values = _ledger_condition(con, record)
    places = _places(con, tables, record, as_of)
    place = f"case workflow {places} end" if places else "null"
    ended = f"{_NEXT} is not null or to_at <= ?"
    columns = _DECIDED.replace("to_run, to_at", ", ".join(f"case when {ended} then {e} end as {e}" for e in _END))
    decided = f"{in_ledger} and coalesce(from_position <= {place}, from_at <= ?)"
    attempted = f"{in_ledger} and coalesce(position <= {place}, seen_at <= ?)"
    return {
        "decided": RowQuery("sync_decisions", decided, [as_of, as_of, *values, as_of], columns, _BY_START),
        "attempts": RowQuery("sync_attempts", attempted, [*values, as_of], _ATTEMPTED, _BY_TIME),
    }


_END = ("to_run", "to_at")
_NEXT = "lead(from_position) over (partition by workflow order by from_position nulls first, from_at)"


def _places(con: duckdb.DuckDBPyConnection, tables: AbstractSet[str], record: Record, as_of: datetime) -> str:
    """Return the last place of each workflow that is not later than a moment, as the branches of a `case`."""
    in_ledger, values = _ledger_condition(con, record)
    dated = {
        "sync_readings": ("position, read_at", "true", []),
        "sync_attempts": ("position, seen_at", in_ledger, values),
        "sync_decisions": ("from_position, from_at", in_ledger, values),
    }
    known = {table: each for table, each in dated.items() if table in tables}
    rows = " union all ".join(
        f"select workflow, {columns} from {table} where {condition}" for table, (columns, condition, _) in known.items()
    )
    query = (
        f"select workflow, max(place) from ({rows}) as row(workflow, place, happened_at) where happened_at <= ?"
        " group by workflow"
    )
    bound = [value for _, _, of_table in known.values() for value in of_table]
    found = con.execute(query, [*bound, as_of]).fetchall() if known else []
    return " ".join(f"when {literal(workflow)} then {place}" for workflow, place in found if place is not None)


def _target_queries(found: Mapping[str, Rows]) -> dict[str, RowQuery]:
    """Return the queries about the linked target records, by workflow."""
    return {
        f"target {link['workflow']}": RowQuery(f"target_{link['workflow']}", "target_id = ?", [link["target_id"]])
        for link in found.get("linked", [])
        if link["target_id"]
    }


def _ledger_condition(con: duckdb.DuckDBPyConnection, record: Record) -> tuple[str, list[Any]]:
    """Return the condition on the large ledger tables, and its values.

    They have `source_number` beside `source_id`: a comparison of numbers is ten times as fast.
    """
    number = con.execute("select try_cast(? as bigint)", [record.source_id]).fetchall()[0][0]
    numbered = "source_number is null" if number is None else "source_number = ?"
    values = [] if number is None else [number]
    return f"{numbered} and source_id = ? and source = ?", [*values, record.source_id, record.source]


def _history(found: Mapping[str, Rows], workflow: str) -> WorkflowHistory:
    """Return one workflow's part of the rows."""

    def part(name: str) -> Rows:
        return [row for row in found.get(name, []) if row["workflow"] == workflow]

    template = next((row["template"] for row in part("record_urls")), None)

    def url(target_id: str | None) -> str | None:
        return template.replace("{id}", target_id) if template and target_id else None

    return WorkflowHistory(
        workflow=workflow,
        mart=found.get(f"mart {workflow}", []),
        planned=found.get(f"plan {workflow}", []),
        decided=part("decided"),
        attempts=part("attempts"),
        linked=[{**link, "target_url": url(link["target_id"])} for link in part("linked")],
        target_state=found.get(f"target {workflow}", []),
        manual_links=part("manual_links"),
    )
