"""The ledger's runs: counts and states, and whether a version of a workflow file is proven.

update_run()  ->  sync_runs  ->  is_proven(), canary_halts()
"""

from collections import Counter
from collections.abc import Mapping

import duckdb
import polars as pl

from assets.delivery.ledger.events import since_rebind
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import A_PART
from assets.delivery.ledger.sequence import next_position
from assets.delivery.target import Action
from resources.warehouse.tables import has_table, quoted

# the column of sync_runs that counts an action
COUNT_COLUMNS = {
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
    Action.DEFERRED: "deferred",
    Action.FAILED: "failed",
}

# for a row `run` of sync_runs: it sent all of its plan; a person may apply some records or fields of one, and earlier
# versions did not note that
WHOLE = f"""
({" + ".join(f"coalesce(run.{column}, 0)" for column in COUNT_COLUMNS.values())} >= coalesce(run.source_records, 0)
    and coalesce(run.plan_id, '') not in (select plan_id from sync_plans where starts_with(note, '{A_PART}')))
"""
# for a row `halt` of sync_runs: an operator sent a later plan of its version as a whole; `$sending` is sending one now
ACCEPTED = f"""
exists (
    select 1 from sync_plans as plan join sync_runs as run on run.run_id = plan.sent_by and run.workflow = plan.workflow
    where plan.workflow = halt.workflow and plan.workflow_version = halt.workflow_version
        and plan.plan_id <> halt.plan_id and plan.kind = '{PlanKind.SYNC}' and plan.writes > 0
        and plan.position > halt.position and (run.run_id = $sending or {WHOLE})
)
"""


def counted_words(*, is_planned: bool) -> dict[str, str]:
    """Return the word for each counting column of sync_runs: `created`, or `create` if nothing was sent."""
    return {column: action.value if is_planned else column for action, column in COUNT_COLUMNS.items()}


def counts_of(decisions: pl.DataFrame, counted: Mapping[str, int] | None = None) -> dict[str, int]:
    """Count decisions, and the records `counted` by action before, under the column names of sync_runs."""
    found = Counter(counted or {}) + Counter(dict(decisions.group_by("action").len().iter_rows()))
    return {column: found[action] for action, column in COUNT_COLUMNS.items()}


def update_run(
    con: duckdb.DuckDBPyConnection, run_id: str, workflow: str, values: Mapping[str, object], *, calls: int = 0
) -> None:
    """Set columns of a run's row in sync_runs, inserting the row if it is missing.

    `calls` are added up, and a run that reads and then sends began when it began to read.
    """
    known = con.execute("select 1 from sync_runs where run_id = ? and workflow = ?", [run_id, workflow]).fetchall()
    if not known:
        con.execute("insert into sync_runs (run_id, workflow, calls) values (?, ?, 0)", [run_id, workflow])
    kept = {"started_at": "coalesce(started_at, ?)"}
    sets = ", ".join([
        *(f"{quoted(name)} = {kept.get(name, '?')}" for name in values), "calls = calls + ?", "position = ?",
    ])  # fmt: skip
    con.execute(
        f"update sync_runs set {sets} where run_id = ? and workflow = ?",
        [*values.values(), calls, next_position(con), run_id, workflow],
    )


def name_account(con: duckdb.DuckDBPyConnection, run_id: str, workflow: str, account: str) -> None:
    """Set the account of a run's row, if it has one."""
    con.execute(
        "update sync_runs set account = ? where run_id = ? and workflow = ?", [account or None, run_id, workflow]
    )


def last_run_size(con: duckdb.DuckDBPyConnection, workflow: str) -> int:
    """Return how many source records the last finished full run decided on; 0 before the first run."""
    rows = con.execute(
        "select run.source_records from sync_runs as run"
        " join sync_plans as plan on plan.plan_id = run.plan_id and plan.kind = ?"
        " where run.workflow = ? and run.finished_at is not null order by run.position desc limit 1",
        [PlanKind.SYNC, workflow],
    ).fetchall()
    return int(rows[0][0] or 0) if rows else 0


def is_proven(con: duckdb.DuckDBPyConnection, workflow: str, version: str, canary: int = 0) -> bool:
    """Return whether a run with this version of the workflow file wrote records and finished, or passed its canary.

    Real-time runs and parts of plans do not count: their few records prove nothing about the others. An undo sends
    former values, not those of this version.
    """
    rows = con.execute(
        "select 1 from sync_runs as run where workflow = ? and workflow_version = ?"
        " and created + adopted + updated + deactivated + reactivated > if(state = 'finished', 0, ?)"
        f" and state in ('finished', 'partial') and {WHOLE} and {since_rebind('run')}"
        " and plan_id not in (select plan_id from sync_plans where workflow = ? and kind <> ?) limit 1",
        [workflow, version, canary, workflow, PlanKind.SYNC],
    ).fetchall()
    return bool(rows)


def is_proven_by_full_run(con: duckdb.DuckDBPyConnection, workflow: str, version: str) -> bool:
    """Return whether a run of all records with this version of the workflow file finished."""
    if not has_table(con, "sync_runs") or not has_table(con, "sync_events"):
        return False
    rows = con.execute(
        "select 1 from sync_runs as run join sync_plans as plan on plan.plan_id = run.plan_id and plan.kind = ?"
        f" where run.workflow = ? and run.workflow_version = ? and run.state in ('finished', 'partial') and {WHOLE}"
        f" and {since_rebind('run')} limit 1",
        [PlanKind.SYNC, workflow, version],
    ).fetchall()
    return bool(rows)


def canary_halts(
    con: duckdb.DuckDBPyConnection, workflow: str, version: str, sending: str = ""
) -> list[tuple[str, bool]]:
    """Return (finding, accepted) of each run of this version that its canary halted, newest first.

    A halt is accepted once a later plan of the same version was sent as a whole: only an operator sends such a plan.

    Args:
        con: An open section.
        workflow: The workflow.
        version: Fingerprint of its file.
        sending: A run that sends a whole plan now.
    """
    rows = con.execute(
        f"select note, {ACCEPTED} from sync_runs as halt where workflow = $workflow and workflow_version = $version"
        f" and state = 'halted' and {since_rebind('halt')} order by position desc",
        {"workflow": workflow, "version": version, "sending": sending},
    ).fetchall()
    return [(str(note), bool(accepted)) for note, accepted in rows]
