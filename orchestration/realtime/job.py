"""Bring records that were just saved in NetSuite to the targets: what the change notification sensor starts.

notifications.sqlite  ->  read again from NetSuite, with all above them  ->  each account's workflows, parents first  ->  done

Accounts are served side by side and close their change notifications each by itself: where one does not answer, the others have the
record. NotificationQueue that failed are tried one at a time, so that one bad record holds up nobody.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
import polars as pl

from assets.delivery.ledger.plans import SyncError
from assets.delivery.plan.planner import Workflow
from assets.delivery.realtime.sync_records import Targeted, sync_few
from assets.delivery.spec.expressions import MappingError
from assets.delivery.spec.switches import Switches
from assets.delivery.target import Target
from assets.netsuite.extract.settings import ExtractionSettings
from assets.target_registry import TARGETS
from assets.warehouse.refresh import read_again
from orchestration.account_partitions import account_of, partitions_of
from orchestration.realtime.queue import Notification, NotificationQueue
from orchestration.settings import MillpondSettings
from resources.errors import IntegrationError
from resources.failpoints import reach
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.warehouse import Warehouse, WarehouseError

REALTIME = "realtime"
POLL_S = 0.2
LONGEST_S = 300.0  # then the next run goes on, by the files as they are by then
OP = "bring"  # Dagster wants another name for the op than for the job
# what concerns these records or one account, and may have passed by the next try
PASSING = (IntegrationError, SyncError, MappingError, WarehouseError, TimeoutError, ValueError)


@dataclass(frozen=True)
class Brought:
    """What became of one workflow's part, or why it failed."""

    workflow: str
    targeted: Targeted
    seconds: float


@dataclass
class Outcome:
    """What one run did."""

    records: int = 0
    brought: list[Brought] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    given_up: list[Notification] = field(default_factory=list)


@dataclass(frozen=True)
class Realtime:
    """Everything that it takes; `clients` by the name of the account."""

    warehouse: Warehouse
    netsuite: NetSuiteClient
    extraction: ExtractionSettings
    clients: Mapping[str, Any]
    workflows: Sequence[Workflow]
    notifications: NotificationQueue
    run_id: str

    def bring(self, most: int) -> Outcome:
        """Serve what is due: the new change notifications together, then each that failed before by itself."""
        hearing = by_account(listening_notifications(self.warehouse, self.workflows))
        due = self.notifications.due(hearing)
        outcome = Outcome()
        fresh = {
            connection: [notification for notification in notifications if not notification.tries][:most]
            for connection, notifications in due.items()
        }
        self._serve(fresh, hearing, outcome)
        again = {
            notification.key: notification
            for notifications in due.values()
            for notification in notifications
            if notification.tries
        }
        for key in list(again)[:most]:
            one = {
                connection: [
                    notification for notification in notifications if notification.key == key and notification.tries
                ]
                for connection, notifications in due.items()
            }
            self._serve(one, hearing, outcome)
        return outcome

    def _serve(
        self, taken: Mapping[str, list[Notification]], hearing: Mapping[str, list[Workflow]], outcome: Outcome
    ) -> None:
        taken = {connection: notifications for connection, notifications in taken.items() if notifications}
        if not taken:
            return
        hinted: dict[tuple[str, str], bool] = {}
        for notification in (each for notifications in taken.values() for each in notifications):
            hinted[notification.key] = hinted.get(notification.key, False) or notification.is_deleted
        outcome.records += len(hinted)
        workflows = [each for notifications in hearing.values() for each in notifications]
        try:
            keys = read_again(
                self.warehouse, self.netsuite, workflows, hinted, self.extraction, run_id=self.run_id
            )  # fmt: skip
        except PASSING as error:
            for connection, notifications in taken.items():
                self._failed(connection, notifications, hearing, error, outcome)
            return
        with ThreadPoolExecutor(len(taken)) as pool:
            parts = {connection: pool.submit(self._send, hearing[connection], keys, outcome) for connection in taken}
        for connection, part in parts.items():
            failure = part.exception()
            if failure is None:
                self.notifications.done(connection, taken[connection], hearing)
            else:
                self._failed(connection, taken[connection], hearing, failure, outcome)
                if not isinstance(failure, PASSING):
                    raise failure

    def _send(self, workflows: Sequence[Workflow], keys: pl.DataFrame, outcome: Outcome) -> None:
        """One account's workflows, one after the other: who is needed comes first."""
        for workflow in workflows:
            began = time.monotonic()
            client = self.clients[workflow.spec.connection_name]
            kind = TARGETS[workflow.spec.target]
            target: Target = kind.build(client, workflow.spec.options)
            targeted = sync_few(
                self.warehouse, workflow, target, keys, run_id=self.run_id, clock=client.clock,
                foreign=partial(kind.records, client), base_url=client.base_url,
            )  # fmt: skip
            outcome.brought.append(Brought(workflow.name, targeted, time.monotonic() - began))
            if targeted.synced and targeted.synced.stop:
                raise targeted.synced.stop
        reach("hints_sent")

    def _failed(
        self, connection: str, taken: Sequence[Notification], hearing: Mapping[str, list[Workflow]], error: BaseException,
        outcome: Outcome,
    ) -> None:  # fmt: skip
        outcome.problems.append(f"{connection}: {error}")
        outcome.given_up += self.notifications.failed(connection, taken, hearing, str(error), time.time())


