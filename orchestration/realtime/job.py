"""Real-time updates: sync records that were just saved in NetSuite; started by the change notification sensor.

notifications.sqlite  ->  records and ancestors read again from NetSuite  ->  workflows per connection, parents first

Connections run side by side and complete their notifications independently: if one target is down, the others are
still updated. Notifications that failed are retried one at a time, so that one bad record delays no other.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from itertools import chain
from typing import Any

import dagster as dg
import polars as pl

from assets.delivery.errors import MappingError, SyncError
from assets.delivery.realtime.sync_records import RealtimeResult, sync_records
from assets.delivery.run_context import RunContext
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import Target
from assets.netsuite.extract.settings import ExtractionSettings
from assets.target_registry import TARGETS
from assets.warehouse.refresh import ParentColumn, refresh_records
from orchestration.account_partitions import account_of, partitions_of
from orchestration.connections import Connections
from orchestration.realtime.queue import Notification, NotificationQueue
from orchestration.settings import MillpondSettings
from resources.errors import IntegrationError
from resources.failpoints import reach
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.warehouse import Warehouse, WarehouseError

REALTIME = "realtime"
OP = "sync_records"  # an op must not share its job's name
POLL_S = 0.2
MAX_RUN_S = 300.0  # then a new run takes over, with the workflow files as they are by then
# concerns these records or one target, and may be gone at the next attempt
RETRYABLE = (IntegrationError, SyncError, MappingError, WarehouseError, TimeoutError, ValueError)

Batch = Mapping[str, Sequence[Notification]]  # by connection
Listeners = Mapping[str, Sequence[Workflow]]  # by connection


@dataclass(frozen=True)
class WorkflowResult:
    """The result of one workflow's part."""

    workflow: str
    result: RealtimeResult
    seconds: float


@dataclass
class Outcome:
    """The result of one pass over the queue."""

    records: int = 0
    results: list[WorkflowResult] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    abandoned: list[Notification] = field(default_factory=list)


@dataclass(frozen=True)
class RealtimeSync:
    """Everything that a real-time run needs."""

    connections: Connections
    netsuite: NetSuiteClient
    extraction: ExtractionSettings
    queue: NotificationQueue
    run_id: str

    @property
    def _warehouse(self) -> Warehouse:
        return self.connections.warehouse

    def sync_due(self, limit: int) -> Outcome:
        """Sync the pending records: new ones together, then one by one those that failed before."""
        listeners = by_connection(realtime_workflows(self._warehouse, list(self.connections.workflows.values())))
        due, outcome = self.queue.due(listeners), Outcome()
        new = {name: [each for each in pending if not each.attempts][:limit] for name, pending in due.items()}
        self._sync(new, listeners, outcome)
        retries = {each.key: None for pending in due.values() for each in pending if each.attempts}
        for key in list(retries)[:limit]:
            one = {
                name: [each for each in pending if each.key == key and each.attempts] for name, pending in due.items()
            }
            self._sync(one, listeners, outcome)
        return outcome

    def _sync(self, batch: Batch, listeners: Listeners, outcome: Outcome) -> None:
        batch = {name: notifications for name, notifications in batch.items() if notifications}
        if not batch:
            return
        saved: dict[tuple[str, str], bool] = {}  # and whether any notification reports a deletion
        for each in chain.from_iterable(batch.values()):
            saved[each.key] = saved.get(each.key, False) or each.is_deleted
        outcome.records += len(saved)
        workflows = list(chain.from_iterable(listeners.values()))
        try:
            keys = refresh_records(
                self._warehouse, self.netsuite, saved, parent_columns(workflows), self.extraction, run_id=self.run_id
            )
        except RETRYABLE as error:
            for name in batch:
                self._fail(name, batch, listeners, error, outcome)
            return
        with ThreadPoolExecutor(len(batch)) as pool:
            futures = {name: pool.submit(self._send, listeners[name], keys, outcome) for name in batch}
        for name, future in futures.items():
            failure = future.exception()
            if failure is None:
                self.queue.mark_done(name, batch[name], listeners)
                continue
            self._fail(name, batch, listeners, failure, outcome)
            if not isinstance(failure, RETRYABLE):
                raise failure

    def _send(self, workflows: Sequence[Workflow], keys: pl.DataFrame, outcome: Outcome) -> None:
        """Sync one connection's workflows, each after those that it needs."""
        for workflow in workflows:
            began, client = time.monotonic(), self.connections.client(workflow)
            kind = TARGETS[workflow.spec.target]
            target: Target = kind.build(client, workflow.spec.options)
            run = RunContext(self._warehouse, workflow, target, self.run_id, client.clock)
            result = sync_records(run, keys, read_system=partial(kind.records, client), base_url=client.base_url)
            outcome.results.append(WorkflowResult(workflow.name, result, time.monotonic() - began))
            if result.synced and result.synced.stop:
                raise result.synced.stop
        reach("hints_sent")

    def _fail(self, name: str, batch: Batch, listeners: Listeners, error: BaseException, outcome: Outcome) -> None:
        outcome.problems.append(f"{name}: {error}")
        outcome.abandoned += self.queue.mark_failed(name, batch[name], listeners, str(error), time.time())


