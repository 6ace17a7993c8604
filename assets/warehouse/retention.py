"""Bound the history in the warehouse: delete versions, decisions, attempts, runs and plans that ended long ago.

a time for each class of columns  ->  prune()  ->  hist_*, sync_decisions, _attempts, _runs, _plans …, netsuite_reads

technical: rows of the ledger are deleted. business: versions of records are deleted. personal: versions and attempts
lose their personal values, and stay.

A row is old if its time is, and no row that the ledger's sequence has before it is younger: a clock that was set back
makes nothing old.
Rows that still apply are kept, however old: current versions and open decisions, the last attempt of each record, sends
without an outcome, the latest run of each version of a workflow file. So pruning changes no later decision; only
questions about the time before the cut, and undoing a run from then, can no longer be answered.
"""

from collections.abc import Mapping
from datetime import datetime

import duckdb

from resources.warehouse.column_classes import CLASSES, ColumnClass, class_of
from resources.warehouse.masking import visible_columns, visible_fields
from resources.warehouse.tables import columns_of, has_table, quoted, tables_of
from resources.warehouse.version_queries import EMPTIED

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
_WROTE = "created + adopted + updated + deactivated + reactivated"
_DECIDED = f"{_WROTE} + unchanged + skipped + blocked + quarantined + ambiguous + deferred + failed"
# a halted canary blocks the next plan until an operator has sent a later plan of the same version as a whole; what a
# run proves depends on its kind, and on whether it sent a part of a plan (as in `assets/delivery/ledger/runs.py`)
_PART = "starts_with(coalesce(plan.note, ''), 'a part of it was approved')"
_RUNS = f"""
coalesce(finished_at, started_at) < $cut and coalesce(position, 0) < {_FIRST}
and (run_id, workflow) not in (
    select (run_id, workflow) from sync_runs
    qualify row_number() over (
        partition by workflow, workflow_version, state, {_WROTE} > 0, {_DECIDED} >= source_records,
            (select (kind, {_PART}) from sync_plans as plan where plan.plan_id = sync_runs.plan_id)
        order by position desc nulls last
    ) = 1 and state <> 'halted'
)
and (state <> 'halted' or exists (
    select 1 from sync_plans as plan join sync_runs as run on run.run_id = plan.sent_by
    and run.workflow = plan.workflow and {_DECIDED} >= run.source_records and not {_PART}
    where plan.workflow = sync_runs.workflow
    and plan.workflow_version = sync_runs.workflow_version and plan.plan_id <> sync_runs.plan_id
    and plan.kind = 'sync' and plan.writes > 0 and plan.position > sync_runs.position
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
_ENDED = "not is_current and valid_to < $cut"
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


_REASONS = f"update sync_attempts set reason = null where reason is not null and {_ATTEMPTS}"


def prune(con: duckdb.DuckDBPyConnection, cuts: datetime | Mapping[ColumnClass, datetime]) -> Mapping[str, int]:
    """Delete what ended before the cut of its class, in the caller's transaction.

    One time for all, or times by class of columns, UTC, naive; a class without a time is kept.

    Returns:
        Rows deleted, or emptied of personal values, by table.
    """
    cuts = dict.fromkeys(CLASSES, cuts) if isinstance(cuts, datetime) else cuts
    versions = sorted(name for name in tables_of(con) if name.startswith(("hist_mart__", "hist_target__")))
    of_netsuite = sorted(name for name in tables_of(con) if name.startswith("hist_netsuite__"))
    conditions = dict.fromkeys(of_netsuite, _ENDED) | dict.fromkeys(versions, _VERSIONS)
    done: dict[str, int] = {}
    if cut := cuts.get("business"):
        done |= {name: _delete(con, name, where, cut) for name, where in conditions.items() if has_table(con, name)}
    if cut := cuts.get("technical"):
        done |= {name: _delete(con, name, where, cut) for name, where in _WHERE.items() if has_table(con, name)}
    if cut := cuts.get("personal"):
        for name, where in conditions.items():
            if has_table(con, name) and (emptied := _empty_versions(con, name, where, cut)):
                done[f"{name} without personal values"] = emptied
        if has_table(con, "sync_attempts"):
            for statement in (_IMAGES, _REASONS):
                con.execute(statement, {"cut": cut})
    return done


def _empty_versions(con: duckdb.DuckDBPyConnection, table: str, where: str, cut: datetime) -> int:
    """Empty the personal columns of ended versions; return how many had values."""
    sets = _personal_sets(con, table)
    if not sets:
        return 0
    con.execute(f"alter table {quoted(table)} add column if not exists {EMPTIED} boolean")
    sets |= {EMPTIED: "true"}
    values = ", ".join(f"{quoted(name)} = {new}" for name, new in sets.items())
    differs = " or ".join(f"{quoted(name)} is distinct from {new}" for name, new in sets.items() if name != EMPTIED)
    rows = con.execute(f"update {quoted(table)} set {values} where {where} and ({differs})", {"cut": cut}).fetchall()
    return int(rows[0][0])


def _personal_sets(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return the personal columns of a table of versions, with what becomes of each."""
    columns = columns_of(con, table)
    if table.startswith(("hist_mart__", "hist_target__")):
        shown = visible_columns(con, table, visible_fields(con))
        hidden = [name for name in columns if not shown[name] and name != EMPTIED]
        hashes = [name for name in ("version_hash", "source_hash", "payload_hash") if name in columns]
        return dict.fromkeys((*hidden, *hashes), "null") if hidden else {}
    person = "is_person is distinct from false" if "is_person" in columns else str("first_name" in columns).lower()
    sets = {}
    for name in columns:
        if class_of(name, is_person=False) == "personal":
            sets[name] = "null"
        elif class_of(name) == "personal" and person != "false":  # of people only
            sets[name] = f"case when {person} then null else {quoted(name)} end"
    return sets


def _delete(con: duckdb.DuckDBPyConnection, table: str, where: str, cut: datetime) -> int:
    rows = con.execute(f"select count(*) from {quoted(table)} where {where}", {"cut": cut}).fetchall()
    if rows[0][0]:
        con.execute(f"delete from {quoted(table)} where {where}", {"cut": cut})
    return int(rows[0][0])
