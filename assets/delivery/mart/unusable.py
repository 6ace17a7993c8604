"""Values that an expression cannot use, such as a text that is cast to a number: they hold back their own record only.

record map, rows of its staging table  ->  find_unusable()  ->  the places that fail, row by row
failing places  ->  without()  ->  a record map that does not evaluate them, and the case that says so
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

import polars as pl

from assets.delivery.cases import ALWAYS, Case
from assets.delivery.schemas import QUARANTINE
from assets.delivery.spec.expressions import FAILURES, canonical, parse, row_expression
from assets.delivery.spec.field_mapping import FieldRow
from assets.delivery.spec.record_map import RecordMap

WHERE = "select.where"
ADVICE = (
    "the expression cannot use a value of this record, such as a text that it casts to a number; correct the value in"
    " NetSuite, or use try_cast in the workflow file"
)
_NOTHING = dict.fromkeys(("from_", "value", "values", "lookup", "reference", "max_length"))


def find_unusable(
    record: RecordMap, table: pl.DataFrame, misfits: Collection[str] = ()
) -> Mapping[tuple[str, ...], Sequence[int]]:
    """Return the row numbers by the places that fail in them: target fields, and WHERE.

    Args:
        record: The record map, its lookups and references resolved to value lists.
        table: Rows with all columns that its expressions read.
        misfits: Columns that are text in these rows, because their values do not fit the type of the field.

    Raises:
        PolarsError: An expression fails in a row without any value as well, so it does not fit the table.
    """
    places: dict[int, list[str]] = {}
    for place, plain in _expressions(record):
        for row in _failing_rows(plain, table, misfits):
            places.setdefault(row, []).append(place)
    found: dict[tuple[str, ...], list[int]] = {}
    for row, failing in sorted(places.items()):
        found.setdefault(tuple(failing), []).append(row)
    return found


def without(record: RecordMap, places: Sequence[str]) -> tuple[RecordMap, Case]:
    """Return the record map that does not evaluate these places, and the case of a record in which they fail."""
    blank = {**_NOTHING, "sql": "null", "required": False, "locked": False}
    rows = [row.model_copy(update=blank) if row.field in places else row for row in record.fields]
    select = record.select.model_copy(update={"where": None}) if WHERE in places else record.select
    case = Case(ALWAYS, QUARANTINE, "unusable_value", f"{places[0]}: {ADVICE}")
    return record.model_copy(update={"fields": rows, "select": select}), case


def _expressions(record: RecordMap) -> Iterator[tuple[str, Callable[[pl.DataFrame], pl.Expr]]]:
    """Yield place and expression over a table; making it fails as well if it does not fit the table."""
    for row in record.rows:
        yield row.field, partial(_canonical, row)
    if where := record.select.where:
        yield WHERE, lambda _: ~parse(where).fill_null(value=False)


def _canonical(row: FieldRow, table: pl.DataFrame) -> pl.Expr:
    return canonical(row_expression(row, "", table), table)


def _failing_rows(
    expression: Callable[[pl.DataFrame], pl.Expr], table: pl.DataFrame, misfits: Collection[str]
) -> Sequence[int]:
    """Return the numbers of the rows in which an expression fails: all of them if it does not fit a misfit's text."""
    try:
        table.clear(1).select(expression(table))
    except FAILURES:
        if not misfits:
            raise
        return range(table.height)
    return [*_failing(expression(table), table, 0)]


def _failing(expression: pl.Expr, table: pl.DataFrame, start: int) -> Iterator[int]:
    """Yield the numbers of the rows in which an expression fails, by halves."""
    try:
        table.select(expression)
    except FAILURES:
        if table.height == 1:
            yield start
            return
        half = table.height // 2
        yield from _failing(expression, table[:half], start)
        yield from _failing(expression, table[half:], start + half)
