"""Bounds what the warehouse remembers: versions, spells, attempts, runs and plans that ended long ago are taken out.

keep_days  ->  thin()  ->  hist_*, sync_decisions, _attempts, _runs, _plans and netsuite_reads without their oldest rows

What is true now never goes, however old: open versions and spells, the last attempt of each record, sends that never
got an end, the newest run of each version of a workflow file. So no run decides otherwise than without thinning; only
questions about the time before the cut, and undoing a run from then, are answered no more.
"""

from collections.abc import Mapping
from datetime import datetime

import duckdb

from resources.warehouse.tables import has_table, quoted
from sql import names

# what the engine still asks of old attempts: the last word on each record, and whatever is not at its end
_ATTEMPTS = """
seen_at < $cut
and attempt_id not in (
    select attempt_id from sync_attempts
    qualify row_number() over (partition by workflow, source, source_id order by seen_at desc, attempt_id desc) = 1
)
and attempt_id in (select attempt_id from sync_attempts where state not in ('intent', 'unknown', 'untold'))
and attempt_id not in (
    select attempt_id from sync_attempts where code = 'unfinished' and attempt_id not in
        (select attempt_id from sync_attempts where state = 'finished')
)
and attempt_id not in (select attempt_id from sync_attempts where seen_at >= $cut)
"""
_IMAGES = """
update sync_attempts set image = null
where image is not null and seen_at < $cut
and attempt_id in (select attempt_id from sync_attempts where state not in ('intent', 'unknown', 'untold'))
and attempt_id not in (select attempt_id from sync_attempts where seen_at >= $cut)
"""
# a canary's halt holds the next plan back until somebody accepted it by sending a later plan of the same version
_RUNS = """
coalesce(finished_at, started_at) < $cut
and (run_id, workflow) not in (
    select (run_id, workflow) from sync_runs
    qualify row_number() over (
        partition by workflow, workflow_version, state, created + adopted + updated + deactivated + reactivated > 0
        order by started_at desc nulls last
    ) = 1 and state <> 'halted'
)
and (state <> 'halted' or exists (
    select 1 from sync_plans as plan where plan.workflow = sync_runs.workflow
    and plan.workflow_version = sync_runs.workflow_version and plan.plan_id <> sync_runs.plan_id
    and plan.kind = 'sync' and plan.writes > 0 and plan.sent_by is not null and plan.made_at >= sync_runs.finished_at
))
"""
_PLANS = """
state_at < $cut and state not in ('made', 'waiting', 'sending')
and plan_id not in (select plan_id from sync_runs where plan_id is not null)
"""

# the order matters: plans stay as long as a run that is kept names them
_WHERE = {
    "sync_decisions": "to_run is not null and to_at < $cut",
    "sync_attempts": _ATTEMPTS,
    "sync_runs": _RUNS,
    "sync_plans": _PLANS,
    "netsuite_reads": "read_at < $cut",
}


def thin(con: duckdb.DuckDBPyConnection, cut: datetime) -> Mapping[str, int]:
    """Take out what ended before the cut, in the caller's transaction.

    Args:
        con: An open writer section.
        cut: UTC, naive.

    Returns:
        Rows taken out, by table.
    """
    where = dict.fromkeys(names("history"), "not is_current and valid_to < $cut") | _WHERE
    gone = {name: _delete(con, name, text, cut) for name, text in where.items() if has_table(con, name)}
    if has_table(con, "sync_attempts"):
        con.execute(_IMAGES, {"cut": cut})
    return gone


def _delete(con: duckdb.DuckDBPyConnection, table: str, where: str, cut: datetime) -> int:
    found = con.execute(f"select count(*) from {quoted(table)} where {where}", {"cut": cut}).fetchall()
    if found[0][0]:
        con.execute(f"delete from {quoted(table)} where {where}", {"cut": cut})
    return int(found[0][0])
