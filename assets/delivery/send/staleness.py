"""An applied plan: the selected part of it, without the rows that are out of date.

plan, current mart, current target state  ->  only_parts(), exclude_stale(), with_current_values()  ->  what may be sent
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from assets.delivery.diff.matching import match
from assets.delivery.diff.near_duplicates import near_duplicates
from assets.delivery.diff.records import Records
from assets.delivery.diff.validate import validate
from assets.delivery.errors import SyncError
from assets.delivery.plan.exclude import exclude
from assets.delivery.schemas import (
    DELIVER,
    KEY,
    MANUAL,
    NOT_SHOWN,
    PARENT,
    RETIRE,
    SourceKey,
    TargetShape,
    is_among,
    keys_frame,
)
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import WRITING, Action, Target, parent_of
from assets.result_texts import did_you_mean

FILTERS = ("action", "record", "field")
STALE = STALE_SOURCE, STALE_TARGET = "stale_source", "stale_target"  # reason codes
MART_STATE = (*KEY, "payload_hash", "disposition", "parent_source", "parent_source_id")
CHANGED = (STALE_SOURCE, "not sent: the NetSuite record changed after the plan was made")
# reason code and reason of a create that an earlier run may have made
MAY_EXIST = (
    "stale_target",
    "not sent: an earlier create without a response may have made it; the next plan looks for it in the target",
)

DECIDED = ("stale_target", "not sent: a person decided which record it is after the plan was made")
EXISTS = ("stale_target", "not sent: a later run created it")
REMATCHED = ("stale_target", "not sent: another record of the target may be it by now; the next plan decides")

Row = Mapping[str, Any]


def parse_filters(only: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of `--only` by name; SyncError if one is not `action=…`, `record=…` or `field=…`."""
    filters: dict[str, list[str]] = {}
    for text in only:
        name, _, value = text.partition("=")
        if name not in FILTERS or not value:
            raise SyncError(f"--only {text}: use {', '.join(f'{each}=…' for each in FILTERS)}")
        filters.setdefault(name, []).append(value)
    return filters


def require_known(filters: Mapping[str, Sequence[str]], fields: Collection[str]) -> None:
    """Check the actions and the fields of `--only`.

    Raises:
        SyncError: A plan has no such action, or the workflow maps no such field.
    """
    known: dict[str, list[str]] = {"action": sorted(each.value for each in WRITING), "field": sorted({*fields, PARENT})}
    for name, names in known.items():
        for value in filters.get(name, ()):
            if value not in names:
                raise SyncError(f"--only {name}={value}: {did_you_mean(value, names)}known are {', '.join(names)}")


def only_parts(plan: pl.DataFrame, filters: Mapping[str, Sequence[str]], active_field: str) -> pl.DataFrame:
    """Return the part of a plan that meets all filters; of several values of one filter, any.

    A field filter limits the changes to records of ours, so it leaves out records to create or adopt, and records that
    also move, unless their move is named as a field.
    """
    if "action" in filters:
        plan = plan.filter(pl.col("action").is_in(filters["action"]))
    if "record" in filters:
        plan = plan.filter(is_among(filters["record"]))
    if "field" in filters:
        rows = (_only_fields(row, filters["field"], active_field) for row in plan.iter_rows(named=True))
        plan = pl.DataFrame([row for row in rows if row], schema=plan.schema)
    return plan


def _only_fields(row: Row, names: Sequence[str], active_field: str) -> dict[str, Any] | None:
    """Return the plan row with changes of these fields only; the others keep the target's values."""
    if row["payload"] is None or row["action"] in {Action.CREATE, Action.ADOPT}:
        return None
    changes = [change for change in row["changes"] if change["field"] in names]
    others = {change["field"]: change["before"] for change in row["changes"] if change["field"] not in names}
    if not changes or PARENT in others:
        return None
    payload = json.dumps(json.loads(row["payload"]) | others)
    # targets activate and deactivate by the action, so without its active field the row is an update
    action = Action.UPDATE if active_field in others else row["action"]
    return {**row, "changes": changes, "payload": payload, "action": action}


def existing_records(plan: pl.DataFrame, key_field: str) -> dict[str, str | None]:
    """Return target id to our key of the target records that the rows of a plan would change."""
    rows = plan.filter(pl.col("payload").is_not_null() & pl.col("target_id").is_not_null())
    payloads = rows.select("target_id", "payload").iter_rows()
    return {target_id: json.loads(payload).get(key_field) for target_id, payload in payloads}