def realtime_workflows(warehouse: Warehouse, workflows: Sequence[Workflow]) -> list[Workflow]:
    """Return the active workflows with real-time updates, as of now."""
    switches = Switches(warehouse.folder)
    return [each for each in workflows if switches.state(each).receives_notifications]


def by_connection(workflows: Sequence[Workflow]) -> dict[str, list[Workflow]]:
    """Return workflows by the connection they write to, each after those that it needs."""
    known = {each.name: each for each in workflows}
    needs = {name: [need for need in each.spec.upstream if need in known] for name, each in known.items()}
    found: dict[str, list[Workflow]] = {}
    for name in TopologicalSorter(needs).static_order():
        found.setdefault(known[name].spec.connection_name, []).append(known[name])
    return found


def parent_columns(workflows: Sequence[Workflow]) -> set[ParentColumn]:
    """Return the columns by which the workflows find parent records."""
    return {
        ParentColumn(record.source, parent, column)
        for workflow in workflows
        for record in workflow.spec.records
        for parent, column in (record.parent or {}).items()
    }


def realtime_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    """Return the job, of one step: no step waits for another one's process, pool slot or start.

    A new process takes longer to start than a record takes to sync, so the run waits for further notifications: whoever
    saves one record often saves another.
    """
    names = {workflow.spec.connection_name for workflow in workflows}

    @dg.op(
        name=OP,
        description="Reads the notified records from NetSuite and syncs them to each target, parents first.",
        required_resource_keys={"warehouse", "netsuite", "extraction", *names},
        out=dg.Out(dg.Nothing),
    )
    def sync_records(context: dg.OpExecutionContext) -> None:
        resources, account = context.resources, account_of(context.run, settings)
        connections = Connections.of(resources.warehouse, workflows, resources)
        queue = NotificationQueue(account.account_home)
        realtime = RealtimeSync(connections, resources.netsuite, resources.extraction, queue, context.run_id)
        began = last = time.monotonic()
        while True:
            outcome = realtime.sync_due(settings.realtime_burst)
            if outcome.records:
                _report(context, outcome, account.account)
                last = time.monotonic()
            now = time.monotonic()
            if now - last >= settings.realtime_linger_s or now - began >= MAX_RUN_S:
                return
            time.sleep(POLL_S)

    @dg.job(
        name=REALTIME,
        description="Sync records that were just saved in NetSuite, and their ancestors, to the targets.",
        executor_def=dg.in_process_executor,
        partitions_def=partitions_of(settings),
    )
    def job() -> None:
        sync_records()

    return job


def _report(context: dg.OpExecutionContext, outcome: Outcome, account: str) -> None:
    """Show each workflow's result on the page of its sync asset, and fail if any record failed."""
    for each in outcome.results:
        context.log_event(
            dg.AssetObservation(
                asset_key=f"sync_{each.workflow}",
                description=each.result.reason or "records saved in NetSuite",
                metadata=_metadata(each),
                partition=account or None,
            )
        )
    context.log.info("%d records, %d workflows", outcome.records, len(outcome.results))
    for notification in outcome.abandoned:
        context.log.warning("%s %s is left to the next full run", *notification.key)
    if outcome.problems:
        raise dg.Failure("; ".join(dict.fromkeys(outcome.problems)), allow_retries=False)


def _metadata(result: WorkflowResult) -> dict[str, Any]:
    synced, planned = result.result.synced, result.result.planned
    metadata: dict[str, Any] = {"seconds": round(result.seconds, 3), "reason": "change notifications"}
    if planned:
        metadata |= {"plan_id": planned.plan_id, "records": planned.records}
    if synced:
        metadata |= {name: count for name, count in synced.counts.items() if count}
        metadata |= {"writes": synced.writes, "calls": synced.calls}
    return metadata
