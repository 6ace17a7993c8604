"""The four assets of a workflow, with their checks: mart, target state, plan, sync."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from assets.asset_metadata import column_lineage_metadata, duration, markdown_table, plan_metadata, table_metadata
from assets.delivery.component.asset_spec import MODE_TAG, POOL, layer_spec, switch_metadata, when_off
from assets.delivery.component.checks import (
    PLAN_CHECKS,
    SINK_CHECKS,
    plan_checks,
    read_page,
    sink_checks,
    sink_metadata,
    warning_specs,
)
from assets.delivery.ledger.plans import SyncError
from assets.delivery.mart.build import TARGET_STATE_COMMENTS, make_mart, read_target_state
from assets.delivery.mart.lineage import column_lineage
from assets.delivery.mart.transform import DELIVER, MART_COMMENTS
from assets.delivery.plan.guards import Tripped
from assets.delivery.plan.mode import Mode
from assets.delivery.plan.planner import STAMP_COMMENTS, Planned, Workflow, make_plan
from assets.delivery.schemas import PLAN_COMMENTS
from assets.delivery.send.apply import SYNC_COMMENTS, run_sync
from assets.delivery.spec.expressions import MappingError
from assets.delivery.target import Target
from assets.failures import dagster_failure
from assets.target_registry import TargetKind
from resources.errors import QuotaExhaustedError
from resources.warehouse.tables import quoted
from resources.warehouse.warehouse import Warehouse


def _blocking(asset: str, checks: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    """Checks that stop what comes after them."""
    return [dg.AssetCheckSpec(name, asset=asset, description=text, blocking=True) for name, text in checks.items()]


def _client(context: dg.AssetExecutionContext, workflow: Workflow) -> Any:
    """The client of the workflow's account: the resource that is called like it."""
    return getattr(context.resources, workflow.spec.connection_name)


def _target(context: dg.AssetExecutionContext, kind: TargetKind, workflow: Workflow) -> Target:
    return kind.build(_client(context, workflow), workflow.spec.options)


