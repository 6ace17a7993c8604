"""Which staging column each target field comes from: derived from the mapping expressions, never typed by hand.

WorkflowSpec  ->  column_lineage()  ->  lineage_columns (table), dagster/column_lineage (metadata)
"""

from collections.abc import Sequence

import polars as pl

from assets.delivery.mapping import row_expression
from assets.delivery.spec import FieldRow, WorkflowSpec


def column_lineage(spec: WorkflowSpec, workflow: str) -> pl.DataFrame:
    """One row per (target field, source column) of a workflow.

    Returns:
        workflow, target, target_field, source_table, source_column (null for a constant), expression,
        workflow_version; all str.
    """
    rows: list[tuple[str | None, ...]] = [
        (workflow, spec.target, row.field, record.table, column, row.origin, spec.version)
        for record in spec.records
        for row in record.rows
        for column in _columns_of(row, workflow)
    ]
    names = (
        "workflow",
        "target",
        "target_field",
        "source_table",
        "source_column",
        "expression",
        "workflow_version",
    )
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def _columns_of(row: FieldRow, workflow: str) -> Sequence[str | None]:
    return sorted(set(row_expression(row, workflow).meta.root_names())) or [None]
