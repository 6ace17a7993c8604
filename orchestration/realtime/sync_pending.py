"""Pending change notifications: sync their records, with ancestors, to every connection.

notifications.sqlite  ->  records and ancestors read again from NetSuite  ->  workflows per connection, parents first

Connections run side by side and complete their notifications independently: if one target is down, the others are
still updated. Notifications that failed are retried one at a time, so that one bad record delays no other.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from itertools import chain

import polars as pl

from assets.delivery.errors import MappingError, OccupiedError, SyncError
from assets.delivery.realtime.sync_records import RealtimeResult, sync_records
from assets.delivery.run_context import RunContext
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import Target
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES
from assets.target_registry import TARGETS
from assets.warehouse.refresh import ParentColumn, refresh_records
from assets.warehouse.staging import LAYER as STAGING
from orchestration.connections import Connections
from orchestration.realtime.queue import Notification, NotificationQueue
from resources.errors import IntegrationError, QuotaExhaustedError
from resources.failpoints import reach
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.warehouse import Warehouse, WarehouseError
from sql import is_on_demand, statement

# concerns these records or one target, and may be gone at the next attempt
RETRYABLE = (IntegrationError, SyncError, MappingError, WarehouseError, TimeoutError, ValueError)

# what passes by itself: there is nothing to correct
PASSING = (OccupiedError, QuotaExhaustedError)

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
    """The result of one pass over the queue.

    Attributes:
        problems: Errors after which records are tried again.
        waits: The error by connection, if it passes by itself: another run writes, or the day's quota is used up.
    """

    records: int = 0
    results: list[WorkflowResult] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    waits: dict[str, str] = field(default_factory=dict)
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
        for name in batch.keys() & outcome.waits.keys():  # it would wait as long, and delay the other connections
            self._postpone(name, batch.pop(name), listeners, outcome.waits[name], outcome)
        if not batch:
            return
        saved: dict[tuple[str, str], bool] = {}  # and whether any notification reports a deletion
        for each in chain.from_iterable(batch.values()):
            saved[each.key] = saved.get(each.key, False) or each.is_deleted
        outcome.records += len(saved)
        workflows = list(chain.from_iterable(listeners.values()))
        try:
            keys = refresh_records(
                self._warehouse,
                self.netsuite,
                saved,
                parent_columns(workflows, self.connections.workflows),
                self.extraction,
                run_id=self.run_id,
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
        reach("notifications_sent")

    def _fail(self, name: str, batch: Batch, listeners: Listeners, error: BaseException, outcome: Outcome) -> None:
        if isinstance(error, PASSING):
            outcome.waits[name] = str(error)
        else:
            outcome.problems.append(f"{name}: {error}")
        self._postpone(name, batch[name], listeners, str(error), outcome)

    def _postpone(
        self, name: str, failed: Sequence[Notification], listeners: Listeners, error: str, outcome: Outcome
    ) -> None:
        outcome.abandoned += self.queue.mark_failed(name, failed, listeners, error, time.time())


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


def parent_columns(workflows: Sequence[Workflow], known: Mapping[str, Workflow]) -> set[ParentColumn]:
    """Return the columns by which the workflows find parent records, and rows that they look up by NetSuite id.

    Args:
        workflows: The workflows.
        known: These and all others, by name: rows refer to the records of any.
    """
    records = [record for workflow in workflows for record in workflow.spec.records]
    parents = {
        ParentColumn(record.source, parent, column)
        for record in records
        for parent, column in (record.parent or {}).items()
    }
    return parents.union(*(_looked_up(record, known) for record in records))


def _looked_up(record: RecordMap, known: Mapping[str, Workflow]) -> Iterator[ParentColumn]:
    """Return the columns with the NetSuite id of a row that the record map looks up, and of those looked up in it."""
    for row in record.rows:
        source, column = record.source, row.from_
        if column and row.reference and row.reference in known:
            for referred in known[row.reference].spec.records:
                yield ParentColumn(source, referred.source, column, is_looked_up=True)
        for lookup in row.lookup.chain if row.lookup else ():
            looked_up = lookup.table.removeprefix(STAGING_PREFIX)
            is_read = looked_up in RECORD_TYPES or is_on_demand(looked_up)
            if column is None or not is_read or statement(STAGING, lookup.table).key != (lookup.by,):
                break
            yield ParentColumn(source, looked_up, column, is_looked_up=True)
            source, column = looked_up, lookup.return_