def listening_notifications(warehouse: Warehouse, workflows: Sequence[Workflow]) -> list[Workflow]:
    """The workflows that are on and follow change notifications as of now."""
    switches = Switches(warehouse.folder)
    return [each for each in workflows if switches.state(each).hears_notifications]


def by_account(workflows: Sequence[Workflow]) -> dict[str, list[Workflow]]:
    """Workflows by the account that they write to, those that are needed before those that need them."""
    known = {each.name: each for each in workflows}
    needs = {name: [need for need in each.spec.waits_for if need in known] for name, each in known.items()}
    connections: dict[str, list[Workflow]] = {}
    for name in TopologicalSorter(needs).static_order():
        connections.setdefault(known[name].spec.connection_name, []).append(known[name])
    return connections


def realtime_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    """The job of one step: no step waits for another one's process, pool or start.

    A new process takes longer to begin than a record to be brought, so one stays for a while: who saves a record
    often saves another one.
    """
    connections = {workflow.spec.connection_name for workflow in workflows}

    @dg.op(
        name=OP,
        description="Reads the records that change notifications name again and brings them, parents first, to each account.",
        required_resource_keys={"warehouse", "netsuite", "extraction", *connections},
        out=dg.Out(dg.Nothing),
    )
    def bring(context: dg.OpExecutionContext) -> None:
        of = context.resources
        clients = {name: getattr(of, name) for name in connections}
        account = account_of(context.run, settings)
        notifications = NotificationQueue(account.own)
        realtime = Realtime(of.warehouse, of.netsuite, of.extraction, clients, workflows, notifications, context.run_id)
        began = last = time.monotonic()
        while True:
            outcome = realtime.bring(settings.realtime_burst)
            if outcome.records:
                _tell(context, outcome, account.account)
                last = time.monotonic()
            now = time.monotonic()
            if now - last >= settings.realtime_linger_s or now - began >= LONGEST_S:
                return
            time.sleep(POLL_S)

    @dg.job(
        name=REALTIME,
        description="Brings records that NetSuite says were saved to the targets: only these and those above them.",
        executor_def=dg.in_process_executor,
        partitions_def=partitions_of(settings),
    )
    def job() -> None:
        bring()

    return job


def _tell(context: dg.OpExecutionContext, outcome: Outcome, account: str) -> None:
    """Show each sink what was brought to it, and fail when something was not."""
    for each in outcome.brought:
        context.log_event(
            dg.AssetObservation(
                asset_key=f"sync_{each.workflow}",
                description=each.targeted.told or "records that NetSuite said were saved",
                metadata=_shown(each),
                partition=account or None,
            )
        )
    context.log.info("%d records, %d workflows", outcome.records, len(outcome.brought))
    for notification in outcome.given_up:
        context.log.warning("%s %s is left to the next run of all records", *notification.key)
    if outcome.problems:
        raise dg.Failure("; ".join(dict.fromkeys(outcome.problems)), allow_retries=False)


def _shown(brought: Brought) -> dict[str, Any]:
    synced, planned = brought.targeted.synced, brought.targeted.planned
    shown: dict[str, Any] = {"seconds": round(brought.seconds, 3), "because": "change notifications"}
    if planned:
        shown |= {"plan_id": planned.plan_id, "records": planned.records}
    if synced:
        shown |= {name: count for name, count in synced.counts.items() if count}
        shown |= {"writes": synced.writes, "calls": synced.calls}
    return shown
