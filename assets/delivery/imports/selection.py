"""The import selection: the records that people chose to import, and their ancestors.

sync_import_selection, mart  ->  read_selection()  ->  the records that an import may create
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

import sql
from assets.delivery.errors import SyncError
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.tables import upsert
from assets.delivery.schemas import DELIVER, KEY
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import quoted, read_frame


class SelectionError(SyncError):
    """A selection cannot be imported; the text names the records and the reasons."""


@dataclass(frozen=True)
class ImportSelection:
    """Records to select for import: by id, by a search in their labels, or all; a search narrows the other two."""

    ids: Sequence[str] = ()
    search: str = ""
    all_records: bool = False

    def __bool__(self) -> bool:
        """Return False for an empty selection."""
        return bool(self.ids or self.search or self.all_records)

    @property
    def selected_by(self) -> str:
        """The way in which the records were selected, as stored: id, search or all."""
        return "id" if self.ids else "search" if self.search else "all"


def read_selection(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> pl.DataFrame:
    """Return the records that an import may create, ancestors included; columns: sql/imports/selection.sql."""
    text = sql.statement("imports", "selection").text.format(mart=quoted(workflow.mart), label=quoted(workflow.label))
    return read_frame(con, text, {"workflow": workflow.name, "imports_all": workflow.imports_all})


def unselected(con: duckdb.DuckDBPyConnection, workflow: Workflow, records: pl.DataFrame) -> pl.DataFrame:
    """Return the records (KEY) that no one selected for import; none where the workflow imports all."""
    if workflow.imports_all:
        return records.clear()
    return records.join(read_selection(con, workflow), on=KEY, how="anti")


def select_records(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, selection: ImportSelection, run_id: str, moment: datetime
) -> int:
    """Add records to a workflow's import selection and return their number.

    Raises:
        SelectionError: An id does not exist or cannot be delivered, or the workflow imports all records anyway.
            Nothing was selected.
    """
    if workflow.imports_all:
        raise SelectionError(
            f"{workflow.name} imports all its records; to import selected ones, set `imports.select: selected` in its"
            " file"
        )
    mart = read_frame(
        con,
        f"select source, source_id, disposition, reason, {quoted(workflow.label)} as label"
        f" from {quoted(workflow.mart)}",
    )
    named = pl.col("label").str.to_lowercase().str.contains(selection.search.lower(), literal=True)
    found = (mart.filter(named) if selection.search else mart).filter(pl.col("disposition") == DELIVER)
    if selection.ids:
        _check_ids(mart, found, selection)
        found = found.filter(pl.col("source_id").is_in(list(selection.ids)))
    rows = found.select(
        pl.lit(workflow.name).alias("workflow"),
        *KEY,
        pl.lit(selection.selected_by).alias("selected_by"),
        pl.lit(run_id).alias("run_id"),
        pl.lit(moment).alias("selected_at"),
    )
    upsert(con, "sync_import_selection", rows)
    details = {"by": selection.selected_by, "run": run_id, "records": _by_source(rows)}
    record_event(con, Event(event=Happened.SELECTED, at=moment, workflow=workflow.name, details=details))
    return rows.height


def _by_source(records: pl.DataFrame) -> dict[str, list[str]]:
    ids = records.group_by("source").agg(pl.col("source_id").sort()).sort("source")
    return dict(ids.select("source", "source_id").iter_rows())


def _check_ids(mart: pl.DataFrame, found: pl.DataFrame, selection: ImportSelection) -> None:
    """Raise a SelectionError that names every id that cannot be selected, with the reason."""
    missing = sorted(set(selection.ids) - set(found["source_id"]), key=lambda key: (len(key), key))
    if not missing:
        return
    reasons = {
        key: reason or f"not found by the search {selection.search!r}"
        for key, reason in mart.select("source_id", "reason").iter_rows()
    }
    problems = (f"{key}: {reasons.get(key, 'this workflow has no record with this id')}" for key in missing)
    raise SelectionError(f"nothing was selected; {'; '.join(problems)}")


def deselect_records(con: duckdb.DuckDBPyConnection, workflow: str, ids: Sequence[str], moment: datetime) -> int:
    """Remove records from the selection and return their number; imported records stay imported."""
    chosen, values = "where workflow = ? and list_contains(?, source_id)", [workflow, list(ids)]
    found = read_frame(con, f"select source, source_id from sync_import_selection {chosen}", values)
    if not found.is_empty():
        con.execute(f"delete from sync_import_selection {chosen}", values)
        details = {"records": _by_source(found)}
        record_event(con, Event(event=Happened.DESELECTED, at=moment, workflow=workflow, details=details))
    return found.height
