"""Recovery from dead runs: their runs are closed, their links become uncertain, their creates are finished.

dead runs  ->  close_dead()  ->  died; resolve_intents() (see resolution.py) then gives their attempts an outcome
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb
import polars as pl

from assets.delivery.ledger.attempts import AttemptState, unfinished_creates, write_attempts
from assets.delivery.ledger.links import read_links
from assets.delivery.ledger.plans import PlanState
from assets.delivery.ledger.runs import COUNT_COLUMNS
from assets.delivery.ledger.tables import upsert
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import KEY, UNCERTAIN, SourceKey
from assets.delivery.target import UNFINISHED, WRITING
from assets.result_texts import counted
from resources.errors import TransientError

_DIED = "the run was interrupted or died; the next run checks in the target what it had sent"


def close_dead(con: duckdb.DuckDBPyConnection, workflow: str, moment: datetime) -> None:
    """Mark runs and plans that were being sent as died; the caller holds the writer lock, so no run is sending.

    A dead run's writes are in its attempts but not in the links, so the links of these records become uncertain.
    """
    con.execute(
        "update sync_plans set state = ?, state_at = ?, note = ? where workflow = ? and state = ?",
        [PlanState.DIED, moment, _DIED, workflow, PlanState.SENDING],
    )
    sent = con.execute(
        "select source, source_id, max(target_id), any_value(payload_hash) filter (action = 'create')"
        " from sync_attempts where workflow = ? and target_id is not null"
        " and run_id in (select run_id from sync_runs where workflow = ? and state = 'sending') group by all",
        [workflow, workflow],
    ).fetchall()
    mark_uncertain(con, workflow, {SourceKey(source, source_id): rest for source, source_id, *rest in sent})
    _count_confirmed(con, workflow)
    con.execute(
        "update sync_runs set state = 'died', finished_at = ? where workflow = ? and state = 'sending'",
        [moment, workflow],
    )


def _count_confirmed(con: duckdb.DuckDBPyConnection, workflow: str) -> None:
    """Let the figures of dead runs say what was confirmed, not what was planned."""
    counts = {COUNT_COLUMNS[action]: action for action in WRITING}
    planned = " + ".join(f"coalesce({column}, 0)" for column in counts)
    for run_id, writes in con.execute(
        f"select run_id, {planned} from sync_runs where workflow = ? and state = 'sending'", [workflow]
    ).fetchall():
        found = con.execute(
            "select action, count(distinct attempt_id) from sync_attempts where workflow = ? and run_id = ?"
            " and state = 'confirmed' group by action",
            [workflow, run_id],
        ).fetchall()
        confirmed = dict(found)
        note = f"{sum(confirmed.values())} of {writes} records were confirmed; {_DIED}"
        sets = ", ".join(f"{column} = ?" for column in counts)
        con.execute(
            f"update sync_runs set {sets}, note = ? where workflow = ? and run_id = ?",
            [*(confirmed.get(action, 0) for action in counts.values()), note, workflow, run_id],
        )


def mark_uncertain(
    con: duckdb.DuckDBPyConnection, workflow: str, written: Mapping[SourceKey, Sequence[str | None]]
) -> None:
    """Reset the links of records (target id, payload hash of a create) whose last write may not have arrived.

    A value that arrived and is reverted in the source would otherwise count as an edit in the target, and a record
    that moved would keep its parent forever in a target that does not return parents. A create arrived with the parent
    that its payload hash covers and needs no second write.
    """
    if not written:
        return
    rows = pl.DataFrame(
        [(*key, *values) for key, values in written.items()],
        schema=dict.fromkeys([*KEY, "target_id", "payload_hash"], pl.String),
        orient="row",
    ).with_columns(
        pl.lit(workflow).alias("workflow"),
        pl.lit(UNCERTAIN).alias("parent_target_id"),
        pl.lit("external_id").alias("matched_by"),
    )
    versions = read_links(con, workflow).select(*KEY, "workflow_version")
    upsert(con, "sync_links", rows.join(versions, on=KEY, how="left"))


def finish_creates(run: RunContext, version: str) -> Exception | None:
    """Make the second call of every create that may lack it, under the writer lock; return why one is left."""
    if not run.target.creates_in_two_calls:
        return None
    with run.warehouse.writer(transaction=False) as con:
        creates = unfinished_creates(con, run.workflow.name)
    left = len(creates)
    for start in range(0, len(creates), run.target.batch_size):
        batch = creates[start : start + run.target.batch_size]
        sent = run.target.finish_creates([str(each.target_id) for each in batch])
        finished = [
            each._replace(
                state=AttemptState.FINISHED, run_id=run.run_id, workflow_version=version, code=outcome.code,
                reason=outcome.reason, image=None, seen_at=run.now,
            )
            for each, outcome in zip(batch, sent.outcomes, strict=True)
            if outcome.code != UNFINISHED
        ]  # fmt: skip
        with run.warehouse.writer() as con:
            write_attempts(con, finished)
        left -= len(finished)
        if sent.stop:
            return sent.stop
    if not left:
        return None
    reason = f"{counted(left, 'records')} without the second call; the next run repeats it"
    return TransientError(run.target.system, "finish creates", reason)