def mart_asset(workflow: Workflow, kind: TargetKind) -> dg.AssetsDefinition:
    """What each source record should be in the target, or why it should not be there."""
    checks = {
        "key_is_unique": "No two delivered records carry the same key, and none carries none.",
        "no_row_lost": "Every source record is in the mart, once, delivered or with its reason.",
    }

    spec = layer_spec(
        workflow,
        "mart",
        kinds={"polars", "duckdb"},
        deps=list(
            dict.fromkeys(
                [
                    *(record.table for record in workflow.spec.records),
                    *_looked_up(workflow),
                    *_syncs(workflow.spec.waits_for),
                ]
            )
        ),
        description=f"{workflow.spec.description}\n\nOne row per NetSuite record, shaped as {workflow.spec.target}; "
        "a record that is not delivered says why.",
    )

    @dg.multi_asset(
        name=workflow.mart,
        specs=[spec],
        check_specs=_blocking(workflow.mart, checks),
        required_resource_keys={"warehouse", workflow.spec.connection_name},
        pool=POOL,
    )
    def mart(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        off = when_off(context, workflow, checks)
        if off is not None:
            yield off
            return
        warehouse: Warehouse = context.resources.warehouse
        client = _client(context, workflow)
        with dagster_failure(MappingError, SyncError):
            records = make_mart(warehouse, workflow, clock=client.clock, foreign=partial(kind.records, client))
        lineage = column_lineage(workflow.spec, workflow.name)
        dispositions = warehouse.read(_DISPOSITIONS.format(workflow.mart))
        comments = {**MART_COMMENTS, **workflow.field_comments()}
        yield dg.MaterializeResult(
            metadata={
                **table_metadata(workflow.mart, warehouse.read(f"from {workflow.mart} limit 0"), comments),
                "dagster/row_count": records,
                "dagster/column_lineage": column_lineage_metadata(lineage),
                "dispositions": dg.MetadataValue.md(
                    markdown_table(["disposition", "reason", "records"], dispositions.rows())
                ),
            },
            check_results=[_unique(warehouse, workflow, kind), _complete(warehouse, workflow)],
        )

    return mart


def _looked_up(workflow: Workflow) -> list[str]:
    """Tables that the workflow looks values up in and that are assets."""
    tables = [lookup.table for lookup in workflow.spec.lookups]
    return [name for name in tables if name.startswith(("stg_", "target_", "mart_")) and name != workflow.target_state]


def _syncs(names: Sequence[str]) -> list[str]:
    return [f"sync_{name}" for name in names]


_DISPOSITIONS = "select disposition, reason_code, count(*) as records from {} group by all order by records desc"
_KEYS = """
select
    cast(coalesce(sum(sharing) filter ({key} is null), 0) as bigint) as blank,
    cast(coalesce(sum(sharing) filter ({key} is not null and sharing > 1), 0) as bigint) as twice
from (select {key}, count(*) as sharing from {mart} where disposition = '{deliver}' group by all)
"""


def _unique(warehouse: Warehouse, workflow: Workflow, kind: TargetKind) -> dg.AssetCheckResult:
    asked = _KEYS.format(key=quoted(kind.key_field), mart=workflow.mart, deliver=DELIVER)
    blank, twice = warehouse.read(asked).row(0)
    return dg.AssetCheckResult(
        check_name="key_is_unique",
        asset_key=workflow.mart,
        passed=blank == 0 and twice == 0,
        description=f"{twice} delivered records share their {kind.key_field} with another, {blank} have none",
        metadata={"blank": blank, "duplicated": twice},
    )


def _complete(warehouse: Warehouse, workflow: Workflow) -> dg.AssetCheckResult:
    tables = [record.table for record in workflow.spec.records]
    counted = " union all ".join(f"select count(*) as n from {table}" for table in tables)
    there, rows, records = warehouse.read(
        f"select cast((select sum(n) from ({counted})) as bigint), count(*), count(distinct (source, source_id))"
        f" from {workflow.mart}"
    ).row(0)
    once = rows == records
    return dg.AssetCheckResult(
        check_name="no_row_lost",
        asset_key=workflow.mart,
        passed=there == rows and once,
        description=f"{rows} rows for {there} source records" + ("" if once else ", some twice"),
        metadata={"source_records": there, "mart_rows": rows},
    )


def target_state_asset(workflow: Workflow, kind: TargetKind) -> dg.AssetsDefinition:
    """What the target has, read afresh."""
    spec = layer_spec(
        workflow,
        "target",
        kinds={kind.system, "duckdb"},
        # after the mart: a workflow file that does not fit its tables costs no call
        deps=[workflow.mart],
        description=f"What {workflow.spec.target} holds now, records of others included.",
    )

    @dg.multi_asset(
        name=workflow.target_state,
        specs=[spec],
        required_resource_keys={"warehouse", workflow.spec.connection_name},
        pool=POOL,
    )
    def target_state(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        off = when_off(context, workflow)
        if off is not None:
            yield off
            return
        clock = _client(context, workflow).clock
        with dagster_failure(ValueError, SyncError):
            target = _target(context, kind, workflow)
            frame = read_target_state(
                context.resources.warehouse, workflow, target, run_id=context.run.run_id, clock=clock
            )
        comments = {**{name: f"{name} as the target has it." for name in frame.columns}, **TARGET_STATE_COMMENTS}
        metadata = table_metadata(workflow.target_state, frame, comments)
        yield dg.MaterializeResult(metadata={**metadata, "calls": target.calls})

    return target_state


def plan_asset(workflow: Workflow, kind: TargetKind) -> dg.AssetsDefinition:
    """What would be done, and why; nothing is sent."""
    checks = {
        "one_decision_each": "Every source record has exactly one decision.",
        "guard": "The plan stays within the workflow's limits; a failed check stops the delivery.",
    }

    spec = layer_spec(
        workflow,
        "plan",
        kinds={"polars", "duckdb"},
        deps=[workflow.mart, workflow.target_state, *(["selection_" + workflow.name] if workflow.spec.imports else [])],
        description=f"What would be done to {workflow.spec.target}: one action and one reason per NetSuite record."
        "\n\nUnder *Metadata*, `preview` counts them and `first_records` lists the first ones to send. Nothing is sent "
        "before the checks pass.",
    )

    @dg.multi_asset(
        name=workflow.plan,
        specs=[spec],
        check_specs=[*_blocking(workflow.plan, checks), *warning_specs(workflow.plan, PLAN_CHECKS)],
        required_resource_keys={"warehouse", workflow.spec.connection_name},
        pool=POOL,
    )
    def plan(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        off = when_off(context, workflow, [*checks, *PLAN_CHECKS])
        if off is not None:
            yield off
            return
        target = _target(context, kind, workflow)
        warehouse: Warehouse = context.resources.warehouse
        client = _client(context, workflow)
        with dagster_failure(SyncError):
            planned = make_plan(
                warehouse,
                workflow,
                target,
                run_id=context.run.run_id,
                clock=client.clock,
                mode=Mode(context.run.tags.get(MODE_TAG, Mode.SYNC)),
                base_url=client.base_url,
            )
        counted = warehouse.read(_COUNTED.format(workflow.plan), [planned.plan_id])
        yield dg.MaterializeResult(
            metadata={
                **table_metadata(workflow.plan, planned.plan, {**PLAN_COMMENTS, **STAMP_COMMENTS}),
                "dagster/row_count": planned.records,
                "plan_id": planned.plan_id,
                "account": client.base_url,
                **switch_metadata(context, workflow),
                "calls_needed": planned.estimate.calls,
                "time_needed": duration(planned.estimate.seconds),
                **({} if target.calls_left is None else {"calls_left": target.calls_left}),
                **plan_metadata(counted, planned.plan),
            },
            check_results=[
                _decided(warehouse, workflow, planned),
                _guard_result(planned.plan_id, planned.tripped),
                *plan_checks(counted),
            ],
        )

    return plan


_COUNTED = "select action, reason_code, count(*) as records from {} where plan_id = ? group by all"
_ONCE = """
select
    (select count(*) from {mart}) as wanted,
    count(distinct (source, source_id)) as records,
    count(*) - count(action) as undecided
from {plan}
where plan_id = ?
"""


def _decided(warehouse: Warehouse, workflow: Workflow, planned: Planned) -> dg.AssetCheckResult:
    """Count what was kept against the mart that it was decided from."""
    counted = warehouse.read(_ONCE.format(mart=workflow.mart, plan=workflow.plan), [planned.plan_id])
    wanted, records, undecided = counted.row(0)
    return dg.AssetCheckResult(
        check_name="one_decision_each",
        passed=wanted == records == planned.records and not undecided,
        description=f"{records} of {wanted} records, {planned.records} decisions, {undecided} without an action",
        metadata={"records": records, "undecided": undecided},
    )


def _guard_result(plan_id: str, tripped: list[Tripped]) -> dg.AssetCheckResult:
    listed = "\n".join(f"- {each.reason}" for each in tripped)
    release = (
        f"Plan {plan_id} waits: `millpond apply {plan_id}` sends it and `millpond reject {plan_id}` drops it; so does"
        f" the job release_plan with `plan_id: {plan_id}` in its config."
    )
    return dg.AssetCheckResult(
        check_name="guard",
        passed=not tripped,
        description=" ".join([*(each.reason for each in tripped), release]) if tripped else "within the limits",
        metadata={"tripped": dg.MetadataValue.md(listed or "none"), "plan_id": plan_id},
    )


def sync_asset(workflow: Workflow, kind: TargetKind) -> dg.AssetsDefinition:
    """What was sent and how it ended."""
    spec = layer_spec(
        workflow,
        "sync",
        kinds={kind.system, "duckdb"},
        deps=[workflow.plan],
        description=f"Sends the plan to {workflow.spec.target}; each record's outcome is kept in the ledger."
        "\n\n`millpond explain ID` tells the story of one record.",
    )

    @dg.multi_asset(
        name=workflow.sync,
        specs=[spec],
        required_resource_keys={"warehouse", workflow.spec.connection_name},
        pool=POOL,
        check_specs=warning_specs(workflow.sync, SINK_CHECKS),
    )
    def sync(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        off = when_off(context, workflow, SINK_CHECKS)
        if off is not None:
            yield off
            return
        target = _target(context, kind, workflow)

        def progress(done: int, steps: int) -> None:
            context.log.info("%s: %d of %d sent", workflow.name, done, steps)

        with dagster_failure(SyncError):
            synced = run_sync(
                context.resources.warehouse,
                workflow,
                target,
                run_id=context.run.run_id,
                clock=_client(context, workflow).clock,
                progress=progress,
            )
        if synced.stop is not None and not isinstance(synced.stop, QuotaExhaustedError):
            # what was sent is in the ledger; the next run goes on from there
            raise dg.Failure(f"{workflow.name}: {synced.stop}", allow_retries=False)
        run_id = context.run.run_id
        written = synced.decisions.with_columns(pl.lit(run_id).alias("run_id"))
        comments = {**SYNC_COMMENTS, "run_id": STAMP_COMMENTS["run_id"]}
        page = read_page(context.resources.warehouse, workflow, run_id)
        yield dg.MaterializeResult(
            metadata={
                **table_metadata(workflow.sync, written, comments),
                **{name: count for name, count in synced.counts.items() if count},
                "account": _client(context, workflow).base_url,
                "writes": synced.writes,
                "calls": synced.calls,
                "seconds": round(synced.seconds, 3),
                "stopped": str(synced.stop) if synced.stop else "no",
                **sink_metadata(page, run_id, target.calls_left),
                **switch_metadata(context, workflow),
            },
            check_results=sink_checks(page, synced.decisions.height, synced.counts["failed"]),
        )

    return sync
