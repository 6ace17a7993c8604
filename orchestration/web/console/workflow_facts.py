"""Facts about each workflow from the ledger: last delivery, open plan, records held back, quota, last runs.

sync_runs, sync_plans, sync_decisions, sync_links  ->  workflow_facts()
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import duckdb

from assets.delivery.ledger.ignored import NOT_IGNORED, ignored_rows
from assets.delivery.ledger.plans import REPLACED
from assets.delivery.ledger.shadows import active_shadows
from assets.delivery.target import HELD
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse

TREND = 30  # runs


def workflow_facts(warehouse: Warehouse, now: datetime) -> dict[str, Any]:
    """Return the rows that the page needs, by what they are; what people ignore is not held back."""
    with warehouse.writer(transaction=False) as con:
        if not all(has_table(con, name) for name in ("sync_runs", "sync_plans", "sync_decisions", "sync_links")):
            return {}
        found = {name: _rows(con, query) for name, query in _QUERIES.items()}
        found["shadow"] = [asdict(each) for each in active_shadows(con)]
        held = _HELD.format(ignored=ignored_rows(con))
        return {**found, "held": _rows(con, held, {"today": now.date()})}


def _rows(con: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    cursor = con.execute(query, values or {})
    names = [each[0] for each in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


_QUERIES = {
    "last": """
select workflow, run_id, state, note, coalesce(finished_at, started_at) as ended_at,
    created + adopted + updated + deactivated + reactivated as sent, failed
from sync_runs where plan_id is not null
qualify row_number() over (partition by workflow order by position desc nulls last) = 1""",
    "compared": """
select run.workflow, arg_max(finished_at, coalesce(run.position, epoch_us(finished_at))) as at
from sync_runs as run left join sync_plans as plan using (plan_id)
where run.state in ('finished', 'partial') and finished_at is not null and coalesce(plan.kind, 'sync') = 'sync'
group by run.workflow""",
    "plan": f"""
select * from sync_plans where state in ('waiting', 'ready') and writes > 0 and not ({REPLACED})
qualify row_number() over (partition by workflow order by state = 'waiting' desc, position desc nulls last) = 1""",
    "linked": """
select workflow, count(*) as records from sync_links
where target_id is not null and (payload_hash is not null or target_hash is not null) group by workflow""",
    "quota": """
select workflow, calls_left, read_at, position from (
    select workflow, calls_left, finished_at as read_at, position from sync_runs
    union all select workflow, calls_left, made_at, position from sync_plans
) where calls_left is not null
qualify row_number() over (partition by workflow order by position desc nulls last) = 1""",
    "trend": f"""
select workflow, run_id, coalesce(started_at, finished_at) as started_at, state,
    coalesce(created + adopted + updated + deactivated + reactivated, 0) as sent,
    coalesce(blocked + quarantined + ambiguous, 0) as held, coalesce(failed, 0) as failed
from sync_runs where plan_id is not null and coalesce(started_at, finished_at) is not null
qualify row_number() over (partition by workflow order by position desc nulls last) <= {TREND}
order by position""",
}
_HELD = f"""
select workflow, action, coalesce(reason_code, '') as code, count(*) as records from sync_decisions as known
where to_run is null and action in {HELD} and {NOT_IGNORED} group by all order by records desc, action, code
"""
