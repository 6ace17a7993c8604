"""Collect what the report of a run tells, from the ledger.

sync_runs, plan_*, sync_decisions, lineage_columns, staging names  ->  gather()  ->  RunReport
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from assets.delivery.ledger.ledger import COUNTED
from assets.delivery.target import WRITING
from resources.warehouse.tables import columns_of, has_table, quoted
from resources.warehouse.warehouse import Warehouse

MOST_CHANGES, MOST_RECORDS = 5_000, 20_000  # a page of some megabytes still opens on a telephone
WRITES = tuple(action.value for action in WRITING)
HELD = ("quarantined", "blocked", "ambiguous", "failed")
NAMED = {
    "customers": "coalesce(company_name, alt_name, concat_ws(' ', first_name, last_name))",
    "projects": "project_name",
    "contacts": "concat_ws(' ', first_name, last_name)",
}

Row = dict[str, Any]


@dataclass(frozen=True)
class RunReport:
    """What happened in one run.

    Attributes:
        workflows: workflow, target, state, note, calls, seconds, counts as (action, records).
        changes: workflow, action, source, id, name, reason, fields as (field, before, after).
        held: records, workflow, action, example, since, first_ids.
        records: source, id, number, name, decided as (workflow, action, reason, target_id).
        lineage: Per workflow: (source column, target field, expression).
        hides: Whether values and names are left out.
    """

    run_id: str
    at: str
    hides: bool
    workflows: Sequence[Row]
    changes: Sequence[Row] = field(default_factory=list)
    changes_left_out: int = 0
    held: Sequence[Row] = field(default_factory=list)
    records: Sequence[Row] = field(default_factory=list)
    records_left_out: int = 0
    lineage: Mapping[str, Sequence[tuple[str, str, str]]] = field(default_factory=dict)


def gather(warehouse: Warehouse, run_id: str = "", *, hides: bool = False) -> RunReport | None:
    """The report of a run, or of the newest one; None when there is none.

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
            " where starts_with(run_id, ?) group by run_id order by min(started_at) desc limit 1",
            [run_id],
        ).fetchall()
        if not found:
            return None
        run_id, at = found[0]
        workflows = _workflows(con, run_id)
        names = [each["workflow"] for each in workflows]
        changes, more = _changes(con, run_id, names, hides=hides)
        records, others = _records(con, hides=hides)
        return RunReport(
            run_id, at, hides, workflows, changes, more, _held(con, hides=hides), records, others, _lineage(con, names)
        )


def _rows(con: duckdb.DuckDBPyConnection, query: str, params: Sequence[Any] = ()) -> list[Row]:
    cursor = con.execute(query, list(params))
    names = [each[0] for each in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _workflows(con: duckdb.DuckDBPyConnection, run_id: str) -> list[Row]:
    rows = _rows(
        con,
        "select r.*, (select any_value(target) from lineage_columns l where l.workflow = r.workflow) as target"
        " from sync_runs r where run_id = ? order by started_at",
        [run_id],
    )
    for row in rows:
        row["counts"] = [(action, row[column]) for action, column in COUNTED.items() if row[column]]
    kept = ("workflow", "target", "state", "note", "calls", "seconds", "counts")
    return [{name: row[name] or (0 if name == "calls" else row[name]) for name in kept} for row in rows]


def _names(con: duckdb.DuckDBPyConnection) -> str:
    """A query for source, source_id, number and name of every record that has one."""
    parts = [
        f"select '{source}' as source, {source[:-1]}_id as source_id, entity_number as number, {name} as name"
        f" from stg_netsuite__{source}"
        for source, name in NAMED.items()
        if has_table(con, f"stg_netsuite__{source}")
    ]
    return " union all ".join(parts) or "select '' as source, '' as source_id, '' as number, '' as name limit 0"


def _changes(
    con: duckdb.DuckDBPyConnection, run_id: str, workflows: Sequence[str], *, hides: bool
) -> tuple[list[Row], int]:
    """What the run was to change, of the plans whose rows are still kept."""
    found: list[Row] = []
    left_out = 0
    for workflow in workflows:
        plan = f"plan_{workflow}"
        if "changes" not in columns_of(con, plan):
            continue
        chosen = f"from {quoted(plan)} where run_id = ? and action in {WRITES}"
        count = int(con.execute(f"select count(*) {chosen}", [run_id]).fetchall()[0][0])
        room = max(0, MOST_CHANGES - len(found))
        left_out += max(0, count - room)
        rows = _rows(
            con,
            f"with named as ({_names(con)}), chosen as (select * {chosen})"
            " select c.action, c.source, c.source_id as id, n.name, c.reason, c.changes from chosen c left join named n"
            " on c.source = n.source and c.source_id = n.source_id"
            " order by c.action, c.source, try_cast(c.source_id as bigint) limit ?",
            [run_id, room],
        )
        found += [_change(workflow, row, hides=hides) for row in rows]
    return found, left_out


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
        " (list(source_id order by from_at, try_cast(source_id as bigint)))[:8] as first_ids"
        f" from sync_decisions where to_run is null and action in {HELD}"
        " group by workflow, action, reason_code order by records desc, workflow, action",
    )


def _records(con: duckdb.DuckDBPyConnection, *, hides: bool) -> tuple[list[Row], int]:
    """Every record with its decisions; when there are too many, those that rules skip everywhere are left out."""
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
        [MOST_RECORDS],
    )
    for row in rows if hides else ():
        row["number"] = row["name"] = None
        row["decided"] = [[*each[:2], None, each[3]] for each in row["decided"]]
    return rows, total - len(rows)


def _lineage(con: duckdb.DuckDBPyConnection, workflows: Sequence[str]) -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    for workflow, table, column, field_name, expression in con.execute(
        "select distinct workflow, source_table, source_column, target_field, expression from lineage_columns"
        " order by all"
    ).fetchall():
        if workflow in workflows:
            source = f"{table.removeprefix('stg_netsuite__')}.{column}" if column else "a constant"
            found.setdefault(workflow, []).append((source, field_name, expression))
    return found
