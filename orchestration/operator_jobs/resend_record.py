"""The job `resend_record`: `millpond resend` in the Dagster UI and in the console, for one record.

config {workflow, source, source_id, reason}  ->  resend_records()  ->  target, ledger, snapshot
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field

from assets.delivery.audit.find import Record
from assets.delivery.errors import MappingError, SyncError
from assets.delivery.realtime.sync_records import RealtimeResult
from assets.delivery.send.outcomes import stop_text
from assets.delivery.spec.workflow import Workflow
from assets.failures import refusals
from orchestration.authorization import approver_of
from orchestration.automation.groups import RESEND_RECORD
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections
from orchestration.ledger_sealing import publish_sealed
from orchestration.operator_jobs.decision_job import decision_op, job_of, observe
from orchestration.operator_jobs.resend import WRITTEN, resend_records
from resources.errors import QuotaExhaustedError

RESEND_OP = "resend"  # an op must not share its job's name


class Resend(dg.Config):
    """The record to send again."""

    workflow: str = Field(description="The workflow's name.")
    source: str = Field(description="Source of the record, such as customers.")
    source_id: str = Field(description="NetSuite id of the record.")
    reason: str = Field(description="Author and reason of the decision, recorded with the run.")


def resend_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    """Return the job that reads one record again and sends what differs in the target."""

    @decision_op(
        RESEND_OP,
        "Reads one record from NetSuite again, with those above it, and sends what differs.",
        workflows,
        "netsuite",
    )
    def resend_op(context: dg.OpExecutionContext, config: Resend) -> None:
        made = Connections.of(workflows, context.resources)
        connections = replace(made, clients={**made.clients, "netsuite": context.resources.netsuite})
        record = Record(config.source, config.source_id, None, None)
        with refusals(SyncError, MappingError):
            approver = approver_of(context.run.tags)
            workflow = connections.workflow(config.workflow)
            result = resend_records(connections, workflow, [record], context.run_id, approver)
            publish_sealed(connections.warehouse)
        text = f"{config.source} {config.source_id}: {_outcome(result)} ({config.reason})"
        observe(context, settings, f"sync_{config.workflow}", text, _metadata(result))
        stop = result.synced.stop if result.synced else None
        if stop and not isinstance(stop, QuotaExhaustedError):  # the next run sends what the day's quota deferred
            raise dg.Failure(str(stop), allow_retries=False)

    about = "Send one record again, even if only fields that are not monitored differ."
    return job_of(resend_op, RESEND_RECORD, about, settings)


def _outcome(result: RealtimeResult) -> str:
    synced = result.synced
    if why := result.reason or (stop_text(synced.stop) if synced else None):
        return why
    if not synced or not synced.writes:
        return "nothing differs in the target, so nothing was sent"
    is_sent = any(synced.counts[each] for each in WRITTEN)
    return "sent again" if is_sent else "the target did not accept or confirm it; `millpond explain` says why"


def _metadata(result: RealtimeResult) -> dict[str, Any]:
    found: dict[str, Any] = {"plan": result.planned.plan_id} if result.planned else {}
    if result.synced:
        found |= {name: count for name, count in result.synced.counts.items() if count}
        found |= {"writes": result.synced.writes, "calls": result.synced.calls}
    return found
