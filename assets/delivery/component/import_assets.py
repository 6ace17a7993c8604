"""The assets of a workflow with `imports`: the selection, the candidates, and the target's records as a tree.

mart  ->  selection_<workflow>  ->  plan;  plan, sync  ->  candidates_<workflow>, tree_<workflow>
"""

from typing import Any

import dagster as dg
import duckdb
import polars as pl

from assets.asset_metadata import table_metadata
from assets.delivery.component.asset_spec import client_of, layer_spec, workflow_asset
from assets.delivery.component.checks import check_result, check_specs
from assets.delivery.imports.candidates import column_comments, make_candidates, make_selection, make_tree, table_of
from assets.delivery.imports.selection import ImportSelection
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import PREVIEW_ROWS, markdown_table

# columns of the preview: ids and reason codes, no names and no reasons, which may quote a value
PREVIEWED = (
    "level", "target_id", "source", "source_id", "parent_source_id", "parent_target_id", "selected_by", "why_not_code",
)  # fmt: skip

SELECTING = {
    "ids": dg.Field([str], default_value=[], description="NetSuite ids to select for import; later runs keep them."),
    "search": dg.Field(str, default_value="", description="Select records whose name contains this text, in any case."),
    "all_records": dg.Field(
        bool, default_value=False, description="Select all candidates; with a search, all matches."
    ),
}
TREE_CHECKS = {"unique_names": "No two active records under one parent have the same name."}


def import_assets(workflow: Workflow) -> list[dg.AssetsDefinition]:
    """Build the selection, candidates and tree of a workflow with `imports`; none for any other."""
    builders = (_selection, _candidates, _tree)
    return [build(workflow) for build in builders] if workflow.spec.imports else []


def _selection(workflow: Workflow) -> dg.AssetsDefinition:
    spec = layer_spec(
        workflow,
        "selection",
        kinds={"duckdb"},
        deps=[workflow.mart],
        description="The records that an import creates: those selected, or all, with their ancestors."
        "\n\nTo select more, set ids, search or all_records in the launchpad; selected records stay selected.",
    )

    def materialize(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        warehouse = context.resources.warehouse
        frame, added = make_selection(
            warehouse,
            workflow,
            ImportSelection(**context.op_execution_context.op_config),
            run_id=context.run.run_id,
            clock=client_of(context, workflow).clock,
        )
        counts = _counts(frame, "source", "level", "selected_by")
        with warehouse.writer(transaction=False) as con:
            return dg.MaterializeResult(
                metadata={**_metadata(con, "selection", workflow, frame, counts), "added": added}
            )

    return workflow_asset(workflow, spec, materialize, config=SELECTING)


def _candidates(workflow: Workflow) -> dg.AssetsDefinition:
    spec = layer_spec(
        workflow,
        "candidates",
        kinds={"duckdb"},
        # after the sync, if it runs: a record just imported is no longer a candidate
        deps=[workflow.plan, workflow.sync],
        description=f"The records that {workflow.spec.target} does not have: whether each can be imported, and why not."
        f"\n\n`millpond candidates {workflow.name} --search TEXT` lists them by name.",
    )

    def materialize(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        warehouse = context.resources.warehouse
        frame = make_candidates(warehouse, workflow)
        counts = _counts(frame, "source", "level", "can_be_imported", "why_not_code")
        with warehouse.writer(transaction=False) as con:
            metadata = _metadata(con, "candidates", workflow, frame, counts)
        return dg.MaterializeResult(metadata={**metadata, "can_be_imported": int(frame["can_be_imported"].sum())})

    return workflow_asset(workflow, spec, materialize, connects=False)


def _tree(workflow: Workflow) -> dg.AssetsDefinition:
    spec = layer_spec(
        workflow,
        "tree",
        kinds={"duckdb"},
        deps=[workflow.target_state, workflow.sync],
        description=f"The records of {workflow.spec.target} as a tree, including those not from NetSuite, each with its"
        " NetSuite record and the run that last confirmed it.",
    )

    def materialize(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        warehouse = context.resources.warehouse
        frame = make_tree(warehouse, workflow)
        duplicates = int(frame["has_duplicate_name"].sum())
        with warehouse.writer(transaction=False) as con:
            metadata = _metadata(con, "tree", workflow, frame, _counts(frame, "level", "source", "is_active"))
        text = f"{duplicates} active records share their name with another under the same parent"
        names = check_result("unique_names", text, passed=not duplicates, warn=True, records=duplicates)
        return dg.MaterializeResult(metadata=metadata, check_results=[names])

    checks = check_specs(table_of("tree", workflow), TREE_CHECKS)
    return workflow_asset(workflow, spec, materialize, checks=checks, connects=False)


def _counts(frame: pl.DataFrame, *by: str) -> str:
    counts = frame.group_by(by).len().sort(by, nulls_last=True)
    return markdown_table([*(name.replace("_", " ") for name in by), "records"], counts.rows())


def _metadata(
    con: duckdb.DuckDBPyConnection, layer: str, workflow: Workflow, frame: pl.DataFrame, counts: str
) -> dict[str, Any]:
    """Return the schema, the counts, and the ids of the first records; names stay in the warehouse."""
    first = frame.select(name for name in PREVIEWED if name in frame.columns).head(PREVIEW_ROWS)
    return {
        **table_metadata(con, table_of(layer, workflow), column_comments(layer), frame.height),
        "preview": dg.MetadataValue.md(counts),
        "first_records": dg.MetadataValue.md(markdown_table(first.columns, first.rows())),
    }
