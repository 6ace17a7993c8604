"""Metadata that the Dagster UI shows: a table's rows and columns, column lineage, a preview of a plan."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from assets.result_texts import PREVIEW_ROWS, changed_fields, markdown_table
from resources.warehouse.tables import columns_of, quoted


def table_metadata(
    con: duckdb.DuckDBPyConnection, table: str, comments: Mapping[str, str], rows: int | None = None
) -> dict[str, Any]:
    """Return row count, name and column schema of a table; rows are counted unless given, comments are by column."""
    if rows is None:
        rows = int(con.execute(f"select count(*) from {quoted(table)}").fetchall()[0][0])
    return schema_metadata(table, columns_of(con, table), comments, rows)


def schema_metadata(table: str, columns: Mapping[str, str], comments: Mapping[str, str], rows: int) -> dict[str, Any]:
    """Return the row count, name and column schema of a table whose columns and types are known."""
    described = [dg.TableColumn(name, kind, description=comments.get(name)) for name, kind in columns.items()]
    return {
        "dagster/row_count": rows,
        "dagster/table_name": table,
        "dagster/column_schema": dg.TableSchema(columns=described),
    }


def column_lineage_metadata(lineage: pl.DataFrame) -> dg.TableColumnLineage:
    """Convert a workflow's lineage for Dagster; columns: see assets/delivery/mart/lineage.py."""
    deps: dict[str, list[dg.TableColumnDep]] = {}
    for row in lineage.filter(pl.col("source_column").is_not_null()).iter_rows(named=True):
        dep = dg.TableColumnDep(asset_key=dg.AssetKey(row["source_table"]), column_name=row["source_column"])
        deps.setdefault(row["target_field"], []).append(dep)
    return dg.TableColumnLineage(deps_by_column=deps)


def passed_on(fields: Iterable[str], table: str) -> dg.TableColumnLineage:
    """Return the lineage of target fields that an asset takes from the fields of another one as they are."""
    return dg.TableColumnLineage(
        deps_by_column={
            each: [dg.TableColumnDep(asset_key=dg.AssetKey(table), column_name=each)] for each in dict.fromkeys(fields)
        }
    )


def plan_metadata(counts: pl.DataFrame, plan: pl.DataFrame) -> dict[str, dg.MarkdownMetadataValue]:
    """Return the counts of a plan and its first changes: ids and field names, never values.

    They are two entries because the UI collapses a Markdown text of 1,000 characters or more.

    Args:
        counts: action, reason_code, records.
        plan: PLAN_COLUMNS; all rows that write.
    """
    sorted_counts = counts.sort("action", "records", descending=[False, True])
    writing = plan.filter(~pl.col("action").is_in(["unchanged", "skipped"])).head(PREVIEW_ROWS)
    rows = [
        (source, source_id, action, changed_fields([change["field"] for change in changes]), reason)
        for source, source_id, action, changes, reason in writing.select(
            "source", "source_id", "action", "changes", "reason"
        ).iter_rows()
    ]
    first = markdown_table(["source", "NetSuite id", "action", "fields", "why"], rows)
    return {
        "preview": dg.MetadataValue.md(markdown_table(["action", "reason", "records"], sorted_counts.rows())),
        "first_records": dg.MetadataValue.md(first if rows else "no record changes"),
    }
