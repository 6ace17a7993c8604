"""The parts that all assets of a workflow share: the spec, the op, and what happens while the workflow is off.

workflow, layer  ->  layer_spec()  ->  workflow_asset(spec, materialize)  ->  an asset, or as_inactive() of it
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from assets.delivery.errors import MappingError, SyncError
from assets.delivery.ledger.shadows import ShadowedError
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from assets.failures import dagster_failure, waiting_of
from assets.target_registry import TARGETS

POOL = "duckdb"
MODE_TAG = "millpond/mode"  # run tag: import, update or sync
ACTIVE_TAG = "millpond/active"  # asset tag: whether runs include the asset
GUARD = "guard"  # the check that stops a plan until a person approves it
CONSOLE_PLAN, CONSOLE_PARITY = "/console/plans/{}", "/console/parity"  # served beside Dagster's pages
INACTIVE = "inactive"  # kind of the assets of a workflow that is switched off

Materialize = Callable[[dg.AssetExecutionContext], dg.MaterializeResult[Any]]


def layer_spec(
    workflow: Workflow, layer: str, *, kinds: set[str], deps: Sequence[str], description: str
) -> dg.AssetSpec:
    """Return the spec of one asset of a workflow."""
    return dg.AssetSpec(
        f"{layer}_{workflow.name}",
        deps=list(dict.fromkeys(deps)),
        description=description,
        group_name=TARGETS[workflow.spec.target].group,
        kinds=kinds,
        owners=workflow.spec.owners,
        tags={"millpond/layer": layer, ACTIVE_TAG: "true", "millpond/target": workflow.spec.connection_name},
    )


def workflow_asset(
    workflow: Workflow,
    spec: dg.AssetSpec,
    materialize: Materialize,
    *,
    checks: Sequence[dg.AssetCheckSpec] = (),
    connects: bool = True,
    config: Mapping[str, dg.Field] | None = None,
) -> dg.AssetsDefinition:
    """Build the asset that calls `materialize`, unless the workflow is switched off when its step starts.

    Args:
        workflow: The workflow.
        spec: See `layer_spec`.
        materialize: Makes the asset's table and returns metadata and check results.
        checks: Every check that it evaluates.
        connects: Whether it uses the client of the workflow's connection.
        config: The asset's configuration in the launchpad.
    """

    @dg.multi_asset(
        name=spec.key.to_user_string(),
        specs=[spec],
        check_specs=checks,
        config_schema=config,
        required_resource_keys={"warehouse", *([workflow.spec.connection_name] if connects else [])},
        pool=POOL,
    )
    def asset(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]  # Dagster
        state = Switches(context.resources.warehouse.folder).state(workflow)
        if not state.active:
            note = f"nothing was done; `millpond activate {workflow.name}` switches the workflow on"
            context.log.info("%s is %s: %s", workflow.name, state.description, note)
            yield _no_operation({"switch": state.description, "action": note}, checks)
            return
        with dagster_failure(MappingError, SyncError):
            try:
                result = materialize(context)
            except ShadowedError as error:  # the run goes on: each night reads, plans and compares
                context.log.warning("%s", error)
                parity = dg.MetadataValue.url(CONSOLE_PARITY)
                result = _no_operation({"action": str(error), "parity": parity}, checks, "shadow mode")
        yield result._replace(metadata={**(result.metadata or {}), "switch": state.description})
        _stop_at_guard(result)

    return asset


def _stop_at_guard(result: dg.MaterializeResult[Any]) -> None:
    """Raise a Failure with the guard's own sentence: the error of a failed blocking check names the check only."""
    for each in result.check_results or ():
        if each.check_name == GUARD and not each.passed:
            review = CONSOLE_PLAN.format(each.metadata["plan_id"].value)
            raise waiting_of(str(each.description), str(each.metadata["plan_id"].value), review)


def _no_operation(
    metadata: Mapping[str, Any], checks: Sequence[dg.AssetCheckSpec], why: str = "switched off"
) -> dg.MaterializeResult[Any]:
    """Return the result of a step whose workflow is off: the run continues, and later steps use existing tables."""
    passed = [dg.AssetCheckResult(check_name=each.name, passed=True, description=why) for each in checks]
    return dg.MaterializeResult(metadata=metadata, check_results=passed)


def as_inactive(asset: dg.AssetsDefinition, workflow: Workflow) -> dg.AssetsDefinition:
    """Return the asset as a node of the graph that no run includes, nor "Materialize all" in the UI."""
    note = (
        f"**Switched off** (`active: false`): no run includes it. `millpond activate {workflow.name}` switches it on."
    )

    def inactive(spec: dg.AssetSpec) -> dg.AssetSpec:
        marked = spec.replace_attributes(description=f"{note}\n\n{spec.description}")
        return marked.merge_attributes(tags={ACTIVE_TAG: "false"}, kinds={INACTIVE})

    return dg.AssetsDefinition(specs=[inactive(spec) for spec in asset.specs])


def client_of(context: dg.AssetExecutionContext, workflow: Workflow) -> Any:
    """Return the client of the workflow's connection: the resource of the same name."""
    return getattr(context.resources, workflow.spec.connection_name)
