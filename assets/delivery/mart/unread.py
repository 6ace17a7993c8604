"""Values that a mapping needs and that were never read: they are unknown, which is not the same as blank.

lookup, reference  ->  Unread  ->  the disposition `block`, with the reason
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import duckdb
import polars as pl

from assets.delivery.cases import Case
from assets.delivery.mart.blanks import TAKEN_FROM
from assets.delivery.schemas import BLOCK
from assets.delivery.spec.needed_columns import joined_types
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.netsuite.record_types import record_type_of
from resources.warehouse.tables import has_table, quoted

# layer of a table: the ledger's table and column that have its name, or its workflow's, once it was read
_RECORDED = {
    STAGING_PREFIX: ("stg_builds", "staging_table", STAGING_PREFIX),
    "target_": ("sync_runs", "workflow", ""),
    "mart_": ("lineage_columns", "workflow", ""),
}


@dataclass(frozen=True)
class Unread:
    """Values of a lookup or a reference that are unknown.

    Attributes:
        reason: The reason in words; {} stands for the source value.
        keys: The source values that have no answer; None: all of them.
    """

    reason: str
    keys: Collection[str] | None = None

    def case(self, field: str, given: pl.Expr) -> Case:
        """Return the case of a record whose row for this field reads such a value."""
        unknown = given.is_not_null() if self.keys is None else given.is_in([*self.keys])
        reason = f"{field}: {self.reason}"
        return Case(unknown, BLOCK, "not_read", pl.format(reason, given) if "{}" in self.reason else reason)


def is_made_by_runs(table: str) -> bool:
    """Return whether runs make the table, and record in the ledger that they did."""
    return table.startswith(tuple(_RECORDED))


def was_read(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Return whether the ledger says that a table of runs was read; it may have been read and be empty."""
    layer = next(each for each in _RECORDED if table.startswith(each))
    ledger, column, prefix = _RECORDED[layer]
    name = table.removeprefix(layer)
    if not _has_row(con, ledger, column, prefix + name):
        return False
    # a table that the account or the role lacks is staged too, without rows and without a watermark
    return layer != STAGING_PREFIX or _has_row(con, "sync_watermarks", "source_table", record_type_of(name).table)


def never_read_columns(con: duckdb.DuckDBPyConnection, source: str, names: Iterable[str]) -> dict[str, str]:
    """Return those staging columns that come from another record type's tables that are empty and were never read.

    Such a table is there because the account, or the role, lacked it; what was read and is empty has a watermark.

    Returns:
        The record type, by column.
    """
    joined = {name: sorted(joined_types(source, name)) for name in names if name not in TAKEN_FROM}
    known = {each: _was_never_read(con, each) for types in joined.values() for each in types}
    return {name: each for name, types in joined.items() for each in types if known[each]}


def _was_never_read(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    record_type = record_type_of(name)
    tables = record_type.raw_tables
    if not all(has_table(con, table) for table in tables):
        return False
    rows = " union all ".join(f"(select 1 from {quoted(table)} limit 1)" for table in tables)
    is_empty = not con.execute(rows).fetchall()
    return is_empty and not _has_row(con, "sync_watermarks", "source_table", record_type.table)


def _has_row(con: duckdb.DuckDBPyConnection, table: str, column: str, name: str) -> bool:
    query = f"select 1 from {table} where {column} = ? limit 1"
    return has_table(con, table) and bool(con.execute(query, [name]).fetchall())
