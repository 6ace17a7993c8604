"""Every night: is everything as it should be?

job reconcile  ->  all of NetSuite's ids, staging, marts, target states read back  ->  the check `reconciled` of each sink

Nothing is sent. What differs is told with its cause; a difference without one fails the check, and alerts tell it.
"""

from collections.abc import Iterable, Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # not exported

from assets.asset_metadata import markdown_table
from assets.delivery.audit.reconcile import Reconciled, reconcile
from assets.delivery.component.asset_spec import POOL
from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.switches import Switches
from assets.netsuite.assets import ALL_IDS_TAG
from assets.target_registry import TARGETS
from orchestration.automation.jobs import FROM_THE_START, LAYERS, RECONCILE, RECONCILED
from resources.warehouse.warehouse import Warehouse


def check_key(workflow: Workflow) -> dg.AssetCheckKey:
    """The check of one workflow's sink."""
    return dg.AssetCheckKey(dg.AssetKey(workflow.sync), RECONCILED)


def reconciled_checks(workflows: Iterable[Workflow]) -> list[dg.AssetChecksDefinition]:
    """One check for each workflow that is switched on."""
    return [_check(each) for each in workflows if each.spec.active]


def _check(workflow: Workflow) -> dg.AssetChecksDefinition:
    kind = TARGETS[workflow.spec.target]

    @dg.asset_check(
        asset=workflow.sync,
        name=RECONCILED,
        description=f"{workflow.spec.target} is as NetSuite and the workflow want it, but for what is explained; each "
        "night, from a full reading of both sides.",
        additional_deps=[workflow.mart, workflow.target_state],
        pool=POOL,
    )
    def reconciled(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
        state = Switches(warehouse.folder).state(workflow)
        if not state.active:
            return dg.AssetCheckResult(passed=True, description=f"switched off: {state.told}")
        found = reconcile(warehouse, workflow, key_field=kind.key_field)
        return dg.AssetCheckResult(
            passed=not found.unexplained,
            description=found.told,
            metadata={
                "records": found.records,
                "identical": found.identical,
                "explained": sum(found.explained.values()),
                "unexplained": len(found.unexplained_ids),
                "drift": dg.MetadataValue.md(_report(found)),
            },
        )

    return reconciled


def _report(found: Reconciled) -> str:
    """The differences by cause: counts, fields and NetSuite ids, never values."""
    rows = [(cause, count, ", ".join(found.examples[cause])) for cause, count in sorted(found.explained.items())]
    rows += [(f"unexplained: {name}", len(ids), ", ".join(ids[:8])) for name, ids in sorted(found.unexplained.items())]
    return markdown_table(["cause", "records", "NetSuite ids"], rows) if rows else "no differences"


def reconcile_job(workflows: Sequence[Workflow]) -> UnresolvedAssetJobDefinition | None:
    """Reads both sides completely, sends nothing; None while no workflow is switched on."""
    active = [each for each in workflows if each.spec.active]
    if not active:
        return None
    tables = dg.AssetSelection.groups(*LAYERS)
    sides = dg.AssetSelection.assets(*(name for each in active for name in (each.mart, each.target_state)))
    return dg.define_asset_job(
        RECONCILE,
        tables | sides | dg.AssetSelection.checks(*map(check_key, active)),
        description="Read NetSuite's ids and every target completely, compare them record by record; send nothing.",
        tags={ALL_IDS_TAG: "true", **FROM_THE_START},
    )
