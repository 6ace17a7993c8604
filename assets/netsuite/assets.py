"""The raw layer in Dagster: one asset per table, names and values as in NetSuite.

NetSuite (SuiteQL)  ->  extract()  ->  raw_netsuite__<record type> (DuckDB)

Leads, prospects and customers are one NetSuite table and three assets: one pass fills all three.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from assets.asset_metadata import table_metadata
from assets.failures import RETRY, dagster_failure
from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.metrics import ExtractionReport
from assets.netsuite.extract.raw_queries import raw_comments
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES, record_type_of
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.tables import columns_of
from resources.warehouse.warehouse import Warehouse

GROUP = "netsuite"
KINDS = {"netsuite", "duckdb"}
OWNERS = ["team:integrations"]
RECONCILE_TAG = "millpond/reconcile"  # run tag: compare all ids with NetSuite's, even if that is not due


def raw_metadata(warehouse: Warehouse, report: ExtractionReport, table: str) -> dict[str, Any]:
    """Return the metadata of one raw table: row counts, columns, calls and warnings."""
    comments = raw_comments(record_type_of(report.record_type).query)
    with warehouse.writer(transaction=False) as con:
        columns = columns_of(con, table)
        described = {name: comments.get(name, f"{name} as NetSuite sends it") for name in columns}
        metadata = table_metadata(con, table, described)
    figures = {"live_rows": report.rows[table], "read": report.read, **vars(report)}
    for name in ("record_type", "rows", "warnings"):
        del figures[name]
    return {**metadata, **figures, "warnings": dg.MetadataValue.json(list(report.warnings))}


def raw_asset(name: str, *, deps: Sequence[str] = ()) -> dg.AssetsDefinition:
    """Return the asset of one record type; for customers, the three assets."""
    record_type = record_type_of(name)
    description = record_type.query.statement.description
    specs = [
        dg.AssetSpec(table, deps=deps, description=description, group_name=GROUP, kinds=KINDS, owners=OWNERS)
        for table in record_type.raw_tables
    ]

    @dg.multi_asset(
        name=f"raw_netsuite__{name}",
        specs=specs,
        retry_policy=RETRY,
        pool="duckdb",
    )
    def raw(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        netsuite: dg.ResourceParam[NetSuiteClient],
        extraction: dg.ResourceParam[ExtractionSettings],
    ) -> Iterator[dg.MaterializeResult[Any]]:
        reconcile = RECONCILE_TAG in context.run.tags
        with dagster_failure():
            report = extract(warehouse, netsuite, name, extraction, run_id=context.run.run_id, reconcile=reconcile)
            metadata = {table: raw_metadata(warehouse, report, table) for table in record_type.raw_tables}
        for warning in report.warnings:
            context.log.warning(warning)
        for table, values in metadata.items():
            yield dg.MaterializeResult(asset_key=table, metadata=values)

    return raw


# children follow their parents: children of changed parents are read again in the same run, as are projects and
# contacts of a customer that was merged or deleted
_PARENT_TABLES: Mapping[str, Sequence[str]] = {
    name: RECORD_TYPES[record_type.parent_type].raw_tables
    for name, record_type in RECORD_TYPES.items()
    if record_type.parent or (record_type.links and name != record_type.parent_type)
}

RAW_ASSETS: Mapping[str, dg.AssetsDefinition] = {
    name: raw_asset(name, deps=_PARENT_TABLES.get(name, ())) for name in RECORD_TYPES
}
