"""Numbers in the texts of expressions, written out: `concat('EUR', amount)` sends no scientific notation.

expression, staging table  ->  float_parts()  ->  written_out(): only what the expression's own numbers wrote

A text that merely looks like such a number, such as a hall named 3E5, stays as it is.
"""

import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from resources.plain_numbers import plain_number

_SCIENTIFIC = r"\d[eE][+-]?\d"
_TEXT = "text"


def float_parts(expression: pl.Expr, table: pl.DataFrame) -> list[pl.Expr]:
    """Return the parts of an expression, itself included, that are floating-point numbers."""
    found, pending = list[pl.Expr](), [expression]
    while pending:
        part = pending.pop()
        found.append(part)
        pending += part.meta.pop()
    parts = {str(place): part for place, part in enumerate(found)}
    kinds = table.lazy().select(part.alias(name) for name, part in parts.items()).collect_schema()
    return [parts[name] for name, kind in kinds.items() if kind.is_float()]


def written_out(text: pl.Expr, numbers: Sequence[pl.Expr]) -> pl.Expr:
    """Write out what these numbers, as Polars prints them, have become in a text."""
    if not numbers:
        return text
    printed = (number.cast(pl.String).alias(str(place)) for place, number in enumerate(numbers))
    row = pl.when(text.str.contains(_SCIENTIFIC)).then(pl.struct(text.alias(_TEXT), *printed))
    return pl.coalesce(row.map_elements(_digits, pl.String), text)


def _digits(row: dict[str, Any]) -> str:
    text: str = row.pop(_TEXT)
    numbers = {each for each in row.values() if each and re.search(_SCIENTIFIC, each)}
    listed = "|".join(re.escape(each) for each in sorted(numbers, key=len, reverse=True))
    return re.sub(rf"(?i:{listed})(?!\d)", lambda found: plain_number(found[0]), text) if numbers else text
