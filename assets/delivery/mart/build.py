"""Make the mart of a workflow: its desired target records, from NetSuite's staged records.

stg_netsuite__<source>  ->  make_mart(), or update_mart() for some records  ->  mart_<workflow>
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from itertools import chain
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from assets.delivery.errors import MappingError
from assets.delivery.ledger.certificates import losing_certificate
from assets.delivery.ledger.freshness import record_input, sources_of
from assets.delivery.ledger.restores import require_reads_since_restore
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.locks import builder_lock
from assets.delivery.mart.fingerprints import hashed, insert_hashed
from assets.delivery.mart.hierarchy import FAMILY_SCHEMA, family_columns, levels_of
from assets.delivery.mart.lineage import column_lineage, write_lineage
from assets.delivery.mart.lookup import Lookups, SystemReader, read_lookups
from assets.delivery.mart.references import read_references
from assets.delivery.mart.staging_check import check_shown, check_table
from assets.delivery.mart.transform import Transform
from assets.delivery.mart.typed_values import typed_select
from assets.delivery.mart.unread import Unread, never_read_columns
from assets.delivery.schemas import KEY, MART_COLUMNS, MART_COMMENTS
from assets.delivery.spec.expressions import source_columns
from assets.delivery.spec.field_mapping import Lookup
from assets.delivery.spec.needed_columns import needed_columns, rows_that_look_up
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import key_column
from assets.delivery.spec.workflow import Workflow
from resources.clock import Clock, WallClock
from resources.failpoints import reach
from resources.warehouse.tables import describe_table, insert_frame, quoted, read_frame, replace_table
from resources.warehouse.warehouse import Warehouse

PART_ROWS = 122_880  # transformed at once: the size of DuckDB's row groups


def make_mart(
    warehouse: Warehouse, workflow: Workflow, *, clock: Clock | None = None, read_system: SystemReader | None = None,
    run_id: str = "",
) -> int:  # fmt: skip
    """Transform all source records into mart_<workflow>, in parts, so that memory does not grow with the table.

    Args:
        warehouse: The warehouse.
        workflow: The workflow.
        clock: Time, for `_today`; by default the machine's.
        read_system: Reads records of the target system for lookups.
        run_id: The run; its plan takes this mart as current, whatever other runs stage meanwhile.

    Returns:
        The number of records.

    Raises:
        MappingError: The workflow file does not fit the staging tables.
        SyncError: Another run has been building the mart for an hour.
    """
    with builder_lock(warehouse, workflow.mart):
        with warehouse.writer() as con:
            ensure_ledger(con)
            require_reads_since_restore(con, workflow)
            sources = sources_of(con, workflow)
        lookups, today = read_lookups(warehouse, workflow, read_system), today_of(workflow, clock or WallClock())
        losing = losing_certificate(warehouse, workflow.name, clock or WallClock(), run_id, MappingError)
        with losing, warehouse.writer(tuned=True) as con:
            record_input(con, workflow.mart, workflow.name, run_id, sources=sources)
            records = write_mart(con, workflow, lookups, today)
            write_lineage(con, workflow.name, column_lineage(workflow.spec, workflow.name))
        reach("mart_made")
        return records


def write_mart(con: duckdb.DuckDBPyConnection, workflow: Workflow, lookups: Lookups, today: date) -> int:
    """Replace mart_<workflow>; returns the number of records."""
    _check(con, workflow)
    spec, records = workflow.spec, 0
    transform = _transform(con, workflow, lookups, today)
    fields = dict.fromkeys(spec.target_fields, pl.String)
    replace_table(con, workflow.mart, pl.DataFrame(schema={**MART_COLUMNS, **fields}))
    for transformed in _transformed(con, transform):
        insert_hashed(con, workflow.mart, transformed)
        records += transformed.height
    comments = {**MART_COMMENTS, **workflow.field_comments()}
    description = f"The desired {spec.target} records, one row per NetSuite record of the workflow's sources."
    describe_table(con, workflow.mart, description, [(name, comments[name]) for name in (*MART_COLUMNS, *fields)])
    return records


def update_mart(
    warehouse: Warehouse, workflow: Workflow, keys: pl.DataFrame, *, clock: Clock,
    read_system: SystemReader | None = None,
) -> None:  # fmt: skip
    """Transform some records again and replace their rows of mart_<workflow>.

    Args:
        warehouse: The warehouse.
        workflow: The workflow.
        keys: KEY: the records with all of their ancestors.
        clock: Time.
        read_system: Reads records of the target system for lookups.

    Raises:
        MappingError: The workflow file does not fit the staging tables.
        SyncError: Another run has been building the mart for an hour.
    """
    with builder_lock(warehouse, workflow.mart):
        lookups, today = read_lookups(warehouse, workflow, read_system), today_of(workflow, clock)
        with warehouse.writer() as con:
            rows = transform_records(con, workflow, keys, lookups, today)
            mart = quoted(workflow.mart)
            con.execute(f"delete from {mart} where (source, source_id) in (select (source, source_id) from _updated)")
            insert_frame(con, workflow.mart, rows)


def transform_records(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, keys: pl.DataFrame, lookups: Lookups, today: date
) -> pl.DataFrame:
    """Return the rows that mart_<workflow> should have of some records; `_updated` is a temporary table of their keys.

    Raises:
        MappingError: The workflow file does not fit the staging tables.
    """
    con.execute("create or replace temp table _updated (source varchar, source_id varchar)")
    insert_frame(con, "_updated", keys.select(KEY))
    _check(con, workflow)
    staged = {record.source: _updated(con, record) for record in workflow.spec.records}
    transform = _transform(con, workflow, lookups, today)
    rows = [transform.apply(record, staged[record.source]) for record in transform.spec.records]
    return hashed(con, pl.concat(rows))


def today_of(workflow: Workflow, clock: Clock) -> date:
    """Return the date for `_today`, in the workflow's time zone."""
    return clock.now().astimezone(ZoneInfo(workflow.spec.timezone)).date()


