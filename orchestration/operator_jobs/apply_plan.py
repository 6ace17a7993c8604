"""The jobs `apply_plan` and `reject_plan`: `millpond apply` and `millpond reject` in the Dagster UI.

config {plan_id, only, reason}  ->  plan_actions  ->  target, ledger, snapshot; an observation of the plan's asset
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from assets.delivery.errors import SyncError
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.send.outcomes import stop_text
from assets.delivery.spec.workflow import Workflow
from assets.failures import refusals
from orchestration.account_partitions import account_of
from orchestration.authorization import approver_of
from orchestration.automation.groups import APPLY_PLAN, REJECT_PLAN, WORKFLOW_TAG
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections
from orchestration.ledger_sealing import publish_sealed
from orchestration.operator_jobs.decision_job import decision_op, job_of, observe
from orchestration.operator_jobs.plan_actions import apply_plan, find_plan, reject_plan, stale_records
from orchestration.operator_jobs.release_checks import report_release
from resources.errors import QuotaExhaustedError

APPLY_OP, REJECT_OP = "apply", "reject"  # an op must not share its job's name


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
    @decision_op(APPLY_OP, "Sends a plan exactly as it was made, whole or in part, once.", workflows)
    def apply_op(context: dg.OpExecutionContext, config: Apply) -> None:
        connections = Connections.of(workflows, context.resources)
        with refusals(SyncError):
            metadata = _apply(context, connections, config, account_of(context.run, settings).account)
            publish_sealed(connections.warehouse)
        text = f"plan {metadata['plan']} applied: {config.reason}"
        observe(context, settings, f"plan_{metadata['workflow']}", text, metadata)
        if metadata["stopped"] != "no" and not metadata["resumes"]:
            text = f"plan {metadata['plan']}: {metadata['stopped']}"
            raise dg.Failure(text, metadata=metadata, allow_retries=False)

    return job_of(apply_op, APPLY_PLAN, "Apply a plan that a guard stopped; see the failed guard check.", settings)


def _reject_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    @decision_op(REJECT_OP, "Rejects a plan; nothing is sent.", workflows)
    def reject_op(context: dg.OpExecutionContext, config: Reject) -> None:
        connections = Connections.of(workflows, context.resources)
        with refusals(SyncError):
            plan = reject_plan(connections, config.plan_id, config.reason, approver_of(context.run.tags))
            publish_sealed(connections.warehouse)
        metadata = {"plan": plan.plan_id, "workflow": plan.workflow, "reason": config.reason, "state": "rejected"}
        observe(context, settings, f"plan_{plan.workflow}", f"plan {plan.plan_id} rejected: {config.reason}", metadata)

    return job_of(reject_op, REJECT_PLAN, "Reject a plan that a guard stopped.", settings)


def _apply(context: dg.OpExecutionContext, connections: Connections, config: Apply, account: str) -> dict[str, Any]:
    plan = find_plan(connections.warehouse, config.plan_id)
    approver, is_undo = approver_of(context.run.tags), plan.kind == PlanKind.UNDO
    if not is_undo:  # the workflow's next run does what this one leaves, also if its process is killed
        context.instance.add_run_tags(context.run_id, {WORKFLOW_TAG: plan.workflow})
    synced = apply_plan(connections, plan.plan_id, config.only, context.run_id, approver, config.reason)
    released = f"plan {plan.plan_id} was sent by {approver}: {config.reason}"
    report_release(context.instance, connections, plan, synced, context.run_id, released, account)
    return {
        "plan": plan.plan_id,
        "workflow": plan.workflow,
        "reason": config.reason,
        "only": ", ".join(config.only) or "everything",
        **{name: count for name, count in synced.counts.items() if count},
        "writes": synced.writes,
        "calls": synced.calls,
        "left_out_as_stale": stale_records(synced).height,
        "stopped": stop_text(synced.stop, is_undo=is_undo) or "no",
        # the next run plans again what the day's quota deferred, but no undo
        "resumes": isinstance(synced.stop, QuotaExhaustedError) and not is_undo,
    }
