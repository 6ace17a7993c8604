"""Read selected records and their ancestors from NetSuite again, and stage them.

records  ->  extract_selected (the record, then its children)  ->  stg_, hist_  ->  their parents  ->  …

A change notification only says which records to read: values come from NetSuite, and a record counts as deleted only if
NetSuite no longer shows it. A row that is looked up is read with the record if it is newer than the last reading of its
table; otherwise its value would be taken as blank.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import NamedTuple

import duckdb
import polars as pl

from assets.netsuite.extract.extract import extract_selected
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES, record_type_of
from assets.warehouse.history import LAYER as HISTORY
from assets.warehouse.history import update_history
from assets.warehouse.staging import LAYER as STAGING
from assets.warehouse.staging import stage_table
from resources.clock import utc_now
from resources.failpoints import reach
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.tables import columns_of, has_table, quoted, tables_of
from resources.warehouse.warehouse import Warehouse
from sql import names, statement

Key = tuple[str, str]  # source, NetSuite internal id
CHILDREN = [record_type for record_type in RECORD_TYPES.values() if record_type.parent]
MAX_DEPTH = 50  # ends a cycle in the parent hierarchy, which the mart reports


class ParentColumn(NamedTuple):
    """The staging column of a source that holds the id of a parent record, or of a row that is looked up.

    A row that is looked up is read only if it never was.
    """

    source: str
    parent: str
    column: str
    is_looked_up: bool = False


def refresh_records(
    warehouse: Warehouse,
    client: NetSuiteClient,
    records: Mapping[Key, bool],
    parent_columns: Collection[ParentColumn],
    settings: ExtractionSettings,
    *,
    run_id: str,
) -> pl.DataFrame:
    """Bring the staged rows of some records and all their ancestors up to date.

    Each record comes with whether it was reported as deleted; parent columns lead to the ancestors.

    Returns:
        source, source_id (both str): the records, their ancestors, and the rows that were read to look values up.

    Raises:
        IntegrationError: NetSuite could not be read; what was read before is kept, which is safe.
    """
    extract = partial(extract_selected, warehouse, client, settings=settings, run_id=run_id)
    seen: set[Key] = set()
    pending = set(records)
    for _ in range(MAX_DEPTH):
        if not pending:
            break
        deleted = {key: utc_now(client.clock) for key in pending if records.get(key)}
        _read(warehouse, extract, pending, deleted)
        seen |= pending
        with warehouse.writer() as con:
            _stage(con, {source for source, _ in pending})
            pending = _parents(con, parent_columns, seen) | _unknown_parents(con, parent_columns, seen)
            pending = (pending | _unread_rows(con, seen)) - seen
    reach("notifications_read")
    return pl.DataFrame(sorted(seen), schema={"source": pl.String, "source_id": pl.String}, orient="row")


def _by_source(keys: Iterable[Key]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for source, source_id in sorted(keys, key=lambda key: (key[0], int(key[1]))):
        found.setdefault(source, []).append(source_id)
    return found


def _read(
    warehouse: Warehouse, extract: Callable[..., set[str]], keys: Iterable[Key], deleted: Mapping[Key, datetime]
) -> None:
    """Read the records, then the children of those that exist or are reported as deleted."""
    ids = _by_source(keys)

    def read(name: str, ids: Sequence[str]) -> set[str]:
        reported = {source_id: deleted[name, source_id] for source_id in ids if (name, source_id) in deleted}
        return extract(name, ids, reported_deleted=reported)

    with ThreadPoolExecutor(len(RECORD_TYPES)) as pool:
        parents = dict(zip(ids, pool.map(read, ids, ids.values()), strict=True))
        for source, source_id in deleted:
            parents[source].add(source_id)
        with warehouse.writer(transaction=False) as con:
            tables = tables_of(con)
        children = {
            record_type.name: sorted(parents[record_type.parent_type], key=int)
            for record_type in CHILDREN
            if parents.get(record_type.parent_type) and tables.issuperset(record_type.raw_tables)
        }
        list(pool.map(read, children, children.values()))


def _stage(con: duckdb.DuckDBPyConnection, sources: set[str]) -> None:
    """Stage what was read, and update the history."""
    read = [*(record_type_of(name) for name in sources), *(each for each in CHILDREN if each.parent_type in sources)]
    raw = {table for record_type in read for table in record_type.raw_tables}
    known = dict.fromkeys([*names(STAGING), *(f"stg_netsuite__{name}" for name in sorted(sources))])
    definitions = [each for name in known if raw & set((each := statement(STAGING, name)).reads)]
    staged = {
        each.name for each in definitions if has_table(con, each.name) and stage_table(con, each).mode != "unchanged"
    }
    for each in (statement(HISTORY, name) for name in names(HISTORY)):
        if has_table(con, each.name) and staged & set(each.reads):
            update_history(con, each)


def _parents(con: duckdb.DuckDBPyConnection, parent_columns: Collection[ParentColumn], keys: Iterable[Key]) -> set[Key]:
    ids = _by_source(keys)
    found: set[Key] = set()
    for source, parent, column, is_looked_up in sorted(parent_columns):
        table, above = (statement(STAGING, f"stg_netsuite__{name}") for name in (source, parent))
        # what was never staged waits for a full run, and so does a record whose column is not shown
        is_staged = column in columns_of(con, table.name) and (not is_looked_up or _was_read(con, parent))
        if source in ids and is_staged:
            known = f"select {quoted(above.key[0])} from {quoted(above.name)}"
            unread = f" and cast({quoted(column)} as varchar) not in ({known})" if is_looked_up else ""
            rows = con.execute(
                f"select distinct {quoted(column)} from {quoted(table.name)}"
                f" where list_contains(?, {quoted(table.key[0])}) and {quoted(column)} is not null{unread}",
                [ids[source]],
            ).fetchall()
            found |= {(parent, str(row[0])) for row in rows if str(row[0]).isdecimal()}
    return found


def _unknown_parents(
    con: duckdb.DuckDBPyConnection, parent_columns: Collection[ParentColumn], keys: Iterable[Key]
) -> set[Key]:
    """Return the records to which rows refer and of which none was read, as each type of which they may be.

    Staging cannot know yet of which type such a record is, so that it is in no column of a parent.
    """
    found: set[Key] = set()
    for source, ids in _by_source(keys).items():
        parents = {each.parent for each in parent_columns if each.source == source}
        for column, types in record_type_of(source).links.items():
            possible = [each for each in types if has_table(con, RECORD_TYPES[each].raw_tables[0])]
            if parents.intersection(possible):
                named = _values(con, column, [source], ids)
                unknown = named - _values(con, "id", possible, sorted(named))
                found |= {(each, key) for key in unknown if key.isdecimal() for each in possible}
    return found


def _unread_rows(con: duckdb.DuckDBPyConnection, keys: Iterable[Key]) -> set[Key]:
    """Return the rows that staging joins to records, and that were never read."""
    found: set[Key] = set()
    for source, ids in _by_source(keys).items():
        for column, name in record_type_of(source).joined.items():
            key, named = record_type_of(name).query.key, _values(con, column, [source], ids)
            if named and _was_read(con, name):
                unread = named - _values(con, key, [name], sorted(named), key)
                found |= {(name, each) for each in unread if each.isdecimal()}
    return found


def _was_read(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Return whether a record type was ever read and staged: the account or the role may lack its table."""
    query = "select 1 from sync_watermarks where source_table = ?"
    is_staged = has_table(con, f"stg_netsuite__{name}") and has_table(con, "sync_watermarks")
    return is_staged and bool(con.execute(query, [record_type_of(name).table]).fetchall())


def _values(
    con: duckdb.DuckDBPyConnection, column: str, sources: Iterable[str], ids: Sequence[str], key: str = "id"
) -> set[str]:
    """Return the values of a column in the raw rows with these ids."""
    tables = [table for name in sources for table in RECORD_TYPES[name].raw_tables if has_table(con, table)]
    parts = [
        f"select {quoted(column)} as value from {quoted(table)} where list_contains($ids, {quoted(key)})"
        for table in tables
    ]
    query = f"select value from ({' union all '.join(parts)}) where value is not null"
    return {row[0] for row in con.execute(query, {"ids": list(ids)}).fetchall()} if ids and parts else set()
