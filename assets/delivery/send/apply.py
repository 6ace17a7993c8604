"""Send a plan and remember what came of it: the newest one of a run, or one that a person released.

plan_<workflow>  ->  run_sync  ->  target, sync_<workflow>, ledger, target state
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic

import polars as pl

from assets.delivery.ledger import ledger, plans
from assets.delivery.ledger.finishing import finish_creates
from assets.delivery.ledger.plans import Kept, PlanError, Seal, SyncError
from assets.delivery.ledger.recovery import close_dead, refuse_outdated
from assets.delivery.locks import one_writer
from assets.delivery.plan.planner import STAMP_COMMENTS, Workflow, counts_of, moment_of
from assets.delivery.schemas import KEY
from assets.delivery.send.batches import Key, known_ids
from assets.delivery.send.confirm import LINK_KEY, confirmed, links_of, quirks_of, update_target_state
from assets.delivery.send.deliver import Delivery, Progress, Sending, deliver
from assets.delivery.send.staleness import Fresh, only_these, parts_of, set_aside, set_overtaken_aside
from assets.delivery.target import Target
from resources.clock import Clock
from resources.failpoints import reach
from resources.warehouse.tables import describe_table, quoted, read_frame, replace_table
from resources.warehouse.warehouse import Warehouse

SYNC_COMMENTS = {
    "source": "Staging table that the record comes from, without its prefix.",
    "source_id": "NetSuite internal id.",
    "action": "What was decided and done, corrected by what the target answered.",
    "reason_code": "Why, as a code.",
    "reason": "Why, in words.",
    "target_id": "Internal id of the target's record.",
}


@dataclass(frozen=True)
class Synced:
    """What a run did for one workflow; `decisions` has one row per source record that it decided on."""

    decisions: pl.DataFrame
    counts: Mapping[str, int]
    writes: int
    calls: int
    seconds: float
    stop: Exception | None


def run_sync(
    warehouse: Warehouse,
    workflow: Workflow,
    target: Target,
    *,
    run_id: str,
    clock: Clock,
    plan_id: str = "",
    only: Sequence[str] = (),
    kind: str = plans.SYNC,
    progress: Progress | None = None,
) -> Synced:
    """Send one plan, once.

    Args:
        warehouse: The warehouse.
        workflow: The workflow.
        target: Where to send.
        run_id: The run, for the ledger.
        clock: Time.
        plan_id: A plan that a person releases; without it the newest plan of the workflow, if no guard holds it.
        only: Parts of a released plan: `action=create`, `record=107`, `field=name`.
        kind: Which newest plan: the one of all records, or the one that change notifications asked for.
        progress: Told after each batch.

    Raises:
        SyncError: There is no such plan, it was begun before, it waits for a person, or it has expired.
    """
    seal, asked = Seal(warehouse.seal_key), parts_of(only)
    with one_writer(warehouse, workflow.spec.connection_name):
        before, wall = target.calls, monotonic()
        begun = _begin(warehouse, workflow, run_id, clock, plan_id, seal, kind)
        kept, links = begun.kept, begun.links
        plan, stale = set_overtaken_aside(begun.plan, begun.overtaken)
        if plan_id:
            plan = only_these(plan, asked, target.active_field)
            plan, stale = set_aside(plan, _fresh(warehouse, workflow, target), target)
        # where parents are that the part which is sent may not name; an undo names none at all
        own = links if kept.is_undo else begun.plan
        parents = {**known_ids(begun.places, plan), **known_ids(own, plan)}
        canary = _canary(warehouse, workflow, kept, asked)
        few = kept.kind == plans.REALTIME
        sending = Sending(workflow.name, kept.workflow_version, run_id, seal, canary, few)
        finish = partial(
            finish_creates, warehouse, workflow.name, target, version=kept.workflow_version, run_id=run_id, clock=clock
        )
        finish()  # what an earlier run left half done comes before anything new
        delivery = deliver(warehouse, target, plan, sending, clock=clock, progress=progress, known=parents)
        delivery.stop = delivery.stop or finish()
        delivery.ends |= stale.ends
        _finish(warehouse, workflow, target, kept, plan, delivery, links, asked=asked, run_id=run_id, clock=clock)
        decisions = delivery.final(plan)
        done = {"seconds": monotonic() - wall, "calls_left": target.calls_left, **counts_of(decisions)}
        with warehouse.writer() as con:
            ledger.note_run(con, run_id, workflow.name, done, calls=target.calls - before)
        calls, seconds = target.calls - before, monotonic() - wall
        return Synced(decisions, counts_of(decisions), len(delivery.writes), calls, seconds, delivery.stop)


@dataclass(frozen=True)
class _Begun:
    """A plan that was taken, and what sending it takes.

    `places` are where other workflows' records are, `overtaken` what change notifications sent meanwhile.
    """

    kept: Kept
    plan: pl.DataFrame
    links: pl.DataFrame
    places: pl.DataFrame
    overtaken: set[Key]


def _begin(
    warehouse: Warehouse, workflow: Workflow, run_id: str, clock: Clock, plan_id: str, seal: Seal, kind: str
) -> _Begun:
    """Take the plan and write down that it is being sent, in one transaction."""
    began = moment_of(clock)
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        close_dead(con, workflow.name, began)
    with warehouse.writer() as con:
        kept = plans.find(con, plan_id) if plan_id else plans.newest(con, workflow.name, kind)
        if kept.workflow != workflow.name:
            raise SyncError(f"plan {kept.plan_id} is one of {kept.workflow}, not of {workflow.name}")
        # opened in here: without the right key the plan stays as it was
        rows = plans.take(con, kept, run_id, began, released=bool(plan_id))
        try:
            plan = seal.open(rows)
        except PlanError as error:
            raise PlanError(f"{workflow.name}: plan {kept.plan_id}: {error}, or make a new plan") from error
        # one that a person releases is compared with the target as it is now
        overtaken = set() if plan_id else refuse_outdated(con, kept)
        noted = {"state": "sending", "plan_id": kept.plan_id, "started_at": began, "source_records": plan.height}
        ledger.note_run(con, run_id, workflow.name, {**noted, "workflow_version": kept.workflow_version})
        links = ledger.read_links(con, workflow.name)
        places = ledger.read_places(con, workflow.spec.waits_for)
    reach("plan_taken")
    return _Begun(kept, plan, links, places, overtaken)


def _canary(warehouse: Warehouse, workflow: Workflow, kept: Kept, asked: Mapping[str, object]) -> Sequence[int]:
    """Begin carefully as long as no run that followed this version of the file sent something and went well.

    Somebody who releases a whole plan after a canary has accepted what it found; who releases a part looks once more.
    """
    with warehouse.writer(transaction=False) as con:
        halts = ledger.halts(con, workflow.name, kept.workflow_version)
        accepted = bool(halts) and halts[0][1] and not asked
        sizes = workflow.spec.canary
        return () if accepted or ledger.proven(con, workflow.name, kept.workflow_version, sum(sizes)) else sizes


def _fresh(warehouse: Warehouse, workflow: Workflow, target: Target) -> Fresh:
    """The source and the target as they are now, to see what changed since the plan was made."""
    return Fresh(mart=warehouse.table(workflow.mart), target_state=target.read(workflow.spec.columns))


def _finish(
    warehouse: Warehouse,
    workflow: Workflow,
    target: Target,
    kept: Kept,
    plan: pl.DataFrame,
    delivery: Delivery,
    links: pl.DataFrame,
    *,
    asked: Mapping[str, Sequence[str]],
    run_id: str,
    clock: Clock,
) -> None:
    """Remember everything that came of a plan, in one transaction."""
    decisions, moment = delivery.final(plan), moment_of(clock)
    undo = kept.is_undo
    # a part of a plan, or one that waited, knows nothing new of the records that it does not touch
    whole = kept.state == plans.MADE and not asked and kept.kind == plans.SYNC
    touched = pl.DataFrame(list(delivery.ends), schema=dict.fromkeys(KEY, pl.String), orient="row")
    of_few = kept.state == plans.MADE and kept.kind == plans.REALTIME
    told = decisions if whole or of_few else decisions.join(touched, on=KEY, how="semi")
    state = "halted" if delivery.halted else "partial" if delivery.stop else "finished"
    reach("bookkeeping_begins")
    with warehouse.writer() as con:
        replace_table(con, workflow.sync, told.with_columns(pl.lit(run_id).alias("run_id")))
        about = f"What the last run did to {workflow.spec.target} for each NetSuite record, and why."
        describe_table(con, workflow.sync, about, {**SYNC_COMMENTS, "run_id": STAMP_COMMENTS["run_id"]}.items())
        ledger.write_decisions(con, workflow.name, kept.workflow_version, run_id, moment, told, whole=whole)
        fresh = links_of(
            workflow, plan, delivery, links, run_id=run_id, moment=moment, version=kept.workflow_version,
            settled=not undo and "field" not in asked,
        )  # fmt: skip
        ledger.put(con, "sync_links", fresh.join(links, on=LINK_KEY, how="anti", nulls_equal=True))
        if undo:
            mart = read_frame(con, f"select source, source_id, disposition from {quoted(workflow.mart)}")
            ledger.put(con, "sync_holds", _holds(kept, plan, delivery, mart, run_id, clock))
        else:
            ledger.end_holds(con, workflow.name, confirmed(delivery))
        update_target_state(con, workflow, target, delivery)
        ledger.note_quirks(con, workflow.name, run_id, moment, quirks_of(delivery))
        note = str(delivery.stop) if delivery.stop else None
        plans.settle(con, kept.plan_id, plans.PARTIAL if delivery.stop else plans.SENT, moment, note)
        ledger.note_run(con, run_id, workflow.name, {"state": state, "finished_at": moment, "note": note})
        reach("bookkeeping_open")
    reach("bookkeeping_done")


def _holds(
    kept: Kept, plan: pl.DataFrame, delivery: Delivery, mart: pl.DataFrame, run_id: str, clock: Clock
) -> pl.DataFrame:
    """What an undo put back, with the values that the next run must not send again."""
    ends, undone, moment = confirmed(delivery), kept.kind.removeprefix("undo "), moment_of(clock)
    rows = [
        (kept.workflow, *key, row["payload_hash"], kept.workflow_version, undone, run_id, moment)
        for row in plan.iter_rows(named=True)
        if (key := (row["source"], row["source_id"])) in ends
    ]
    names = ("workflow", "source", "source_id", "payload_hash", "workflow_version", "undone_run", "run_id")
    schema: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(names, pl.String)
    holds = pl.DataFrame(rows, schema={**schema, "held_at": pl.Datetime("us")}, orient="row")
    return holds.join(mart.select(*KEY, "disposition"), on=KEY, how="left")
