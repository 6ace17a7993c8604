"""The warehouse's memory of what was decided, sent and confirmed.

plan, attempts, outcomes  ->  sync_runs, sync_decisions, sync_attempts, sync_links, lineage_columns
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import duckdb
import polars as pl

import sql
from assets.delivery.schemas import HOLD_SCHEMA, KEY, LINK_SCHEMA, PIN_SCHEMA, PLACE_SCHEMA, REFUSED_SCHEMA
from assets.delivery.target import UNFINISHED, Action
from resources.warehouse.tables import (
    columns_of,
    describe_table,
    ensure_table,
    has_table,
    insert_frame,
    quoted,
    read_frame,
)

LEDGER = (
    "sync_runs", "sync_plans", "sync_decisions", "sync_attempts", "sync_links", "sync_holds", "sync_quirks",
    "sync_picks", "sync_pins", "sync_addresses", "lineage_columns", "netsuite_reads",
)  # fmt: skip

# how an action counts in sync_runs
COUNTED = {
    Action.CREATE: "created",
    Action.ADOPT: "adopted",
    Action.UPDATE: "updated",
    Action.DEACTIVATE: "deactivated",
    Action.REACTIVATE: "reactivated",
    Action.UNCHANGED: "unchanged",
    Action.SKIPPED: "skipped",
    Action.BLOCKED: "blocked",
    Action.QUARANTINED: "quarantined",
    Action.AMBIGUOUS: "ambiguous",
    Action.FAILED: "failed",
}

ATTEMPT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "attempt_id": pl.String,
    "state": pl.String,
    "run_id": pl.String,
    "workflow": pl.String,
    "source": pl.String,
    "source_id": pl.String,
    "action": pl.String,
    "target_id": pl.String,
    "payload_hash": pl.String,
    "workflow_version": pl.String,
    "request_hash": pl.String,
    "code": pl.String,
    "reason": pl.String,
    "image": pl.String,
    "seen_at": pl.Datetime("us"),
}

_NUMBER = "try_cast(source_id as bigint) as source_number"


# columns that warehouses of earlier versions lack
LATER = {
    "sync_plans": {"calls_left": "bigint", "decided_by": "varchar"},
    "sync_runs": {"account": "varchar", "calls_left": "bigint"},
}


def ensure_ledger(con: duckdb.DuckDBPyConnection) -> None:
    """Create the ledger's tables where they are missing, with their comments."""
    ensure_table(con, *(sql.statement("ledger", name) for name in LEDGER))
    for table, columns in LATER.items():
        missing = columns.keys() - columns_of(con, table).keys()
        for name in sorted(missing):
            con.execute(f"alter table {table} add column {name} {columns[name]}")
        if missing:
            of = sql.statement("ledger", table)
            describe_table(con, table, of.description, of.column_comments.items())


