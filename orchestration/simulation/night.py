"""One run of every workflow, through the production code, without starting Dagster.

NetSuite  ->  raw, staging, history  ->  per workflow: mart, target state, plan, certificate, guards, sync  ->  publish

A table that cannot be read stops what reads it, a workflow that fails or waits stops those that need it, as in a job.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from assets.delivery.audit.verification import read_types
from assets.delivery.certificate.certify import certify_run
from assets.delivery.errors import MappingError, SyncError
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import SyncResult, run_sync
from assets.delivery.send.outcomes import stop_text
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.extract_all import belongs_to
from assets.netsuite.record_types import record_type_of
from assets.target_registry import TARGETS
from assets.warehouse.history import update_history
from assets.warehouse.staging import bad_keys, row_counts, stage_table
from orchestration.simulation.crashable_warehouse import KilledError
from orchestration.simulation.world import World
from resources.errors import IntegrationError, QuotaExhaustedError
from resources.warehouse.warehouse import WarehouseError
from sql import is_on_demand, names, statement

EXPECTED = (IntegrationError, SyncError, MappingError, WarehouseError, TimeoutError)
COMPLETED, WAITS, FAILED, STOPPED, LEFT_OUT = "completed", "waits", "failed", "stopped", "left out"
DONE = (COMPLETED, STOPPED)


@dataclass(frozen=True)
class End:
    """The end of one workflow, or of reading NetSuite: its kind and the reason."""

    kind: str
    reason: str = ""
    writes: int = 0

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}" if self.reason else self.kind


@dataclass
class Night:
    """The result of one run.

    Attributes:
        run_id: Its id in the ledger.
        ends: Ends of the workflows, in their order.
        source: Reasons of the NetSuite tables that were not brought up to date.
        unexpected: The text of an error that no run should end with.
    """

    run_id: str
    ends: dict[str, End] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    unexpected: str = ""
    died: bool = False


def run_night(world: World, run_id: str) -> Night:
    """Run every workflow once; a process that dies ends it, with the state of that moment."""
    night, state = Night(run_id), random.getstate()
    random.seed(f"{world.options.seed} {run_id}")  # the waits between attempts have a random part
    try:
        with world.warehouse.kept_open(), world.clients() as clients:
            behind = _read_source(world, clients["netsuite"], night)
            for workflow in world.workflows:
                night.ends[workflow.name] = _run_workflow(world, workflow, clients, night, behind)
            world.warehouse.publish()
    except KilledError:
        night.died = True
    except EXPECTED as error:
        night.source["the run"] = _text(error)
    except Exception as error:  # noqa: BLE001 - what it is belongs into the verdict
        night.unexpected = f"{type(error).__name__}: {error}"
    finally:
        random.setstate(state)
    return night


def _read_source(world: World, client: Any, night: Night) -> set[str]:
    """Bring raw, staging and history tables up to date; return those that are not."""
    behind = set[str]()
    for name in world.record_types:
        record_type = record_type_of(name)
        if belongs_to(record_type) in night.source:
            behind.update(record_type.raw_tables)
            continue
        try:
            extract(world.warehouse, client, name, world.extraction, run_id=night.run_id)
        except (IntegrationError, WarehouseError) as error:
            night.source[name] = _text(error)
            behind.update(record_type.raw_tables)
    with world.warehouse.transactions() as transaction:
        for definition in (statement("staging", f"{STAGING_PREFIX}{source}") for source in world.sources):
            if behind.intersection(definition.reads):
                behind.add(definition.name)
                continue
            with transaction() as con:
                stage_table(con, definition)
                raw, staged = row_counts(con, definition)
                if raw != staged or bad_keys(con, definition):
                    behind.add(definition.name)
                    night.unexpected = f"{definition.name} has {staged} rows for {raw}"
        on_demand = [f"hist_netsuite__{each}" for each in world.sources if is_on_demand(each)]
        for definition in (statement("history", name) for name in (*names("history"), *on_demand)):
            source = definition.reads[0]
            if source.removeprefix(STAGING_PREFIX) in world.sources and source not in behind:
                with transaction() as con:
                    update_history(con, definition)
    return behind


def _run_workflow(world: World, workflow: Workflow, clients: Mapping[str, Any], night: Night, behind: set[str]) -> End:
    """Run one workflow, unless something that it needs is missing."""
    unread = sorted(name for record_type in read_types(workflow) for name in record_type.raw_tables if name in behind)
    if unread:
        return End(LEFT_OUT, f"{', '.join(unread)} was not read")
    above = [each for each in workflow.spec.upstream if each in night.ends and night.ends[each].kind not in DONE]
    if above:
        return End(LEFT_OUT, f"{', '.join(above)} did not end")
    try:
        return _deliver(world, workflow, clients[workflow.spec.connection_name], night.run_id)
    except EXPECTED as error:
        return End(FAILED, _text(error))


def _deliver(world: World, workflow: Workflow, client: Any, run_id: str) -> End:
    """Decide, certify, and send unless a guard holds the plan back."""
    context = context_of(world, workflow, client, run_id)
    kind = TARGETS[workflow.spec.target]
    make_mart(world.warehouse, workflow, clock=world.clock, read_system=partial(kind.records, client), run_id=run_id)
    read_target_state(context)
    planned = make_plan(context, base_url=client.base_url)
    certify_run(context)
    if planned.tripped:
        guards = ", ".join(dict.fromkeys(each.guard for each in planned.tripped))
        return End(WAITS, f"guard {guards}")
    return sent(run_sync(context))


def context_of(world: World, workflow: Workflow, client: Any, run_id: str) -> RunContext:
    """Return the context of a run of one workflow."""
    target = TARGETS[workflow.spec.target].build(client, workflow.spec.options)
    return RunContext(world.warehouse, workflow, target, run_id, world.clock)


def sent(synced: SyncResult) -> End:
    """Return the end of a workflow whose plan was sent."""
    if synced.stop is None:
        return End(COMPLETED, writes=synced.writes)
    kind = STOPPED if isinstance(synced.stop, QuotaExhaustedError) else FAILED
    return End(kind, stop_text(synced.stop) or "", writes=synced.writes)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
