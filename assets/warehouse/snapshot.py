"""Publish what analysts read: the whole warehouse as one file, replaced in one step at the end of a run.

stage.duckdb (ours, locked while it is written)  ->  analyst.duckdb (theirs, read-only)
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from assets.failures import dagster_failure
from assets.warehouse.run_report.page import write_report
from assets.warehouse.run_report.queries import gather
from resources.warehouse.warehouse import Warehouse

SNAPSHOT = "analyst_snapshot"
REPORTS, KEPT_REPORTS = "reports", 50


def analyst_snapshot(after: Sequence[str]) -> dg.AssetsDefinition:
    """The asset that publishes, after all of these."""

    @dg.asset(
        name=SNAPSHOT,
        group_name="analysts",
        kinds={"duckdb"},
        owners=["team:integrations"],
        deps=list(after),
        pool="duckdb",
        description="`analyst.duckdb`: every staging, mart, target state, plan and sync table as of the end of the run. "
        "Readers never wait for a run, and a run never waits for readers; reconnect to see a newer one. "
        "The run's report, one HTML page, is made beside it.",
    )
    def publish(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[Any]:
        with dagster_failure():
            size = warehouse.publish()
            metadata: dict[str, Any] = {"path": dg.MetadataValue.path(str(warehouse.snapshot)), "bytes": size}
            report = gather(warehouse, context.run.run_id, hides=warehouse.hides)
            if report:
                page = write_report(report, warehouse.folder / REPORTS, KEPT_REPORTS)
                metadata["report"] = dg.MetadataValue.url(f"/{REPORTS}/{page.name}")  # the guard hands it out
        return dg.MaterializeResult(metadata=metadata)

    return publish
