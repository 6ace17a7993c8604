"""A plan that waited: which of its rows are asked for, and which are no longer true.

plan, fresh mart, fresh target state  ->  set_aside()  ->  the rows that may be sent; the others say what changed since
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from assets.delivery.ledger.plans import SyncError
from assets.delivery.mart.transform import DELIVER
from assets.delivery.schemas import KEY, PARENT
from assets.delivery.send.batches import Key
from assets.delivery.send.deliver import Delivery
from assets.delivery.target import Action, Outcome, Target, Verdict

FILTERS = ("action", "record", "field")


@dataclass(frozen=True)
class Fresh:
    """Source and target as they are now."""

    mart: pl.DataFrame
    target_state: pl.DataFrame


def parts_of(only: Sequence[str]) -> dict[str, list[str]]:
    """The words of a partial release by kind.

    Raises:
        SyncError: A word is not `action=…`, `record=…` or `field=…`.
    """
    asked: dict[str, list[str]] = {}
    for word in only:
        name, _, value = word.partition("=")
        if name not in FILTERS or not value:
            raise SyncError(f"--only {word}: say {', '.join(f'{each}=…' for each in FILTERS)}")
        asked.setdefault(name, []).append(value)
    return asked


def only_these(plan: pl.DataFrame, asked: Mapping[str, Sequence[str]], active_field: str) -> pl.DataFrame:
    """The part of a plan that was asked for: of several words of one kind any, of several kinds all.

    A field narrows what is changed in records of ours; what is to be created or adopted is then left out, and what
    would also move, unless the move is asked for by its name among the changes.
    """
    if "action" in asked:
        plan = plan.filter(pl.col("action").is_in(asked["action"]))
    if "record" in asked:
        plan = plan.filter(pl.col("source_id").is_in(asked["record"]))
    if "field" in asked:
        rows = (_narrowed(row, asked["field"], active_field) for row in plan.iter_rows(named=True))
        plan = pl.DataFrame([row for row in rows if row], schema=plan.schema)
    return plan


def _narrowed(row: Mapping[str, Any], names: Sequence[str], active_field: str) -> dict[str, Any] | None:
    """A plan row that changes these fields only; the others stay as the target has them."""
    if row["payload"] is None or row["action"] in {Action.CREATE.value, Action.ADOPT.value}:
        return None
    kept = [change for change in row["changes"] if change["field"] in names]
    left = {change["field"]: change["before"] for change in row["changes"] if change["field"] not in names}
    if not kept or PARENT in left:
        return None
    payload = json.dumps(json.loads(row["payload"]) | left)
    # without its switch it is an edit like any other; the adapters switch by the action's name
    action = Action.UPDATE.value if active_field in left else row["action"]
    return {**row, "changes": kept, "payload": payload, "action": action}


def set_aside(plan: pl.DataFrame, fresh: Fresh, target: Target) -> tuple[pl.DataFrame, Delivery]:
    """Drop the rows whose source or target changed since the plan was made.

    Returns:
        The plan with those rows no longer writing, and their outcomes, which say what changed.
    """
    aside = Delivery()
    columns = [*KEY, "payload_hash", "disposition"]
    sources = {(row[0], row[1]): (row[2], row[3]) for row in fresh.mart.select(columns).iter_rows()}
    by_id = {row["target_id"]: row for row in fresh.target_state.iter_rows(named=True)}
    keys = set(fresh.target_state["external_id"].drop_nulls())
    for row in plan.filter(pl.col("payload").is_not_null()).iter_rows(named=True):
        key = (row["source"], row["source_id"])
        why = _source_moved(row, *sources.get(key, (None, None))) or _target_moved(row, by_id, keys, target)
        if why:
            code, reason = why
            aside.ends[key] = Outcome(Verdict.NOT_SENT, row["target_id"], code, reason)
    return _without(plan, aside), aside


def set_overtaken_aside(plan: pl.DataFrame, sent: Collection[Key]) -> tuple[pl.DataFrame, Delivery]:
    """Drop the rows of records that change notifications had sent since the plan's target was read; as `set_aside`."""
    writing = plan.filter(pl.col("payload").is_not_null()).select(*KEY, "target_id").iter_rows()
    ends = {
        (source, source_id): Outcome(
            Verdict.NOT_SENT, target_id, "stale_target", "not sent: a change notification was quicker"
        )
        for source, source_id, target_id in (writing if sent else ())
        if (source, source_id) in sent
    }
    aside = Delivery(ends=ends)
    return _without(plan, aside) if ends else plan, aside


def _without(plan: pl.DataFrame, aside: Delivery) -> pl.DataFrame:
    gone = pl.DataFrame(list(aside.ends), schema=dict.fromkeys(KEY, pl.String), orient="row")
    stale = plan.join(gone, on=KEY, how="semi").with_columns(
        pl.lit(Action.SKIPPED.value).alias("action"), pl.lit(None, dtype=pl.String).alias("payload")
    )
    return pl.concat([plan.join(gone, on=KEY, how="anti", maintain_order="left"), stale])


def _source_moved(row: Mapping[str, Any], payload_hash: str | None, disposition: str | None) -> tuple[str, str] | None:
    """Whether NetSuite's record has other values now, or no longer is to be there, or is to be there again."""
    lives = row["action"] != Action.DEACTIVATE.value
    # an undo goes against what NetSuite says, and a child follows its parent
    judged = row["reason_code"] not in {"undo", "parent_inactive"}
    if payload_hash == row["payload_hash"] and not (judged and (disposition == DELIVER) != lives):
        return None
    return "stale_source", "not sent: the NetSuite record changed since the plan was made"


def _target_moved(
    row: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]], keys: set[str], target: Target
) -> tuple[str, str] | None:
    if row["action"] == Action.CREATE.value:
        there = json.loads(row["payload"]).get(target.key_field) in keys
        return ("stale_target", "not sent: the target has it by now") if there else None
    now = by_id.get(row["target_id"])
    if now is None:
        return "stale_target", "not sent: the target's record is gone"
    shows = {**now, PARENT: now["parent_id"]}
    moved = [
        change["field"]
        for change in row["changes"]
        if (shows.get(change["field"]) or None) != (change["before"] or None)
        and (change["field"] != PARENT or now["parent_id"])  # not every target tells parents
    ]
    if not moved:
        return None
    return "stale_target", f"not sent: edited in {target.system} since the plan was made: {', '.join(moved)}"
