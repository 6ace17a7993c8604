"""The two states that a plan compares: what is desired, shaped from NetSuite's records, and what the target has.

stg_  ->  make_mart  ->  mart_<workflow>; target  ->  read_target_state  ->  target_<workflow>
"""

from collections.abc import Callable, Iterator, Sequence
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from assets.delivery.ledger import ledger
from assets.delivery.locks import one_maker
from assets.delivery.mart.hierarchy import FAMILY_SCHEMA, levels_of
from assets.delivery.mart.lineage import column_lineage
from assets.delivery.mart.transform import (
    MART_COLUMNS,
    MART_COMMENTS,
    check_columns,
    check_flag,
    family_of,
    shape_records,
)
from assets.delivery.plan.planner import Workflow, moment_of
from assets.delivery.spec.expressions import MappingError, as_list, key_column, resolved
from assets.delivery.spec.field_mapping import LookUp
from assets.delivery.spec.workflow_spec import RecordMap
from assets.delivery.target import Target
from resources.clock import Clock, WallClock
from resources.failpoints import reach
from resources.warehouse.tables import (
    columns_of,
    describe_table,
    has_table,
    insert_frame,
    quoted,
    read_frame,
    replace_table,
)
from resources.warehouse.warehouse import Warehouse

PART = 122_880  # rows shaped at once; DuckDB keeps so many together

TARGET_STATE_COMMENTS = {
    "target_id": "The target's internal id.",
    "external_id": "Our key in the target's record; null for records that are not ours.",
    "is_active": "Whether the target's record is switched on.",
    "parent_id": "Target id of the parent record, where the target tells it.",
    "updated_at": "When the target's record last changed, as the target says it.",
}


# records of the target's system by kind, with the asked columns: what a look-up may name beside the warehouse's tables
Foreign = Callable[[str, Sequence[str]], pl.DataFrame]


def make_mart(
    warehouse: Warehouse, workflow: Workflow, *, clock: Clock | None = None, foreign: Foreign | None = None
) -> int:
    """Shape the workflow's source records and keep them as mart_<workflow>; see `mapping.shape`.

    A part of a table at a time, so that memory does not grow with the table.

    Args:
        warehouse: The warehouse.
        workflow: The workflow.
        clock: Time, for `_today`; the wall's when left out.
        foreign: Reads records of the target's system for look-ups.

    Returns:
        How many records it has.

    Raises:
        MappingError: The workflow file does not fit the staging tables.
        SyncError: Another run has been making it for an hour.
    """
    with one_maker(warehouse, workflow.mart):
        return _make_mart(warehouse, workflow, clock or WallClock(), foreign)


def _make_mart(warehouse: Warehouse, workflow: Workflow, clock: Clock, foreign: Foreign | None) -> int:
    spec, records = workflow.spec, 0
    lists = {each: as_list(look_up(warehouse, workflow, each, foreign), each.several) for each in spec.lookups}
    today = clock.now().astimezone(ZoneInfo(spec.timezone)).date()
    with warehouse.writer(tuned=True) as con:
        warehouse.spare_memory(con)
        for record in spec.records:
            check_table(con, record, workflow.name)
        ledger.ensure_ledger(con)
        spec = spec.linked({name: ledger.ids_there(con, name) for name in spec.waits_for})
        family = [family_of(record, _parents(con, record)) for record in spec.records if record.parent]
        levels = levels_of(pl.concat([pl.DataFrame(schema=FAMILY_SCHEMA), *family]))
        replace_table(
            con, workflow.mart, pl.DataFrame(schema={**MART_COLUMNS, **dict.fromkeys(spec.columns, pl.String)})
        )
        for record in spec.records:
            mapped = resolved(record, lists)
            for part in _parts(con, record.table):
                shaped = shape_records(spec, mapped, workflow.name, part, levels, con, today)
                insert_frame(con, workflow.mart, shaped)
                records += shaped.height
        comments = {**MART_COMMENTS, **workflow.field_comments()}
        about = f"What {spec.target} should hold, one row per NetSuite record of the workflow's sources."
        describe_table(con, workflow.mart, about, [(name, comments[name]) for name in (*MART_COLUMNS, *spec.columns)])
        ledger.write_lineage(con, workflow.name, column_lineage(workflow.spec, workflow.name))
    reach("mart_made")
    return records


