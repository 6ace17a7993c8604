"""The tables beside the plan of a workflow with `imports`: selection, candidates, and the target's records as a tree.

mart, sync_import_selection  ->  selection_<workflow>
plan                         ->  candidates_<workflow>
target state, links          ->  tree_<workflow>
"""

from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl

import sql
from assets.delivery.imports.selection import ImportSelection, read_selection, select_records
from assets.delivery.ledger import plans
from assets.delivery.ledger.freshness import require_tables
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.spec.workflow import Workflow
from resources.clock import Clock, utc_now
from resources.warehouse.tables import describe_table, quoted, read_frame, replace_table
from resources.warehouse.warehouse import Warehouse

LAYERS = ("selection", "candidates", "tree")


def table_of(layer: str, workflow: Workflow) -> str:
    """Return the name of the table and asset of one of LAYERS."""
    return f"{layer}_{workflow.name}"


def column_comments(layer: str) -> Mapping[str, str]:
    """Return the column comments of one of LAYERS."""
    return sql.statement("imports", layer).column_comments


def make_selection(
    warehouse: Warehouse, workflow: Workflow, selection: ImportSelection, *, run_id: str, clock: Clock
) -> tuple[pl.DataFrame, int]:
    """Add records to the import selection and write selection_<workflow>.

    Returns:
        All selected records (columns: sql/imports/selection.sql), and the number of records just added.

    Raises:
        SelectionError: The selection cannot be imported; nothing was selected.
        PlanError: There is no mart yet.
    """
    with warehouse.writer() as con:
        ensure_ledger(con)
        require_tables(con, workflow, workflow.mart)
        added = select_records(con, workflow, selection, run_id, utc_now(clock)) if selection else 0
        frame = read_selection(con, workflow)
        _write(con, "selection", workflow, frame)
    return frame, added


def make_candidates(warehouse: Warehouse, workflow: Workflow) -> pl.DataFrame:
    """Write candidates_<workflow>: the records that the target lacks after the newest plan."""
    with warehouse.writer() as con:
        plan_id = plans.newest(con, workflow.name).plan_id
        require_tables(con, workflow, workflow.mart, table_of("selection", workflow), workflow.plan)
        frame = _read(con, "candidates", workflow, plan_id=plan_id)
        _write(con, "candidates", workflow, frame)
    return frame


def make_tree(warehouse: Warehouse, workflow: Workflow) -> pl.DataFrame:
    """Write tree_<workflow>: the target's records under their parents."""
    with warehouse.writer() as con:
        require_tables(con, workflow, workflow.target_state)
        frame = _read(con, "tree", workflow)
        _write(con, "tree", workflow, frame)
    return frame


def _read(con: duckdb.DuckDBPyConnection, layer: str, workflow: Workflow, **values: Any) -> pl.DataFrame:
    names = {
        "mart": workflow.mart,
        "target_state": workflow.target_state,
        "plan": workflow.plan,
        "label": workflow.label,
        "selection": table_of("selection", workflow),
    }
    text = sql.statement("imports", layer).text.format(**{name: quoted(value) for name, value in names.items()})
    return read_frame(con, text, {"workflow": workflow.name, **values})


def _write(con: duckdb.DuckDBPyConnection, layer: str, workflow: Workflow, frame: pl.DataFrame) -> None:
    table = table_of(layer, workflow)
    replace_table(con, table, frame)
    describe_table(con, table, sql.statement("imports", layer).description, column_comments(layer).items())
