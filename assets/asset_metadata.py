"""What the Dagster UI shows of a table: rows, columns with their meaning, lineage, a preview of the plan."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

PREVIEW_ROWS = 20
NAMED_FIELDS = 4
DAY_S = 86_400

# a frame's types as the table has them
TYPES: Mapping[type[pl.DataType], str] = {
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
    pl.Int32: "INTEGER",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Date: "DATE",
    pl.Datetime: "TIMESTAMP",
}


def table_metadata(name: str, frame: pl.DataFrame, comments: Mapping[str, str]) -> dict[str, Any]:
    """Row count, table name and column schema of a frame that became a table."""
    columns = [
        dg.TableColumn(column, table_type(kind), description=comments.get(column))
        for column, kind in frame.schema.items()
    ]
    return {
        "dagster/row_count": frame.height,
        "dagster/table_name": name,
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }


def table_type(kind: pl.DataType) -> str:
    """A Polars type as DuckDB calls it, so that the UI says what an analyst sees in the table."""
    if isinstance(kind, pl.List):
        return f"{table_type(_made(kind.inner))}[]"
    if isinstance(kind, pl.Struct):
        fields = ", ".join(f"{field.name} {table_type(_made(field.dtype))}" for field in kind.fields)
        return f"STRUCT({fields})"
    return TYPES.get(type(kind), str(kind))


def _made(kind: Any) -> pl.DataType:
    """Inner types come as classes or as instances."""
    made: pl.DataType = kind() if isinstance(kind, type) else kind
    return made


def column_lineage_metadata(lineage: pl.DataFrame) -> dg.TableColumnLineage:
    """The lineage of one workflow as Dagster keeps it; see `delivery/lineage.py` for the columns."""
    deps: dict[str, list[dg.TableColumnDep]] = {}
    for row in lineage.filter(pl.col("source_column").is_not_null()).iter_rows(named=True):
        dep = dg.TableColumnDep(asset_key=dg.AssetKey(row["source_table"]), column_name=row["source_column"])
        deps.setdefault(row["target_field"], []).append(dep)
    return dg.TableColumnLineage(deps_by_column=deps)


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; cells are escaped, so that a hostile text stays text."""
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    lines += [" | ".join(_cell(value) for value in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    for sign, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("\n", " ")):
        text = text.replace(sign, safe)
    return text


def plan_metadata(counted: pl.DataFrame, plan: pl.DataFrame) -> dict[str, dg.MarkdownMetadataValue]:
    """Counts by action and reason, and the first rows that would be sent: ids and field names, never values.

    Two entries, because the UI folds away a Markdown text of a thousand characters or more.

    Args:
        counted: action, reason_code, records.
        plan: PLAN_COLUMNS; all rows that write.
    """
    counts = counted.sort("action", "records", descending=[False, True])
    writing = plan.filter(~pl.col("action").is_in(["unchanged", "skipped"])).head(PREVIEW_ROWS)
    rows = [
        (row["source"], row["source_id"], row["action"], _field_names(row["changes"]), row["reason"])
        for row in writing.select("source", "source_id", "action", "changes", "reason").iter_rows(named=True)
    ]
    first = markdown_table(["source", "NetSuite id", "action", "fields", "why"], rows)
    return {
        "preview": dg.MetadataValue.md(markdown_table(["action", "reason", "records"], counts.rows())),
        "first_records": dg.MetadataValue.md(first if rows else "every record is left as it is"),
    }


def _field_names(changes: Sequence[Mapping[str, str]]) -> str:
    return changed_fields([change["field"] for change in changes])


def changed_fields(names: Sequence[str]) -> str:
    """The names as long as they can be read at a glance."""
    return ", ".join(names) if len(names) <= NAMED_FIELDS else f"{len(names)} fields"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them; what goes beyond a day takes a run on each of several days."""
    if seconds is None:
        return "time depends on the account"
    if seconds >= DAY_S:
        return f"a run on each of {int(seconds // DAY_S) + 1} days"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
