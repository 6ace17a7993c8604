"""The four assets of a workflow.

stg_…  ->  mart_<workflow>  ┐
target ->  target_<workflow>  ┴>  plan_<workflow>  ->  sync_<workflow>  ->  target
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import dagster as dg
import duckdb

from assets.asset_metadata import column_lineage_metadata, passed_on, plan_metadata, table_metadata
from assets.delivery.audit.damaged import damage_of
from assets.delivery.certificate.certify import certify_run
from assets.delivery.component.asset_spec import (
    CONSOLE_PARITY,
    CONSOLE_PLAN,
    MODE_TAG,
    client_of,
    layer_spec,
    workflow_asset,
)
from assets.delivery.component.checks import (
    MART_CHECKS,
    PLAN_CHECKS,
    PLAN_GATES,
    SYNC_CHECKS,
    check_specs,
    mart_checks,
    plan_checks,
    plan_gates,
    sync_checks,
)
from assets.delivery.component.sync_summary import read_summary, report_url, sync_metadata
from assets.delivery.ledger.shadows import active_shadow
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.mart.lineage import column_lineage
from assets.delivery.plan.keep import STAMP_COMMENTS
from assets.delivery.plan.mode import Mode
from assets.delivery.plan.planner import make_plan
from assets.delivery.plan.scope import REFRESH_TAG, Everything
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import MART_COMMENTS, PLAN_COMMENTS
from assets.delivery.send.apply import SyncResult, run_sync
from assets.delivery.send.outcomes import stop_text
from assets.delivery.send.record_result import SYNC_COMMENTS
from assets.delivery.shadow.compare import compare_shadowed
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import TARGET_STATE_COMMENTS
from assets.failures import dagster_failure
from assets.result_texts import duration, markdown_table
from assets.target_registry import TargetKind
from resources.errors import QuotaExhaustedError
from resources.warehouse.tables import quoted, read_frame

_DISPOSITIONS = "select disposition, reason_code, count(*) as records from {} group by all order by records desc"
_ACTIONS = "select action, reason_code, count(*) as records from {} where plan_id = ? group by all"


def mart_asset(workflow: Workflow, kind: TargetKind) -> dg.AssetsDefinition:
    """Build the asset of the desired records."""
    spec = layer_spec(
        workflow,
        "mart",
        kinds={"polars", "duckdb"},
        deps=[
            *(record.table for record in workflow.spec.records),
            *_lookup_assets(workflow),
            *(f"sync_{name}" for name in workflow.spec.upstream),
        ],
        description=f"{workflow.spec.description}\n\nOne row per NetSuite record, with the fields of "
        f"{workflow.spec.target}; a record that is not delivered has the reason.",
    )

    def materialize(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        warehouse, client = context.resources.warehouse, client_of(context, workflow)
        made = make_mart(
            warehouse,
            workflow,
            clock=client.clock,
            read_system=partial(kind.records, client),
            run_id=context.run.run_id,
        )
        comments = {**MART_COMMENTS, **workflow.field_comments()}
        with warehouse.writer(transaction=False) as con:
            dispositions = con.execute(_DISPOSITIONS.format(quoted(workflow.mart))).fetchall()
            return dg.MaterializeResult(
                metadata={
                    **table_metadata(con, workflow.mart, comments, made.records),
                    "rows_transformed": made.transformed,
                    "dagster/column_lineage": column_lineage_metadata(column_lineage(workflow.spec, workflow.name)),
                    "dispositions": dg.MetadataValue.md(
                        markdown_table(["disposition", "reason", "records"], dispositions)
                    ),
                },
                check_results=mart_checks(con, workflow, kind.key_field),
            )

    return workflow_asset(workflow, spec, materialize, checks=check_specs(workflow.mart, MART_CHECKS, blocking=True))


def _lookup_assets(workflow: Workflow) -> list[str]:
    """Return the look-up tables that are assets."""
    tables = [lookup.table for lookup in workflow.spec.lookups]
    return [name for name in tables if name.startswith(("stg_", "target_", "mart_")) and name != workflow.target_state]


def target_state_asset(workflow: Workflow, kind: TargetKind) -> dg.AssetsDefinition:
    """Build the asset of the target's current records."""
    spec = layer_spec(
        workflow,
        "target",
        kinds={kind.system, "duckdb"},
        # after the mart: a workflow file that does not fit its tables costs no call
        deps=[workflow.mart],
        description=f"The records that {workflow.spec.target} currently has, including those not from NetSuite.",
    )

    def materialize(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        run = _run_context(context, workflow, kind)
        with dagster_failure(ValueError):  # an option that the target does not have
            frame = read_target_state(run)
        comments = {**{name: f"{name} as the target has it." for name in frame.columns}, **TARGET_STATE_COMMENTS}
        with run.warehouse.writer(transaction=False) as con:
            metadata = table_metadata(con, workflow.target_state, comments, frame.height)
            damage = damage_of(con, workflow.name)
        if damage:
            context.log.warning("%s: %s", workflow.name, damage)
        return dg.MaterializeResult(
            metadata={**metadata, "calls": run.target.calls, **({"damaged_values": damage} if damage else {})}
        )

    return workflow_asset(workflow, spec, materialize)


def plan_asset(workflow: Workflow, kind: TargetKind) -> dg.AssetsDefinition:
    """Build the asset of the decisions; it sends nothing."""
    spec = layer_spec(
        workflow,
        "plan",
        kinds={"polars", "duckdb"},
        deps=[workflow.mart, workflow.target_state, *([f"selection_{workflow.name}"] if workflow.spec.imports else [])],
        description=f"The planned changes to {workflow.spec.target}: one action with its reason per NetSuite record."
        "\n\nThe metadata `preview` counts them and `first_records` lists the first changes. They are sent only after"
        " the blocking checks pass.",
    )

    def materialize(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        run, base_url = _run_context(context, workflow, kind), client_of(context, workflow).base_url
        mode = Mode(context.run.tags.get(MODE_TAG, Mode.SYNC))
        scope = Everything.of(context.run.tags.get(REFRESH_TAG, ""))
        planned = make_plan(run, mode=mode, scope=scope, base_url=base_url)
        shadow: Mapping[str, Any] | None = None
        if mode is Mode.SYNC:
            certify_run(run)
            shadow = compare_shadowed(
                run, planned.plan_id, read_system=partial(kind.records, client_of(context, workflow))
            )
        left = run.target.calls_left
        with run.warehouse.writer(transaction=False) as con:
            counts = read_frame(con, _ACTIONS.format(quoted(workflow.plan)), [planned.plan_id])
            return dg.MaterializeResult(
                metadata={
                    **table_metadata(con, workflow.plan, {**PLAN_COMMENTS, **STAMP_COMMENTS}, planned.records),
                    "dagster/column_lineage": passed_on(workflow.spec.target_fields, workflow.mart),
                    "plan_id": planned.plan_id,
                    "review": dg.MetadataValue.url(CONSOLE_PLAN.format(planned.plan_id)),
                    "report": dg.MetadataValue.url(report_url(run.run_id)),
                    "account": base_url,
                    "calls_needed": planned.estimate.calls,
                    "time_needed": duration(planned.estimate.seconds),
                    **({} if left is None else {"calls_left": left}),
                    **_parity_metadata(con, workflow, shadow),
                    **plan_metadata(counts, planned.plan),
                },
                check_results=[*plan_gates(con, workflow, planned), *plan_checks(counts)],
            )

    checks = [*check_specs(workflow.plan, PLAN_GATES, blocking=True), *check_specs(workflow.plan, PLAN_CHECKS)]
    return workflow_asset(workflow, spec, materialize, checks=checks)


def _parity_metadata(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, found: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what says that a plan is only compared, with the result; nothing unless the workflow is in shadow mode."""
    shadow = active_shadow(con, workflow.name)
    if shadow is None:
        return {}
    alike = {"parity": f"{found['alike']} of {found['records']} records alike"} if found else {}
    return {"shadow_mode": shadow.sentence, "differences": dg.MetadataValue.url(CONSOLE_PARITY), **alike}


def sync_asset(workflow: Workflow, kind: TargetKind) -> dg.AssetsDefinition:
    """Build the asset that sends the plan and records the outcomes."""
    spec = layer_spec(
        workflow,
        "sync",
        kinds={kind.system, "duckdb"},
        deps=[workflow.plan],
        description=f"Sends the plan to {workflow.spec.target} and records the outcome of every record in the ledger."
        "\n\n`millpond explain ID` prints the history of one record.",
    )

    def materialize(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        run = _run_context(context, workflow, kind)
        synced = _send(context, run)
        with run.warehouse.writer(transaction=False) as con:
            summary = read_summary(con, workflow, run.run_id, run.now)
            table = table_metadata(con, workflow.sync, SYNC_COMMENTS)
        return dg.MaterializeResult(
            metadata={
                **table,
                "dagster/column_lineage": passed_on(workflow.spec.target_fields, workflow.plan),
                **{name: count for name, count in synced.counts.items() if count},
                "account": client_of(context, workflow).base_url,
                "writes": synced.writes,
                "calls": synced.calls,
                "seconds": round(synced.seconds, 3),
                "stopped": stop_text(synced.stop) or "no",
                **sync_metadata(summary, run.run_id, run.target.calls_left),
            },
            check_results=sync_checks(summary, synced.decisions.height, synced.counts),
        )

    return workflow_asset(workflow, spec, materialize, checks=check_specs(workflow.sync, SYNC_CHECKS))


def _send(context: dg.AssetExecutionContext, run: RunContext) -> SyncResult:
    """Send the newest plan.

    Raises:
        Failure: The target stopped answering; the ledger has what was sent, and the next run continues from there.
    """

    def progress(done: int, steps: int) -> None:
        context.log.info("%s: %d of %d sent", run.workflow.name, done, steps)

    synced = run_sync(run, progress=progress)
    if synced.stop is not None and not isinstance(synced.stop, QuotaExhaustedError):
        raise dg.Failure(f"{run.workflow.name}: {synced.stop}", allow_retries=False)
    return synced


def _run_context(context: dg.AssetExecutionContext, workflow: Workflow, kind: TargetKind) -> RunContext:
    client = client_of(context, workflow)
    with dagster_failure(ValueError):  # options that the target does not accept
        target = kind.build(client, workflow.spec.options)
    return RunContext(context.resources.warehouse, workflow, target, context.run.run_id, client.clock)
