"""Bound the history in the warehouse: delete versions, decisions, attempts, runs and plans that ended long ago.

keep_days  ->  prune()  ->  hist_*, sync_decisions, _attempts, _runs, _plans …, netsuite_reads without their oldest rows

A row is old if its time is, and no row that the ledger's sequence has before it is younger: a clock that was set back
makes nothing old.
Rows that still apply are kept, however old: current versions and open decisions, the last attempt of each record, sends
without an outcome, the latest run of each version of a workflow file. So pruning changes no later decision; only
questions about the time before the cut, and undoing a run from then, can no longer be answered.
"""

from collections.abc import Mapping
from datetime import datetime

import duckdb

from resources.warehouse.tables import has_table, quoted, tables_of
from sql import names

# the first place in the ledger's sequence whose row is not old: what came after it is not old either, whatever its time
_FIRST = """(
    select coalesce(min(position), 9223372036854775807) from (
        select position from sync_attempts where seen_at >= $cut
        union all
        select position from sync_runs where coalesce(finished_at, started_at) >= $cut
        union all
        select position from sync_plans where made_at >= $cut
    )
)"""
_READING = "(select coalesce(min(reading), 9223372036854775807) from netsuite_reads where read_at >= $cut)"
# the engine still reads the last attempt of each record, and attempts without a final outcome
_ATTEMPTS = f"""
seen_at < $cut and coalesce(position, 0) < {_FIRST}
and attempt_id not in (
    select attempt_id from sync_attempts
    qualify row_number() over (partition by workflow, source, source_id order by position desc) = 1
)
and attempt_id in (
    select attempt_id from sync_attempts where state not in ('intent', 'unknown', 'unverifiable', 'ambiguous')
)
and attempt_id not in (
    select attempt_id from sync_attempts where code = 'unfinished' and attempt_id not in
        (select attempt_id from sync_attempts where state = 'finished')
)
and attempt_id not in (select attempt_id from sync_attempts where seen_at >= $cut)
"""
_IMAGES = f"""
update sync_attempts set image = null
where image is not null and seen_at < $cut and coalesce(position, 0) < {_FIRST}
and attempt_id in (
    select attempt_id from sync_attempts where state not in ('intent', 'unknown', 'unverifiable', 'ambiguous')
)
and attempt_id not in (select attempt_id from sync_attempts where seen_at >= $cut)
"""
# a halted canary blocks the next plan until an operator has sent a later plan of the same version
_RUNS = f"""
coalesce(finished_at, started_at) < $cut and coalesce(position, 0) < {_FIRST}
and (run_id, workflow) not in (
    select (run_id, workflow) from sync_runs
    qualify row_number() over (
        partition by workflow, workflow_version, state, created + adopted + updated + deactivated + reactivated > 0
        order by position desc nulls last
    ) = 1 and state <> 'halted'
)
and (state <> 'halted' or exists (
    select 1 from sync_plans as plan where plan.workflow = sync_runs.workflow
    and plan.workflow_version = sync_runs.workflow_version and plan.plan_id <> sync_runs.plan_id
    and plan.kind = 'sync' and plan.writes > 0 and plan.sent_by is not null and plan.position > sync_runs.position
))
"""
_PLANS = f"""
state_at < $cut and coalesce(position, 0) < {_FIRST} and state not in ('ready', 'waiting', 'sending')
and plan_id not in (select plan_id from sync_runs where plan_id is not null)
"""

_DECISIONS = f"""
to_run is not null and to_at < $cut and coalesce(from_position, 0) < {_FIRST}
and to_run not in (select run_id from sync_runs where position >= {_FIRST})
"""

# the newest certificate of each state is evidence of the next one; the best one says what was reached before
_CERTIFICATES = f"""
certified_at < $cut and position < {_FIRST}
and certificate_id not in (
    select certificate_id from sync_certificates
    qualify row_number() over (partition by workflow, state order by position desc) = 1
        or row_number() over (partition by workflow order by verified_through desc nulls last, position desc) = 1
)
"""

# the newest reading of each kind with the same fields: which of them may be personal must not be forgotten
_READINGS = f"""
read_at < $cut and position < {_FIRST}
and position not in (
    select max(position) from sync_readings group by workflow, side, kind, fields, personal
)
"""
_VERSIONS = f"not is_current and valid_to < $cut and to_position < {_FIRST}"

# the order matters: a plan is kept as long as a run refers to it
_WHERE = {
    "sync_decisions": _DECISIONS,
    "sync_attempts": _ATTEMPTS,
    "sync_runs": _RUNS,
    "sync_plans": _PLANS,
    "sync_certificates": _CERTIFICATES,
    "sync_readings": _READINGS,
    "netsuite_reads": f"read_at < $cut and coalesce(reading, 0) < {_READING}",
}


def prune(con: duckdb.DuckDBPyConnection, cut: datetime) -> Mapping[str, int]:
    """Delete what ended before the cut, in the caller's transaction.

    Args:
        con: An open writer section.
        cut: UTC, naive.

    Returns:
        Rows deleted, by table.
    """
    versions = sorted(name for name in tables_of(con) if name.startswith(("hist_mart__", "hist_target__")))
    conditions = dict.fromkeys(names("history"), "not is_current and valid_to < $cut")
    conditions |= dict.fromkeys(versions, _VERSIONS) | _WHERE
    deleted = {name: _delete(con, name, where, cut) for name, where in conditions.items() if has_table(con, name)}
    if has_table(con, "sync_attempts"):
        con.execute(_IMAGES, {"cut": cut})
    return deleted


def _delete(con: duckdb.DuckDBPyConnection, table: str, where: str, cut: datetime) -> int:
    rows = con.execute(f"select count(*) from {quoted(table)} where {where}", {"cut": cut}).fetchall()
    if rows[0][0]:
        con.execute(f"delete from {quoted(table)} where {where}", {"cut": cut})
    return int(rows[0][0])
