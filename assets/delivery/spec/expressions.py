"""The mapping language: the expressions of field rows, and the columns that they read.

field row  ->  row_expression()  ->  a Polars expression over the staging table

Expressions are SQL over the staging columns, checked (`sql_check.py`) and then parsed by Polars: no home-made language,
no templates, no eval.
"""

from collections.abc import Mapping

import polars as pl

from assets.delivery.errors import MappingError
from assets.delivery.spec.field_mapping import FieldRow
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.delivery.spec.sql_check import check, check_size
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.spec.written_out import decimal_parts, float_parts, written_out
from assets.netsuite.suiteql_file import is_custom_field

TODAY = "_today"  # a column that every source has during the transformation: the date of the run
SHOWN = 200  # characters of an expression in an error text
# what Polars raises; a panic is no `Exception`, and would end the whole run instead of one record
FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


def parse(expression: str, where: str = "") -> pl.Expr:
    """Parse one SQL expression; `where` is its place, for error texts.

    Raises:
        MappingError: Polars cannot parse it, or its value depends on more than the record: on another table or file, on
            other records, or on the clock.
    """
    place = f"{where}: " if where else ""
    shown = expression if len(expression) <= SHOWN else f"{expression[:SHOWN]}…"
    try:
        check(expression)
        parsed = pl.sql_expr(expression)
        check_size(parsed)
    except (MappingError, *FAILURES) as error:
        text = str(error) if isinstance(error, MappingError) else f"{error}; see Polars' SQL functions"
        raise MappingError(f"{place}`{shown}`: {text}") from None
    return parsed


def row_expression(row: FieldRow, where: str, table: pl.DataFrame | None = None) -> pl.Expr:
    """Return a mapping row as an expression.

    Args:
        row: The row, its lookup and reference resolved to a value list.
        where: Its place, for error texts.
        table: The staging table; with it, a value list also matches booleans as 1 and 0.
    """
    value = source_expression(row, where)
    if row.values is None:
        return value
    text = value.cast(pl.String) if table is None else as_text(value, table)
    if row.on_unmapped == "keep":
        return text.replace(value_list(row.values))
    return text.replace_strict(value_list(row.values), default=None, return_dtype=pl.String)


def source_expression(row: FieldRow, where: str = "") -> pl.Expr:
    """Return the row's value before its value list."""
    if row.value is not None:
        return pl.lit(row.value, dtype=pl.String)
    return pl.col(row.from_) if row.from_ is not None else parse(row.sql or "", f"{where}.{row.field}")


def value_list(values: Mapping[str, str]) -> dict[str, str]:
    """Return a value list that matches a check box as NetSuite's T and F and as 1 and 0."""
    flags = {"1": values.get("T"), "0": values.get("F")}
    return {**{key: value for key, value in flags.items() if value is not None}, **values}


def as_text(expression: pl.Expr, table: pl.DataFrame) -> pl.Expr:
    """Return a value as text: 42 rather than 42.0 or 4.2e1, seconds without fractions, ids joined: 1, 3, 4."""
    kind = table.lazy().select(expression.alias("value")).collect_schema()["value"]
    if kind == pl.Boolean:
        return expression.cast(pl.Int8).cast(pl.String)
    if kind.is_float():
        text = expression.cast(pl.String).str.strip_suffix(".0").str.replace("^-0$", "0")  # a loss rounded to nothing
        return written_out(text, [expression])
    if kind.is_decimal():
        return expression.cast(pl.String).str.replace(r"(\.\d*?)0+$", "$1").str.strip_suffix(".")
    if kind == pl.List(pl.String):
        return expression.list.join(", ")
    if kind == pl.Datetime:
        return expression.dt.strftime("%Y-%m-%d %H:%M:%S")
    return written_out(expression.cast(pl.String), float_parts(expression, table), decimal_parts(expression, table))


def canonical(expression: pl.Expr, table: pl.DataFrame) -> pl.Expr:
    """Return a value as targets compare it: text, and null if blank."""
    text = as_text(expression, table)
    return pl.when(text.str.strip_chars() == "").then(None).otherwise(text)


def source_columns(record: RecordMap, workflow: str) -> list[str]:
    """Return every staging column that a record map reads, sorted; `workflow` is for error texts."""
    expressions = [row_expression(row, workflow) for row in record.rows]
    if record.select.where:
        expressions.append(parse(record.select.where, f"{workflow}.where"))
    names = {name for expression in expressions for name in expression.meta.root_names()}
    names |= set((record.parent or {}).values())
    names |= {record.select.require_flag} if record.select.require_flag else set()
    names |= {"stage"} if record.select.stages else set()
    names |= {"subsidiary_id"} if record.select.subsidiary else set()
    return sorted(names)


def custom_fields(spec: WorkflowSpec, workflow: str) -> dict[str, set[str]]:
    """Return the custom fields that a workflow and its lookups read, by source; `workflow` is for error texts."""
    found: dict[str, set[str]] = {}
    for record in spec.records:
        found.setdefault(record.source, set()).update(source_columns(record, workflow))
    for lookup in spec.lookups:
        if lookup.table.startswith(STAGING_PREFIX):
            found.setdefault(lookup.table.removeprefix(STAGING_PREFIX), set()).update((lookup.by, lookup.return_))
    return {source: {name for name in names if is_custom_field(name)} for source, names in found.items()}


def date_dependent_fields(spec: WorkflowSpec) -> list[str]:
    """Return the fields whose value depends on the date: they are sent with other changes, never on their own."""
    rows = [row for record in spec.records for row in record.rows]
    return sorted({row.field for row in rows if TODAY in row_expression(row, "").meta.root_names()})
