"""Collect the contents of a run's report from the warehouse.

sync_runs, plan_*, sync_decisions, lineage_columns, staging names  ->  collect_report()  ->  RunReport
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import duckdb

from assets.result_texts import counted
from assets.warehouse.record_names import named_records
from assets.warehouse.run_report.parent_names import with_parent_names
from resources.warehouse.tables import columns_of, has_table, quoted
from resources.warehouse.warehouse import Warehouse

MAX_CHANGES, MAX_RECORDS = 5_000, 20_000
MAX_BYTES = 1_900_000  # of each of both lists: a page of a few megabytes still opens on a phone
# actions of sync_decisions, with the columns of sync_runs that count them; the first five write to the target
COUNT_COLUMNS = {
    "create": "created", "adopt": "adopted", "update": "updated", "deactivate": "deactivated",
    "reactivate": "reactivated", "unchanged": "unchanged", "skipped": "skipped", "blocked": "blocked",
    "quarantined": "quarantined", "ambiguous": "ambiguous", "deferred": "deferred", "failed": "failed",
}  # fmt: skip
WRITES = tuple(COUNT_COLUMNS)[:5]
DEFERRED = "deferred"
SENT = ("confirmed", "found", "finished")  # states of attempts that the target has carried out
SHOWN_REASONS = 8  # of one cause
FETCHED = 1_000  # rows at a time

Row = dict[str, Any]


@dataclass(frozen=True)
class RunReport:
    """The contents of one run's report.

    Attributes:
        at: Start of the run, UTC.
        hides: Values and names are left out.
        workflows: workflow, target, state, note, calls, seconds, counts as (action, records).
        changes: workflow, action, outcome, answer, source, id, name, reason, fields as (field, before, after).
        changes_omitted: Changes beyond `MAX_CHANGES` or `MAX_BYTES`.
        held: workflow, source, noun, action, cause, reasons as (text, records), records, since, first_ids.
        records: source, id, number, name, decided as (workflow, action, reason, target_id).
        records_omitted: Records beyond `MAX_RECORDS` or `MAX_BYTES`.
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


def collect_report(
    warehouse: Warehouse, run_id: str = "", *, held: Sequence[Row] = (), hides: bool = False
) -> RunReport | None:
    """Return the report of a run, or of the latest one; None if there is no such run.

    Args:
        warehouse: The warehouse.
        run_id: The run, or its first characters.
        held: What is held back, by cause; see `RunReport.held`.
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
        changes, changes_omitted = _changes(con, run_id, hides=hides)
        records, records_omitted = _records(con, hides=hides)
        return RunReport(
            run_id, at, hides, workflows, changes, changes_omitted, [_held(row) for row in held], records,
            records_omitted, _lineage(con, names),
        )  # fmt: skip


def _rows(con: duckdb.DuckDBPyConnection, query: str, params: Sequence[Any] = ()) -> list[Row]:
    return list(_read(con, query, params))


def _read(con: duckdb.DuckDBPyConnection, query: str, params: Sequence[Any]) -> Iterator[Row]:
    """Yield rows; those that are not asked for are not made into objects."""
    cursor = con.execute(query, list(params))
    names = [each[0] for each in cursor.description or ()]
    while rows := cursor.fetchmany(FETCHED):
        yield from (dict(zip(names, row, strict=True)) for row in rows)


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


def _changes(con: duckdb.DuckDBPyConnection, run_id: str, *, hides: bool) -> tuple[list[Row], int]:
    """Return what the run's plans write, each with its outcome, if their rows still exist; and the number left out.

    A run has the plans that it made, or the one that it sent: an approved plan was made by another run.
    """
    plans = _rows(
        con,
        "select r.workflow, coalesce(r.plan_id, p.plan_id) as plan_id, r.plan_id is not null as is_sent"
        " from sync_runs r left join sync_plans p on p.workflow = r.workflow and p.made_by = r.run_id"
        " where r.run_id = ?"
        " qualify row_number() over (partition by r.workflow order by p.position desc nulls last) = 1",
        [run_id],
    )
    found: list[Row] = []
    total = 0
    for plan in plans:
        table = f"plan_{plan['workflow']}"
        if plan["plan_id"] is None or "changes" not in columns_of(con, table):
            continue
        planned = f"from {quoted(table)} where plan_id = ? and action in {WRITES}"
        count = int(con.execute(f"select count(*) {planned}", [plan["plan_id"]]).fetchall()[0][0])
        total += count
        if not count or len(found) >= MAX_CHANGES:  # all names and outcomes are read for the query
            continue
        query = _CHANGES.format(names=named_records(con), planned=planned)
        values = [plan["plan_id"], *[run_id, plan["workflow"]] * 2, plan["workflow"], MAX_CHANGES - len(found)]
        rows = with_parent_names(con, plan["workflow"], _rows(con, query, values))
        found += [_change(plan["workflow"], row, is_sent=plan["is_sent"], hides=hides) for row in rows]
    shown = _fitting(found)
    return shown, total - len(shown)


# the last state of a record's attempts in this run is its outcome; the decision at the end of the run says why a record
# has none
_CHANGES = """
with named as ({names}), planned as (select * {planned}),
answered as (
    select source, source_id, arg_max(state, position) as answer, arg_max(reason, position) as answer_reason
    from sync_attempts where run_id = ? and workflow = ? group by source, source_id
),
ended as (select max(position) as position from sync_runs where run_id = ? and workflow = ?),
decided as (
    select source, source_id, arg_max(d.action, from_position) as decided,
        arg_max(reason, from_position) as decided_reason
    from sync_decisions d, ended where workflow = ? and from_position <= ended.position group by source, source_id
)
select c.action, c.source, c.source_id as id, n.name, c.reason, c.changes, c.parent_source,
    c.parent_source_id, a.answer, a.answer_reason, d.decided, d.decided_reason