def exclude_stale(
    plan: pl.DataFrame, whole: pl.DataFrame, mart: pl.DataFrame, target_state: pl.DataFrame, target: Target,
    unread: Collection[str] = (),
) -> pl.DataFrame:  # fmt: skip
    """Exclude the rows whose source or target record changed after the plan was made.

    Args:
        plan: PLAN_COLUMNS: the selected part.
        whole: The whole plan.
        mart: The current mart.
        target_state: The current target state.
        target: The target.
        unread: Target ids that could not be looked up.

    Returns:
        The plan; excluded rows are skipped with a code of STALE.
    """
    plan = exclude_changed(plan, whole, mart)
    rows = list(_edited(plan, target_state, target, unread))
    edited = pl.DataFrame(rows, schema=dict.fromkeys([*KEY, "reason"], pl.String), orient="row")
    return exclude(plan, edited, STALE_TARGET, pl.col("reason"))


def exclude_changed(plan: pl.DataFrame, whole: pl.DataFrame, mart: pl.DataFrame) -> pl.DataFrame:
    """Exclude the rows whose source record has other mapped values in the mart by now, or is to be active, or not.

    Args:
        plan: PLAN_COLUMNS.
        whole: The whole plan: it has the records above.
        mart: MART_STATE of all records, as it is now.
    """
    gone = _retired(whole, mart).with_columns(pl.lit(value=True).alias("_retired"))
    now = mart.select(*KEY, "disposition", pl.col("payload_hash").alias("_hash"))
    rows = plan.filter(pl.col("payload").is_not_null()).join(now, on=KEY, how="left").join(gone, on=KEY, how="left")
    delivered = pl.col("disposition").eq_missing(pl.lit(DELIVER)) & pl.col("_retired").is_null()
    undone = pl.col("reason_code") == "undo"  # an undo contradicts the disposition
    switched = ~undone & (delivered != (pl.col("action") != Action.DEACTIVATE))
    changed = rows.filter(switched | pl.col("_hash").ne_missing(pl.col("payload_hash")))
    return exclude(plan, changed.select(KEY), *CHANGED)


def _retired(plan: pl.DataFrame, mart: pl.DataFrame) -> pl.DataFrame:
    """Return KEY of the records that are retired, and of those below them."""
    # what the target would reject is not retired with its parent
    invalid = (pl.col("action") == Action.QUARANTINED) & ~pl.col("reason_code").is_in(["cannot_deactivate", NOT_SHOWN])
    live = mart.filter(disposition=DELIVER).join(plan.filter(invalid), on=KEY, how="anti")
    gone = below = mart.filter(disposition=RETIRE).select(KEY)
    while below.height:
        below = live.join(below, left_on=["parent_source", "parent_source_id"], right_on=KEY, how="semi").select(KEY)
        live, gone = live.join(below, on=KEY, how="anti"), pl.concat([gone, below])
    return gone


def with_current_values(plan: pl.DataFrame, target_state: pl.DataFrame, key_field: str) -> pl.DataFrame:
    """Return the plan with what its rows do not change as the target has it now, except our key.

    A target that replaces records, or parts of them, gets these values as well: a person may have edited them since.
    """
    sent, by_id = plan.filter(pl.col("payload").is_not_null()), _changed_records(plan, target_state)
    payloads = [_current(row, by_id.get(row["target_id"], {}), key_field) for row in sent.iter_rows(named=True)]
    return plan.update(sent.select(*KEY, pl.Series("payload", payloads, dtype=pl.String)), on=KEY)


def _current(row: Row, actual: Row, key_field: str) -> str:
    payload = json.loads(row["payload"])
    kept = (payload.keys() & actual.keys()) - {key_field, *(change["field"] for change in row["changes"])}
    return json.dumps(payload | {name: actual[name] for name in kept})


def _changed_records(plan: pl.DataFrame, target_state: pl.DataFrame) -> dict[str, Row]:
    """Return the target records that a plan changes, by target id; the target may have very many others."""
    ids = plan.filter(pl.col("payload").is_not_null()).select("target_id")
    return {row["target_id"]: row for row in target_state.join(ids, on="target_id", how="semi").iter_rows(named=True)}


def exclude_rematched(
    plan: pl.DataFrame, records: Records, manual_links: pl.DataFrame, target: TargetShape, spec: WorkflowSpec
) -> pl.DataFrame:
    """Exclude creates and adoptions of records that the rules match otherwise, or nearly match, by now.

    A person may have made or renamed a record while the plan waited: it would be there twice, or the wrong one ours.

    Args:
        plan: PLAN_COLUMNS.
        records: All records, as they are now.
        manual_links: MANUAL_LINK_SCHEMA.
        target: The target's fields.
        spec: The workflow.
    """
    planned = plan.filter(pl.col("action").is_in([Action.CREATE, Action.ADOPT]))
    planned = planned.select(*KEY, "action", pl.col("target_id").alias("_planned"))
    if planned.is_empty() or not spec.match_rules:
        return plan
    fields = [name for name in spec.target_fields if name in records.mart.columns]
    valid = replace(records, mart=validate(records.mart, target, fields, records.target_state))
    matched = match(valid.for_matching(spec, target), manual_links, target.key_field, spec).join(planned, on=KEY)
    # one that no rule finds any more is still the one that was reviewed
    is_other = pl.col("target_id").is_not_null() & pl.col("target_id").ne_missing(pl.col("_planned"))
    other = matched.filter((pl.col("candidates") > 0) | is_other)
    creates = planned.filter(action=Action.CREATE).join(manual_links, on=KEY, how="anti")
    new = records.mart.join(creates, on=KEY, how="semi")
    near = near_duplicates(new, records.target_state, spec.match_rules)
    return exclude(plan, pl.concat([other.select(KEY), near.select(KEY)]).unique(), *REMATCHED)


