"""The raw layer in Dagster: one asset per table, names and values as in NetSuite, and one for the log of all reads.

NetSuite (SuiteQL)  ->  extract_all()  ->  raw_netsuite__<record type> (DuckDB)

Leads, prospects and customers are one NetSuite table and three assets: one pass fills all three. The step that makes
the assets is in assets/warehouse/source_tables.py.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from assets.asset_metadata import schema_metadata
from assets.netsuite.extract.extract_all import belongs_to
from assets.netsuite.extract.metrics import ExtractionReport
from assets.netsuite.extract.raw_queries import raw_comments
from assets.netsuite.record_types import RECORD_TYPES, record_type_of
from sql import statement

GROUP = "netsuite"
KINDS = {"netsuite", "duckdb"}
OWNERS = ["team:integrations"]
READS = "netsuite_reads"
RECONCILE_TAG = "millpond/reconcile"  # run tag: compare all ids with NetSuite's, even if that is not due


def raw_specs(names: Iterable[str]) -> Iterator[dg.AssetSpec]:
    """Yield the asset of each raw table; children follow their parents, as do projects and contacts."""
    for record_type in map(record_type_of, names):
        parent = belongs_to(record_type)
        for table in record_type.raw_tables:
            yield dg.AssetSpec(
                table,
                deps=RECORD_TYPES[parent].raw_tables if parent else (),
                description=record_type.query.statement.description,
                group_name=GROUP,
                kinds=KINDS,
                owners=OWNERS,
            )


def reads_spec(names: Iterable[str]) -> dg.AssetSpec:
    """Return the asset of the table that logs the reads."""
    return dg.AssetSpec(
        READS,
        deps=[table for name in names for table in record_type_of(name).raw_tables],
        description=f"{statement('ledger', READS).description}\n\nIts check fails a run in which a table of NetSuite's"
        " records could not be read, staged or versioned, and names it; what does not need that table is delivered.",
        group_name=GROUP,
        kinds={"duckdb"},
        owners=OWNERS,
    )


def raw_metadata(report: ExtractionReport, table: str) -> dict[str, Any]:
    """Return the metadata of one raw table: row counts, columns, calls and warnings."""
    comments, stored = raw_comments(record_type_of(report.record_type).query), report.stored[table]
    described = {name: comments.get(name, f"{name} as NetSuite sends it") for name in stored.columns}
    figures = {"live_rows": report.rows[table], "read": report.read, **vars(report)}
    for name in ("record_type", "rows", "warnings", "stored"):
        del figures[name]
    return {
        **schema_metadata(table, stored.columns, described, stored.rows),
        **figures,
        "warnings": dg.MetadataValue.json(list(report.warnings)),
    }
