"""What a workflow with `imports` shows beside its plan: selection, candidates, and the target's tree.

mart, sync_picks  ->  selection_<workflow>;  plan  ->  candidates_<workflow>;  target state, links  ->  tree_<workflow>
"""

from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl

import sql
from assets.delivery.ledger import ledger, plans
from assets.delivery.plan.mode import Pick, add_picks, read_selection
from assets.delivery.plan.planner import Workflow, moment_of
from resources.clock import Clock
from resources.warehouse.tables import describe_table, quoted, read_frame, replace_table
from resources.warehouse.warehouse import Warehouse

LAYERS = ("selection", "candidates", "tree")


def table_of(layer: str, workflow: Workflow) -> str:
    """Name of the table and asset of one of LAYERS."""
    return f"{layer}_{workflow.name}"


def comments_of(layer: str) -> Mapping[str, str]:
    """What the columns of one of LAYERS mean."""
    return sql.statement("imports", layer).column_comments


def make_selection(
    warehouse: Warehouse, workflow: Workflow, pick: Pick, *, run_id: str, clock: Clock
) -> tuple[pl.DataFrame, int]:
    """Remember what was picked and keep what is selected by now as selection_<workflow>.

    Returns:
        The selection, and how many records were picked just now.

    Raises:
        PickError: The pick cannot be imported; nothing was picked.
    """
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        picked = add_picks(con, workflow.chosen, pick, run_id, moment_of(clock)) if pick else 0
        frame = read_selection(con, workflow.chosen)
        _keep(con, "selection", workflow, frame)
    return frame, picked


def make_candidates(warehouse: Warehouse, workflow: Workflow) -> pl.DataFrame:
    """Keep what is not in the target as candidates_<workflow>, as of the newest plan and what was sent by it."""
    with warehouse.writer() as con:
        newest = plans.newest(con, workflow.name).plan_id
        frame = _read(con, "candidates", workflow, plan_id=newest)
        _keep(con, "candidates", workflow, frame)
    return frame


def make_tree(warehouse: Warehouse, workflow: Workflow) -> pl.DataFrame:
    """Keep the target's records in their order below each other as tree_<workflow>."""
    with warehouse.writer() as con:
        frame = _read(con, "tree", workflow)
        _keep(con, "tree", workflow, frame)
    return frame


def _read(con: duckdb.DuckDBPyConnection, layer: str, workflow: Workflow, **values: Any) -> pl.DataFrame:
    tables = {
        "mart": workflow.mart,
        "target_state": workflow.target_state,
        "plan": workflow.plan,
        "label": workflow.chosen.label,
    }
    names = {name: quoted(text) for name, text in tables.items()}
    text = sql.statement("imports", layer).text.format(**names, selection=quoted(table_of("selection", workflow)))
    return read_frame(con, text, {"workflow": workflow.name, **values})


def _keep(con: duckdb.DuckDBPyConnection, layer: str, workflow: Workflow, frame: pl.DataFrame) -> None:
    table = table_of(layer, workflow)
    replace_table(con, table, frame)
    describe_table(con, table, sql.statement("imports", layer).description, comments_of(layer).items())
