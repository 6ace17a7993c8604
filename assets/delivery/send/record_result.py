"""Record the result of a plan that was sent: decisions, links, undo holds, target state, the plan and the run."""

from collections.abc import Collection

import duckdb
import polars as pl

from assets.delivery.diff.edits import EDITED_HERE
from assets.delivery.ledger import plans
from assets.delivery.ledger.decisions import write_decisions
from assets.delivery.ledger.freshness import advance_target_state
from assets.delivery.ledger.links import (
    confirm_restored,
    remember_values,
    take_over_values,
)
from assets.delivery.ledger.normalization import record_normalizations
from assets.delivery.ledger.plans import PlanState
from assets.delivery.ledger.runs import counts_of, update_run
from assets.delivery.ledger.tables import upsert
from assets.delivery.ledger.undo_holds import (
    drop_undo_holds,
    end_changed_holds,
    end_undo_holds,
    read_undo_holds,
)
from assets.delivery.plan.undo_row import NOTHING_TO_UNDO
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import KEY, SourceKey, keys_frame
from assets.delivery.send.confirm import (
    LINK_KEY,
    edited_meanwhile,
    links_of,
    normalizations_of,
    update_target_state,
)
from assets.delivery.send.outcomes import Delivery, stop_text
from assets.delivery.send.staleness import (
    STALE,
)
from assets.delivery.send.taken_plan import TakenPlan
from assets.delivery.target import Action, Verdict
from resources.failpoints import reach
from resources.warehouse.tables import describe_table, replace_table

SYNC_COMMENTS = {
    "source": "Staging table of the record, without its prefix.",
    "source_id": "NetSuite internal id.",
    "action": "The decision, corrected by the target's response.",
    "reason_code": "The reason, as a code.",
    "reason": "The reason, in words.",
    "target_id": "Internal id of the target's record.",
    "run_id": "The run that wrote this row.",
}


def record_result(run: RunContext, taken: TakenPlan, delivery: Delivery, decisions: pl.DataFrame) -> None:
    """Record the result of a plan in one transaction."""
    stored, name, counts = taken.stored, run.workflow.name, counts_of(decisions)
    if not taken.is_current:  # it says nothing new about the records that were not sent
        stale = taken.plan.filter(pl.col("reason_code").is_in(STALE)).select(KEY)
        touched = pl.concat([keys_frame(delivery.outcomes), stale])
        decisions = decisions.join(touched, on=KEY, how="semi")
    note = stop_text(delivery.stop, is_undo=taken.is_undo)
    reach("bookkeeping_begins")
    with run.warehouse.writer() as con:
        _write_results(con, run, decisions)
        write_decisions(
            con, name, stored.workflow_version, run.run_id, run.now, decisions, complete=taken.covers_all_records
        )
        edited = edited_meanwhile(delivery, taken.links, taken.made)
        confirmed = _write_links(con, run, taken, delivery, edited)
        update_target_state(con, run, delivery)
        remember_values(con, name, run.workflow.target_state, confirmed, edited)
        take_over_values(con, name, {key: delivery.writes[key].changed for key in delivery.confirmed()})
        advance_target_state(con, run.workflow, run.run_id)
        record_normalizations(con, name, run.run_id, run.now, normalizations_of(delivery))
        part = plans.A_PART if taken.filters else None  # what a person left out is as it was
        left = "; ".join(filter(None, (part, note)))
        plans.set_state(con, stored.plan_id, PlanState.PARTIAL if left else PlanState.SENT, run.now, left or None)
        state = "halted" if delivery.halted else "partial" if note else "finished"
        update_run(con, run.run_id, name, {"state": state, "finished_at": run.now, "note": note, **counts})
        reach("bookkeeping_open")
    reach("bookkeeping_done")


def _write_results(con: duckdb.DuckDBPyConnection, run: RunContext, decisions: pl.DataFrame) -> None:
    replace_table(con, run.workflow.sync, decisions.with_columns(pl.lit(run.run_id).alias("run_id")))
    description = f"The last run's result in {run.workflow.spec.target} for each NetSuite record, with its reason."
    describe_table(con, run.workflow.sync, description, SYNC_COMMENTS.items())


def _write_links(
    con: duckdb.DuckDBPyConnection, run: RunContext, taken: TakenPlan, delivery: Delivery, edited: Collection[SourceKey]
) -> pl.DataFrame:
    """Write the links that changed, and start or end undo holds; return KEY of those whose values are confirmed."""
    # what a plan found unchanged is older than what another one confirmed since
    outdated = taken.plan.filter(action=Action.UNCHANGED).join(taken.later, on=KEY, how="semi")
    plan = taken.plan.join(outdated, on=KEY, how="anti")
    links = links_of(
        run, plan, delivery, taken.links, edited, version=taken.stored.workflow_version,
        as_mapped=not taken.is_undo and "field" not in taken.filters,
    )  # fmt: skip
    upsert(con, "sync_links", links.join(taken.links, on=LINK_KEY, how="anti", nulls_equal=True))
    confirm_restored(con, run.workflow.name, _without_edits(taken, links))
    if taken.holds is not None:
        confirmed, arrived = delivery.confirmed(), {Verdict.CONFIRMED, Verdict.UNKNOWN}
        found = taken.plan.filter(reason_code=NOTHING_TO_UNDO).select(KEY)
        held = pl.concat([keys_frame(confirmed), found])
        upsert(con, "sync_undo_holds", taken.holds.join(held, on=KEY, how="semi"))
        mapped = keys_frame(confirmed).join(taken.holds, on=KEY, how="anti")
        end_undo_holds(con, run.workflow.name, map(SourceKey._make, mapped.iter_rows()))
        lost = keys_frame(key for key, each in delivery.outcomes.items() if each.verdict not in arrived)
        drop_undo_holds(con, run.workflow.name, lost.with_columns(pl.lit(run.run_id).alias("run_id")))
    else:
        end_undo_holds(con, run.workflow.name, delivery.confirmed())
        if taken.is_current:
            _end_changed_holds(con, run, taken)
    return _without_baseline(taken, links)


def _end_changed_holds(con: duckdb.DuckDBPyConnection, run: RunContext, taken: TakenPlan) -> None:
    holds = read_undo_holds(con, run.workflow.name)
    if not holds.is_empty():
        plan = taken.plan.join(holds, on=KEY, how="semi")
        end_changed_holds(con, run.workflow.name, run.workflow.mart, taken.stored.workflow_version, plan)


def _without_baseline(taken: TakenPlan, links: pl.DataFrame) -> pl.DataFrame:
    """Return KEY of the links whose values are those of the target from now on; edits that stay there do not count."""
    same = taken.links.filter(pl.col("value_hashes").is_not_null())
    return _without_edits(taken, links.join(same, on=LINK_KEY, how="anti", nulls_equal=True))


def _without_edits(taken: TakenPlan, links: pl.DataFrame) -> pl.DataFrame:
    """Return KEY of the links whose records have no edits that stay in the target."""
    left = (pl.col("action") == Action.UNCHANGED) & pl.col("reason").str.contains(EDITED_HERE, literal=True)
    edited = taken.plan.filter(pl.col("reason_code").is_in(["drift_reported", "drift_adopted"]) | left)
    return links.join(edited, on=KEY, how="anti").select(KEY)
