"""The raw layer as Dagster shows it: one asset per table, names and values as NetSuite has them.

NetSuite (SuiteQL)  ->  extract()  ->  raw_netsuite__<thing> (DuckDB)

Leads, prospects and customers are one NetSuite table and three assets here: one pass fills all three.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from assets.failures import RETRY, dagster_failure
from assets.netsuite.extract.extract import ExtractionSettings, ExtractReport, extract
from assets.netsuite.extract.load import OWN_COLUMNS
from assets.netsuite.record_types import RECORD_TYPES, RecordType, record_type_of
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.tables import columns_of, quoted
from resources.warehouse.warehouse import Warehouse

GROUP = "netsuite"
KINDS = {"netsuite", "duckdb"}
OWNERS = ["team:integrations"]
ALL_IDS_TAG = "millpond/all_ids"  # a run's tag: compare every id with NetSuite's, whenever that was done last
AT_ONCE_H = 1e-9


def raw_metadata(warehouse: Warehouse, report: ExtractReport, table: str) -> dict[str, Any]:
    """What an operator looks at: counts, columns, calls and warnings of one raw table."""
    query = record_type_of(report.record_type).query
    comments = {column.name: column.comment for column in query.columns}
    comments |= {name: comment for name, (_, comment) in OWN_COLUMNS.items()}
    with warehouse.writer(transaction=False) as con:
        there = columns_of(con, table)
        rows = int(con.execute(f"select count(*) from {quoted(table)}").fetchall()[0][0])
    columns = [
        dg.TableColumn(name, kind, description=comments.get(name) or f"{name} as NetSuite sends it")
        for name, kind in there.items()
    ]
    return {
        "dagster/row_count": rows,
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/table_name": table,
        "live_rows": report.rows[table],
        "mode": report.mode,
        "read": report.read,
        "inserted": report.inserted,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "moved": report.moved,
        "deleted": report.deleted,
        "reconciled": report.reconciled,
        "lanes_used": report.lanes_used,
        "calls": report.calls,
        "seconds": report.seconds,
        "warnings": dg.MetadataValue.json(list(report.warnings)),
    }


def _specs(record_type: RecordType, deps: Sequence[str]) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            table,
            deps=deps,
            description=record_type.query.statement.description,
            group_name=GROUP,
            kinds=KINDS,
            owners=OWNERS,
        )
        for table in record_type.raw_tables
    ]


def raw_asset(name: str, *, deps: Sequence[str] = ()) -> dg.AssetsDefinition:
    """The asset, or for customers the three assets, of one thing."""
    record_type = record_type_of(name)

    @dg.multi_asset(
        name=f"raw_netsuite__{name}",
        specs=_specs(record_type, deps),
        retry_policy=RETRY,
        pool="duckdb",
    )
    def raw(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        netsuite: dg.ResourceParam[NetSuiteClient],
        extraction: dg.ResourceParam[ExtractionSettings],
    ) -> Iterator[dg.MaterializeResult[Any]]:
        settings = replace(extraction, reconcile_hours=AT_ONCE_H) if ALL_IDS_TAG in context.run.tags else extraction
        with dagster_failure():
            report = extract(warehouse, netsuite, name, settings, run_id=context.run.run_id)
            told = {table: raw_metadata(warehouse, report, table) for table in record_type.raw_tables}
        for warning in report.warnings:
            context.log.warning(warning)
        for table, metadata in told.items():
            yield dg.MaterializeResult(asset_key=table, metadata=metadata)

    return raw


# children follow their parents: whose parent changed is read again in the same run
_AFTER: Mapping[str, Sequence[str]] = {
    name: RECORD_TYPES[record_type.of].raw_tables for name, record_type in RECORD_TYPES.items() if record_type.parent
}

RAW_ASSETS: Mapping[str, dg.AssetsDefinition] = {
    name: raw_asset(name, deps=_AFTER.get(name, ())) for name in RECORD_TYPES
}
