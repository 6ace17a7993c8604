"""After sending: links, the target state and normalizations follow from what the target confirmed.

delivery  ->  links_of(), update_target_state(), normalizations_of()  ->  sync_links, target_<workflow>, …
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import duckdb
import polars as pl

from assets.delivery.ledger.links import value_hash
from assets.delivery.ledger.normalization import differences, target_hash
from assets.delivery.ledger.plans import StoredPlan
from assets.delivery.ledger.sides import TARGET
from assets.delivery.ledger.version_attempts import mark_sent, sent_fields
from assets.delivery.ledger.version_readings import WRITTEN, Reading
from assets.delivery.ledger.versions import keep_versions
from assets.delivery.plan.undo_row import NOTHING_TO_UNDO
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import AS_MAPPED, KEY, SourceKey, keys_frame
from assets.delivery.send.not_taken import kept_fields
from assets.delivery.send.outcomes import Delivery
from assets.delivery.target import TARGET_STATE_COLUMNS, Action, Target
from resources.warehouse.tables import columns_of, insert_frame, quoted

# a link that is equal in these was confirmed again and is not rewritten
LINK_KEY = [*KEY, "target_id", "parent_target_id", "payload_hash", "target_hash", "workflow_version"]

_SENT_COLUMNS = (*KEY, "target_id", "parent_target_id", "matched_by", "payload_hash", "target_hash")
_LINK_COLUMNS = (
    "workflow", "target", *_SENT_COLUMNS, "workflow_version", "run_id", "confirmed_at", "value_hashes", "restored",
)  # fmt: skip


def links_of(
    run: RunContext, plan: pl.DataFrame, delivery: Delivery, known: pl.DataFrame, edited: Collection[SourceKey],
    *, version: str, as_mapped: bool,
) -> pl.DataFrame:  # fmt: skip
    """Return a link for every source record whose target record is now known.

    Args:
        run: The run that confirms.
        plan: PLAN_COLUMNS.
        delivery: Its outcomes.
        known: LINK_SCHEMA: the links before.
        edited: The records of `edited_meanwhile`.
        version: Fingerprint of the workflow file that made the plan.
        as_mapped: False if other values than the mapped ones were sent: an undo, or only some fields of the plan.

    Returns:
        The columns of sync_links.
    """
    outcomes, fields = delivery.confirmed(), run.workflow.spec.target_fields
    confirmed, sent = keys_frame(outcomes), []
    for row in plan.join(confirmed, on=KEY, how="semi").iter_rows(named=True):
        key = SourceKey(row["source"], row["source_id"])
        outcome, write = outcomes[key], delivery.writes[key]
        # an inactive record does not have its mapped values: active again it differs without an edit in the target
        inactive = row["action"] == Action.DEACTIVATE
        actual = {**write.values, **(outcome.echo or {})}
        is_mapped = as_mapped and not inactive and not kept_fields(write, outcome, row["changes"] or [])
        sent.append({
            **key._asdict(), "target_id": outcome.target_id, "parent_target_id": write.parent_id,
            "matched_by": row["matched_by"] or "created",
            "payload_hash": row["payload_hash"] if is_mapped else None,
            "target_hash": None if inactive or key in edited else target_hash(actual, fields),
        })  # fmt: skip
    links = pl.DataFrame(sent, schema=dict.fromkeys(_SENT_COLUMNS, pl.String))
    unchanged = _unchanged_links(plan.join(confirmed, on=KEY, how="anti"), known, as_mapped=as_mapped)
    return (
        pl.concat([links, unchanged])
        .join(known.select(*KEY, "value_hashes", "restored"), on=KEY, how="left", maintain_order="left")
        .with_columns(
            pl.lit(run.workflow.name).alias("workflow"),
            pl.lit(run.workflow.spec.target).alias("target"),
            pl.lit(version).alias("workflow_version"),
            pl.lit(run.run_id).alias("run_id"),
            pl.lit(run.now, dtype=pl.Datetime("us")).alias("confirmed_at"),
        )
        .select(_LINK_COLUMNS)
    )


def edited_meanwhile(
    delivery: Delivery, known: pl.DataFrame, plan: pl.DataFrame
) -> Mapping[SourceKey, Mapping[str, str]]:
    """Return the confirmed records of which the response shows values that were not sent, and others than expected.

    Expected is what a write left there; without its hash, what was read when the plan was made. Someone edited them
    since: the target did not convert them, and they are no baseline.

    Args:
        delivery: The outcomes.
        known: LINK_SCHEMA: the links before.
        plan: PLAN_COLUMNS, as the plan was made: the delivery has the current values instead of those that it read.

    Returns:
        By record, each such field with the hash of the value that was expected.
    """
    hashes = {SourceKey(*key): each for *key, each in known.select(*KEY, "value_hashes").drop_nulls().iter_rows()}
    shown = {key: outcome.echo for key, outcome in delivery.confirmed().items() if outcome.echo}
    unknown, found = [], {}
    for key, echo in shown.items():
        write = delivery.writes[key]
        if (echo.keys() & write.values.keys()) - write.changed - json.loads(hashes.get(key, "{}")).keys():
            unknown.append(key)
    rows = plan.join(keys_frame(unknown), on=KEY, how="semi").drop_nulls("payload")
    read = {SourceKey(row["source"], row["source_id"]): _read_values(row) for row in rows.iter_rows(named=True)}
    for key, echo in shown.items():
        before = {name: value_hash(value) for name, value in read.get(key, {}).items()}
        before |= json.loads(hashes.get(key, "{}"))
        kept = (echo.keys() & before.keys()) - delivery.writes[key].changed
        edited = {name: before[name] for name in kept if value_hash(echo[name]) != before[name]}
        if edited:
            found[key] = edited
    return found


def _read_values(row: Mapping[str, Any]) -> Mapping[str, str | None]:
    """Return the values of a record as its row of a plan found them: a part of the plan may leave changes out."""
    return {**json.loads(row["payload"]), **{change["field"]: change["before"] for change in row["changes"] or []}}


def _unchanged_links(plan: pl.DataFrame, known: pl.DataFrame, *, as_mapped: bool) -> pl.DataFrame:
    """Return links of unchanged records, which are nearly all of a plan: computed as a frame."""
    before = known.select(*KEY, pl.col("payload_hash").alias("_payload"), pl.col("target_hash").alias("_target"))
    unchanged = plan.filter((pl.col("action") == Action.UNCHANGED) & pl.col("target_id").is_not_null())
    rows = unchanged.join(before, on=KEY, how="left", maintain_order="left")
    mapped = pl.col("reason_code").is_in(list(AS_MAPPED))
    same = pl.col("_payload").eq_missing(pl.col("payload_hash"))
    return rows.with_columns(
        pl.col("matched_by").fill_null("created"),
        pl.when(same).then(pl.col("_target")).alias("target_hash"),
        pl.when(mapped & as_mapped).then(pl.col("payload_hash")).alias("payload_hash"),
    ).select(pl.col(name).cast(pl.String) for name in _SENT_COLUMNS)


def update_target_state(con: duckdb.DuckDBPyConnection, run: RunContext, delivery: Delivery) -> None:
    """Replace the confirmed records in target_<workflow> by what the target returned or was sent."""
    table, target, rows = run.workflow.target_state, run.target, []
    # the table's own columns: the workflow file may have changed since the target was read
    fields = [name for name in columns_of(con, table) if name not in TARGET_STATE_COLUMNS]
    for key, outcome in delivery.confirmed().items():
        write = delivery.writes[key]
        actual = {**write.values, **(outcome.echo or {})}
        rows.append({
            **{name: actual.get(name) for name in fields},
            "target_id": outcome.target_id,
            "external_id": actual.get(target.key_field),
            "is_active": actual.get(target.active_field) != "0",
            "parent_id": actual.get("parent_id", write.parent_id),
            "updated_at": actual.get("updated_at"),
        })  # fmt: skip
    if not rows:
        return
    records = pl.DataFrame(rows, schema={**TARGET_STATE_COLUMNS, **dict.fromkeys(fields, pl.String)})
    ids = [records["target_id"].to_list()]
    con.execute(f"delete from {quoted(table)} where target_id in (select unnest(?::varchar[]))", ids)
    insert_frame(con, table, records)
    con.execute("create or replace temp table _written as select unnest(?::varchar[]) as target_id", ids)
    written = Reading(workflow=run.workflow.name, kind=WRITTEN, read_at=run.now, run_id=run.run_id)
    keep_versions(con, TARGET, written, keys="_written", closes=False)
    mark_sent(con, run.workflow.name, run.run_id, _sent_by(target, delivery))


def _sent_by(target: Target, delivery: Delivery) -> Iterator[tuple[str, str, str, str]]:
    """Yield target_id, source, source_id and the fields that were written, of each confirmed record."""
    for key, outcome in delivery.confirmed().items():
        write = delivery.writes[key]
        if outcome.target_id:
            yield outcome.target_id, *key, sent_fields(write, target)


def normalizations_of(delivery: Delivery) -> Counter[tuple[str, str]]:
    """Count records by (field, kind) of the changes that the target made to sent values."""
    seen: Counter[tuple[str, str]] = Counter()
    for key, outcome in delivery.confirmed().items():
        write = delivery.writes[key]
        if outcome.echo:
            seen.update(differences(write.values, outcome.echo, write.changed & outcome.echo.keys()).items())
    return seen


def undo_holds_of(
    run: RunContext, stored: StoredPlan, plan: pl.DataFrame, mart: pl.DataFrame, last: pl.DataFrame
) -> pl.DataFrame:
    """Return a row of sync_undo_holds per record with values that the next runs must not send again.

    An undo writes it, or a person brought the former values back before.

    Args:
        run: The run that sends the undo.
        stored: The undo.
        plan: Its rows: PLAN_COLUMNS.
        mart: The current mart.
        last: KEY of the records that the undone run was the last to write.
    """
    found = plan.filter(reason_code=NOTHING_TO_UNDO).join(last, on=KEY, how="semi")
    found = found.join(mart, on=[*KEY, "payload_hash"], how="semi")
    undone = pl.concat([plan.filter(pl.col("payload").is_not_null()), found]).select(
        pl.lit(run.workflow.name).alias("workflow"),
        *KEY,
        "payload_hash",
        pl.lit(stored.workflow_version).alias("workflow_version"),
        pl.lit(stored.undone_run).alias("undone_run"),
        pl.lit(run.run_id).alias("run_id"),
        pl.lit(run.now, dtype=pl.Datetime("us")).alias("held_at"),
    )
    return undone.join(mart.select(*KEY, "disposition"), on=KEY, how="left")
