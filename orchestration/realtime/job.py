"""Real-time updates: the job that syncs records just saved in NetSuite; the change notification sensor starts it.

RealtimeSync, again and again while notifications arrive  ->  an observation on each workflow's sync asset
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import dagster as dg

from assets.delivery.spec.workflow import Workflow
from orchestration.account_partitions import account_of, partitions_of
from orchestration.automation.groups import REALTIME
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections
from orchestration.realtime.queue import NotificationQueue
from orchestration.realtime.sync_pending import Outcome, RealtimeSync, WorkflowResult
from resources.warehouse.backend import Check

OP = "sync_records"  # an op must not share its job's name
LOCK = "realtime"
POLL_S = 0.2
MAX_RUN_S = 300.0  # then a new run takes over, with the workflow files as they are by then


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
        connections = Connections.of(workflows, resources)
        queue = NotificationQueue(account.account_home)
        realtime = RealtimeSync(connections, resources.netsuite, resources.extraction, queue, context.run_id)
        with ExitStack() as stack:
            try:  # the sensor requests one run at a time; a person, a retry or a second daemon may start others
                check = stack.enter_context(resources.warehouse.lock(LOCK, 0))
            except TimeoutError:
                context.log.info("another real-time run is in progress and syncs these records; nothing to do here")
                return
            _follow(context, realtime, settings, account.account, check)

    @dg.job(
        name=REALTIME,
        description="Sync records that were just saved in NetSuite, and their ancestors, to the targets.",
        executor_def=dg.in_process_executor,
        partitions_def=partitions_of(settings),
    )
    def job() -> None:
        sync_records()

    return job


def _follow(
    context: dg.OpExecutionContext, realtime: RealtimeSync, settings: MillpondSettings, account: str, check: Check
) -> None:
    """Sync what is due, again and again, until no notification arrived for some seconds."""
    began = last = time.monotonic()
    while True:
        check()
        outcome = realtime.sync_due(settings.realtime_burst)
        if outcome.records:
            _report(context, outcome, account)
            last = time.monotonic()
        now = time.monotonic()
        if now - last >= settings.realtime_linger_s or now - began >= MAX_RUN_S:
            return
        time.sleep(POLL_S)


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
    for name, text in outcome.waits.items():
        context.log.info("%s: these records are tried again by themselves: %s", name, text)
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