from planned c left join named n on c.source = n.source and c.source_id = n.source_id
left join answered a on c.source = a.source and c.source_id = a.source_id
left join decided d on c.source = d.source and c.source_id = d.source_id
order by coalesce(a.answer in ('confirmed', 'found', 'finished'), a.answer is null), c.action, c.source,
    try_cast(c.source_id as bigint)
limit ?
"""


def _change(workflow: str, row: Row, *, is_sent: bool, hides: bool) -> Row:
    changes, answer, words = row.pop("changes"), row.pop("answer"), row.pop("answer_reason")
    decided, why = row.pop("decided"), row.pop("decided_reason")
    fields = [(each["field"], *((None, None) if hides else (each["before"], each["after"]))) for each in changes]
    # the target's own words may quote the value that it rejected
    is_left = is_sent and decided not in (None, *WRITES)
    words = None if hides or answer in SENT else words or (why if is_left else "")
    is_deferred = is_left and decided == DEFERRED and answer not in SENT
    outcome = f"{row['action']} {DEFERRED}" if is_deferred else _outcome(row["action"], answer, is_sent=is_sent)
    return {
        **row, "name": None if hides else row["name"], "workflow": workflow, "fields": fields, "outcome": outcome,
        "answer": words or "",
    }  # fmt: skip


def _outcome(action: str, answer: str | None, *, is_sent: bool) -> str:
    """Return what became of a planned change in words; only what the target carried out is `created`, `updated` …."""
    if answer in SENT:
        return COUNT_COLUMNS[action]
    if answer is None:
        return f"{action} not sent" if is_sent else f"{action} planned"
    words = {"rejected": "rejected", "not_sent": "not sent", "absent": "not carried out"}
    return f"{action} {words.get(answer, 'without a known outcome')}"


def _held(row: Row) -> Row:
    """Return one cause as the page lists it."""
    reasons, since = row["reasons"][:SHOWN_REASONS], row["since"]
    return {
        **{name: row[name] for name in ("workflow", "source", "action", "cause", "records", "first_ids")},
        "noun": counted(row["records"], row["source"].replace("_", " ")).partition(" ")[2],
        "reasons": reasons,
        "more_reasons": len(row["reasons"]) - len(reasons),
        "since": f"{since:%Y-%m-%d %H:%M}" if since else "this run",
    }


def _fitting(rows: Iterable[Row]) -> list[Row]:
    """Return as many of the first rows as fit into MAX_BYTES."""
    room, found = MAX_BYTES, list[Row]()
    for row in rows:
        room -= len(json.dumps(row, default=str))
        if room < 0:
            break
        found.append(row)
    return found


def _records(con: duckdb.DuckDBPyConnection, *, hides: bool) -> tuple[list[Row], int]:
    """Return the records with their decisions; if there are too many, records skipped everywhere are omitted."""
    decided = "select source, source_id, bool_and(action = 'skipped') as is_skipped from sync_decisions"
    every = f"{decided} where to_run is null group by all"
    total = int(con.execute(f"select count(*) from ({every})").fetchall()[0][0])
    rows = _decided(con, every)
    shown = _fitting(map(_without_values, rows) if hides else rows)
    return shown, total - len(shown)


def _decided(con: duckdb.DuckDBPyConnection, every: str) -> Iterator[Row]:
    """Yield the first records of `every`, each with its decisions; DuckDB would take twice as long to make lists."""
    query = (
        f"with named as ({named_records(con)}), chosen as (from ({every}) order by is_skipped, {_ID} limit ?)"
        " select d.source, d.source_id as id, n.number, n.name, d.workflow, d.action, d.reason, d.target_id"
        " from sync_decisions d join chosen c on d.source = c.source and d.source_id = c.source_id"
        " left join named n on d.source = n.source and d.source_id = n.source_id"
        f" where d.to_run is null order by is_skipped, {_ID.replace('source', 'd.source')}, workflow"
    )
    for _, rows in groupby(_read(con, query, [MAX_RECORDS]), itemgetter("source", "id")):
        decisions = list(rows)
        record = {name: decisions[0][name] for name in ("source", "id", "number", "name")}
        yield {**record, "decided": [[each[name] for name in _DECIDED] for each in decisions]}


_ID = "source, try_cast(source_id as bigint), source_id"
_DECIDED = ("workflow", "action", "reason", "target_id")


def _without_values(row: Row) -> Row:
    decided = [[*each[:2], None, each[3]] for each in row["decided"]]
    return {**row, "number": None, "name": None, "decided": decided}


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
