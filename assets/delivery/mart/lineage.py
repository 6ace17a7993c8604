"""Which staging column each target field comes from: derived from the mapping expressions, never typed by hand.

WorkflowSpec  ->  column_lineage()  ->  lineage_columns (table), dagster/column_lineage (metadata)
"""

from collections.abc import Sequence

import polars as pl

from assets.delivery.spec.expressions import TODAY, row_expression
from assets.delivery.spec.field_mapping import FieldRow
from assets.delivery.spec.workflow_spec import WorkflowSpec


def column_lineage(spec: WorkflowSpec, workflow: str) -> pl.DataFrame:
    """One row per (target field, source column) of a workflow.

    Returns:
        workflow, target, target_field, source_table, source_column (null for a constant), expression,
        workflow_version; all str.
    """
    rows: list[tuple[str | None, ...]] = [
        (workflow, spec.target, row.field, table, column, row.origin, spec.version)
        for record in spec.records
        for row in record.rows
        for table, column in _columns_of(row, record.table, workflow)
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


def _columns_of(row: FieldRow, table: str, workflow: str) -> Sequence[tuple[str, str | None]]:
    """What the row reads of its own table, and of the one that it looks the value up in."""
    names = sorted(set(row_expression(row, workflow).meta.root_names()) - {TODAY})
    found: list[tuple[str, str | None]] = [(table, name) for name in names] or [(table, None)]
    return [*found, *((each.table, each.return_) for each in row.lookup.chain)] if row.lookup else found