def _check(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> None:
    """Check the staging tables."""
    for record in workflow.spec.records:
        check_table(con, record, workflow.name)
    for record_type, names in needed_columns(workflow).items():
        check_shown(con, record_type, names, workflow.name, rows_that_look_up(workflow, record_type))


def _transform(con: duckdb.DuckDBPyConnection, workflow: Workflow, lookups: Lookups, today: date) -> Transform:
    """Return the transformation: of a few records it is that of all, so that both give them the same values."""
    family = [_family(con, record) for record in workflow.spec.records if record.parent]
    levels = levels_of(pl.concat([pl.DataFrame(schema=FAMILY_SCHEMA), *family]))
    rows = [row for record in workflow.spec.records for row in record.rows]
    references = read_references(con, {row.reference for row in rows if row.reference})
    unread: dict[Lookup | str, Unread] = dict(chain(lookups.unread.items(), references.unread.items()))
    spec = workflow.spec.with_references(references.ids)
    never_read = {each.source: never_read_columns(con, each.source, source_columns(each, "")) for each in spec.records}
    return Transform(workflow.name, spec, lookups.lists, unread, never_read, levels, today)


def _family(con: duckdb.DuckDBPyConnection, record: RecordMap) -> pl.DataFrame:
    columns = dict.fromkeys([key_column(record.source), *(record.parent or {}).values()])
    staged = read_frame(con, f"select {', '.join(map(quoted, columns))} from {quoted(record.table)}")
    return staged.select(family_columns(record))


def _transformed(con: duckdb.DuckDBPyConnection, transform: Transform) -> Iterator[pl.DataFrame]:
    """Transform all records in parts: the next part while the caller stores one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming: Future[pl.DataFrame] | None = None
        for record in transform.spec.records:
            for part in _parts(con, record.table):
                ready, coming = coming, thread.submit(transform.apply, record, part)
                if ready is not None:
                    yield ready.result()
        if coming is not None:
            yield coming.result()


def _parts(con: duckdb.DuckDBPyConnection, table: str) -> Iterator[pl.DataFrame]:
    """Read a table in parts; an empty table is one empty part."""
    end = con.execute(f"select coalesce(max(rowid), 0) from {quoted(table)}").fetchall()[0][0]
    select = typed_select(con, table)
    for start in range(0, end + 1, PART_ROWS):
        yield read_frame(con, f"{select} where rowid >= {start} and rowid < {start + PART_ROWS}")


def _updated(con: duckdb.DuckDBPyConnection, record: RecordMap) -> pl.DataFrame:
    ids = "select source_id from _updated where source = ?"
    key = f"cast({quoted(key_column(record.source))} as varchar)"
    return read_frame(con, f"{typed_select(con, record.table)} where {key} in ({ids})", [record.source])
