"""The ledger's decisions: one row per source record for as long as the same decision holds.

decisions of a run  ->  write_decisions()  ->  sync_decisions  ->  read_upstream(): records of other workflows
"""

from collections.abc import Iterable
from datetime import datetime

import duckdb
import polars as pl

from assets.delivery.ledger.sequence import next_position
from assets.delivery.ledger.shadows import active_shadow
from assets.delivery.schemas import KEY, UPSTREAM_SCHEMA
from resources.warehouse.tables import has_table, insert_frame, quoted, read_frame

_NUMBER = "try_cast(source_id as bigint) as source_number"
_SAME = (
    "open.workflow = ? and open.to_run is null and open.source = new.source and open.source_id = new.source_id"
    " and open.action = new.action and open.reason_code is not distinct from new.reason_code"
    " and open.reason is not distinct from new.reason and open.target_id is not distinct from new.target_id"
)


def write_decisions(
    con: duckdb.DuckDBPyConnection,
    workflow: str,
    version: str,
    run_id: str,
    moment: datetime,
    decisions: pl.DataFrame,
    *,
    complete: bool = True,
) -> None:
    """Close the decisions that no longer hold and open the new ones.

    Args:
        con: An open writer section.
        workflow: The workflow.
        version: The workflow file's fingerprint.
        run_id: The run that decided.
        moment: When, UTC.
        decisions: source, source_id, action, reason_code, reason, target_id.
        complete: Whether these are all source records; if not, decisions on other records stay open.
    """
    con.execute(
        "create or replace temp table _decisions (source varchar, source_id varchar, action varchar,"
        " reason_code varchar, reason varchar, target_id varchar)"
    )
    insert_frame(con, "_decisions", decisions.select(*KEY, "action", "reason_code", "reason", "target_id"))
    con.execute(
        "update sync_decisions as open set to_run = ?, to_at = ? where open.workflow = ? and open.to_run is null"
        f" and not exists (select 1 from _decisions as new where {_SAME})"
        " and (? or (open.source, open.source_id) in (select (source, source_id) from _decisions))",
        [run_id, moment, workflow, workflow, complete],
    )
    con.execute(
        f"insert into sync_decisions by name select ? as workflow, new.*, {_NUMBER}, ? as workflow_version,"
        " ? as from_run, ?::timestamp as from_at, ?::bigint as from_position from _decisions as new"
        f" where not exists (select 1 from sync_decisions as open where {_SAME})",
        [workflow, version, run_id, moment, next_position(con), workflow],
    )


def read_upstream(con: duckdb.DuckDBPyConnection, workflows: Iterable[str]) -> pl.DataFrame:
    """Return the records of other workflows with their target ids, as their last runs left them: UPSTREAM_SCHEMA.

    Only a record that the target returned when last read has a target id; a sent one alone does not count. Of a
    workflow in shadow mode, which sends nothing and links nothing, the newest plan has the matches; what needs it is
    not sent either.
    """
    found = [pl.DataFrame(schema=UPSTREAM_SCHEMA)]
    for workflow in workflows:
        target_state = f"target_{workflow}"
        if active_shadow(con, workflow) and has_table(con, f"plan_{workflow}"):
            found.append(read_frame(con, _PLANNED.format(plan=quoted(f"plan_{workflow}")), [workflow]))
        elif has_table(con, target_state):
            found.append(
                read_frame(
                    con,
                    "select known.source, known.source_id, target_state.target_id,"
                    " coalesce(known.reason, known.action) as reason,"
                    " hold.source is not null and target_state.is_active is false as is_undone"
                    " from sync_decisions as known"
                    " left join sync_links as link using (workflow, source, source_id)"
                    " left join sync_undo_holds as hold using (workflow, source, source_id)"
                    f" left join {quoted(target_state)} as target_state on target_state.target_id = link.target_id"
                    " where known.workflow = ? and known.to_run is null",
                    [workflow],
                )
            )
    return pl.concat(found).unique(KEY, keep="first", maintain_order=True)


_PLANNED = """
select source, source_id, case when action <> 'ambiguous' then target_id end as target_id,
    coalesce(reason, action) as reason, false as is_undone
from {plan}
where plan_id = (select arg_max(plan_id, position) from sync_plans where workflow = ? and kind = 'sync')
"""


def target_ids_of(con: duckdb.DuckDBPyConnection, workflow: str) -> dict[str, str]:
    """Return source_id to target_id of every record of a workflow that the target has."""
    upstream = read_upstream(con, [workflow]).drop_nulls("target_id")
    return dict(upstream.select("source_id", "target_id").iter_rows())


_HAD = """
select source_id, arg_max_null(target_id, from_position) from sync_decisions
where workflow = ? and from_position < (select position from sync_plans where plan_id = ?) group by all
"""


def replaced_since(con: duckdb.DuckDBPyConnection, workflow: str, plan_id: str) -> frozenset[str]:
    """Return the target ids that a workflow's records had when a plan of any workflow was made, and have no longer."""
    now = target_ids_of(con, workflow)
    return frozenset(
        had for key, had in con.execute(_HAD, [workflow, plan_id]).fetchall() if had and now.get(key) != had
    )
