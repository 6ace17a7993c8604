"""HTML entities in NetSuite's texts: `Smith &amp; Co` is read as `Smith & Co`, if the workflow says so.

staging table  ->  decoded()  ->  the same table; only entities with a semicolon count, and each is decoded once
"""

import html
import re

import polars as pl

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def decoded(table: pl.DataFrame) -> pl.DataFrame:
    """Return the table with decoded texts; an unknown entity stays as it is."""
    texts = [name for name, kind in table.schema.items() if kind == pl.String]
    return table.with_columns(_decoded(table[name]) for name in texts)


def _decoded(column: pl.Series) -> pl.Series:
    candidates = column.str.contains("&", literal=True).arg_true()
    if candidates.is_empty():
        return column
    found = [_ENTITY.sub(lambda entity: html.unescape(entity[0]), text) for text in column[candidates]]
    return column.scatter(candidates, found)
