"""The view of one comparison: the differences with what the one before saw of them, and the values of whole fields.

SIDES, mart, target state, the comparison before  ->  read_differences(), read_pairs(), read_states()
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from assets.delivery.ledger.shadows import Shadow
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import PARENT, SourceKey
from assets.delivery.shadow.evidence import Cause
from assets.delivery.shadow.facts import Difference
from assets.delivery.shadow.sides import SIDES, WANTED_PARENT
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import key_column
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import columns_of, literal, quoted, read_frame


@dataclass(frozen=True)
class Night:
    """One comparison: its number and time, when each side was read, and what the one before knew of the interval."""

    number: int
    at: datetime
    netsuite_at: datetime | None
    target_at: datetime | None
    before_at: datetime | None
    before_netsuite_at: datetime | None
    interval_s: float | None
    arrived_through: datetime | None


def read_night(con: duckdb.DuckDBPyConnection, run: RunContext, shadow: Shadow) -> Night:
    """Return the comparison that is being made."""
    workflow = run.workflow
    number, *before = con.execute(
        "select coalesce(max(night), 0) + 1, max_by(compared_at, night), max_by(netsuite_at, night),"
        " max_by(interval_s, night), max(arrived_through)"
        " from sync_shadow_nights where workflow = ? and period = ?",
        [workflow.name, shadow.number],
    ).fetchall()[0]
    netsuite_at = con.execute(
        "select min(read_at) from (select max(netsuite_at) as read_at from netsuite_reads"
        " where list_contains(?, record_type) group by record_type)",
        [[record.source for record in workflow.spec.records]],
    ).fetchall()[0][0]
    target_at = con.execute(
        "select max(run.started_at) from sync_inputs as input join sync_runs as run"
        " on run.run_id = input.run_id and run.workflow = input.workflow where input.table_name = ?",
        [workflow.target_state],
    ).fetchall()[0][0]
    return Night(int(number), run.now, netsuite_at, target_at, *before)


_DIFFERENCES = f"""
with differing as (
    select source, source_id, target_id, code, reason, source_hash, wanted_hash, unnest(differing) as field,
        '$."' || replace(field, '"', '\\"') || '"' as path
    from {SIDES}
),
last as (from sync_shadow_records where workflow = $workflow),
known as (from sync_shadow_differences where workflow = $workflow and is_open),
dates as ({{dates}})
select
    differing.source, differing.source_id, differing.target_id, differing.field,
    json_extract_string({{pairs}}, differing.path || '.wanted') as wanted,
    json_extract_string({{pairs}}, differing.path || '.found') as found,
    last.source_hash is not distinct from differing.source_hash
        and last.wanted_hash is not distinct from differing.wanted_hash
        and (differing.target_id is null or not list_contains(last.differing, differing.field)) as was_alike,
    case when differing.target_id is null and last.source_hash is distinct from differing.source_hash then (
        select target_id from {{target_state}} as still where still.target_id = last.target_id
    ) end as lost,
    if(differing.target_id is null, link.target_id, null) as linked,
    known.cause, known.kind, known.evidence, known.changed_at, known.wanted_hash as known_wanted,
    known.found_hash as known_found, dates.modified_at, dates.created_at,
    coalesce(differing.code, '') as code, coalesce(differing.reason, '') as reason
from differing
left join {{mart}} as mart using (source, source_id)
left join planned using (source, source_id)
left join {{target_state}} as shown on shown.target_id = differing.target_id
left join last on last.source = differing.source and last.source_id = differing.source_id
left join (from sync_links where workflow = $workflow) as link
    on link.source = differing.source and link.source_id = differing.source_id
left join known
    on known.source = differing.source and known.source_id = differing.source_id and known.field = differing.field
