"""What a killed run or a lost answer left open, and how the next run closes it.

sync_attempts without an end, fresh target state  ->  found or absent; runs and plans that died  ->  say so; doubted links
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from assets.delivery.ledger import ledger
from assets.delivery.ledger.normalization import HARMLESS, differences
from assets.delivery.ledger.plans import DIED, REALTIME, SENDING, SYNC, Kept, PlanError, Seal
from assets.delivery.schemas import KEY, PARENT, UNSURE
from assets.delivery.target import UNFINISHED, Action
from resources.warehouse.tables import quoted, read_frame

FOUND = ("found", "the target has it")
ABSENT = ("absent", "the target does not show it; decided anew")
UNTOLD = ("untold", "the target does not tell parents; sent once more")
UNREADABLE = ("untold", "what was sent is sealed with a key that is not set now; decided anew")
_LOST = "the run ended without a word; what it sent was read back from the target by the next one"


def close_dead(con: duckdb.DuckDBPyConnection, workflow: str, moment: datetime) -> None:
    """Say of runs and plans that still claim to be sending that they died; call it while holding the sender's turn.

    What a dead run sent is in the attempts, not in the links: those are doubted, confirmed or not.
    """
    con.execute(
        "update sync_plans set state = ?, state_at = ?, note = ? where workflow = ? and state = ?",
        [DIED, moment, _LOST, workflow, SENDING],
    )
    sent = con.execute(
        "select source, source_id, max(target_id), any_value(payload_hash) filter (action = 'create')"
        " from sync_attempts where workflow = ? and target_id is not null"
        " and run_id in (select run_id from sync_runs where workflow = ? and state = ?) group by all",
        [workflow, workflow, SENDING],
    ).fetchall()
    doubt(con, workflow, {(source, source_id): rest for source, source_id, *rest in sent})
    con.execute(
        "update sync_runs set state = ?, finished_at = ?, note = ? where workflow = ? and state = ?",
        [DIED, moment, _LOST, workflow, SENDING],
    )


def read_at(con: duckdb.DuckDBPyConnection, workflow: str, run_id: str) -> datetime | None:
    """When a run began to read the target; None when it did not."""
    rows = con.execute(
        "select started_at from sync_runs where workflow = ? and run_id = ?", [workflow, run_id]
    ).fetchall()
    return rows[0][0] if rows else None


def settle_open(
    con: duckdb.DuckDBPyConnection,
    workflow: str,
    run_id: str,
    target_state: pl.DataFrame,
    key_field: str,
    seal: Seal,
    moment: datetime,
    *,
    follows_up: bool = False,
) -> None:
    """Give every open attempt its end by what the target shows now, and doubt the links of their records.

    Raises:
        PlanError: The target was not read since; what it shows now is not known.
    """  # fmt: skip
    intents = ledger.open_intents(con, workflow)
    if intents.is_empty():
        return
    began = read_at(con, workflow, run_id)
    if began is None or intents.filter(pl.col("seen_at") >= began).height:
        raise PlanError(
            f"{workflow}: a run sent records after the target was read; materialize target_{workflow} and"
            f" plan_{workflow} again"
        )
    by_id = {row["target_id"]: row for row in target_state.iter_rows(named=True)}
    by_key = {row["external_id"]: row for row in by_id.values() if row["external_id"]}
    mart = read_frame(con, f"select source, source_id, {quoted(key_field)} from {quoted(f'mart_{workflow}')}")
    keys = {(row[0], row[1]): row[2] for row in mart.iter_rows()}
    ends, places = [], {}
    for row in intents.iter_rows(named=True):
        image = _image(row, seal)
        key = (image or {}).get(key_field) or keys.get((row["source"], row["source_id"]))
        there = by_id.get(row["target_id"]) or by_key.get(key)
        ends.append(_end(row, there, image, run_id, moment, UNFINISHED if follows_up else ""))
        if there:
            made = row["payload_hash"] if row["action"] == Action.CREATE.value else None
            places[row["source"], row["source_id"]] = (there["target_id"], made)
    ledger.write_attempts(con, ends)
    doubt(con, workflow, places)


def _image(row: Mapping[str, Any], seal: Seal) -> dict[str, str | None] | None:
    """Field to value as it was sent; None when it is sealed with a lost key, which must not hold up the next plan."""
    try:
        return {change["field"]: change["after"] for change in json.loads(seal.show(row["image"] or "[]"))}
    except PlanError:
        return None


def _end(
    row: Mapping[str, Any], there: Mapping[str, Any] | None, image: Mapping[str, str | None] | None, run_id: str,
    moment: datetime, code: str,
) -> Sequence[object]:  # fmt: skip
    """A create has arrived when its record has; a change when its values have, as far as the target keeps them.

    Whether what follows a create was done as well cannot be seen: `code` says that of it.
    """
    created = row["action"] == Action.CREATE.value
    arrived = there is not None and (created or (image is not None and _shows(image, there)))
    state, reason = FOUND if arrived else ABSENT
    if there and not arrived and image is not None and image.keys() == {PARENT} and there["parent_id"] is None:
        state, reason = UNTOLD
    if there and not created and image is None:
        state, reason = UNREADABLE
    return (
        row["attempt_id"], state, run_id, row["workflow"], row["source"], row["source_id"], row["action"],
        there["target_id"] if there else None, row["payload_hash"], row["workflow_version"], row["request_hash"],
        code if created and arrived else "", reason, None, moment,
    )  # fmt: skip


def _shows(image: Mapping[str, str | None], there: Mapping[str, Any]) -> bool:
    """Whether the target shows what was sent; a write of a new parent alone shows only where parents are told."""
    fields = image.keys() - {PARENT}
    if not fields:
        return bool(there["parent_id"] is not None and there["parent_id"] == image.get(PARENT))
    return set(differences(image, there, fields).values()) <= HARMLESS


def doubt(
    con: duckdb.DuckDBPyConnection, workflow: str, places: Mapping[tuple[str, str], Sequence[str | None]]
) -> None:
    """Forget what was confirmed of these records: whether the last write arrived is not known for sure.

    Without it a value that went there and is taken back in the source would pass for an edit by hand, and a record
    that moved below another parent of a target that does not tell parents would stay there for good. What was made by
    the lost run is below the parent that its payload's fingerprint covers, and needs no second write for that.

    Args:
        con: An open writer section.
        workflow: The workflow.
        places: Source record to target id, and to the fingerprint with which it was made, if it was.
    """
    if not places:
        return
    known = ledger.read_links(con, workflow)
    rows = pl.DataFrame(
        [(*key, *place) for key, place in places.items()],
        schema=dict.fromkeys([*KEY, "target_id", "payload_hash"], pl.String),
        orient="row",
    )
    rows = rows.with_columns(
        pl.lit(workflow).alias("workflow"),
        pl.lit(UNSURE).alias("parent_target_id"),
        pl.lit("external_id").alias("matched_by"),
    )
    version = known.select(*KEY, "workflow_version")
    ledger.put(con, "sync_links", rows.join(version, on=KEY, how="left"))


def refuse_outdated(con: duckdb.DuckDBPyConnection, plan: Kept) -> set[tuple[str, str]]:
    """Refuse a plan that was made from a target which somebody has written to since.

    Returns:
        Records of a plan of all records that change notifications had sent meanwhile: they are left out of it, the others may go.

    Raises:
        PlanError: Another run sent, or what it sent is not known.
    """
    began = read_at(con, plan.workflow, plan.made_by)
    since = con.execute(
        "select distinct attempt.source, attempt.source_id, coalesce(sent.kind = ?, false)"
        " from sync_attempts as attempt"
        " left join sync_runs as run on run.run_id = attempt.run_id and run.workflow = attempt.workflow"
        " left join sync_plans as sent on sent.plan_id = run.plan_id"
        " where attempt.workflow = ? and attempt.state not in ('found', 'absent', 'untold', 'finished')"
        " and attempt.seen_at >= ?",
        [REALTIME, plan.workflow, began],
    ).fetchall()
    by_notifications = {(source, source_id) for source, source_id, of_few in since if of_few and plan.kind == SYNC}
    if len(since) > len(by_notifications) or ledger.open_intents(con, plan.workflow).height:
        raise PlanError(
            f"{plan.workflow}: another run sent records after this plan's target was read; materialize"
            f" target_{plan.workflow} and plan_{plan.workflow} again"
        )
    return by_notifications
