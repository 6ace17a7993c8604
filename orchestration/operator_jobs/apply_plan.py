"""Release or drop a plan that waits, from the Dagster UI: the same as `millpond apply` and `millpond reject`.

job release_plan, config {plan_id, only, reject, why}  ->  orchestration.cli.plans  ->  target, ledger, snapshot
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from assets.delivery.ledger.plans import SyncError
from assets.delivery.plan.planner import Workflow
from assets.failures import dagster_failure
from orchestration.account_partitions import account_of, partitions_of
from orchestration.cli.plans import Connections, apply_plan, find_plan, reject_plan
from orchestration.settings import MillpondSettings
from resources.errors import QuotaExhaustedError

RELEASE = "release_plan"
OP = "release"  # Dagster wants another name for the op than for the job


class Release(dg.Config):
    """Which plan, and what becomes of it."""

    plan_id: str = Field(description="The plan's id, or its first characters; the failed guard check names it.")
    only: list[str] = Field(
        default=[], description="Parts of it: `action=create`, `record=107`, `field=name`; everything when empty."
    )
    reject: bool = Field(default=False, description="Drop the plan instead of sending it.")
    why: str = Field(description="Who decided, and why: kept with the run and with a plan that is dropped.")


def release_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    """The job that releases a plan of any of these workflows."""
    known = {workflow.name: workflow for workflow in workflows}
    names = {workflow.spec.connection_name for workflow in workflows}

    @dg.op(
        name=OP,
        description="Sends a waiting plan exactly as it was made, whole or in part, once; or drops it.",
        required_resource_keys={"warehouse", *names},
        pool="duckdb",
        out=dg.Out(dg.Nothing),
    )
    def release(context: dg.OpExecutionContext, config: Release) -> None:
        resources = context.resources
        connections = Connections(
            resources.warehouse.warehouse, known, {name: getattr(resources, name) for name in names}
        )
        with dagster_failure(SyncError):
            metadata = _reject(connections, config) if config.reject else _apply(context, connections, config)
            connections.warehouse.publish()
        plan = metadata["plan"]
        context.log_event(
            dg.AssetObservation(
                asset_key=f"plan_{metadata['workflow']}",
                description=f"plan {plan} {'dropped' if config.reject else 'released'}: {config.why}",
                metadata=metadata,
                partition=account_of(context.run, settings).account or None,
            )
        )
        if metadata.get("stopped", "no") != "no" and not metadata.get("resumes"):
            raise dg.Failure(f"plan {plan}: {metadata['stopped']}", metadata=metadata, allow_retries=False)

    @dg.job(
        name=RELEASE,
        description="Release a plan that a guard holds back, or drop it; see the guard check.",
        partitions_def=partitions_of(settings),
        tags={"dagster/max_retries": "0"},  # a plan is sent once, and a person said so
    )
    def job() -> None:
        release()

    return job


def _reject(connections: Connections, config: Release) -> dict[str, Any]:
    kept = reject_plan(connections, config.plan_id, config.why)
    return {"plan": kept.plan_id, "workflow": kept.workflow, "why": config.why, "state": "rejected"}


def _apply(context: dg.OpExecutionContext, connections: Connections, config: Release) -> dict[str, Any]:
    kept = find_plan(connections.warehouse, config.plan_id)
    synced = apply_plan(connections, kept.plan_id, config.only, context.run_id)
    stale = synced.decisions.filter(synced.decisions["reason_code"].fill_null("").str.starts_with("stale_"))
    return {
        "plan": kept.plan_id,
        "workflow": kept.workflow,
        "why": config.why,
        "only": ", ".join(config.only) or "everything",
        **{name: count for name, count in synced.counts.items() if count},
        "writes": synced.writes,
        "calls": synced.calls,
        "left_out_as_stale": stale.height,
        "stopped": str(synced.stop) if synced.stop else "no",
        # what the day's allowance left over, the next run plans anew
        "resumes": isinstance(synced.stop, QuotaExhaustedError),
    }