left join dates on dates.source = differing.source and dates.source_id = differing.source_id
order by differing.source, try_cast(differing.source_id as bigint), differing.source_id, differing.field
"""


def read_differences(con: duckdb.DuckDBPyConnection, workflow: Workflow, plan_id: str) -> list[Difference]:
    """Return the differences of this comparison, with what the one before saw of them."""
    names = [name for name in workflow.spec.target_fields if name in columns_of(con, workflow.target_state)]
    pairs = [f"{literal(each)}: {{'wanted': mart.{quoted(each)}, 'found': shown.{quoted(each)}}}" for each in names]
    pairs.append(f"{literal(PARENT)}: {{'wanted': {WANTED_PARENT}, 'found': shown.parent_id}}")
    query = _DIFFERENCES.format(
        mart=quoted(workflow.mart),
        target_state=quoted(workflow.target_state),
        pairs=f"cast(to_json({{{', '.join(pairs)}}}) as varchar)",
        dates=" union all by name ".join(f"({_dates(con, record)})" for record in workflow.spec.records),
    ).replace("dates as (", f"planned as (from {quoted(workflow.plan)} where plan_id = $plan_id), dates as (", 1)
    cursor = con.execute(query, {"workflow": workflow.name, "plan_id": plan_id})
    columns = [each[0] for each in cursor.description or ()]
    return [_difference(dict(zip(columns, row, strict=True))) for row in cursor.fetchall()]


def _difference(row: Mapping[str, Any]) -> Difference:
    taken = ("target_id", "field", "wanted", "found", "lost", "linked", "modified_at", "created_at", "code", "reason")
    key, was_alike = SourceKey(row["source"], row["source_id"]), bool(row["was_alike"])
    difference = Difference(key, was_alike=was_alike, **{name: row[name] for name in taken})
    is_same = row["cause"] is not None and (row["known_wanted"], row["known_found"]) == difference.hashes
    known = Cause(row["cause"], row["kind"], row["evidence"], row["changed_at"]) if is_same else None
    return replace(difference, known=known)


def _dates(con: duckdb.DuckDBPyConnection, record: RecordMap) -> str:
    """Return SQL for NetSuite's times of creation and last change of each record, where it has them."""
    columns = columns_of(con, record.table)
    times = (
        f"{name if columns.get(name) == 'TIMESTAMP' else 'null::timestamp'} as {name}"
        for name in ("modified_at", "created_at")
    )
    key = f"cast({quoted(key_column(record.source))} as varchar)"
    return (
        f"select {literal(record.source)} as source, {key} as source_id, {', '.join(times)} from {quoted(record.table)}"
    )


def read_pairs(con: duckdb.DuckDBPyConnection, workflow: Workflow, source: str, field: str) -> pl.DataFrame:
    """Return source_id, wanted, found of every record of a source that is compared in a field."""
    return read_frame(
        con,
        f"select side.source_id, mart.{quoted(field)} as wanted, shown.{quoted(field)} as found from {SIDES} as side"
        f" join {quoted(workflow.mart)} as mart using (source, source_id)"
        f" join {quoted(workflow.target_state)} as shown on shown.target_id = side.target_id"
        " where side.source = ? and side.found_hash is not null and side.state in ('alike', 'differing')"
        " order by try_cast(side.source_id as bigint), side.source_id",
        [source],
    )


def read_states(con: duckdb.DuckDBPyConnection, workflow: Workflow, source: str) -> pl.DataFrame:
    """Return source_id, is_there and created_at of every record that the workflow selects."""
    (record,) = (each for each in workflow.spec.records if each.source == source)
    return read_frame(
        con,
        f"select source_id, state <> 'missing' as is_there, created_at from {SIDES}"
        f" left join ({_dates(con, record)}) as dates using (source, source_id)"
        " where source = ? and state in ('alike', 'differing', 'missing')",
        [source],
    )


def read_arrived(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> list[datetime]:
    """Return when NetSuite made the changes that reached the target since the previous comparison."""
    dates = " union all by name ".join(f"({_dates(con, record)})" for record in workflow.spec.records)
    rows = con.execute(
        f"""
        with last as (from sync_shadow_records where workflow = $workflow), dates as ({dates})
        select dates.modified_at from {SIDES} as side
        join last using (source, source_id) join dates using (source, source_id)
        where side.state = 'alike' and len(last.differing) = 0 and dates.modified_at is not null
            and side.wanted_hash is distinct from last.wanted_hash and side.found_hash is distinct from last.found_hash
        """,
        {"workflow": workflow.name},
    ).fetchall()
    return [row[0] for row in rows]
