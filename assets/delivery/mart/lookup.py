"""Lookups of a workflow: read the tables they name, and turn them into value lists.

lookup  ->  read_lookups()  ->  value list by lookup  ->  with_value_lists()  ->  record map without lookups
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import polars as pl
import polars.selectors as cs

from assets.delivery.errors import MappingError
from assets.delivery.mart.unread import Unread, is_made_by_runs, never_read_columns, was_read
from assets.delivery.spec.expressions import as_text
from assets.delivery.spec.field_mapping import Lookup, OnMultiple
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import named
from resources.warehouse.tables import columns_of, has_table, quoted, read_frame
from resources.warehouse.warehouse import Warehouse

ValueLists = Mapping[Lookup, Mapping[str, str]]


class Lookups(NamedTuple):
    """The value list of each lookup, and what is unknown of those whose table was not read."""

    lists: ValueLists
    unread: Mapping[Lookup, Unread] = {}


# reads live records of the target system, by record type: the columns asked for, each as text
SystemReader = Callable[[str, Sequence[str]], pl.DataFrame]


def read_lookups(warehouse: Warehouse, workflow: Workflow, read_system: SystemReader | None = None) -> Lookups:
    """Read every lookup of a workflow as a value list; one whose table was not read is empty.

    Without `read_system`, the target system cannot be reached.

    Raises:
        MappingError: There is no such table, or it has no such column.
    """
    found = {each: _read(warehouse, workflow, each, read_system) for each in workflow.spec.lookups}
    return Lookups(
        {
            each: {} if isinstance(rows, Unread) else as_value_list(rows, each.on_multiple)
            for each, rows in found.items()
        },
        {each: rows for each, rows in found.items() if isinstance(rows, Unread)},
    )


def _read(
    warehouse: Warehouse, workflow: Workflow, lookup: Lookup, read_system: SystemReader | None
) -> pl.DataFrame | Unread:
    """Return the columns `by` and `return` of the table that a lookup names."""
    columns = [lookup.by, lookup.return_]
    mapped = [row for record in workflow.spec.records for row in record.rows]
    used = dict.fromkeys(row.field for row in mapped if row.lookup and lookup in row.lookup.chain)
    where = f"{workflow.name}: row of {', '.join(used)}: lookup of {lookup.description}"
    if "." in lookup.table:
        if read_system is None:
            raise MappingError(
                f"{where}: records of {workflow.spec.system} can only be read in a run; name a table of the warehouse"
            )
        table = read_system(lookup.table.partition(".")[2], list(dict.fromkeys(columns)))
        return _shown(table.select(pl.col(lookup.by).alias("by"), pl.col(lookup.return_).alias("return")), lookup)
    with warehouse.writer(transaction=False) as con:
        if not has_table(con, lookup.table):
            if is_made_by_runs(lookup.table):
                return Unread(f"{lookup.table} has not been read")
            raise MappingError(f"{where}: the warehouse has no table {lookup.table} yet; materialize it first")
        known = columns_of(con, lookup.table)
        missing = sorted(set(columns) - known.keys())
        if missing:
            raise MappingError(f"{where}: the table has no {named('column', missing)}; correct the workflow file")
        live = "where not is_deleted" if "is_deleted" in known else ""
        by, value = map(quoted, columns)
        rows = read_frame(con, f'select {by} as "by", {value} as "return" from {quoted(lookup.table)} {live}')
        if rows.is_empty():
            if is_made_by_runs(lookup.table) and not was_read(con, lookup.table):
                return Unread(f"{lookup.table} has not been read")
            # records that were all deleted are known; of records that a role may not see NetSuite shows none
            is_bare = not con.execute(f"select 1 from {quoted(lookup.table)} limit 1").fetchall()
            return _shown(rows, lookup) if is_bare and lookup.table.startswith(STAGING_PREFIX) else rows
        source = lookup.table.removeprefix(STAGING_PREFIX)
        unread = never_read_columns(con, source, columns) if source != lookup.table else {}
        return Unread(f"NetSuite's {min(unread.values())} was never read") if unread else _shown(rows, lookup)


def _shown(rows: pl.DataFrame, lookup: Lookup) -> pl.DataFrame | Unread:
    """Return the rows, unless none has both values: a role without permission may be shown blank ones, or no rows."""
    if rows.drop_nulls().is_empty():
        return Unread(f"no record of {lookup.table} shows {lookup.by} and {lookup.return_}")
    return rows


def as_value_list(table: pl.DataFrame, on_multiple: OnMultiple = "none") -> dict[str, str]:
    """Return a table's first two columns as a value list: key to value, without nulls.

    A key with several values is left out, or has the first one: the lowest number, else the first text.
    """
    key, value = table.columns
    # as the mart writes them: 42 and not 42.0, so that keys match and values can be sent
    table = table.with_columns(pl.when(cs.float().is_finite()).then(cs.float()))  # inf and NaN are no values
    rows = table.select(as_text(pl.col(name), table).alias(name) for name in (key, value)).drop_nulls().unique()
    if on_multiple == "none":
        rows = rows.filter(~pl.col(key).is_duplicated())
    rows = rows.sort(pl.col(value).cast(pl.Int64, strict=False), value, nulls_last=True)
    return dict(rows.unique(key, keep="first", maintain_order=True).iter_rows())


def with_value_lists(record: RecordMap, lists: ValueLists) -> RecordMap:
    """Return the record map with each row's lookups, chained, as its value list."""
    rows = [
        row.model_copy(update={"values": _chained(row.lookup, lists)}) if row.lookup else row for row in record.rows
    ]
    return record.model_copy(update={"fields": rows})


def _chained(lookup: Lookup, lists: ValueLists) -> Mapping[str, str]:
    found = lists[lookup]
    for each in lookup.chain[1:]:
        found = {key: lists[each][value] for key, value in found.items() if value in lists[each]}
    return found
