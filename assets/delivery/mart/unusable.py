"""Values that an expression cannot use, such as a text that is cast to a number: they hold back their own record only.

record map, rows of its staging table  ->  find_unusable()  ->  the places that fail, row by row
failing places  ->  without()  ->  a record map that does not evaluate them, and the case that says so
"""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from assets.delivery.cases import ALWAYS, Case
from assets.delivery.schemas import QUARANTINE
from assets.delivery.spec.expressions import canonical, parse, row_expression
from assets.delivery.spec.record_map import RecordMap

WHERE = "select.where"
ADVICE = (
    "the expression cannot use a value of this record, such as a text that it casts to a number; correct the value in"
    " NetSuite, or use try_cast in the workflow file"
)
_NOTHING = dict.fromkeys(("from_", "value", "values", "lookup", "reference", "max_length"))


def find_unusable(record: RecordMap, table: pl.DataFrame) -> Mapping[tuple[str, ...], Sequence[int]]:
    """Return the row numbers by the places that fail in them: target fields, and WHERE.

    Args:
        record: The record map, its lookups and references resolved to value lists.
        table: Rows with all columns that its expressions read.

    Raises:
        PolarsError: An expression fails in a row without any value as well, so it does not fit the table.
    """
    places: dict[int, list[str]] = {}
    for place, expression in _expressions(record, table):
        table.clear(1).select(expression)
        for row in _failing(expression, table, 0):
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


def _expressions(record: RecordMap, table: pl.DataFrame) -> Iterator[tuple[str, pl.Expr]]:
    for row in record.rows:
        yield row.field, canonical(row_expression(row, "", table), table)
    if record.select.where:
        yield WHERE, ~parse(record.select.where).fill_null(value=False)


def _failing(expression: pl.Expr, table: pl.DataFrame, start: int) -> Iterator[int]:
    """Yield the numbers of the rows in which an expression fails, by halves."""
    try:
        table.select(expression)
    except pl.exceptions.PolarsError:
        if table.height == 1:
            yield start
            return
        half = table.height // 2
        yield from _failing(expression, table[:half], start)
        yield from _failing(expression, table[half:], start + half)
