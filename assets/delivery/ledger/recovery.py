"""Recovery from dead runs and lost responses: their runs are closed, their attempts resolved, their creates finished.

open attempts, fresh target state  ->  resolve_intents()  ->  found, absent or unverifiable; links become uncertain
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from assets.delivery.errors import PlanError
from assets.delivery.ledger.attempts import Attempt, AttemptState, open_intents, unfinished_creates, write_attempts
from assets.delivery.ledger.links import read_links
from assets.delivery.ledger.normalization import HARMLESS, differences
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import PlanState, StoredPlan
from assets.delivery.ledger.tables import upsert
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import KEY, PARENT, UNCERTAIN, SourceKey
from assets.delivery.target import UNFINISHED, Action
from resources.encryption import Cipher, EncryptionError
from resources.warehouse.tables import quoted, read_frame

_DIED = "the run died; the next run checked in the target what it had sent"

Row = Mapping[str, Any]


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
    con.execute(
        "update sync_runs set state = 'died', finished_at = ?, note = ? where workflow = ? and state = 'sending'",
        [moment, _DIED, workflow],
    )


def resolve_intents(con: duckdb.DuckDBPyConnection, run: RunContext) -> None:
    """Give every open attempt an outcome from the current target state, and make the links of its record uncertain.

    Raises:
        PlanError: The target state is older than an attempt.
    """
    workflow, intents = run.workflow, open_intents(con, run.workflow.name)
    if not intents:
        return
    read_at = _target_read_at(con, workflow.name, run.run_id)
    if read_at is None or any(intent.seen_at >= read_at for intent in intents):
        raise PlanError(
            f"{workflow.name}: a run sent records after the target was read; materialize {workflow.target_state} and"
            f" {workflow.plan} again"
        )
    key_field = run.target.key_field
    target_state = read_frame(con, f"from {quoted(workflow.target_state)}")
    by_id = {row["target_id"]: row for row in target_state.iter_rows(named=True)}
    by_key = {row["external_id"]: row for row in by_id.values() if row["external_id"]}
    mart = read_frame(con, f"select source, source_id, {quoted(key_field)} from {quoted(workflow.mart)}")
    keys = {SourceKey(*row[:2]): row[2] for row in mart.iter_rows()}
    resolved, written = [], {}
    for intent in intents:
        image, source_key = _image(intent, run.cipher), SourceKey(intent.source, intent.source_id)
        actual = by_id.get(intent.target_id) or by_key.get((image or {}).get(key_field) or keys.get(source_key))
        resolved.append(_resolved(intent, actual, image, run))
        if actual:
            created_hash = intent.payload_hash if intent.action == Action.CREATE else None
            written[source_key] = (actual["target_id"], created_hash)
    write_attempts(con, resolved)
    mark_uncertain(con, workflow.name, written)


def _target_read_at(con: duckdb.DuckDBPyConnection, workflow: str, run_id: str) -> datetime | None:
    """Return when a run began to read the target; None if it did not."""
    rows = con.execute(
        "select started_at from sync_runs where workflow = ? and run_id = ?", [workflow, run_id]
    ).fetchall()
    return rows[0][0] if rows else None


def _image(intent: Attempt, cipher: Cipher) -> dict[str, str | None] | None:
    """Return the sent values by field; None if their key is lost, which must not block the next plan."""
    try:
        return {change["field"]: change["after"] for change in json.loads(cipher.decrypt(intent.image or "[]"))}
    except EncryptionError:
        return None


def _resolved(intent: Attempt, actual: Row | None, image: Mapping[str, str | None] | None, run: RunContext) -> Attempt:
    """Return the outcome: a create arrived if its record exists, a change if the target shows its values.

    Whether the second call of a create was made cannot be seen, so such a create stays unfinished.
    """
    created = intent.action == Action.CREATE
    arrived = actual is not None and (created or (image is not None and _shows(image, actual)))
    state, reason = AttemptState.ABSENT, "the target does not have it; decided again"
    if arrived:
        state, reason = AttemptState.FOUND, "the target has it"
    elif actual and image is None:
        state, reason = AttemptState.UNVERIFIABLE, "its values are encrypted with a key that is not set; decided again"
    elif actual and image is not None and image.keys() == {PARENT} and actual["parent_id"] is None:
        state, reason = AttemptState.UNVERIFIABLE, "the target does not return parents; sent again"
    return intent._replace(
        state=state,
        run_id=run.run_id,
        target_id=actual["target_id"] if actual else None,
        code=UNFINISHED if created and arrived and run.target.creates_in_two_calls else "",
        reason=reason,
        image=None,
        seen_at=run.now,
    )


def _shows(image: Mapping[str, str | None], actual: Row) -> bool:
    """Return whether the target shows the sent values; a new parent alone shows only if the target returns parents."""
    fields = image.keys() - {PARENT}
    if not fields:
        return bool(actual["parent_id"] is not None and actual["parent_id"] == image.get(PARENT))
    return set(differences(image, actual, fields).values()) <= HARMLESS


def mark_uncertain(
    con: duckdb.DuckDBPyConnection, workflow: str, written: Mapping[SourceKey, Sequence[str | None]]
) -> None:
    """Reset the links of records whose last write may not have arrived.

    A value that arrived and is reverted in the source would otherwise count as an edit in the target, and a record
    that moved would keep its parent forever in a target that does not return parents. A create arrived with the parent
    that its payload hash covers and needs no second write.

    Args:
        con: An open writer section.
        workflow: The workflow.
        written: Source key to target id and, for a create, its payload hash.
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
    """Make the second call of every create that may lack it; the caller holds the writer lock.

    Returns:
        The reason why it stopped early; the next run continues.
    """
    if not run.target.creates_in_two_calls:
        return None
    with run.warehouse.writer(transaction=False) as con:
        creates = unfinished_creates(con, run.workflow.name)
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
        if sent.stop:
            return sent.stop
    return None


_SENT_SINCE = """
select distinct attempt.source, attempt.source_id, coalesce(plan.kind = ?, false)
from sync_attempts as attempt
left join sync_runs as run on run.run_id = attempt.run_id and run.workflow = attempt.workflow
left join sync_plans as plan on plan.plan_id = run.plan_id
where attempt.workflow = ?
    and attempt.state not in ('found', 'absent', 'unverifiable', 'finished')
    and attempt.seen_at >= ?
"""


def updated_in_real_time(con: duckdb.DuckDBPyConnection, plan: StoredPlan) -> set[SourceKey]:
    """Return the records of a full plan that real-time runs sent after its target was read.

    Raises:
        PlanError: Another run sent records since, or the outcome of some is unknown: the plan is outdated.
    """
    read_at = _target_read_at(con, plan.workflow, plan.made_by)
    rows = con.execute(_SENT_SINCE, [PlanKind.REALTIME, plan.workflow, read_at]).fetchall()
    updated = {SourceKey(source, source_id) for source, source_id, realtime in rows if realtime}
    if plan.kind != PlanKind.SYNC:
        updated = set()
    if len(rows) > len(updated) or open_intents(con, plan.workflow):
        raise PlanError(
            f"{plan.workflow}: another run sent records after this plan's target was read; materialize"
            f" target_{plan.workflow} and plan_{plan.workflow} again"
        )
    return updated