def check_table(con: duckdb.DuckDBPyConnection, record: RecordMap, name: str) -> None:
    """Compare a record map with its staging table.

    Raises:
        MappingError: They do not fit.
    """
    where, flag = f"{name}.{record.source}", record.select.require_flag
    key_column(record.source)
    if not has_table(con, record.table):
        raise MappingError(f"{name}: there is no table {record.table} yet; materialize it first")
    check_columns(record, where, list(columns_of(con, record.table)))
    counted = f"count({quoted(flag)})" if flag else "0"
    check_flag(record, where, *con.execute(f"select count(*), {counted} from {quoted(record.table)}").fetchall()[0])


def _parents(con: duckdb.DuckDBPyConnection, record: RecordMap) -> pl.DataFrame:
    """The keys of a staging table, with those of the parents."""
    names = dict.fromkeys([key_column(record.source), *(record.parent or {}).values()])
    return read_frame(con, f"select {', '.join(map(quoted, names))} from {quoted(record.table)}")


def _parts(con: duckdb.DuckDBPyConnection, table: str) -> Iterator[pl.DataFrame]:
    """A table, part by part; one part at least."""
    end = con.execute(f"select coalesce(max(rowid), 0) from {quoted(table)}").fetchall()[0][0]
    for start in range(0, end + 1, PART):
        yield read_frame(con, f"from {quoted(table)} where rowid >= {start} and rowid < {start + PART}")


def look_up(warehouse: Warehouse, workflow: Workflow, lookup: LookUp, foreign: Foreign | None) -> pl.DataFrame:
    """The two columns of a look-up, of the warehouse's table or of the target's system.

    Raises:
        MappingError: There is no such table, or it has no such column.
    """
    asked = [lookup.by, lookup.return_]
    where = f"{workflow.name}: look-up of {lookup.told}"
    if "." in lookup.table:
        if foreign is None:
            raise MappingError(
                f"{where}: only a run reads records of {workflow.spec.system}; name a table of the warehouse"
            )
        return _two(foreign(lookup.table.partition(".")[2], list(dict.fromkeys(asked))), lookup)
    with warehouse.writer(transaction=False) as con:
        if not has_table(con, lookup.table):
            raise MappingError(f"{where}: the warehouse has no table {lookup.table} yet; materialize it first")
        missing = sorted(set(asked) - columns_of(con, lookup.table).keys())
        if missing:
            raise MappingError(f"{where}: the table has no column {', '.join(missing)}; correct the workflow file")
        live = "where not is_deleted" if "is_deleted" in columns_of(con, lookup.table) else ""
        return _two(read_frame(con, f"select * from {quoted(lookup.table)} {live}"), lookup)


def _two(table: pl.DataFrame, lookup: LookUp) -> pl.DataFrame:
    return table.select(pl.col(lookup.by).alias("by"), pl.col(lookup.return_).alias("return"))


def read_target_state(
    warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock
) -> pl.DataFrame:
    """Read back every record of the target and keep them as target_<workflow>."""
    with one_maker(warehouse, workflow.target_state):
        return _read_target_state(warehouse, workflow, target, run_id=run_id, clock=clock)


def _read_target_state(
    warehouse: Warehouse, workflow: Workflow, target: Target, *, run_id: str, clock: Clock
) -> pl.DataFrame:
    began, before = moment_of(clock), target.calls
    target_state = target.read(workflow.spec.columns)
    reach("twin_read")
    with warehouse.writer() as con:
        replace_table(con, workflow.target_state, target_state)
        comments = {**{name: f"{name} as the target has it." for name in target_state.columns}, **TARGET_STATE_COMMENTS}
        about = f"What {workflow.spec.target} holds, as last read back, records of others included."
        describe_table(con, workflow.target_state, about, [(name, comments[name]) for name in target_state.columns])
        ledger.ensure_ledger(con)
        noted = {"state": "read", "started_at": began, "workflow_version": workflow.spec.version}
        ledger.note_run(con, run_id, workflow.name, noted, calls=target.calls - before)
    return target_state
