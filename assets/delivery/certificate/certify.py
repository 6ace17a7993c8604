"""Compute a workflow's certificate: the time through which every change in NetSuite is proven to be in the target.

Sources (as of when all values were read) + record states  ->  certify()  ->  sync_certificates, sync_unverified

A verified record is verified as of the sources' time. A pending record keeps the time as of which it was verified last,
for its change came later; a record that is wrong was right at no time since its creation. The earliest of these is the
certificate's: every change before it is in the target, or held back by a decision with a reason.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb

from assets.delivery.audit.verification import hidden_columns, uncompared_fields
from assets.delivery.certificate.record_states import (
    ABSENT,
    HELD,
    LEFT_DIFFERENT,
    LEFT_OUT,
    PENDING,
    RECORDS,
    VERIFIED,
    WRONG,
    make_record_states,
)
from assets.delivery.certificate.source_times import Sources, is_outdated, read_sources
from assets.delivery.errors import PlanError
from assets.delivery.ledger.certificates import (
    COMPUTED,
    LOST,
    UNVERIFIED,
    VOID,
    Certificate,
    append,
    newest_certificates,
)
from assets.delivery.ledger.freshness import require_current
from assets.delivery.ledger.restores import pending_restore
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.run_context import RunContext
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import columns_of, has_table

EXAMPLES = 8  # NetSuite ids shown per reason
LIMITING = (PENDING, WRONG, ABSENT)
ANY_RUN = "(any run)"  # whichever run made the mart, it is compared with its sources


def certify_run(run: RunContext) -> Certificate | None:
    """Certify what earlier runs sent, when a run has read both sides and planned, and sent nothing yet."""
    with run.warehouse.writer() as con:
        return certify(con, run.workflow, key_field=run.target.key_field, run_id=run.run_id, now=run.now)


def certify(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, *, key_field: str, run_id: str, now: datetime
) -> Certificate | None:
    """Compute the certificate from what the warehouse has, in the caller's transaction, and append it.

    Args:
        con: An open writer section.
        workflow: The workflow.
        key_field: The target's field that carries our key.
        run_id: The run that computes it.
        now: The time, UTC, naive.

    Returns:
        The certificate; None if it cannot be computed yet: a side was read since the other one was made from it.
    """
    if not _is_ready(con, workflow):
        return None
    ensure_ledger(con)
    before = newest_certificates(con, workflow.name, (COMPUTED, VOID)).get(workflow.name)
    target = _target_reading(con, workflow)
    sources = read_sources(con, workflow)
    make_record_states(con, workflow, key_field, target["read_position"])
    through = _keep_times(con, workflow, sources, before)
    hidden = hidden_columns(con, workflow)
    verified, limit = _verified_through(con, sources, through, hidden)
    return append(
        con,
        Certificate(
            workflow=workflow.name,
            state=LOST if hidden else COMPUTED,
            certified_at=now,
            run_id=run_id,
            workflow_version=workflow.spec.version,
            verified_through=verified,
            source_through=through,
            reason=limit,
            **_counts(con),
            evidence=json.dumps(_evidence(con, workflow, sources, target), default=str),
            exceptions=json.dumps(_exceptions(con, workflow, sources, hidden), default=str),
        ),
    )


def _is_ready(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> bool:
    tables = (workflow.mart, workflow.target_state, workflow.plan, "sync_watermarks", "netsuite_reads")
    if not all(has_table(con, name) for name in tables) or _awaits_run_after_restore(con, workflow):
        return False
    if not set(workflow.spec.target_fields) <= columns_of(con, workflow.target_state).keys():
        return False
    try:
        require_current(con, workflow, ANY_RUN)
    except PlanError:
        return False
    return not is_outdated(con, workflow)


def _awaits_run_after_restore(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> bool:
    """Return whether the warehouse was restored and no full run of the workflow has finished since."""
    return has_table(con, "sync_restores") and pending_restore(con, workflow.name) is not None


def _target_reading(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> dict[str, Any]:
    """Return the run that read the target, and its place in the ledger's sequence when it began to."""
    rows = con.execute(_TARGET_READING, [workflow.target_state, workflow.name]).fetchall()
    names = ("run_id", "read_position", "read_at", "calls", "account")
    return dict(zip(names, rows[0], strict=True)) if rows else {**dict.fromkeys(names), "read_position": 0}


_TARGET_READING = """
select made.run_id, coalesce(run.read_position, 0), run.started_at, run.calls, run.account
from sync_inputs as made left join sync_runs as run on run.run_id = made.run_id and run.workflow = made.workflow
where made.table_name = ? and made.workflow = ?
"""


