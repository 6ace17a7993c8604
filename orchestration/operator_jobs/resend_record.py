"""The job `resend_record`: `millpond resend` in the Dagster UI and in the console, for one record.

config {workflow, source, source_id, reason}  ->  resend_records()  ->  target, ledger, snapshot
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field

from assets.delivery.audit.find import Record
from assets.delivery.component.asset_spec import POOL
from assets.delivery.errors import MappingError, SyncError
from assets.delivery.realtime.sync_records import RealtimeResult
from assets.delivery.spec.workflow import Workflow
from assets.failures import dagster_failure
from orchestration.account_partitions import account_of, partitions_of
from orchestration.authorization import approver_of
from orchestration.automation.groups import RESEND_RECORD
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections
from orchestration.ledger_sealing import publish_sealed
from orchestration.operator_jobs.apply_plan import ONCE, resource_keys
from orchestration.operator_jobs.resend import resend_records

RESEND_OP = "resend"  # an op must not share its job's name


class Resend(dg.Config):
    """The record to send again."""

    workflow: str = Field(description="The workflow's name.")
    source: str = Field(description="Source of the record, such as customers.")
    source_id: str = Field(description="NetSuite id of the record.")
    reason: str = Field(description="Author and reason of the decision, recorded with the run.")


def resend_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    """Return the job that reads one record again and sends what differs in the target."""

    @dg.op(
        name=RESEND_OP,
        description="Reads one record from NetSuite again, with those above it, and sends what differs.",
        required_resource_keys={*resource_keys(workflows), "netsuite"},
        pool=POOL,
        out=dg.Out(dg.Nothing),
    )
    def resend_op(context: dg.OpExecutionContext, config: Resend) -> None:
        made = Connections.of(context.resources.warehouse, workflows, context.resources)
        connections = replace(made, clients={**made.clients, "netsuite": context.resources.netsuite})
        record = Record(config.source, config.source_id, None, None)
        with dagster_failure(SyncError, MappingError):
            approver = approver_of(context.run.tags)
            workflow = connections.workflow(config.workflow)
            result = resend_records(connections, workflow, [record], context.run_id, approver)
            publish_sealed(connections.warehouse)
        context.log_event(
            dg.AssetObservation(
                asset_key=f"sync_{config.workflow}",
                description=f"{config.source} {config.source_id}: {_outcome(result)} ({config.reason})",
                metadata=_metadata(result),
                partition=account_of(context.run, settings).account or None,
            )
        )

    @dg.job(
        name=RESEND_RECORD,
        description="Send one record again, also where only fields differ that are not monitored.",
        partitions_def=partitions_of(settings),
        tags=ONCE,
    )
    def job() -> None:
        resend_op()

    return job


def _outcome(result: RealtimeResult) -> str:
    writes = result.synced.writes if result.synced else 0
    return result.reason or ("sent again" if writes else "nothing differs in the target, so nothing was sent")


def _metadata(result: RealtimeResult) -> dict[str, Any]:
    found: dict[str, Any] = {"plan": result.planned.plan_id} if result.planned else {}
    if result.synced:
        found |= {name: count for name, count in result.synced.counts.items() if count}
        found |= {"writes": result.synced.writes, "calls": result.synced.calls}
    return found
