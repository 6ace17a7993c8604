"""Compare a shadowed workflow with its target, after each plan of all records.

plan, mart, target state, last comparison  ->  compare_shadowed()  ->  sync_shadow_nights, _records, _differences

Both sides were read by the same run; the causes are in `causes.py`. Nothing is sent.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

import duckdb
import polars as pl

from assets.delivery.errors import MappingError
from assets.delivery.ledger.shadows import Shadow, active_shadow
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.mart.lookup import SystemReader
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import SourceKey
from assets.delivery.shadow.causes import explain
from assets.delivery.shadow.earlier import earlier_values
from assets.delivery.shadow.evidence import UNKNOWN, Cause
from assets.delivery.shadow.facts import Difference, Setting, caught_up
from assets.delivery.shadow.night import Night, read_arrived, read_differences, read_night, read_pairs, read_states
from assets.delivery.shadow.sides import HELD_BACK, LEFT_OUT, MISSING, SIDES, make_sides
from assets.delivery.spec.expressions import parse
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import columns_of, insert_frame, insert_row, quoted

KEPT_NIGHTS, KEPT_ENDED = 400, 60  # comparisons, and comparisons for which an ended difference is kept
MANY = 1000  # differences of one field beyond which earlier versions explain few of them

_TEXTS = ("source", "source_id", "target_id", "field", "wanted_hash", "found_hash", "cause", "kind", "evidence")
DIFFERENCE_SCHEMA = {**dict.fromkeys(_TEXTS, pl.String()), "changed_at": pl.Datetime("us")}


def compare_shadowed(
    run: RunContext, plan_id: str, *, read_system: SystemReader | None = None
) -> Mapping[str, Any] | None:
    """Compare, if the workflow is in shadow mode; return the row of sync_shadow_nights.

    Args:
        run: The run that made the plan.
        plan_id: The plan.
        read_system: Reads records of the target system for lookups.
    """
    workflow, key_field = run.workflow, run.target.key_field
    with run.warehouse.writer(transaction=False) as con:
        shadow = active_shadow(con, workflow.name)
    if shadow is None:
        return None
    with run.warehouse.writer() as con:
        ensure_ledger(con)
        make_sides(con, workflow, key_field, plan_id)
        night, found = read_night(con, run, shadow), read_differences(con, workflow, plan_id)
    earlier = earlier_values(run, _worth_a_look(found), read_system)
    with run.warehouse.writer() as con:
        make_sides(con, workflow, key_field, plan_id)
        arrived = read_arrived(con, workflow)
        observed = caught_up(arrived, night.netsuite_at, night.interval_s)
        through = night.before_netsuite_at if arrived else night.arrived_through
        setting = _setting(con, workflow, shadow, night, observed, through)
        causes = explain(
            con, found, earlier, setting, partial(read_pairs, con, workflow), partial(read_states, con, workflow)
        )
        _keep_differences(con, workflow, night, shadow, found, causes)
        _keep_records(con, workflow, night, shadow)
        row = _night_row(con, run, night, shadow, plan_id, observed) | {"arrived_through": through}
        insert_row(con, "sync_shadow_nights", row)
        _prune(con, workflow, night, shadow)
    return row


def _worth_a_look(found: Sequence[Difference]) -> list[SourceKey]:
    """Return the records whose earlier versions may explain a difference, without fields that differ widely."""
    counts = Counter((each.key.source, each.field) for each in found)
    return list(dict.fromkeys(each.key for each in found if counts[each.key.source, each.field] <= MANY))


def _setting(
    con: duckdb.DuckDBPyConnection,
    workflow: Workflow,
    shadow: Shadow,
    night: Night,
    observed_s: float | None,
    through: datetime | None,
) -> Setting:
    return Setting(
        as_of=night.netsuite_at,
        interval_s=observed_s if shadow.declared_s is None else shadow.declared_s,
        is_declared=shadow.declared_s is not None,
        arrived_through=through,
        seen_before=night.before_at,
        select_columns={each.source: _select_columns(con, each) for each in workflow.spec.records},
        tables={each.source: each.table for each in workflow.spec.records},
    )


def _select_columns(con: duckdb.DuckDBPyConnection, record: RecordMap) -> Sequence[str]:
    """Return the columns that our rows select by."""
    select = record.select
    names = ["stage"] if select.stages else []
    names += ["subsidiary_id"] if select.subsidiary else []
    names += [select.require_flag] if select.require_flag else []
    with suppress(MappingError):  # reported where the mart is made
        names += sorted(parse(select.where).meta.root_names()) if select.where else []
    known = columns_of(con, record.table)
    return [name for name in names if name in known]


def _keep_differences(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, night: Night, shadow: Shadow, found: Sequence[Difference],
    causes: Sequence[Cause],
) -> None:  # fmt: skip
    """Store the differences: the same ones go on, others end, new ones begin."""
    rows = [
        (
            *each.key, each.target_id, each.field, *each.hashes, cause.cause, cause.kind, cause.evidence,
            cause.changed_at,
        )
        for each, cause in zip(found, causes, strict=True)
    ]  # fmt: skip
    con.execute(
        "create or replace temp table _shadow_now as select source, source_id, target_id, field, wanted_hash,"
        " found_hash, cause, kind, evidence, changed_at from sync_shadow_differences limit 0"
    )
    insert_frame(con, "_shadow_now", pl.DataFrame(rows, schema=DIFFERENCE_SCHEMA, orient="row"))
    values = {"workflow": workflow.name, "period": shadow.number, "night": night.number, "at": night.at}
    con.execute(_GOES_ON, values)
    con.execute(_ENDS, {name: values[name] for name in ("workflow", "period", "night")})
    con.execute(_BEGINS, values)


_SAME = """
known.workflow = $workflow and known.period = $period and known.is_open and known.source = now.source
and known.source_id = now.source_id and known.field = now.field
and known.wanted_hash is not distinct from now.wanted_hash and known.found_hash is not distinct from now.found_hash
"""
_GOES_ON = f"""
update sync_shadow_differences as known
set cause = now.cause, kind = now.kind, evidence = now.evidence, changed_at = now.changed_at,
    target_id = now.target_id, last_night = $night, last_at = $at
