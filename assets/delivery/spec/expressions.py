"""The mapping language: what a field row of a workflow file means, and which columns it reads.

field row  ->  row_expression()  ->  a Polars expression over the staging table

Expressions are SQL over the staging columns, parsed by Polars: no home-made language, no templates, no eval.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from assets.delivery.spec.field_mapping import FieldRow, LookUp
from assets.delivery.spec.workflow_spec import RecordMap, WorkflowSpec
from assets.netsuite.suiteql_file import is_custom_field
from sql import SERVICE_ITEMS, is_on_demand

TODAY = "_today"  # a column that every source has while it is shaped: the day of the run
TICKED = ("T", "true")  # NetSuite's own spelling, and a boolean column's


class MappingError(Exception):
    """The mapping cannot be applied to the table; the text names workflow, field and the mend."""


@dataclass(frozen=True)
class KeyColumns:
    """Column names that staging tables share."""

    customers: str = "customer_id"
    projects: str = "project_id"
    contacts: str = "contact_id"
    subsidiaries: str = "subsidiary_id"
    departments: str = "department_id"
    classifications: str = "classification_id"
    locations: str = "location_id"


STAGED = "stg_netsuite__"


def key_column(source: str) -> str:
    """The key column of a staging table.

    Raises:
        MappingError: No staging table has that name.
    """
    keys = KeyColumns()
    if is_on_demand(source):
        return "item_id" if source == SERVICE_ITEMS else "record_id"
    if not hasattr(keys, source):
        there = (
            f"{', '.join((*vars(keys), SERVICE_ITEMS))}, and customrecord_<type> in small letters for custom records"
        )
        raise MappingError(f"no source `{source}`; there are {there}")
    return str(getattr(keys, source))


def parse(expression: str, where: str) -> pl.Expr:
    """Parse one SQL expression.

    Raises:
        MappingError: Polars cannot read it, or it looks outside the table.
    """
    try:
        parsed = pl.sql_expr(expression)
    except pl.exceptions.PolarsError as error:
        raise MappingError(f"{where}: `{expression}`: {error}; see Polars' SQL functions") from error
    if ".subplan(" in str(parsed):
        raise MappingError(f"{where}: `{expression}`: a sub-query is not an expression over the table's columns")
    return parsed


def row_expression(row: FieldRow, where: str, table: pl.DataFrame | None = None) -> pl.Expr:
    """A mapping row as an expression; with the table at hand a value list knows its booleans as 1 and 0."""
    if row.value is not None:
        return pl.lit(row.value, dtype=pl.String)
    raw = pl.col(row.from_) if row.from_ is not None else parse(row.sql or "", f"{where}.{row.field}")
    if row.values is None:
        return raw
    text = raw.cast(pl.String) if table is None else as_text(raw, table)
    values = _value_list(row.values)
    if row.otherwise == "keep":
        return text.replace(values)
    return text.replace_strict(values, default=None, return_dtype=pl.String)


def _value_list(values: Mapping[str, str]) -> dict[str, str]:
    """A value list that knows a check box by NetSuite's T and F as well as by 1 and 0."""
    ticks = {"1": values.get("T"), "0": values.get("F")}
    return {**{key: value for key, value in ticks.items() if value is not None}, **values}


def source_columns(record: RecordMap, workflow: str) -> list[str]:
    """Every staging column that the record map reads, sorted."""
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
    """The custom fields that a workflow reads, by source, those of its look-ups included."""
    found: dict[str, set[str]] = {}
    for record in spec.records:
        found.setdefault(record.source, set()).update(source_columns(record, workflow))
    for lookup in spec.lookups:
        if lookup.table.startswith(STAGED):
            found.setdefault(lookup.table.removeprefix(STAGED), set()).update((lookup.by, lookup.return_))
    return {source: {name for name in names if is_custom_field(name)} for source, names in found.items()}


def on_demand(spec: WorkflowSpec) -> list[str]:
    """What a workflow reads, as a source or to look values up, that is read for its sake only."""
    tables = [*(record.table for record in spec.records), *(lookup.table for lookup in spec.lookups)]
    sources = dict.fromkeys(table.removeprefix(STAGED) for table in tables)
    return [source for source in sources if is_on_demand(source)]


def dated(spec: WorkflowSpec) -> list[str]:
    """Fields whose value moves with the calendar: they are sent with other changes and never for their own sake."""
    rows = [row for record in spec.records for row in record.rows]
    return sorted({row.field for row in rows if TODAY in row_expression(row, "").meta.root_names()})


def as_list(table: pl.DataFrame, several: Literal["none", "first"] = "none") -> dict[str, str]:
    """A look-up's table, columns key and value, as a value list.

    A key that stands for several values is left out, or has the first one: the lowest number, then the first text.
    """
    rows = table.select(pl.all().cast(pl.String)).drop_nulls().unique()
    first, second = rows.columns
    if several == "none":
        rows = rows.filter(~pl.col(first).is_duplicated())
    rows = rows.sort(pl.col(second).cast(pl.Int64, strict=False), second, nulls_last=True, descending=False)
    return dict(rows.unique(first, keep="first", maintain_order=True).select(first, second).iter_rows())


def resolved(record: RecordMap, lists: Mapping[LookUp, dict[str, str]]) -> RecordMap:
    """The record map with its look-ups as value lists."""
    rows = [
        row.model_copy(update={"values": _followed(row.lookup, lists)}) if row.lookup else row for row in record.rows
    ]
    return record.model_copy(update={"fields": rows})


def _followed(lookup: LookUp, lists: Mapping[LookUp, dict[str, str]]) -> dict[str, str]:
    """A look-up and those that follow it as one value list."""
    found = lists[lookup]
    for each in lookup.chain[1:]:
        found = {key: lists[each][value] for key, value in found.items() if value in lists[each]}
    return found


def as_text(expression: pl.Expr, table: pl.DataFrame) -> pl.Expr:
    """A value as text: 42 and not 42.0, seconds without fractions, several ids as NetSuite writes them: 1, 3, 4."""
    kind = table.lazy().select(expression.alias("value")).collect_schema()["value"]
    if kind == pl.Boolean:
        return expression.cast(pl.Int8).cast(pl.String)
    if kind.is_float():
        return expression.cast(pl.String).str.strip_suffix(".0")
    if kind == pl.List(pl.String):
        return expression.list.join(", ")
    if kind == pl.Datetime:
        return expression.dt.strftime("%Y-%m-%d %H:%M:%S")
    return expression.cast(pl.String)