def read_links(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """What was last confirmed for each source record: LINK_SCHEMA."""
    columns = ", ".join(LINK_SCHEMA)
    links = read_frame(con, f"select {columns} from sync_links where workflow = ?", [workflow])
    return links if links.height else pl.DataFrame(schema=LINK_SCHEMA)


def read_places(con: duckdb.DuckDBPyConnection, workflows: Iterable[str]) -> pl.DataFrame:
    """Where the records of other workflows are, as their last runs left them: PLACE_SCHEMA.

    A record counts as there when the target showed it, not because it was sent once.
    """
    found = [pl.DataFrame(schema=PLACE_SCHEMA)]
    for workflow in workflows:
        target_state = f"target_{workflow}"
        if has_table(con, target_state):
            found.append(
                read_frame(
                    con,
                    "select known.source, known.source_id, target_state.target_id,"
                    " coalesce(known.reason, known.action) as reason from sync_decisions as known"
                    " left join sync_links as link using (workflow, source, source_id)"
                    f" left join {quoted(target_state)} as target_state on target_state.target_id = link.target_id"
                    " where known.workflow = ? and known.to_run is null",
                    [workflow],
                )
            )
    return pl.concat(found).unique(KEY, keep="first", maintain_order=True)


def ids_there(con: duckdb.DuckDBPyConnection, workflow: str) -> dict[str, str]:
    """NetSuite id to the target's id, of every record of a workflow that the target has."""
    places = read_places(con, [workflow]).drop_nulls("target_id")
    return dict(places.select("source_id", "target_id").iter_rows())


def put(con: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame) -> None:
    """Insert or replace rows of a table whose grain is one per workflow and source record."""
    if rows.is_empty():
        return
    fresh = f"_new_{table}"
    con.execute(f"create or replace temp table {fresh} as select * from {table} limit 0")
    insert_frame(con, fresh, rows)
    con.execute(
        f"delete from {table} using {fresh} as fresh where {table}.workflow = fresh.workflow"
        f" and {table}.source = fresh.source and {table}.source_id = fresh.source_id"
    )
    con.execute(f"insert into {table} by name select * from {fresh}")


def end_holds(con: duckdb.DuckDBPyConnection, workflow: str, keys: Iterable[tuple[str, str]]) -> None:
    """Forget the holds of records that were sent again: going back to what was undone is a change like any other."""
    con.execute("create or replace temp table _sent_again (source varchar, source_id varchar)")
    insert_frame(con, "_sent_again", pl.DataFrame(list(keys), schema=dict.fromkeys(KEY, pl.String), orient="row"))
    con.execute(
        "delete from sync_holds where workflow = ?"
        " and (source, source_id) in (select (source, source_id) from _sent_again)",
        [workflow],
    )


def write_decisions(
    con: duckdb.DuckDBPyConnection,
    workflow: str,
    version: str,
    run_id: str,
    moment: datetime,
    decisions: pl.DataFrame,
    *,
    whole: bool = True,
) -> None:
    """Close the spells that ended and open those that began.

    Args:
        con: An open writer section.
        workflow: The workflow.
        version: The workflow file's fingerprint.
        run_id: The run that decided.
        moment: When, UTC.
        decisions: source, source_id, action, reason_code, reason, target_id.
        whole: Whether these are all source records; else those that are not among them keep their spell.
    """
    con.execute(
        "create or replace temp table _decided (source varchar, source_id varchar, action varchar,"
        " reason_code varchar, reason varchar, target_id varchar)"
    )
    insert_frame(con, "_decided", decisions.select(*KEY, "action", "reason_code", "reason", "target_id"))
    same = (
        "open.workflow = ? and open.to_run is null and open.source = fresh.source and open.source_id = fresh.source_id"
        " and open.action = fresh.action and open.reason_code is not distinct from fresh.reason_code"
        " and open.reason is not distinct from fresh.reason and open.target_id is not distinct from fresh.target_id"
    )
    con.execute(
        "update sync_decisions as open set to_run = ?, to_at = ? where open.workflow = ? and open.to_run is null"
        f" and not exists (select 1 from _decided as fresh where {same})"
        " and (? or (open.source, open.source_id) in (select (source, source_id) from _decided))",
        [run_id, moment, workflow, workflow, whole],
    )
    con.execute(
        f"insert into sync_decisions by name select ? as workflow, fresh.*, {_NUMBER}, ? as workflow_version,"
        " ? as from_run, ?::timestamp as from_at from _decided as fresh"
        f" where not exists (select 1 from sync_decisions as open where {same})",
        [workflow, version, run_id, moment, workflow],
    )


def write_attempts(con: duckdb.DuckDBPyConnection, attempts: Iterable[Sequence[object]]) -> None:
    """Append rows of ATTEMPT_SCHEMA."""
    con.execute("create or replace temp table _attempts as select * exclude (source_number) from sync_attempts limit 0")
    insert_frame(con, "_attempts", pl.DataFrame(list(attempts), schema=ATTEMPT_SCHEMA, orient="row"))
    con.execute(f"insert into sync_attempts by name select *, {_NUMBER} from _attempts")


def open_intents(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Attempts that never got an end, or whose end is unknown: what a killed run or a lost answer left behind."""
    return read_frame(
        con,
        "select * from sync_attempts where workflow = ? and state = 'intent' and attempt_id not in"
        " (select attempt_id from sync_attempts where workflow = ? and state not in ('intent', 'unknown'))",
        [workflow, workflow],
    )


def unfinished(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Creates that arrived, but of which it is not known whether what follows them was done: the oldest first."""
    return read_frame(
        con,
        "select * from sync_attempts where workflow = ? and code = ? and target_id is not null"
        " and attempt_id not in (select attempt_id from sync_attempts where workflow = ? and state = 'finished')"
        " order by seen_at, attempt_id",
        [workflow, UNFINISHED, workflow],
    )


def read_refused(con: duckdb.DuckDBPyConnection, workflow: str, since: datetime) -> pl.DataFrame:
    """Records whose last attempt the target refused, and what it said: REFUSED_SCHEMA.

    Args:
        con: An open writer section.
        workflow: The workflow.
        since: An older refusal is forgotten, so that the record is tried again: UTC.
    """
    refused = read_frame(
        con,
        "select source, source_id, payload_hash as refused_hash, workflow_version as refused_version,"
        " request_hash as refused_request, code as refused_code, reason as refused_reason from sync_attempts"
        " where workflow = ? and seen_at >= ? and state not in ('intent', 'finished')"
        " qualify row_number() over (partition by source, source_id order by seen_at desc) = 1 and state = 'rejected'",
        [workflow, since],
    )
    if refused.is_empty():
        return pl.DataFrame(schema=REFUSED_SCHEMA)
    return refused.join(_parents_changed(con, workflow), on=KEY, how="anti", maintain_order="left")


def _parents_changed(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Records whose parent was decided on otherwise by a later run than the one that saw them refused: KEY."""
    if not has_table(con, f"mart_{workflow}"):
        return pl.DataFrame(schema=dict.fromkeys(KEY, pl.String))
    return read_frame(
        con,
        "select distinct child.source, child.source_id from (select source, source_id, run_id, seen_at"
        " from sync_attempts where workflow = ? and state = 'rejected' and seen_at is not null"
        " qualify row_number() over (partition by source, source_id order by seen_at desc) = 1) as refused"
        f" join {quoted(f'mart_{workflow}')} as child using (source, source_id)"
        " join sync_decisions as parent on parent.source = child.parent_source"
        " and parent.source_id = child.parent_source_id and parent.to_run is null"
        " and parent.from_run <> refused.run_id and parent.from_at > refused.seen_at",
        [workflow],
    )


def read_holds(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Records that an undo put back: HOLD_SCHEMA."""
    holds = read_frame(
        con,
        "select source, source_id, payload_hash as held_hash, disposition as held_disposition,"
        " workflow_version as held_version, undone_run"
        " from sync_holds where workflow = ?",
        [workflow],
    )
    return holds if holds.height else pl.DataFrame(schema=HOLD_SCHEMA)


def read_pins(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """What a person decided about which record is which: PIN_SCHEMA."""
    query = "select source, source_id, target_id as pinned_id from sync_pins where workflow = ?"
    pins = read_frame(con, query, [workflow])
    return pins if pins.height else pl.DataFrame(schema=PIN_SCHEMA)


def keep_address(con: duckdb.DuckDBPyConnection, workflow: str, target: str, template: str) -> None:
    """Remember where a person opens the target's records; blank forgets it."""
    con.execute("delete from sync_addresses where workflow = ?", [workflow])
    if template:
        con.execute("insert into sync_addresses values (?, ?, ?)", [workflow, target, template])


def note_quirks(
    con: duckdb.DuckDBPyConnection, workflow: str, run_id: str, moment: datetime, seen: Mapping[tuple[str, str], int]
) -> None:
    """Add up what the target made of our values: (field, kind) to records."""
    for (name, kind), records in seen.items():
        known = con.execute(
            "select 1 from sync_quirks where workflow = ? and field = ? and kind = ?", [workflow, name, kind]
        ).fetchall()
        if known:
            con.execute(
                "update sync_quirks set records = records + ?, last_run = ?, last_at = ?"
                " where workflow = ? and field = ? and kind = ?",
                [records, run_id, moment, workflow, name, kind],
            )
        else:
            con.execute(
                "insert into sync_quirks values (?, ?, ?, ?, ?, ?, ?)",
                [workflow, name, kind, records, run_id, run_id, moment],
            )


def last_size(con: duckdb.DuckDBPyConnection, workflow: str) -> int:
    """How many source records the last finished run decided on; 0 before the first."""
    rows = con.execute(
        "select run.source_records from sync_runs as run"
        " join sync_plans as plan on plan.plan_id = run.plan_id and plan.kind = 'sync'"
        " where run.workflow = ? and run.finished_at is not null order by run.finished_at desc limit 1",
        [workflow],
    ).fetchall()
    return int(rows[0][0] or 0) if rows else 0


def proven(con: duckdb.DuckDBPyConnection, workflow: str, version: str, canary: int = 0) -> bool:
    """Whether a run sent something by this version of the workflow file and came to its end, or beyond its canary."""
    rows = con.execute(
        "select 1 from sync_runs where workflow = ? and workflow_version = ? and state in ('finished', 'partial')"
        " and created + adopted + updated + deactivated + reactivated > if(state = 'finished', 0, ?)"
        # the few records of a change notification prove nothing for all
        " and plan_id not in (select plan_id from sync_plans where workflow = ? and kind = 'realtime') limit 1",
        [workflow, version, canary, workflow],
    ).fetchall()
    return bool(rows)


def proven_whole(con: duckdb.DuckDBPyConnection, workflow: str, version: str) -> bool:
    """Whether a run of all records by this version of the workflow file came to its end."""
    if not has_table(con, "sync_runs"):
        return False
    rows = con.execute(
        "select 1 from sync_runs as run join sync_plans as plan on plan.plan_id = run.plan_id and plan.kind = 'sync'"
        " where run.workflow = ? and run.workflow_version = ? and run.state in ('finished', 'partial') limit 1",
        [workflow, version],
    ).fetchall()
    return bool(rows)


def halts(con: duckdb.DuckDBPyConnection, workflow: str, version: str) -> list[tuple[str, bool]]:
    """Runs of this version that a canary stopped, newest first: what it found, whether somebody accepted it since.

    Accepted means that a plan of the same version was made after it and begun: only a person can release one then.
    """
    rows = con.execute(
        "select run.note, exists (select 1 from sync_plans as plan where plan.workflow = run.workflow"
        " and plan.workflow_version = run.workflow_version and plan.plan_id <> run.plan_id"
        " and plan.kind = 'sync' and plan.writes > 0 and plan.sent_by is not null and plan.made_at >= run.finished_at)"
        " from sync_runs as run where run.workflow = ? and run.workflow_version = ? and run.state = 'halted'"
        " order by run.finished_at desc",
        [workflow, version],
    ).fetchall()
    return [(str(note), bool(accepted)) for note, accepted in rows]


def note_run(
    con: duckdb.DuckDBPyConnection, run_id: str, workflow: str, values: Mapping[str, object], *, calls: int = 0
) -> None:
    """Set columns of a run's row in sync_runs, which is made when it is missing; calls are added up."""
    known = con.execute("select 1 from sync_runs where run_id = ? and workflow = ?", [run_id, workflow]).fetchall()
    if not known:
        con.execute("insert into sync_runs (run_id, workflow, calls) values (?, ?, 0)", [run_id, workflow])
    sets = ", ".join([*(f"{quoted(name)} = ?" for name in values), "calls = calls + ?"])
    con.execute(
        f"update sync_runs set {sets} where run_id = ? and workflow = ?", [*values.values(), calls, run_id, workflow]
    )


def write_lineage(con: duckdb.DuckDBPyConnection, workflow: str, lineage: pl.DataFrame) -> None:
    """Replace the lineage of one workflow."""
    con.execute("delete from lineage_columns where workflow = ?", [workflow])
    insert_frame(con, "lineage_columns", lineage)