def _keep_times(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, sources: Sources, before: Certificate | None
) -> datetime | None:
    """Rewrite sync_unverified, and return the time as of which the verified records are verified.

    A record that NetSuite does not show may change unseen, and others may depend on it: nothing is verified as of a
    later time than it was read. What the same workflow file verified in the certificate before keeps that time.
    """
    same = before is not None and before.workflow_version == workflow.spec.version
    values = {
        "workflow": workflow.name,
        "version": workflow.spec.version,
        "before": before.source_through if before and same else None,
        "position": before.position if before else 0,
    }
    con.execute(_UNVERIFIED, values)
    con.execute(f"delete from {UNVERIFIED} where workflow = ?", [workflow.name])
    con.execute(f"insert into {UNVERIFIED} by name select * from _unverified")
    absent, earliest, unknown = con.execute(
        "select count(*), min(through), count(*) - count(through) from _unverified where kind = ?", [ABSENT]
    ).fetchall()[0]
    bounds = [sources.through, *([None if unknown else earliest] if absent else [])]
    bounds += [values["before"]] if sources.frozen else []
    return None if None in bounds else min(each for each in bounds if each)


_UNVERIFIED = f"""
create or replace temp table _unverified as
select
    $workflow as workflow, record.source, record.source_id, record.kind, record.reason,
    case
        when not record.keeps_time then record.created_before
        when kept.source_id is not null then kept.through
        when $before::timestamp is not null and exists (
            select 1 from sync_decisions as decided where decided.workflow = $workflow
                and decided.source = record.source and decided.source_id = record.source_id
                and decided.from_position < $position
        ) then $before::timestamp
        else record.created_before
    end as through,
    $version as workflow_version
from {RECORDS} as record
left join (
    from {UNVERIFIED} where workflow = $workflow and workflow_version = $version and kind <> '{VERIFIED}'
) as kept
    on kept.source = record.source and kept.source_id = record.source_id
where record.kind not in ('{VERIFIED}', '{LEFT_OUT}') or record.reason in {LEFT_DIFFERENT!r}
"""


def _verified_through(
    con: duckdb.DuckDBPyConnection, sources: Sources, through: datetime | None, hidden: Mapping[str, str]
) -> tuple[datetime | None, str]:
    """Return the certificate's time, and what bounds it."""
    if hidden:
        return None, f"columns that NetSuite does not show: {', '.join(sorted(hidden))}"
    if through is None:
        return None, sources.frozen or sources.limit
    rows = con.execute(
        "select kind, reason, source, source_id, through from _unverified where list_contains(?, kind)"
        " order by through nulls first, source, source_id limit 1",
        [list(LIMITING)],
    ).fetchall()
    if rows and (rows[0][4] is None or rows[0][4] <= through):
        kind, reason, source, source_id, at = rows[0]
        return at, f"{source} {source_id} is {kind} ({reason})"
    return through, sources.frozen or sources.limit


def _counts(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rows = dict(con.execute(f"select kind, count(*) from {RECORDS} group by kind").fetchall())
    return {
        "records": sum(rows.values()),
        "verified": rows.get(VERIFIED, 0) + rows.get(LEFT_OUT, 0),
        "held": rows.get(HELD, 0),
        "pending": rows.get(PENDING, 0) + rows.get(ABSENT, 0),
        "wrong": rows.get(WRONG, 0),
    }


def _evidence(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, sources: Sources, target: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what was read, by which runs, with how many requests."""
    plan = con.execute(
        "select plan_id, state, made_at from sync_plans where workflow = ? and kind = 'sync'"
        " order by position desc limit 1",
        [workflow.name],
    ).fetchall()
    return {
        "netsuite": [each.facts for each in sources.types],
        "overlap_s": sources.overlap_s,
        "target": dict(target),
        "plan": dict(zip(("plan_id", "state", "made_at"), plan[0], strict=True)) if plan else None,
    }


def _exceptions(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, sources: Sources, hidden: Mapping[str, str]
) -> Sequence[dict[str, Any]]:
    """Return what is not verified: what, why, records, examples."""
    rows = con.execute(_GROUPS, [VERIFIED, LEFT_OUT]).fetchall()
    found = [
        {"what": kind, "why": reason, "source": source, "records": count, "examples": ids}
        for kind, reason, source, count, ids in rows
    ]
    columns = [{"what": "column", "why": why, "source": name} for name, why in sorted(hidden.items())]
    fields = [
        {"what": "field", "why": why, "source": name} for name, why in sorted(uncompared_fields(workflow).items())
    ]
    frozen = [{"what": "rows", "why": sources.frozen, "source": ""}] if sources.frozen else []
    return [*found, *columns, *frozen, *fields]


_GROUPS = f"""
select kind, reason, source, count(*), list(source_id order by try_cast(source_id as bigint), source_id)[:{EXAMPLES}]
from {RECORDS} where (kind <> ? or reason in {LEFT_DIFFERENT!r}) and kind <> ?
group by all order by kind, count(*) desc, reason, source
"""
