"""The checks after a person sent a plan: the guard that held it back passes, and the delivery has its own checks.

applied plan  ->  report_release()  ->  evaluations of `guard` of the plan's asset, and of all checks of the delivery
                                    ->  a materialization of the delivery, unless the target stopped it

The run that made the plan ended with a failed guard, and no run of the assets follows a release: without these, both
assets stay red until the next run, the delivery because it and its checks were planned and never made. Only results
about this plan are replaced.
"""

import dagster as dg

from assets.delivery.component.asset_spec import CONSOLE_PLAN, GUARD
from assets.delivery.component.checks import sync_checks
from assets.delivery.component.sync_summary import read_summary, sync_metadata
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import StoredPlan
from assets.delivery.send.apply import SyncResult
from orchestration.connections import Connections
from resources.errors import QuotaExhaustedError
from resources.warehouse.tables import quoted

SEARCHED = 50  # newest results of a check


def report_release(
    instance: dg.DagsterInstance, connections: Connections, plan: StoredPlan, synced: SyncResult, run_id: str,
    text: str, account: str,
) -> None:  # fmt: skip
    """Let the assets of a workflow say what a release did, if the guard's newest result is about this plan."""
    if plan.kind != PlanKind.SYNC or not _is_held(instance, plan):
        return
    workflow = connections.workflow(plan.workflow)
    with connections.warehouse.writer(transaction=False) as con:
        summary = read_summary(con, workflow, run_id, connections.now)
        planned = con.execute(_PLANNED.format(plan=quoted(workflow.plan)), [plan.plan_id]).fetchall()[0][0]
    review = dg.MetadataValue.url(CONSOLE_PLAN.format(plan.plan_id))
    _report(instance, workflow.plan, dg.AssetCheckResult(
        check_name=GUARD, passed=True, description=text, metadata={"plan_id": plan.plan_id, "review": review}
    ), blocking=True)  # fmt: skip
    left = planned - synced.decisions.height
    part = f"; {left} records of the plan were not approved" if left > 0 else ""
    for each in sync_checks(summary, synced.decisions.height, synced.counts):
        _report(instance, workflow.sync, each, part, blocking=False)
    if synced.stop is None or isinstance(synced.stop, QuotaExhaustedError):
        client = connections.client(workflow)
        metadata = {"plan_id": plan.plan_id, "review": review, "account": client.base_url, "writes": synced.writes}
        metadata |= sync_metadata(summary, run_id, connections.target(workflow)[0].calls_left)
        instance.report_runless_asset_event(
            dg.AssetMaterialization(workflow.sync, f"{text}{part}", metadata, partition=account or None)
        )


_PLANNED = "select count(*) from {plan} where plan_id = ?"


def _is_held(instance: dg.DagsterInstance, plan: StoredPlan) -> bool:
    key = dg.AssetCheckKey(dg.AssetKey(f"plan_{plan.workflow}"), GUARD)
    for record in instance.event_log_storage.get_asset_check_execution_history(check_key=key, limit=SEARCHED):
        found = record.evaluation
        if isinstance(found, dg.AssetCheckEvaluation) and "plan_id" in found.metadata:
            return not found.passed and found.metadata["plan_id"].value == plan.plan_id
    return False


def _report(
    instance: dg.DagsterInstance, asset: str, result: dg.AssetCheckResult, note: str = "", *, blocking: bool
) -> None:
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            dg.AssetKey(asset), str(result.check_name), result.passed, result.metadata,
            severity=result.severity, description=f"{result.description}{note}", blocking=blocking,
        )
    )  # fmt: skip
