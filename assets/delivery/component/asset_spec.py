"""What all assets of a workflow have in common: their spec, and what they do when it is switched off."""

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.switches import Switches

POOL = "duckdb"
MODE_TAG = "millpond/mode"  # a run's tag: import, update or sync
BY_HAND = "__ASSET_JOB"  # Dagster's job of assets that a person picked


def layer_spec(
    workflow: Workflow, layer: str, *, kinds: set[str], deps: Sequence[str], description: str
) -> dg.AssetSpec:
    """One asset of a workflow: group, owners, tags."""
    return dg.AssetSpec(
        f"{layer}_{workflow.name}",
        deps=list(deps),
        description=description,
        group_name=workflow.name,
        kinds=kinds,
        owners=workflow.spec.owners,
        tags={
            "millpond/layer": layer,
            "millpond/active": str(workflow.spec.active).lower(),
            "millpond/target": workflow.spec.connection_name,
        },
    )


def switch_metadata(context: dg.AssetExecutionContext, workflow: Workflow) -> dict[str, str]:
    """Whether the workflow is on as this run decides, and who says so; for people who look at the asset."""
    return {"switch": _switches(context).state(workflow).told}


def when_off(
    context: dg.AssetExecutionContext, workflow: Workflow, checks: Iterable[str] = ()
) -> dg.MaterializeResult[Any] | None:
    """What an asset of a workflow that is off has to show instead of doing anything; None when it is on.

    A run of a group goes on with the other workflows. Who asks for this workflow alone is told that it is off.

    Raises:
        Failure: The run is about this workflow alone.
    """
    state = _switches(context).state(workflow)
    if state.active:
        return None
    text = f"{workflow.name} is switched off: {state.told}; `millpond activate {workflow.name}` switches it on"
    job: str = context.job_name
    if job == BY_HAND or job.startswith(workflow.name):
        raise dg.Failure(text, allow_retries=False)
    passed = [dg.AssetCheckResult(check_name=name, passed=True, description="switched off") for name in checks]
    return dg.MaterializeResult(metadata={"switch": state.told, "did": "nothing"}, check_results=passed)


def _switches(context: dg.AssetExecutionContext) -> Switches:
    return Switches(context.resources.warehouse.folder)
