"""The assets by which people import: what is selected, what could be, and what the target holds.

mart  ->  selection_<workflow>  ->  plan;  plan, sync  ->  candidates_<workflow>, tree_<workflow>
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from assets.asset_metadata import PREVIEW_ROWS, markdown_table, table_metadata
from assets.delivery.component.asset_spec import POOL, layer_spec, when_off
from assets.delivery.imports.candidates import comments_of, make_candidates, make_selection, make_tree, table_of
from assets.delivery.ledger.plans import SyncError
from assets.delivery.plan.mode import Pick
from assets.delivery.plan.planner import Workflow
from assets.failures import dagster_failure

# what the UI shows of the first records: ids and reasons, no names
FIRST = ("level", "target_id", "source", "source_id", "parent_source_id", "parent_target_id", "selected_by", "why_not")

PICKING = {
    "ids": dg.Field([str], default_value=[], description="NetSuite ids to pick for import, kept for later runs."),
    "search": dg.Field(str, default_value="", description="Pick what has this text in its name, in any case."),
    "everything": dg.Field(bool, default_value=False, description="Pick all candidates; with a search, all hits."),
}


def import_assets(workflow: Workflow) -> list[dg.AssetsDefinition]:
    """Selection, candidates and tree of a workflow with `imports`."""
    builders = (_selection, _candidates, _tree)
    return [build(workflow) for build in builders] if workflow.spec.imports else []


def _selection(workflow: Workflow) -> dg.AssetsDefinition:
    spec = layer_spec(
        workflow,
        "selection",
        kinds={"duckdb"},
        deps=[workflow.mart],
        description="The records that an import creates: what people picked, or everything, and the ancestors."
        "\n\nPick more under *Launchpad* (ids, search, everything); what was picked stays picked.",
    )

    @dg.multi_asset(
        name=table_of("selection", workflow),
        specs=[spec],
        config_schema=PICKING,
        required_resource_keys={"warehouse", workflow.spec.connection_name},
        pool=POOL,
    )
    def selection(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        off = when_off(context, workflow)
        if off is not None:
            yield off
            return
        with dagster_failure(SyncError):
            frame, picked = make_selection(
                context.resources.warehouse,
                workflow,
                Pick(**context.op_execution_context.op_config),
                run_id=context.run.run_id,
                clock=getattr(context.resources, workflow.spec.connection_name).clock,
            )
        counted = _counts(frame, "source", "level", "selected_by")
        yield _shown(workflow, "selection", frame, counted, picked_now=picked)

    return selection


def _candidates(workflow: Workflow) -> dg.AssetsDefinition:
    spec = layer_spec(
        workflow,
        "candidates",
        kinds={"duckdb"},
        # after the sync where there is one: what was just imported is no candidate any more
        deps=[workflow.plan, workflow.sync],
        description=f"What {workflow.spec.target} does not have: which of it can be imported, and why the rest cannot."
        f"\n\n`millpond candidates {workflow.name} --search TEXT` lists them with their names.",
    )

    @dg.multi_asset(
        name=table_of("candidates", workflow), specs=[spec], required_resource_keys={"warehouse"}, pool=POOL
    )
    def candidates(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        off = when_off(context, workflow)
        if off is not None:
            yield off
            return
        with dagster_failure(SyncError):
            frame = make_candidates(context.resources.warehouse, workflow)
        counted = _counts(frame, "source", "level", "can_be_imported", "why_not_code")
        yield _shown(workflow, "candidates", frame, counted, can_be_imported=int(frame["can_be_imported"].sum()))

    return candidates


def _tree(workflow: Workflow) -> dg.AssetsDefinition:
    name = table_of("tree", workflow)
    spec = layer_spec(
        workflow,
        "tree",
        kinds={"duckdb"},
        deps=[workflow.target_state, workflow.sync],
        description=f"The records of {workflow.spec.target} below each other, those of others included, each with the "
        "NetSuite record and the run behind it.",
    )
    check = dg.AssetCheckSpec(
        "no_namesakes", asset=name, description="No two live records below one parent have the same name."
    )

    @dg.multi_asset(name=name, specs=[spec], check_specs=[check], required_resource_keys={"warehouse"}, pool=POOL)
    def tree(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        off = when_off(context, workflow, [check.name])
        if off is not None:
            yield off
            return
        with dagster_failure(SyncError):
            frame = make_tree(context.resources.warehouse, workflow)
        twice = int(frame["has_namesake"].sum())
        told = _shown(workflow, "tree", frame, _counts(frame, "level", "source", "is_active"))
        warning = dg.AssetCheckResult(
            check_name="no_namesakes",
            asset_key=name,
            passed=twice == 0,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{twice} live records share their name with another below the same parent",
            metadata={"records": twice},
        )
        yield told._replace(check_results=[warning])

    return tree


def _counts(frame: pl.DataFrame, *by: str) -> str:
    counts = frame.group_by(by).len().sort(by, nulls_last=True)
    return markdown_table([*(name.replace("_", " ") for name in by), "records"], counts.rows())


def _shown(workflow: Workflow, layer: str, frame: pl.DataFrame, counted: str, **more: Any) -> dg.MaterializeResult[Any]:
    """Counts, and the ids of the first records; names stay in the warehouse."""
    shown = frame.select(name for name in FIRST if name in frame.columns).head(PREVIEW_ROWS)
    return dg.MaterializeResult(
        asset_key=table_of(layer, workflow),
        metadata={
            **table_metadata(table_of(layer, workflow), frame, comments_of(layer)),
            "preview": dg.MetadataValue.md(counted),
            "first_records": dg.MetadataValue.md(markdown_table(shown.columns, shown.rows())),
            **more,
        },
    )
