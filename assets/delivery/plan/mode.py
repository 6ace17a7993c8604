"""Who may be created and what may be changed: a run imports, updates, or does both.

sync_picks, mart  ->  read_selection()  ->  narrow(plan, selection, mode)  ->  the plan, with less to send
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import reduce

import duckdb
import polars as pl

import sql
from assets.delivery.ledger import ledger
from assets.delivery.ledger.plans import SyncError
from assets.delivery.mart.transform import DELIVER
from assets.delivery.schemas import KEY
from assets.delivery.target import Action
from resources.warehouse.tables import quoted, read_frame


class Mode(StrEnum):
    """What a run may do."""

    SYNC = "sync"  # import and update
    IMPORT = "import"  # create what is selected and not there; change nothing
    UPDATE = "update"  # change what was imported; create nothing


class PickError(SyncError):
    """What was picked cannot be imported; the text says which and why."""


@dataclass(frozen=True)
class Pick:
    """What a person picks: these ids, all that the search finds, or everything; a search limits the other two."""

    ids: Sequence[str] = ()
    search: str = ""
    everything: bool = False

    def __bool__(self) -> bool:
        """Whether anything is picked at all."""
        return bool(self.ids or self.search or self.everything)


@dataclass(frozen=True)
class Chosen:
    """A workflow's tables and settings, as far as picking needs them."""

    workflow: str
    mart: str
    label: str
    everything: bool


def read_selection(con: duckdb.DuckDBPyConnection, chosen: Chosen) -> pl.DataFrame:
    """The records that an import may create, ancestors included: sql/imports/selection.sql."""
    text = sql.statement("imports", "selection").text.format(mart=quoted(chosen.mart), label=quoted(chosen.label))
    return read_frame(con, text, {"workflow": chosen.workflow, "everything": chosen.everything})


def add_picks(con: duckdb.DuckDBPyConnection, chosen: Chosen, pick: Pick, run_id: str, moment: datetime) -> int:
    """Remember what a person picked; returns how many records that are.

    Raises:
        PickError: A picked id does not exist or cannot be delivered, or the workflow imports everything anyway.
    """
    if chosen.everything:
        text = f"{chosen.workflow} imports everything that it selects; set imports.select to picked in its file"
        raise PickError(text)
    mart = read_frame(
        con,
        f"select source, source_id, disposition, reason, {quoted(chosen.label)} as label from {quoted(chosen.mart)}",
    )
    found = mart.filter(pl.col("label").str.to_lowercase().str.contains(pick.search.lower(), literal=True))
    deliverable = (found if pick.search else mart).filter(pl.col("disposition") == DELIVER)
    if pick.ids:
        _refuse(mart, deliverable, pick)
        deliverable = deliverable.filter(pl.col("source_id").is_in(list(pick.ids)))
    by = "id" if pick.ids else "search" if pick.search else "everything"
    rows = deliverable.select(
        pl.lit(chosen.workflow).alias("workflow"),
        *KEY,
        pl.lit(by).alias("picked_by"),
        pl.lit(run_id).alias("run_id"),
        pl.lit(moment).alias("picked_at"),
    )
    ledger.put(con, "sync_picks", rows)
    return rows.height


def _refuse(mart: pl.DataFrame, deliverable: pl.DataFrame, pick: Pick) -> None:
    """Nothing is picked as long as one id is not what the person thinks it is."""
    reasons = dict(mart.select("source_id", "reason").iter_rows())
    missing = sorted(set(pick.ids) - set(deliverable["source_id"]), key=lambda key: (len(key), key))
    told = [f"{key}: {_why(key, reasons, pick)}" for key in missing]
    if told:
        raise PickError(f"nothing was picked; {'; '.join(told)}")


def _why(key: str, reasons: dict[str, str | None], pick: Pick) -> str:
    if key not in reasons:
        return "no record of this workflow has the id"
    return reasons[key] or f"the search {pick.search!r} does not find it"


def drop_picks(con: duckdb.DuckDBPyConnection, workflow: str, ids: Sequence[str]) -> int:
    """Take picks back; what was imported stays imported. Returns how many were there."""
    gone = con.execute(
        "delete from sync_picks where workflow = ? and list_contains(?, source_id)", [workflow, list(ids)]
    ).fetchall()
    return int(gone[0][0])


def narrow(plan: pl.DataFrame, selection: pl.DataFrame | None, links: pl.DataFrame, mode: Mode) -> pl.DataFrame:
    """Take out of a plan what this run is not for; such a record is skipped and says so.

    Args:
        plan: PLAN_COLUMNS.
        selection: The records that may be created; None: any.
        links: LINK_SCHEMA: what was imported before.
        mode: What the run may do.
    """
    if selection is None and mode is Mode.SYNC:
        return plan
    chosen = plan.select(pl.lit(value=True).alias("_chosen"), *KEY).clear() if selection is None else selection
    marked = plan.join(
        chosen.select(*KEY, pl.lit(value=True).alias("_chosen")), on=KEY, how="left", maintain_order="left"
    ).join(links.select(*KEY, pl.lit(value=True).alias("_known")), on=KEY, how="left", maintain_order="left")
    creates = pl.col("action").is_in([Action.CREATE, Action.ADOPT])
    changes = pl.col("action").is_in([Action.UPDATE, Action.DEACTIVATE, Action.REACTIVATE])
    updating = creates & pl.lit(mode is Mode.UPDATE)
    unpicked = creates & pl.col("_chosen").is_null() & pl.lit(selection is not None)
    cases = (
        (
            updating & pl.col("_known") & (pl.col("action") == Action.CREATE),
            "deleted_in_target",
            "imported, and deleted in the target since; an import makes it anew",
        ),
        (unpicked, "not_picked", "nobody picked it for import"),
        (updating, "not_imported", "not imported yet; an update creates nothing"),
        (changes & pl.lit(mode is Mode.IMPORT), "left_for_update", "differs; an import changes nothing"),
    )

    def pick(position: int, column: str) -> pl.Expr:
        return reduce(
            lambda rest, case: pl.when(case[0].fill_null(value=False)).then(pl.lit(case[position])).otherwise(rest),
            reversed(cases),
            pl.col(column),
        )

    taken = pl.any_horizontal(case[0].fill_null(value=False) for case in cases)
    return marked.with_columns(
        pl.when(taken).then(pl.lit(Action.SKIPPED.value)).otherwise("action").alias("action"),
        pick(1, "reason_code").alias("reason_code"),
        pick(2, "reason").alias("reason"),
        pl.when(~taken).then("payload"),
        pl.when(taken).then(pl.col("changes").list.head(0)).otherwise("changes").alias("changes"),
    ).select(plan.columns)
