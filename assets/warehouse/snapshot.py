"""Publish what analysts read: the whole warehouse as one file, replaced atomically at the end of a run.

millpond.duckdb (locked during a run)  ->  analyst.duckdb (read-only), reports/<run>.html
"""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from assets.failures import dagster_failure
from assets.warehouse.run_report.page import KEPT_REPORTS, REPORTS, write_report
from assets.warehouse.run_report.queries import collect_report
from resources.warehouse.warehouse import Warehouse

SNAPSHOT = "analyst_snapshot"


def analyst_snapshot(
    after: Sequence[str],
    held: Callable[[Warehouse, Any], list[dict[str, Any]]],
    seal: Callable[[Warehouse], str] = lambda _: "",
) -> dg.AssetsDefinition:
    """Return the asset that publishes the snapshot after all of these assets.

    Args:
        after: Names of the assets.
        held: Reads what is held back.
        seal: Seals the ledger, and returns what hinders it.
    """

    @dg.asset(
        name=SNAPSHOT,
        group_name="analysts",
        kinds={"duckdb"},
        owners=["team:integrations"],
        deps=list(after),
        pool="duckdb",
        description="`analyst.duckdb`: all staging, history, mart, target state, plan and sync tables as of the end of "
        "the run. Readers never wait for a run, and a run never waits for readers; reconnect to see a newer file. "
        "The run's report, one HTML page, is written beside it.",
    )
    def publish(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[Any]:
        with dagster_failure():
            hindered = seal(warehouse)
            size = warehouse.publish()
            metadata: dict[str, Any] = {"path": dg.MetadataValue.path(str(warehouse.snapshot)), "bytes": size}
            report = collect_report(
                warehouse, context.run.run_id, held=held(warehouse, context.run), hides=warehouse.hides_personal
            )
            if report:
                page = write_report(report, warehouse.folder / REPORTS, KEPT_REPORTS)
                metadata["report"] = dg.MetadataValue.url(f"/{REPORTS}/{page.name}")  # served behind the sign-in
        return dg.MaterializeResult(metadata={**metadata, "ledger": hindered or "sealed"})

    return publish
