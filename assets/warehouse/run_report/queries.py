"""Collect the contents of a run's report from the warehouse.

sync_runs, plan_*, sync_decisions, lineage_columns, staging names  ->  collect_report()  ->  RunReport
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from resources.warehouse.tables import columns_of, has_table, quoted
from resources.warehouse.warehouse import Warehouse

MAX_CHANGES, MAX_RECORDS = 5_000, 20_000  # a page of a few megabytes still opens on a phone
# actions of sync_decisions, with the columns of sync_runs that count them; the first five write to the target
COUNT_COLUMNS = {
    "create": "created", "adopt": "adopted", "update": "updated", "deactivate": "deactivated",
    "reactivate": "reactivated", "unchanged": "unchanged", "skipped": "skipped", "blocked": "blocked",
    "quarantined": "quarantined", "ambiguous": "ambiguous", "deferred": "deferred", "failed": "failed",
}  # fmt: skip
WRITES = tuple(COUNT_COLUMNS)[:5]
HELD = ("quarantined", "blocked", "ambiguous", "failed")
RECORD_NAMES = {
    "customers": "case when is_person"
    " then coalesce(nullif(concat_ws(' ', first_name, last_name), ''), alt_name, company_name)"
    " else coalesce(company_name, alt_name, concat_ws(' ', first_name, last_name)) end",
    "projects": "project_name",
    "contacts": "concat_ws(' ', first_name, last_name)",
}

Row = dict[str, Any]


@dataclass(frozen=True)
class RunReport:
    """The contents of one run's report.

    Attributes:
        at: Start of the run, UTC.
        hides: Values and names are left out.
        workflows: workflow, target, state, note, calls, seconds, counts as (action, records).
        changes: workflow, action, source, id, name, reason, fields as (field, before, after).
        changes_omitted: Changes beyond `MAX_CHANGES`.
        held: records, workflow, action, example, since, first_ids.
        records: source, id, number, name, decided as (workflow, action, reason, target_id).
        records_omitted: Records beyond `MAX_RECORDS`.
        lineage: Per workflow: (source column, target field, mapping expression).
    """

    run_id: str
    at: str
    hides: bool
    workflows: Sequence[Row]
    changes: Sequence[Row] = field(default_factory=list)
    changes_omitted: int = 0
    held: Sequence[Row] = field(default_factory=list)
    records: Sequence[Row] = field(default_factory=list)
    records_omitted: int = 0
    lineage: Mapping[str, Sequence[tuple[str, str, str]]] = field(default_factory=dict)


def collect_report(warehouse: Warehouse, run_id: str = "", *, hides: bool = False) -> RunReport | None:
    """Return the report of a run, or of the latest one; None if there is no such run.

    Args:
        warehouse: The warehouse.
        run_id: The run, or its first characters.
        hides: Leave out values and names of records.
    """
    with warehouse.writer(transaction=False) as con:
        if not has_table(con, "sync_runs"):
            return None
        found = con.execute(
            "select run_id, strftime(min(started_at), '%Y-%m-%d %H:%M:%S') from sync_runs"
            " where starts_with(run_id, ?) group by run_id order by max(position) desc nulls last limit 1",
            [run_id],
        ).fetchall()
        if not found:
            return None
        run_id, at = found[0]
        workflows = _workflows(con, run_id)
        names = [each["workflow"] for each in workflows]
        changes, changes_omitted = _changes(con, run_id, names, hides=hides)
        records, records_omitted = _records(con, hides=hides)
        return RunReport(
            run_id, at, hides, workflows, changes, changes_omitted, _held(con, hides=hides), records, records_omitted,
            _lineage(con, names),
        )  # fmt: skip


def _rows(con: duckdb.DuckDBPyConnection, query: str, params: Sequence[Any] = ()) -> list[Row]:
    cursor = con.execute(query, list(params))
    names = [each[0] for each in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _workflows(con: duckdb.DuckDBPyConnection, run_id: str) -> list[Row]:
    rows = _rows(
        con,
        "select r.*, (select any_value(target) from lineage_columns l where l.workflow = r.workflow) as target"
        " from sync_runs r where run_id = ? order by coalesce(read_position, position), started_at",
        [run_id],
    )
    for row in rows:
        row["counts"] = [(action, row[column]) for action, column in COUNT_COLUMNS.items() if row[column]]
    kept = ("workflow", "target", "state", "note", "calls", "seconds", "counts")
    return [{name: row[name] or (0 if name == "calls" else row[name]) for name in kept} for row in rows]


def _names(con: duckdb.DuckDBPyConnection) -> str:
    """Return a query for source, source_id, number and name of every named record."""
    parts = [
        f"select '{source}' as source, {source[:-1]}_id as source_id, entity_number as number, {name} as name"
        f" from stg_netsuite__{source}"
        for source, name in RECORD_NAMES.items()
        if has_table(con, f"stg_netsuite__{source}")
    ]
    return " union all ".join(parts) or "select '' as source, '' as source_id, '' as number, '' as name limit 0"


def _changes(
    con: duckdb.DuckDBPyConnection, run_id: str, workflows: Sequence[str], *, hides: bool
) -> tuple[list[Row], int]:
    """Return the changes of the run's plans, if their rows still exist, and the number of omitted changes."""
    found: list[Row] = []
    omitted = 0
    for workflow in workflows:
        plan = f"plan_{workflow}"
        if "changes" not in columns_of(con, plan):
            continue
        planned = f"from {quoted(plan)} where run_id = ? and action in {WRITES}"
        count = int(con.execute(f"select count(*) {planned}", [run_id]).fetchall()[0][0])
        room = max(0, MAX_CHANGES - len(found))
        omitted += max(0, count - room)
        rows = _rows(
            con,
            f"with named as ({_names(con)}), planned as (select * {planned})"
            " select c.action, c.source, c.source_id as id, n.name, c.reason, c.changes"
            " from planned c left join named n on c.source = n.source and c.source_id = n.source_id"
            " order by c.action, c.source, try_cast(c.source_id as bigint) limit ?",
            [run_id, room],
        )
        found += [_change(workflow, row, hides=hides) for row in rows]
    return found, omitted


