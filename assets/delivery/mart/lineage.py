"""Column lineage of the target fields, derived from the mapping expressions.

WorkflowSpec  ->  column_lineage()  ->  lineage_columns (table), dagster/column_lineage (metadata)
"""

from collections.abc import Sequence

import duckdb
import polars as pl

from assets.delivery.spec.expressions import TODAY, row_expression
from assets.delivery.spec.field_mapping import FieldRow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from resources.warehouse.tables import insert_frame

COLUMNS = ("workflow", "target", "target_field", "source_table", "source_column", "expression", "workflow_version")


def column_lineage(spec: WorkflowSpec, workflow: str) -> pl.DataFrame:
    """Return one row per target field and source column of a workflow.

    Returns:
        COLUMNS, all str; source_column is null for a constant.
    """
    rows: list[tuple[str | None, ...]] = [
        (workflow, spec.target, row.field, table, column, row.origin, spec.version)
        for record in spec.records
        for row in record.rows
        for table, column in _columns_of(row, record.table, workflow)
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")


def _columns_of(row: FieldRow, table: str, workflow: str) -> Sequence[tuple[str, str | None]]:
    """Return the table and column of everything that a row reads, lookups included."""
    names = sorted(set(row_expression(row, workflow).meta.root_names()) - {TODAY})
    found: list[tuple[str, str | None]] = [(table, name) for name in names] or [(table, None)]
    return [*found, *((each.table, each.return_) for each in row.lookup.chain)] if row.lookup else found


def write_lineage(con: duckdb.DuckDBPyConnection, workflow: str, lineage: pl.DataFrame) -> None:
    """Replace a workflow's rows of lineage_columns."""
    con.execute("delete from lineage_columns where workflow = ?", [workflow])
    insert_frame(con, "lineage_columns", lineage)
