"""Materialize some of the tables of NetSuite's records, as an operator's selection or a job does."""

from collections.abc import Sequence

import dagster as dg

from assets.netsuite.extract.settings import ExtractionSettings
from assets.warehouse.source_tables import source_check, source_tables
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.warehouse import Warehouse


def materialize(
    warehouse: Warehouse,
    client: NetSuiteClient,
    tables: Sequence[str],
    settings: ExtractionSettings | None = None,
    readers: Sequence[dg.AssetsDefinition] = (),
) -> dg.ExecuteInProcessResult:
    """Materialize tables, and all assets that read them; with `netsuite_reads`, its check too."""
    selection = dg.AssetSelection.assets(*tables, *(key for each in readers for key in each.keys))
    return dg.materialize(
        [source_tables(), source_check(), *readers],
        resources={"warehouse": warehouse, "netsuite": client, "extraction": settings or ExtractionSettings()},
        selection=selection,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


def made(result: dg.ExecuteInProcessResult) -> set[str]:
    """Return the assets that other steps may use: materialized, and yielded by their step."""
    outputs = {
        str(event.step_key) if (name := event.step_output_data.output_name) == "result" else name
        for event in result.all_events
        if event.is_successful_output
    }
    return outputs & written(result)


def written(result: dg.ExecuteInProcessResult) -> set[str]:
    """Return the assets that were materialized."""
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}
