"""The check that keeps a run from planning or sending what is out of date: a mart, or a target state.

make_mart(), read_target_state(), run_sync()  ->  sync_inputs  ->  require_current(), updated_in_real_time()

Order comes from the ledger's sequence. A mart is compared with what was staged and delivered since, unless the run made
it itself: whatever another run stages meanwhile belongs to the next run.
"""

import json
from collections.abc import Iterable

import duckdb

from assets.delivery.errors import PlanError
from assets.delivery.ledger.attempts import AFTER_BACKUP, open_intents
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import StoredPlan
from assets.delivery.ledger.restores import require_target_read_since_restore
from assets.delivery.ledger.sequence import last_position
from assets.delivery.schemas import SourceKey
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import named
from resources.warehouse.tables import has_table

# rows of what was sent: the others report what was read back, or look for what a restored ledger does not know
_SENT = (
    "state not in ('found', 'absent', 'unverifiable', 'ambiguous', 'finished')"
    f" and code is distinct from '{AFTER_BACKUP}'"
)

VERSION_PLACE = 3  # of the file's version in what `sources_of` returns


def record_input(
    con: duckdb.DuckDBPyConnection,
    table: str,
    workflow: str,
    run_id: str,
    *,
    position: int | None = None,
    sources: str | None = None,
) -> None:
    """Record what a table was made from, in the transaction that makes it; the arguments are columns of sync_inputs."""
    con.execute("delete from sync_inputs where table_name = ?", [table])
    con.execute("insert into sync_inputs values (?, ?, ?, ?, ?)", [table, workflow, run_id, position, sources])


def made_by(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """Return the run that made a mart or read a target state; blank if that is not known."""
    rows = con.execute("select run_id from sync_inputs where table_name = ?", [table]).fetchall()
    return str(rows[0][0]) if rows else ""


def advance_target_state(con: duckdb.DuckDBPyConnection, workflow: Workflow, run_id: str) -> None:
    """Record that the target state shows all that was sent, in the transaction that adds what this run sent.

    It does not if an attempt is open, or if another run sent records after the target was read.
    """
    if not open_intents(con, workflow.name):
        con.execute(
            "update sync_inputs set position = ? where table_name = ? and not exists (select 1 from sync_attempts as"
            f" sent where sent.workflow = ? and run_id <> ? and {_SENT}"
            " and sent.position > sync_inputs.position)",
            [last_position(con), workflow.target_state, workflow.name, run_id],
        )


def sources_of(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> str:
    """Return what a mart is made from: staged rows, looked-up tables, others' decisions, the version of the file."""
    looked_up = {lookup.table for lookup in workflow.spec.lookups} - {workflow.mart, workflow.target_state}
    tables = sorted({*(record.table for record in workflow.spec.records), *looked_up})
    staged = _rows(con, "stg_builds", "staging_table, raw_table, through, statement_hash", "staging_table", tables)
    inputs = _rows(con, "sync_inputs", "table_name, run_id, position, sources", "table_name", tables)
    decided = _rows(con, "sync_decisions", "workflow, max(from_position)", "workflow", workflow.spec.upstream)
    return json.dumps([staged, inputs, decided, workflow.spec.version], default=str)


def require_mart_of_file(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> None:
    """Raise PlanError if the mart is of another version of the workflow file; of early marts, that is not known."""
    rows = con.execute("select sources from sync_inputs where table_name = ?", [workflow.mart]).fetchall()
    made_from = json.loads(rows[0][0] or "[]") if rows else []
    if len(made_from) > VERSION_PLACE and made_from[VERSION_PLACE] != workflow.spec.version:
        raise PlanError(
            f"{workflow.name}: its file has changed since {workflow.mart} was made; run `millpond plan"
            f" {workflow.name}`, then try again"
        )


def _rows(
    con: duckdb.DuckDBPyConnection, table: str, columns: str, key: str, values: Iterable[str]
) -> list[tuple[object, ...]]:
    if not has_table(con, table):
        return []
    groups = "group by 1" if "max(" in columns else ""
    query = f"select {columns} from {table} where {key} in (select unnest(?::varchar[])) {groups} order by all"
    return con.execute(query, [list(values)]).fetchall()


def require_tables(con: duckdb.DuckDBPyConnection, workflow: Workflow, *names: str) -> None:
    """Raise PlanError, with the assets to materialize, if tables of a workflow do not exist."""
    missing = [name for name in names if not has_table(con, name)]
    if missing:
        tables = named("table", missing)
        raise PlanError(f"{workflow.name}: the warehouse has no {tables} yet; materialize {_assets(missing)}")


def require_current(con: duckdb.DuckDBPyConnection, workflow: Workflow, run_id: str) -> int:
    """Return the place in the ledger's sequence up to which the target state is current.

    Raises:
        PlanError: Mart or target state is missing or out of date; it names the assets to materialize.
    """
    require_tables(con, workflow, workflow.mart, workflow.target_state)
    rows = con.execute("select run_id, sources from sync_inputs where table_name = ?", [workflow.mart]).fetchall()
    if not rows or (rows[0][0] != run_id and rows[0][1] != sources_of(con, workflow)):
        raise PlanError(
            f"{workflow.name}: {workflow.mart} is older than its records or the workflow file; materialize"
            f" {workflow.mart}, {workflow.target_state} and {workflow.plan}"
        )
    return require_current_target_state(con, workflow)


def require_current_target_state(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> int:
    """Return the place in the ledger's sequence up to which the target state is current.

    Raises:
        PlanError: A run sent records after the target was read.
    """
    rows = con.execute("select position from sync_inputs where table_name = ?", [workflow.target_state]).fetchall()
    if not rows:
        require_target_read_since_restore(con, workflow)
    position = int(rows[0][0]) if rows else 0
    query = f"select 1 from sync_attempts where workflow = ? and {_SENT} and position > ? limit 1"
    if con.execute(query, [workflow.name, position]).fetchall():
        raise PlanError(
            f"{workflow.name}: a run sent records after the target was read; materialize {workflow.target_state} and"
            f" {workflow.plan} again"
        )
    return position


_SENT_SINCE = f"""
select distinct attempt.source, attempt.source_id, coalesce(plan.kind = ?, false)
from sync_attempts as attempt
left join sync_runs as run on run.run_id = attempt.run_id and run.workflow = attempt.workflow
left join sync_plans as plan on plan.plan_id = run.plan_id
where attempt.workflow = ? and {_SENT.replace("state not", "attempt.state not")} and attempt.position > coalesce((
    select made.read_position from sync_runs as made where made.workflow = ? and made.run_id = ?
), 0)
"""


def updated_in_real_time(con: duckdb.DuckDBPyConnection, plan: StoredPlan) -> set[SourceKey]:
    """Return the records of a full plan that real-time runs sent after its target was read.

    Raises:
        PlanError: Another run sent records since, or the outcome of some is unknown: the plan is outdated.
    """
    values = [PlanKind.REALTIME, plan.workflow, plan.workflow, plan.made_by]
    rows = con.execute(_SENT_SINCE, values).fetchall()
    updated = {SourceKey(source, source_id) for source, source_id, realtime in rows if realtime}
    if plan.kind != PlanKind.SYNC:
        updated = set()
    if len(rows) > len(updated) or open_intents(con, plan.workflow):
        raise PlanError(
            f"{plan.workflow}: another run sent records after this plan's target was read; materialize"
            f" target_{plan.workflow} and plan_{plan.workflow} again"
        )
    return updated


def _assets(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) + " first"
