"""The nightly reconciliation of every target with NetSuite.

job reconcile  ->  NetSuite's ids, staging, marts, target states read in full  ->  check `reconciled` of each sync asset

Nothing is sent. Differences are reported by cause; a difference without a cause fails the check and raises an alert. So
does a column that NetSuite no longer shows. What was not read by value is named: nothing is claimed of it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

import dagster as dg

from assets.delivery.audit.reconcile import Reconciliation, reconcile
from assets.delivery.audit.verification import Verification
from assets.delivery.component.asset_spec import POOL
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.assets import RECONCILE_TAG
from assets.netsuite.extract.settings import ExtractionSettings
from assets.result_texts import markdown_table
from assets.target_registry import TARGETS
from orchestration.automation.groups import RECONCILE
from orchestration.automation.jobs import RECONCILED, RETRY_ALL_STEPS, SOURCE_GROUPS
from orchestration.dagster_internals import UnresolvedAssetJobDefinition
from orchestration.operator_jobs.certify import certified_key
from resources.warehouse.warehouse import Warehouse

EXAMPLES = 8  # NetSuite ids shown per unexplained field


def check_key(workflow: Workflow) -> dg.AssetCheckKey:
    """Return the key of a workflow's check."""
    return dg.AssetCheckKey(dg.AssetKey(workflow.sync), RECONCILED)


def reconciled_checks(workflows: Iterable[Workflow]) -> list[dg.AssetChecksDefinition]:
    """Return a check per workflow that runs include."""
    return [_check(each) for each in workflows]


def _check(workflow: Workflow) -> dg.AssetChecksDefinition:
    kind = TARGETS[workflow.spec.target]

    @dg.asset_check(
        asset=workflow.sync,
        name=RECONCILED,
        description=f"{workflow.spec.target} matches NetSuite and the workflow file, except for explained differences;"
        " checked nightly from a full read of the target and of NetSuite's ids. NetSuite's values are as of"
        " `verified_through`.",
        additional_deps=[workflow.mart, workflow.target_state],
        pool=POOL,
    )
    def reconciled(
        warehouse: dg.ResourceParam[Warehouse], extraction: dg.ResourceParam[ExtractionSettings]
    ) -> dg.AssetCheckResult:
        state = Switches(warehouse.folder).state(workflow)
        if not state.active:
            return dg.AssetCheckResult(passed=True, description=f"not active: {state.description}")
        found = reconcile(warehouse, workflow, key_field=kind.key_field, verify_days=extraction.verify_days)
        severity = dg.AssetCheckSeverity.ERROR if found.unexplained else dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(
            passed=found.is_passed,
            severity=severity,
            description=found.summary,
            metadata={
                "records": found.records,
                "equal": found.equal,
                "explained": sum(found.explained.values()),
                "unexplained": len(found.unexplained_ids),
                "drift": dg.MetadataValue.md(_report(found)),
                **_verification_metadata(found.verification),
            },
        )

    return reconciled


def _verification_metadata(found: Verification) -> dict[str, Any]:
    """Return what was read by value, and what was not: times, counts, columns and NetSuite ids, never values."""
    through = found.through
    rows = [(each.record_type, each.reason, each.rows or "all", ", ".join(each.examples)) for each in found.rows]
    rows += [(f"column {name}", reason, "all", "") for name, reason in sorted(found.columns.items())]
    rows += [(f"field {name}", reason, "all", "") for name, reason in sorted(found.uncompared.items())]
    rows += [("both sides", found.outdated, "all", "")] if found.outdated else []
    table = markdown_table(["what", "why", "rows", "NetSuite ids"], rows) if rows else "nothing"
    return {
        "verified_through": dg.MetadataValue.timestamp(through.replace(tzinfo=UTC)) if through else "not known",
        "rows_not_verified": sum(each.rows for each in found.rows),
        "columns_not_verified": len(found.columns),
        "not_verified": dg.MetadataValue.md(table),
    }


def _report(found: Reconciliation) -> str:
    """The differences by cause: counts, fields and NetSuite ids, never values."""
    rows = [(cause, count, ", ".join(found.examples[cause])) for cause, count in sorted(found.explained.items())]
    rows += [
        (f"unexplained: {name}", len(ids), ", ".join(ids[:EXAMPLES])) for name, ids in sorted(found.unexplained.items())
    ]
    return markdown_table(["cause", "records", "NetSuite ids"], rows) if rows else "no differences"


def reconcile_jobs(workflows: Sequence[Workflow]) -> list[UnresolvedAssetJobDefinition]:
    """Return the job that reads both sides in full and sends nothing; none without workflows that runs include."""
    if not workflows:
        return []
    tables = dg.AssetSelection.groups(*SOURCE_GROUPS)
    compared = dg.AssetSelection.assets(*(name for each in workflows for name in (each.mart, each.target_state)))
    job = dg.define_asset_job(
        RECONCILE,
        tables | compared | dg.AssetSelection.checks(*map(check_key, workflows), *map(certified_key, workflows)),
        description="Read NetSuite's ids, a share of its values and every target in full, and compare them record by"
        " record; send nothing.",
        tags={RECONCILE_TAG: "true", **RETRY_ALL_STEPS},
    )
    return [job]
