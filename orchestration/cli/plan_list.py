"""`millpond plans`: the plans that wait for a decision."""

import polars as pl

from assets.delivery.ledger import plans as ledger
from assets.delivery.ledger.plans import PlanState
from assets.delivery.ledger.tables import ensure_ledger
from assets.result_texts import duration
from orchestration.cli.options import All
from orchestration.cli.output import console, open_table, print_line
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_clock, warehouse_of
from resources.clock import Clock, steady, utc_now
from resources.warehouse.warehouse import Warehouse

SHOWN_PLANS = 50


def plans(*, show_all: All = False) -> int:
    """List the open plans: awaiting approval, or just made.

    Args:
        show_all: Also those that were sent, rejected or expired.
    """
    settings = MillpondSettings()
    rows = _plans(warehouse_of(settings), warehouse_clock(settings), show_all=show_all)
    table = open_table("plan", "workflow", "kind", "state", "writes", "calls", "takes", "made", "expires")
    for row in rows.iter_rows(named=True):
        table.add_row(
            row["plan_id"], row["workflow"], row["kind"], row["state"], f"{row['writes']:,}",
            f"{row['calls_needed']:,}", duration(row["seconds_needed"]), f"{row['made_at']:%m-%d %H:%M}",
            f"{row['expires_at']:%m-%d %H:%M}",
        )  # fmt: skip
    console.print(table if rows.height else "no open plan; `millpond plan GROUP` makes one")
    for row in rows.iter_rows(named=True):
        if row["state"] == PlanState.WAITING and row["note"]:
            print_line(f"{row['plan_id']}: {row['note']}")
    return 0


def _plans(warehouse: Warehouse, clock: Clock, *, show_all: bool) -> pl.DataFrame:
    with warehouse.writer() as con:
        ensure_ledger(con)
        ledger.expire(con, utc_now(clock), steady(clock))
    condition = "true" if show_all else "state in ('ready', 'waiting')"
    return warehouse.read(
        "select plan_id, workflow, concat_ws(' ', kind, left(undone_run, 8)) as kind, state, writes, calls_needed,"
        " seconds_needed, made_at, expires_at, note"
        f" from sync_plans where {condition} order by position desc nulls last limit {SHOWN_PLANS}"
    )
