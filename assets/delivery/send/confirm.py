"""After sending: which record is which, what the target state shows now, and what the target made of our values.

delivery  ->  links_of(), update_target_state(), quirks_of()  ->  sync_links, target_<workflow>, sync_quirks
"""

from collections import Counter
from datetime import datetime

import duckdb
import polars as pl

from assets.delivery.ledger.normalization import differences, shown_hash
from assets.delivery.plan.planner import Workflow
from assets.delivery.schemas import KEY
from assets.delivery.send.batches import Key
from assets.delivery.send.deliver import Delivery
from assets.delivery.target import TARGET_STATE_COLUMNS, Action, Outcome, Target, Verdict
from resources.warehouse.tables import columns_of, insert_frame, quoted

# a link that differs in these only was confirmed once more, and is not written again
LINK_KEY = [*KEY, "target_id", "parent_target_id", "payload_hash", "shown_hash", "workflow_version"]
# reasons for leaving a live record as it is; any other says that it is off
AS_MAPPED = frozenset({"identical", "not_monitored", "kept_so", "drift_reported", "drift_adopted"})
_LINK_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("workflow", "target", *KEY, "target_id", "parent_target_id", "matched_by"), pl.String),
    **dict.fromkeys(("payload_hash", "shown_hash", "workflow_version", "run_id"), pl.String),
    "confirmed_at": pl.Datetime("us"),
}
_LINK_TOLD = (*KEY, "target_id", "parent_target_id", "matched_by", "payload_hash", "shown_hash")


def confirmed(delivery: Delivery) -> dict[Key, Outcome]:
    """The steps that the target confirmed."""
    return {key: outcome for key, outcome in delivery.ends.items() if outcome.verdict is Verdict.CONFIRMED}


def links_of(
    workflow: Workflow,
    plan: pl.DataFrame,
    delivery: Delivery,
    known: pl.DataFrame,
    *,
    run_id: str,
    moment: datetime,
    version: str,
    settled: bool = True,
) -> pl.DataFrame:
    """A link for every source record that is now known to be in the target as the plan says.

    Args:
        workflow: The workflow.
        plan: PLAN_COLUMNS.
        delivery: What came of it.
        known: LINK_SCHEMA: the links before.
        run_id: The run that confirms.
        moment: When, UTC.
        version: Fingerprint of the workflow file that made the plan.
        settled: Off when what was sent is not what is mapped: an undo, or some fields of the plan only.
    """
    ends = confirmed(delivery)
    ended = pl.DataFrame(list(ends), schema=dict.fromkeys(KEY, pl.String), orient="row")
    stamp = {
        "workflow": workflow.name, "target": workflow.spec.target, "workflow_version": version, "run_id": run_id,
        "confirmed_at": moment,
    }  # fmt: skip
    rows = []
    for row in plan.join(ended, on=KEY, how="semi").iter_rows(named=True):
        outcome, write = ends[row["source"], row["source_id"]], delivery.writes[row["source"], row["source_id"]]
        # switched off is not what is mapped: live again it differs, and nobody edited it
        off = row["action"] == Action.DEACTIVATE.value
        shown = shown_hash({**write.values, **(outcome.echo or {})}, workflow.spec.columns)
        rows.append({
            **{name: row[name] for name in KEY}, "target_id": outcome.target_id, "parent_target_id": write.parent_id,
            "matched_by": row["matched_by"] or "created",
            "payload_hash": row["payload_hash"] if settled and not off else None,
            "shown_hash": None if off else shown,
        })  # fmt: skip
    told = pl.DataFrame(rows, schema=dict.fromkeys(_LINK_TOLD, pl.String))
    left = _left(plan.join(ended, on=KEY, how="anti"), known, settled=settled)
    stamps = (pl.lit(value, dtype=_LINK_COLUMNS[name]).alias(name) for name, value in stamp.items())
    return pl.concat([told, left]).with_columns(*stamps).select(list(_LINK_COLUMNS))


def _left(plan: pl.DataFrame, known: pl.DataFrame, *, settled: bool) -> pl.DataFrame:
    """Links of the records that are as they should be; nearly all of a plan, so none is looked at one by one."""
    before = known.select(*KEY, pl.col("payload_hash").alias("_hash"), pl.col("shown_hash").alias("_shown"))
    unchanged = plan.filter((pl.col("action") == Action.UNCHANGED.value) & pl.col("target_id").is_not_null())
    rows = unchanged.join(before, on=KEY, how="left", maintain_order="left")
    mapped = pl.col("reason_code").is_in(list(AS_MAPPED))  # any other is left alone because it is off
    same = pl.col("_hash").eq_missing(pl.col("payload_hash"))
    return rows.with_columns(
        pl.col("matched_by").fill_null("created"),
        pl.when(same).then(pl.col("_shown")).alias("shown_hash"),
        pl.when(mapped & settled).then(pl.col("payload_hash")).alias("payload_hash"),
    ).select(pl.col(name).cast(pl.String) for name in _LINK_TOLD)


def update_target_state(con: duckdb.DuckDBPyConnection, workflow: Workflow, target: Target, delivery: Delivery) -> None:
    """Bring the target state up to date with what the target confirmed, so that it shows the state after the run."""
    rows = []
    # as the table has them: the file may have been edited since the plan was made
    fields = [name for name in columns_of(con, workflow.target_state) if name not in TARGET_STATE_COLUMNS]
    for key, outcome in confirmed(delivery).items():
        write = delivery.writes[key]
        shown = {**write.values, **(outcome.echo or {})}
        rows.append({
            **{name: shown.get(name) for name in fields},
            "target_id": outcome.target_id,
            "external_id": shown.get(target.key_field),
            "is_active": shown.get(target.active_field) != "0",
            "parent_id": shown.get("parent_id", write.parent_id),
            "updated_at": shown.get("updated_at"),
        })  # fmt: skip
    if not rows:
        return
    schema = {**TARGET_STATE_COLUMNS, **dict.fromkeys(fields, pl.String)}
    fresh = pl.DataFrame(rows, schema=schema)
    table = quoted(workflow.target_state)
    con.execute(f"create or replace temp table _fresh_target_state as select * from {table} limit 0")
    insert_frame(con, "_fresh_target_state", fresh)
    con.execute(f"delete from {table} where target_id in (select target_id from _fresh_target_state)")
    con.execute(f"insert into {table} by name select * from _fresh_target_state")


def quirks_of(delivery: Delivery) -> Counter[tuple[str, str]]:
    """(field, kind) to records: what the target's answers show otherwise than it was sent."""
    seen: Counter[tuple[str, str]] = Counter()
    for key, outcome in confirmed(delivery).items():
        write = delivery.writes[key]
        if outcome.echo:
            seen.update(differences(write.values, outcome.echo, write.changed & outcome.echo.keys()).items())
    return seen
