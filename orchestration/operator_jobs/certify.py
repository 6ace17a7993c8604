"""The check `certified` of each sync asset: the nightly certificate, from a full read of the target.

job reconcile  ->  check `certified`  ->  sync_certificates
"""

import json
from collections.abc import Iterable
from datetime import UTC

import dagster as dg

from assets.delivery.certificate.certify import certify
from assets.delivery.component.asset_spec import POOL
from assets.delivery.ledger.certificates import Certificate
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import markdown_table
from assets.target_registry import TARGETS
from orchestration.automation.jobs import CERTIFIED
from resources.clock import utc_now

NOT_YET = "not computed: one side was read since the other one was made from it; the next run computes it"


def certified_key(workflow: Workflow) -> dg.AssetCheckKey:
    """Return the key of a workflow's check."""
    return dg.AssetCheckKey(dg.AssetKey(workflow.sync), CERTIFIED)


def certified_checks(workflows: Iterable[Workflow]) -> list[dg.AssetChecksDefinition]:
    """Return a check per workflow that runs include."""
    return [_check(each) for each in workflows]


def _check(workflow: Workflow) -> dg.AssetChecksDefinition:
    key_field = TARGETS[workflow.spec.target].key_field

    @dg.asset_check(
        asset=workflow.sync,
        name=CERTIFIED,
        description="Every change in NetSuite until `verified_through` was read by value, decided, and read back from"
        f" {workflow.spec.target} as it should be. `millpond certificate` prints it.",
        additional_deps=[workflow.mart, workflow.target_state],
        required_resource_keys={"warehouse", workflow.spec.connection_name},
        pool=POOL,
    )
    def certified(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        warehouse = context.resources.warehouse
        state = Switches(warehouse.folder).state(workflow)
        if not state.active:
            return dg.AssetCheckResult(passed=True, description=f"not active: {state.description}")
        now = utc_now(getattr(context.resources, workflow.spec.connection_name).clock)
        with warehouse.writer() as con:
            found = certify(con, workflow, key_field=key_field, run_id=context.run.run_id, now=now)
        return _result(found)

    return certified


def _result(found: Certificate | None) -> dg.AssetCheckResult:
    warn = dg.AssetCheckSeverity.WARN
    if found is None:
        return dg.AssetCheckResult(passed=False, severity=warn, description=NOT_YET)
    through = found.verified_through
    text = f"verified through {through:%Y-%m-%d %H:%M:%S} UTC; limited by: " if through else "nothing is proven: "
    rows = [
        (each["what"], each["source"], each["why"], each.get("records", ""), ", ".join(each.get("examples", [])))
        for each in json.loads(found.exceptions)
    ]
    heads = ["what", "of", "why", "records", "NetSuite ids"]
    return dg.AssetCheckResult(
        passed=through is not None and not found.wrong,
        severity=warn,
        description=text + found.reason,
        metadata={
            "verified_through": dg.MetadataValue.timestamp(through.replace(tzinfo=UTC)) if through else "none",
            **{name: getattr(found, name) for name in ("records", "verified", "held", "pending", "wrong")},
            "not_verified": dg.MetadataValue.md(markdown_table(heads, rows) if rows else "nothing"),
            "evidence": dg.MetadataValue.json(json.loads(found.evidence)),
        },
    )