from _shadow_now as now where {_SAME}
"""
_ENDS = """
update sync_shadow_differences set is_open = false
where workflow = $workflow and period = $period and is_open and last_night < $night
"""
_BEGINS = f"""
insert into sync_shadow_differences by name
select $workflow as workflow, $period as period, now.*, $night as first_night, $at::timestamp as first_at,
    $night as last_night, $at::timestamp as last_at, true as is_open
from _shadow_now as now where not exists (select 1 from sync_shadow_differences as known where {_SAME})
"""


def _keep_records(con: duckdb.DuckDBPyConnection, workflow: Workflow, night: Night, shadow: Shadow) -> None:
    """Replace what is known of the records that were compared."""
    con.execute("delete from sync_shadow_records where workflow = ?", [workflow.name])
    con.execute(
        "insert into sync_shadow_records by name select ? as workflow, ? as period, ? as night, source, source_id,"
        f" target_id, source_hash, wanted_hash, found_hash, differing from {SIDES} where found_hash is not null",
        [workflow.name, shadow.number, night.number],
    )


def _night_row(
    con: duckdb.DuckDBPyConnection,
    run: RunContext,
    night: Night,
    shadow: Shadow,
    plan_id: str,
    observed_s: float | None,
) -> dict[str, Any]:
    name = run.workflow.name
    states = dict(con.execute(f"select state, count(*) from {SIDES} group by state").fetchall())
    alike, differing, missing = (states.get(each, 0) for each in ("alike", "differing", MISSING))
    only_there = con.execute(
        f"select count(*) from {quoted(run.workflow.target_state)} where target_id not in"
        f" (select target_id from {SIDES} where target_id is not null)"
    ).fetchall()[0][0]
    unexplained = con.execute(
        "select count(*) from sync_shadow_differences where workflow = ? and period = ? and is_open and cause = ?"
        " and accepted_by is null",
        [name, shadow.number, UNKNOWN],
    ).fetchall()[0][0]
    return {
        "workflow": name, "period": shadow.number, "night": night.number, "compared_at": night.at,
        "run_id": run.run_id, "plan_id": plan_id, "workflow_version": run.workflow.spec.version,
        "netsuite_at": night.netsuite_at, "target_at": night.target_at, "records": alike + differing + missing,
        "alike": alike, "differing": differing, "missing": missing, "left_out": states.get(LEFT_OUT, 0),
        "held": states.get(HELD_BACK, 0), "only_there": only_there, "unexplained": unexplained,
        "interval_s": observed_s,
    }  # fmt: skip


def _prune(con: duckdb.DuckDBPyConnection, workflow: Workflow, night: Night, shadow: Shadow) -> None:
    """Delete old comparisons, and differences that ended long ago."""
    con.execute(
        "delete from sync_shadow_nights where workflow = ? and (period, night) not in (select (period, night) from"
        " sync_shadow_nights where workflow = ? order by period desc, night desc limit ?)",
        [workflow.name, workflow.name, KEPT_NIGHTS],
    )
    con.execute(
        "delete from sync_shadow_differences where workflow = ? and (period <> ? or (not is_open and last_night < ?))",
        [workflow.name, shadow.number, night.number - KEPT_ENDED],
    )
