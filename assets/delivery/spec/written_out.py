"""Numbers in the texts of expressions, written out: `concat('EUR', amount)` sends no scientific notation.

expression, staging table  ->  float_parts(), decimal_parts()  ->  written_out(): only what its own numbers wrote

A text that merely looks like such a number, such as a hall named 3E5, stays as it is. A field becomes a decimal because
of one record's long number: a decimal is written like a float, 100.0, so that the texts of all other records stay.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from resources.plain_numbers import plain_number

_SCIENTIFIC = r"\d[eE][+-]?\d"
_PADDED = r"\.\d+0(\D|$)"
_TEXT = "text"


def float_parts(expression: pl.Expr, table: pl.DataFrame) -> list[pl.Expr]:
    """Return the parts of an expression, itself included, that are floating-point numbers."""
    return _parts(expression, table, lambda kind: kind.is_float())


def decimal_parts(expression: pl.Expr, table: pl.DataFrame) -> list[pl.Expr]:
    """Return the parts of an expression, itself included, that are decimals."""
    return _parts(expression, table, lambda kind: kind.is_decimal())


def _parts(expression: pl.Expr, table: pl.DataFrame, is_kind: Callable[[pl.DataType], bool]) -> list[pl.Expr]:
    found, pending = list[pl.Expr](), [expression]
    while pending:
        part = pending.pop()
        found.append(part)
        pending += part.meta.pop()
    parts = {str(place): part for place, part in enumerate(found)}
    kinds = table.lazy().select(part.alias(name) for name, part in parts.items()).collect_schema()
    return [parts[name] for name, kind in kinds.items() if is_kind(kind)]


def written_out(text: pl.Expr, floats: Sequence[pl.Expr], decimals: Sequence[pl.Expr] = ()) -> pl.Expr:
    """Write out what these numbers, as Polars prints them, have become in a text."""
    text = _replaced(text, floats, _SCIENTIFIC, plain_number)
    return _replaced(text, decimals, _PADDED, lambda number: re.sub(r"(\.\d+?)0+$", r"\1", number))


def _replaced(text: pl.Expr, numbers: Sequence[pl.Expr], pattern: str, write: Callable[[str], str]) -> pl.Expr:
    """Replace numbers whose print has a pattern, where a text has it."""
    if not numbers:
        return text

    def digits(row: dict[str, Any]) -> str:
        found: str = row.pop(_TEXT)
        printed = {each for each in row.values() if each and re.search(pattern, each)}
        listed = "|".join(re.escape(each) for each in sorted(printed, key=len, reverse=True))
        return re.sub(rf"(?i:{listed})(?!\d)", lambda number: write(number[0]), found) if printed else found

    printed = (number.cast(pl.String).alias(str(place)) for place, number in enumerate(numbers))
    row = pl.when(text.str.contains(pattern)).then(pl.struct(text.alias(_TEXT), *printed))
    return pl.coalesce(row.map_elements(digits, pl.String), text)
