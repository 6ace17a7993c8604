"""The jobs `apply_plan` and `reject_plan`: `millpond apply` and `millpond reject` in the Dagster UI.

config {plan_id, only, reason}  ->  plan_actions  ->  target, ledger, snapshot; an observation of the plan's asset
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from assets.delivery.component.asset_spec import POOL
from assets.delivery.errors import SyncError
from assets.delivery.send.outcomes import stop_text
from assets.delivery.spec.workflow import Workflow
from assets.failures import dagster_failure
from orchestration.account_partitions import account_of, partitions_of
from orchestration.authorization import approver_of
from orchestration.automation.groups import APPLY_PLAN, REJECT_PLAN
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections
from orchestration.dagster_internals import MAX_RETRIES_TAG
from orchestration.ledger_sealing import publish_sealed
from orchestration.operator_jobs.plan_actions import apply_plan, find_plan, reject_plan, stale_records
from orchestration.operator_jobs.release_checks import report_release
from resources.errors import QuotaExhaustedError

APPLY_OP, REJECT_OP = "apply", "reject"  # an op must not share its job's name
ONCE = {MAX_RETRIES_TAG: "0"}  # a decision is carried out once


class Apply(dg.Config):
    """The plan to send."""

    plan_id: str = Field(description="The plan's id or its first characters; the failed guard check names it.")
    only: list[str] = Field(
        default=[], description="Parts of it: `action=create`, `record=107`, `field=name`; empty: the whole plan."
    )
    reason: str = Field(description="Author and reason of the decision, recorded with the run.")


class Reject(dg.Config):
    """The plan to reject."""

    plan_id: str = Field(description="The plan's id or its first characters; the failed guard check names it.")
    reason: str = Field(description="Author and reason of the decision, recorded with the run and the plan.")


def plan_jobs(workflows: Sequence[Workflow], settings: MillpondSettings) -> list[dg.JobDefinition]:
    """Return the jobs that apply and reject a plan of any of these workflows."""
    return [_apply_job(workflows, settings), _reject_job(workflows, settings)]


def _apply_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    @dg.op(
        name=APPLY_OP,
        description="Sends a plan exactly as it was made, whole or in part, once.",
        required_resource_keys=resource_keys(workflows),
        pool=POOL,
        out=dg.Out(dg.Nothing),
    )
    def apply_op(context: dg.OpExecutionContext, config: Apply) -> None:
        connections = Connections.of(context.resources.warehouse, workflows, context.resources)
        with dagster_failure(SyncError):
            metadata = _apply(context, connections, config)
            publish_sealed(connections.warehouse)
        _observe(context, metadata, f"plan {metadata['plan']} applied: {config.reason}", settings)
        if metadata["stopped"] != "no" and not metadata["resumes"]:
            text = f"plan {metadata['plan']}: {metadata['stopped']}"
            raise dg.Failure(text, metadata=metadata, allow_retries=False)

    @dg.job(
        name=APPLY_PLAN,
        description="Apply a plan that a guard stopped; see the failed guard check.",
        partitions_def=partitions_of(settings),
        tags=ONCE,
    )
    def job() -> None:
        apply_op()

    return job


def _reject_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    @dg.op(
        name=REJECT_OP,
        description="Rejects a plan; nothing is sent.",
        required_resource_keys=resource_keys(workflows),
        pool=POOL,
        out=dg.Out(dg.Nothing),
    )
    def reject_op(context: dg.OpExecutionContext, config: Reject) -> None:
        connections = Connections.of(context.resources.warehouse, workflows, context.resources)
        with dagster_failure(SyncError):
            plan = reject_plan(connections, config.plan_id, config.reason, approver_of(context.run.tags))
            publish_sealed(connections.warehouse)
        metadata = {"plan": plan.plan_id, "workflow": plan.workflow, "reason": config.reason, "state": "rejected"}
        _observe(context, metadata, f"plan {plan.plan_id} rejected: {config.reason}", settings)

    @dg.job(
        name=REJECT_PLAN,
        description="Reject a plan that a guard stopped.",
        partitions_def=partitions_of(settings),
        tags=ONCE,
    )
    def job() -> None:
        reject_op()

    return job


def resource_keys(workflows: Sequence[Workflow]) -> set[str]:
    """Return the names of the resources that an action on any of these workflows needs."""
    return {"warehouse", *(workflow.spec.connection_name for workflow in workflows)}


def _apply(context: dg.OpExecutionContext, connections: Connections, config: Apply) -> dict[str, Any]:
    plan = find_plan(connections.warehouse, config.plan_id)
    approver = approver_of(context.run.tags)
    synced = apply_plan(connections, plan.plan_id, config.only, context.run_id, approver, config.reason)
    released = f"plan {plan.plan_id} was sent by {approver}: {config.reason}"
    report_release(context.instance, connections, plan, synced, context.run_id, released)
    return {
        "plan": plan.plan_id,
        "workflow": plan.workflow,
        "reason": config.reason,
        "only": ", ".join(config.only) or "everything",
        **{name: count for name, count in synced.counts.items() if count},
        "writes": synced.writes,
        "calls": synced.calls,
        "left_out_as_stale": stale_records(synced).height,
        "stopped": stop_text(synced.stop) or "no",
        # the next run plans again what the day's quota deferred
        "resumes": isinstance(synced.stop, QuotaExhaustedError),
    }


def _observe(
    context: dg.OpExecutionContext, metadata: Mapping[str, Any], description: str, settings: MillpondSettings
) -> None:
    """Show the decision on the page of the plan's asset."""
    context.log_event(
        dg.AssetObservation(
            asset_key=f"plan_{metadata['workflow']}",
            description=description,
            metadata=metadata,
            partition=account_of(context.run, settings).account or None,
        )
    )