def _change(workflow: str, row: Row, *, hides: bool) -> Row:
    changes = row.pop("changes")
    fields = [(each["field"], *((None, None) if hides else (each["before"], each["after"]))) for each in changes]
    return {**row, "name": None if hides else row["name"], "workflow": workflow, "fields": fields}


def _held(con: duckdb.DuckDBPyConnection, *, hides: bool) -> list[Row]:
    example = "case when not starts_with(reason_code, 'rejected') then reason end" if hides else "reason"
    return _rows(
        con,
        f"select count(*) as records, workflow, action, coalesce(any_value({example}), reason_code) as example,"
        " strftime(min(from_at), '%Y-%m-%d %H:%M') as since,"
        " (list(source_id order by from_position nulls first, from_at, try_cast(source_id as bigint)))[:8] as first_ids"
        f" from sync_decisions where to_run is null and action in {HELD}"
        " group by workflow, action, reason_code order by records desc, workflow, action",
    )


def _records(con: duckdb.DuckDBPyConnection, *, hides: bool) -> tuple[list[Row], int]:
    """Return the records with their decisions; if there are too many, records skipped everywhere are omitted."""
    decided = "select source, source_id, bool_and(action = 'skipped') as is_skipped from sync_decisions"
    every = f"{decided} where to_run is null group by all"
    total = int(con.execute(f"select count(*) from ({every})").fetchall()[0][0])
    rows = _rows(
        con,
        f"with named as ({_names(con)}), chosen as (from ({every}) order by is_skipped limit ?)"
        " select d.source, d.source_id as id, any_value(n.number) as number, any_value(n.name) as name,"
        " list([workflow, action, reason, target_id] order by workflow) as decided"
        " from sync_decisions d join chosen c on d.source = c.source and d.source_id = c.source_id"
        " left join named n on d.source = n.source and d.source_id = n.source_id"
        " where d.to_run is null group by d.source, d.source_id order by d.source, try_cast(d.source_id as bigint)",
        [MAX_RECORDS],
    )
    for row in rows if hides else ():
        row["number"] = row["name"] = None
        row["decided"] = [[*each[:2], None, each[3]] for each in row["decided"]]
    return rows, total - len(rows)


def _lineage(con: duckdb.DuckDBPyConnection, workflows: Sequence[str]) -> dict[str, list[tuple[str, str, str]]]:
    rows = con.execute(
        "select distinct workflow, target_field, source_table, source_column, expression from lineage_columns"
        " order by all"
    ).fetchall()
    lineage: dict[str, list[tuple[str, str, str]]] = {}
    for workflow, field_name, table, column, expression in rows:
        if workflow in workflows:
            source = f"{table.removeprefix('stg_netsuite__')}.{column}" if column else "a constant"
            lineage.setdefault(workflow, []).append((source, field_name, expression))
    return lineage
