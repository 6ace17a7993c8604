"""What all assets of a workflow have in common: their spec, and that they refuse when it is switched off."""

from collections.abc import Sequence

import dagster as dg

from assets.delivery.planning import Workflow

POOL = "duckdb"
MODE_TAG = "millpond/mode"  # a run's tag: import, update or sync


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
            "millpond/target": workflow.spec.door,
        },
    )


def refuse_switched_off(workflow: Workflow) -> None:
    """Fail before anything is read or sent."""
    if not workflow.spec.active:
        text = f"{workflow.name} is switched off (active: false in its defs.yaml)"
        raise dg.Failure(text, allow_retries=False)
