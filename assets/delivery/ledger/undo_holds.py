"""Undo holds: records that an undo reverted stay untouched until their source or the workflow file changes.

undo  ->  sync_undo_holds  ->  read_undo_holds()  ->  decide; sent again  ->  end_undo_holds()
"""

from collections.abc import Iterable

import duckdb
import polars as pl

from assets.delivery.schemas import UNDO_HOLD_SCHEMA, SourceKey, keys_frame
from resources.warehouse.tables import insert_frame, read_frame


def read_undo_holds(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Return the undo holds of a workflow: UNDO_HOLD_SCHEMA."""
    holds = read_frame(
        con,
        "select source, source_id, payload_hash as hold_hash, disposition as hold_disposition,"
        " workflow_version as hold_version, undone_run from sync_undo_holds where workflow = ?",
        [workflow],
    )
    return holds if holds.height else pl.DataFrame(schema=UNDO_HOLD_SCHEMA)


def end_undo_holds(con: duckdb.DuckDBPyConnection, workflow: str, keys: Iterable[SourceKey]) -> None:
    """Delete the holds of records that were sent again: restoring the undone values is then a change like any other."""
    con.execute("create or replace temp table _sent_again (source varchar, source_id varchar)")
    insert_frame(con, "_sent_again", keys_frame(keys))
    con.execute(
        "delete from sync_undo_holds where workflow = ?"
        " and (source, source_id) in (select (source, source_id) from _sent_again)",
        [workflow],
    )
