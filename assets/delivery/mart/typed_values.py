"""Columns that one value made text, or a wider number, in staging: typed value by value here.

staging table  ->  typed_columns()  ->  each value also as each type that it may have  ->  typed_parts()

One bad value would otherwise make every expression over its field fail, such as `field * 2`, and stop all records; a
1.5 among whole numbers would write every other 2 as 2.0 in `concat('N', field)`. Rows whose values have the same types
are one part; in the part with the bad values the field is text.
"""

from collections.abc import Iterator
from typing import Final

import duckdb
import polars as pl

from assets.warehouse.custom_types import as_kind, fields_by_value, kind_of_value
from resources.warehouse.tables import quoted

MARK: Final = ":"  # in names of columns that only exist between reading and transforming: field:kind, and field:


def typed_columns(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return the select list of a staging table's columns that are typed by value, as each type that they may have."""
    return [
        column
        for name, kinds in fields_by_value(con, table).items()
        for column in (
            f"{kind_of_value(name, kinds)} as {quoted(name + MARK)}",
            *(f"{as_kind(name, kind)} as {quoted(f'{name}{MARK}{kind}')}" for kind in kinds),
        )
    ]


def typed_parts(table: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, frozenset[str]]]:
    """Yield the rows by the types of their values, each with the fields whose value is of no type and stays text."""
    fields = [name.removesuffix(MARK) for name in table.columns if name.endswith(MARK)]
    own = [name for name in table.columns if MARK not in name]
    if not fields or table.is_empty():
        yield table.select(own), frozenset()
        return
    for kinds, rows in table.group_by([f"{name}{MARK}" for name in fields], maintain_order=True):
        typed = {name: f"{name}{MARK}{kind}" for name, kind in zip(fields, kinds, strict=True) if kind}
        part = rows.with_columns(pl.col(column).alias(name) for name, column in typed.items())
        yield part.select(own), frozenset(fields) - typed.keys()
