"""Make the mart of a workflow: its desired target records, from NetSuite's staged records.

stg_netsuite__<source>  ->  make_mart(), or update_mart() for some records  ->  mart_<workflow>

Making it reads all records, and transforms those of which an input changed since (see inputs.py).
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from itertools import chain
from typing import NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from assets.delivery.errors import MappingError
from assets.delivery.ledger.certificates import losing_certificate
from assets.delivery.ledger.freshness import record_input, sources_of
from assets.delivery.ledger.restores import require_reads_since_restore
from assets.delivery.ledger.sides import MART
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.ledger.versions import keep_versions
from assets.delivery.locks import builder_lock
from assets.delivery.mart.fingerprints import hashed, insert_hashed
from assets.delivery.mart.hierarchy import FAMILY_SCHEMA, family_columns, levels_of
from assets.delivery.mart.inputs import find_changed_rows, input_select, shared_inputs
from assets.delivery.mart.lineage import column_lineage, write_lineage
from assets.delivery.mart.lookup import Lookups, SystemReader, read_lookups
from assets.delivery.mart.references import read_references
from assets.delivery.mart.staging_check import check_shown, check_table
from assets.delivery.mart.transform import Transform
from assets.delivery.mart.unread import Unread, never_read_columns
from assets.delivery.mart.versions import keep_mart, selected_reading
from assets.delivery.schemas import KEY, MART_COLUMNS, MART_COMMENTS
from assets.delivery.spec.expressions import source_columns
from assets.delivery.spec.field_mapping import Lookup
from assets.delivery.spec.needed_columns import needed_columns, rows_that_look_up
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import key_column
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.record_types import record_type_of
from resources.clock import Clock, WallClock, utc_now
from resources.failpoints import reach
from resources.warehouse.forgotten import held_ids
from resources.warehouse.tables import describe_table, insert_frame, quoted, read_frame, replace_table
from resources.warehouse.warehouse import Warehouse

CHANGED = "_updated"  # temporary table of the keys of the rows that are made again
PART_ROWS = 40_960  # transformed at once: a third of a row group of DuckDB takes 300 MB less memory than a whole one


class MadeMart(NamedTuple):
    """The number of records of a mart, and how many of them a run transformed; the others had not changed."""

    records: int
    transformed: int


class _Making(NamedTuple):
    """The transformation of all records, and the fingerprint of what they share."""

    transform: Transform
    shared: str


def make_mart(
    warehouse: Warehouse, workflow: Workflow, *, clock: Clock | None = None, read_system: SystemReader | None = None,
    run_id: str = "",
) -> MadeMart:  # fmt: skip
    """Bring mart_<workflow> to the state of all source records, in parts, so that memory does not grow with the table.

    Args:
        warehouse: The warehouse.
        workflow: The workflow.
        clock: Time, for `_today`; by default the machine's.
        read_system: Reads records of the target system for lookups.
        run_id: The run; its plan takes this mart as current, whatever other runs stage meanwhile.

    Raises:
        MappingError: The workflow file does not fit the staging tables.
        StuckError: Another run has been building the mart for an hour.
    """
    with builder_lock(warehouse, workflow.mart):
        with warehouse.writer() as con:
            ensure_ledger(con)
            require_reads_since_restore(con, workflow)
            sources = sources_of(con, workflow)
        lookups, today = read_lookups(warehouse, workflow, read_system), today_of(workflow, clock or WallClock())
        losing = losing_certificate(warehouse, workflow.name, clock or WallClock(), run_id, MappingError)
        with losing, warehouse.writer() as con:
            record_input(con, workflow.mart, workflow.name, run_id, sources=sources)
            made = write_mart(con, workflow, lookups, today)
            write_lineage(con, workflow.name, column_lineage(workflow.spec, workflow.name))
            changed = "" if not made.transformed else CHANGED if made.transformed < made.records else None
            keep_mart(con, workflow, utc_now(clock or WallClock()), run_id, changed=changed)
        reach("mart_made")
        return made


def write_mart(con: duckdb.DuckDBPyConnection, workflow: Workflow, lookups: Lookups, today: date) -> MadeMart:
    """Bring mart_<workflow> up to date: the rows of which an input changed, or all of them."""
    _check(con, workflow)
    making = _making(con, workflow, lookups, today)
    columns = (*MART_COLUMNS, *workflow.spec.target_fields)
    changed = find_changed_rows(con, workflow.mart, columns, *making)
    if changed:
        _replace_rows(con, workflow, _transform_updated(con, making))
    records = sum(_count(con, record.table) for record in workflow.spec.records)
    # the numbers differ if a key is repeated, with the same values
    if changed is None or records != _count(con, workflow.mart):
        _write_all(con, workflow, making)
        changed = None
    if changed != 0:
        comments = {**MART_COMMENTS, **workflow.field_comments()}
        text = f"The desired {workflow.spec.target} records, one row per NetSuite record of the workflow's sources."
        describe_table(con, workflow.mart, text, [(name, comments[name]) for name in columns])
    return MadeMart(records, records if changed is None else changed)


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(con.execute(f"select count(*) from {quoted(table)}").fetchall()[0][0])


def _write_all(con: duckdb.DuckDBPyConnection, workflow: Workflow, making: _Making) -> None:
    """Replace mart_<workflow>."""
    fields = dict.fromkeys(workflow.spec.target_fields, pl.String)
    replace_table(con, workflow.mart, pl.DataFrame(schema={**MART_COLUMNS, **fields}))
    for transformed in _transformed(con, making):
        insert_hashed(con, workflow.mart, transformed)


def _replace_rows(con: duckdb.DuckDBPyConnection, workflow: Workflow, rows: pl.DataFrame) -> None:
    """Replace the rows of the keys in `_updated`; some may have none."""
    keyed = "(source, source_id) in (select (source, source_id) from _updated)"
    con.execute(f"delete from {quoted(workflow.mart)} where {keyed}")
    insert_frame(con, workflow.mart, rows)


def update_mart(
    warehouse: Warehouse, workflow: Workflow, keys: pl.DataFrame, *, clock: Clock,
    read_system: SystemReader | None = None, run_id: str = "",
) -> None:  # fmt: skip
    """Transform some records (KEY), with all of their ancestors, again and replace their rows of mart_<workflow>.

    Raises:
        MappingError: The workflow file does not fit the staging tables.
        StuckError: Another run has been building the mart for an hour.
    """
    with builder_lock(warehouse, workflow.mart):
        lookups, today = read_lookups(warehouse, workflow, read_system), today_of(workflow, clock)
        with warehouse.writer() as con:
            _replace_rows(con, workflow, transform_records(con, workflow, keys, lookups, today))
            keep_versions(con, MART, selected_reading(workflow, utc_now(clock), run_id), keys=CHANGED)


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
    return _transform_updated(con, _making(con, workflow, lookups, today))


def _transform_updated(con: duckdb.DuckDBPyConnection, making: _Making) -> pl.DataFrame:
    """Transform the records in `_updated`."""
    transform, shared = making
    rows = [transform.apply(record, _updated(con, record, shared)) for record in transform.spec.records]
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


def _making(con: duckdb.DuckDBPyConnection, workflow: Workflow, lookups: Lookups, today: date) -> _Making:
    """Return the transformation: of a few records it is that of all, so that both give them the same values."""
    family = [_family(con, record) for record in workflow.spec.records if record.parent]
    levels = levels_of(pl.concat([pl.DataFrame(schema=FAMILY_SCHEMA), *family]))
    rows = [row for record in workflow.spec.records for row in record.rows]
    references = read_references(con, {row.reference for row in rows if row.reference})
    unread: dict[Lookup | str, Unread] = dict(chain(lookups.unread.items(), references.unread.items()))
    spec = workflow.spec.with_references(references.ids)
    never_read = {each.source: never_read_columns(con, each.source, source_columns(each, "")) for each in spec.records}
    forgotten = {
        each.source: held_ids(con, each.source, each.table, record_type_of(each.source).raw_tables)
        for each in spec.records
    }
    transform = Transform(workflow.name, spec, lookups.lists, unread, never_read, levels, today, forgotten)
    return _Making(transform, shared_inputs(con, transform, workflow.spec.version, lookups, references))


def _family(con: duckdb.DuckDBPyConnection, record: RecordMap) -> pl.DataFrame:
    columns = dict.fromkeys([key_column(record.source), *(record.parent or {}).values()])
    staged = read_frame(con, f"select {', '.join(map(quoted, columns))} from {quoted(record.table)}")
    return staged.select(family_columns(record))


def _transformed(con: duckdb.DuckDBPyConnection, making: _Making) -> Iterator[pl.DataFrame]:
    """Transform all records in parts: the next part while the caller stores one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming: Future[pl.DataFrame] | None = None
        for record in making.transform.spec.records:
            for part in _parts(con, record, making.shared):
                ready, coming = coming, thread.submit(making.transform.apply, record, part)
                if ready is not None:
                    yield ready.result()
        if coming is not None:
            yield coming.result()


def _parts(con: duckdb.DuckDBPyConnection, record: RecordMap, shared: str) -> Iterator[pl.DataFrame]:
    """Read a table in parts; an empty table is one empty part."""
    end = con.execute(f"select coalesce(max(rowid), 0) from {quoted(record.table)}").fetchall()[0][0]
    select = input_select(con, record, shared)
    for start in range(0, end + 1, PART_ROWS):
        yield read_frame(con, f"{select} where rowid >= {start} and rowid < {start + PART_ROWS}")


def _updated(con: duckdb.DuckDBPyConnection, record: RecordMap, shared: str) -> pl.DataFrame:
    ids = "select source_id from _updated where source = ?"
    key = f"cast({quoted(key_column(record.source))} as varchar)"
    return read_frame(con, f"{input_select(con, record, shared)} where {key} in ({ids})", [record.source])