def exclude_replaced(plan: pl.DataFrame, replaced: Mapping[tuple[str, str], Collection[str]]) -> pl.DataFrame:
    """Exclude the rows that refer to a record of another workflow which is another one in the target by now.

    Args:
        plan: PLAN_COLUMNS.
        replaced: By source and field, the target ids that are no longer those of the records that it refers to.
    """
    sources = {source for (source, _), ids in replaced.items() if ids}  # often none; reading payloads takes time
    referring = plan.filter(pl.col("payload").is_not_null() & pl.col("source").is_in(sources))
    rows = [
        (row["source"], row["source_id"], f"not sent: {name} is the id that a record had when the plan was made")
        for row in referring.iter_rows(named=True)
        for name, value in _sent_values(row).items()
        if value in replaced.get((row["source"], name), ())
    ]
    stale = pl.DataFrame(rows, schema=dict.fromkeys([*KEY, "reason"], pl.String), orient="row").unique(KEY)
    return exclude(plan, stale, STALE_TARGET, pl.col("reason"))


def _sent_values(row: Row) -> Mapping[str, str | None]:
    if row["action"] == Action.CREATE:
        return dict(json.loads(row["payload"]))
    return {change["field"]: change["after"] for change in row["changes"]}


def exclude_updated_in_real_time(plan: pl.DataFrame, keys: Collection[SourceKey]) -> pl.DataFrame:
    """Exclude records that a real-time run sent after the plan's target state was read."""
    return exclude(plan, keys_frame(keys), "stale_target", "superseded by a real-time update")


def decided_meanwhile(plan: pl.DataFrame, manual_links: pl.DataFrame) -> pl.DataFrame:
    """Return KEY of the records for which a person chose another target record, or none, after the plan was made."""
    chosen = manual_links.with_columns(pl.lit(value=True).alias("_decided"))
    rows = plan.join(chosen, on=KEY, how="left", maintain_order="left")
    is_decided, other = (
        pl.col("_decided").fill_null(value=False),
        pl.col("manual_target_id").ne_missing(pl.col("target_id")),
    )
    linked = is_decided & pl.col("manual_target_id").is_not_null() & other & (pl.col("action") != Action.DEACTIVATE)
    unmatched = pl.col("action") == Action.ADOPT
    none = unmatched & is_decided & pl.col("manual_target_id").is_null()
    withdrawn = unmatched & (pl.col("matched_by") == MANUAL) & ~is_decided
    return rows.filter(linked | none | withdrawn).select(KEY).unique()


def _edited(
    plan: pl.DataFrame, target_state: pl.DataFrame, target: Target, unread: Collection[str]
) -> Iterator[tuple[str, str, str]]:
    by_id = _changed_records(plan, target_state)
    keys = set(target_state["external_id"].drop_nulls())
    for row in plan.filter(pl.col("payload").is_not_null()).iter_rows(named=True):
        hidden = row["target_id"] in unread
        reason = "the target no longer shows the record" if hidden else _target_change(row, by_id, keys, target)
        if reason:
            yield row["source"], row["source_id"], f"not sent: {reason}"


def _target_change(row: Row, by_id: Mapping[str, Row], keys: Collection[str], target: Target) -> str:
    """Describe what happened to the target record after the plan was made; blank if nothing did."""
    if row["action"] == Action.CREATE:
        exists = json.loads(row["payload"]).get(target.key_field) in keys
        return "the target has it by now" if exists else ""
    actual = by_id.get(row["target_id"])
    if actual is None:
        return "the target's record is gone"
    actual = {**actual, PARENT: parent_of(actual["parent_id"])}
    edited = [
        change["field"]
        for change in row["changes"]
        if (actual.get(change["field"]) or None) != (change["before"] or None)
        and (change["field"] != PARENT or actual["parent_id"])  # not every target returns parents
    ]
    return f"edited in {target.system} after the plan was made: {', '.join(edited)}" if edited else ""
