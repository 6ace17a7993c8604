"""Lookups of a workflow: read the tables they name, and turn them into value lists.

lookup  ->  read_lookups()  ->  value list by lookup  ->  with_value_lists()  ->  record map without lookups
"""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from assets.delivery.errors import MappingError
from assets.delivery.spec.field_mapping import Lookup, OnMultiple
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import columns_of, has_table, quoted, read_frame
from resources.warehouse.warehouse import Warehouse

ValueLists = Mapping[Lookup, Mapping[str, str]]

# reads live records of the target system, by record type: the columns asked for, each as text
SystemReader = Callable[[str, Sequence[str]], pl.DataFrame]


def read_lookups(warehouse: Warehouse, workflow: Workflow, read_system: SystemReader | None = None) -> ValueLists:
    """Read every lookup of a workflow as a value list.

    Args:
        warehouse: The warehouse.
        workflow: The workflow.
        read_system: Reads records of the target system; None where it cannot be reached.

    Raises:
        MappingError: There is no such table, or it has no such column.
    """
    return {
        each: as_value_list(_read(warehouse, workflow, each, read_system), each.on_multiple)
        for each in workflow.spec.lookups
    }


def _read(warehouse: Warehouse, workflow: Workflow, lookup: Lookup, read_system: SystemReader | None) -> pl.DataFrame:
    """Return the columns `by` and `return` of the table that a lookup names."""
    columns = [lookup.by, lookup.return_]
    where = f"{workflow.name}: lookup of {lookup.description}"
    if "." in lookup.table:
        if read_system is None:
            raise MappingError(
                f"{where}: records of {workflow.spec.system} can only be read in a run; name a table of the warehouse"
            )
        table = read_system(lookup.table.partition(".")[2], list(dict.fromkeys(columns)))
        return table.select(pl.col(lookup.by).alias("by"), pl.col(lookup.return_).alias("return"))
    with warehouse.writer(transaction=False) as con:
        if not has_table(con, lookup.table):
            raise MappingError(f"{where}: the warehouse has no table {lookup.table} yet; materialize it first")
        known = columns_of(con, lookup.table)
        missing = sorted(set(columns) - known.keys())
        if missing:
            raise MappingError(f"{where}: the table has no column {', '.join(missing)}; correct the workflow file")
        live = "where not is_deleted" if "is_deleted" in known else ""
        by, value = map(quoted, columns)
        return read_frame(con, f'select {by} as "by", {value} as "return" from {quoted(lookup.table)} {live}')


def as_value_list(table: pl.DataFrame, on_multiple: OnMultiple = "none") -> dict[str, str]:
    """Return a table's first two columns as a value list: key to value, without nulls.

    A key with several values is left out, or has the first one: the lowest number, else the first text.
    """
    rows = table.select(pl.all().cast(pl.String)).drop_nulls().unique()
    key, value = rows.columns
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
