"""The NetSuite columns that a workflow needs: without one of them, a field that it maps would be blank in every record.

staging columns that the file names  ->  SQL of the staging table  ->  columns of the extraction, custom fields
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache

import duckdb

from assets.delivery.errors import MappingError
from assets.delivery.spec.expressions import TODAY, source_columns
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.record_types import RECORD_TYPES, record_type_of
from assets.netsuite.suiteql_file import is_custom_field
from assets.warehouse.column_sources import columns_behind
from sql import statement


def needed_columns(workflow: Workflow) -> dict[str, set[str]]:
    """Return the columns without which a mapped value is blank in every record, by NetSuite record type.

    A value that can also come from another column, such as a customer's stage, needs neither.
    """
    needed: dict[str, set[str]] = defaultdict(set)
    for source, names in columns_read(workflow).items():
        custom = {name for name in names if is_custom_field(name)}
        needed[source] |= custom
        for name in names - custom:
            for record_type, column in _only_origin(source, name):
                needed[record_type].add(column)
    return {record_type: columns for record_type, columns in needed.items() if columns}


def columns_read(workflow: Workflow) -> dict[str, set[str]]:
    """Return the staging columns that a workflow and its lookups read, by source; none of a file that has errors."""
    found: dict[str, set[str]] = defaultdict(set)
    try:
        for record in workflow.spec.records:
            found[record.source] |= set(source_columns(record, workflow.name)) - {TODAY}
    except MappingError:
        return {}  # reported by `millpond validate` and by the mart, with file and field
    for lookup in workflow.spec.lookups:
        if lookup.table.startswith(STAGING_PREFIX):
            found[lookup.table.removeprefix(STAGING_PREFIX)] |= {lookup.by, lookup.return_}
    return found


def rows_that_look_up(workflow: Workflow, source: str) -> dict[str, str]:
    """Return the rows whose look-ups read a column of a source's table, by column: `row of currency`."""
    table, found = STAGING_PREFIX + source, defaultdict[str, dict[str, None]](dict)
    for row in (row for record in workflow.spec.records for row in record.rows if row.lookup):
        for each in row.lookup.chain if row.lookup else ():
            for column in (each.by, each.return_) if each.table == table else ():
                found[column][row.field] = None
    return {column: f"row of {', '.join(fields)}" for column, fields in found.items()}


def joined_types(source: str, name: str) -> set[str]:
    """Return the other record types from which a staging column takes its value."""
    columns = _extracted(source)
    behind = _columns_behind(source).get(name, set()) if not is_custom_field(name) else set()
    return {columns[each][0] for each in behind if each in columns} - {source}


def _only_origin(source: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield record type and column of the only column from which a staging column comes, apart from keys."""
    columns = _extracted(source)
    origins = {columns[each] for each in _columns_behind(source).get(name, {name}) if each in columns}
    if len(origins) == 1:
        yield from origins


@cache
def _extracted(source: str) -> Mapping[str, tuple[str, str]]:
    """Return the extracted columns of which a staging table is made, with their record type.

    A name of several types is the own one's, or left out.
    """
    tables, own = statement("staging", f"{STAGING_PREFIX}{source}").reads, record_type_of(source)
    types = [each for each in RECORD_TYPES.values() if set(each.raw_tables) & set(tables) and each.name != source]
    found = [(name, each.name) for each in types for name in each.query.names]
    times = Counter(name for name, _ in found)
    keys = {each.query.key for each in (own, *types)}
    places = {name: (place, name) for name, place in found if times[name] == 1}
    places |= {name: (own.name, name) for name in own.query.names}
    return {name: place for name, place in places.items() if name not in keys}


@cache
def _columns_behind(source: str) -> Mapping[str, set[str]]:
    with duckdb.connect() as con:
        return columns_behind(con, statement("staging", f"{STAGING_PREFIX}{source}").text)
