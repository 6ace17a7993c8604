"""`millpond plans`: the plans that wait for a decision."""

from pathlib import Path

import polars as pl

from assets.delivery.ledger import plans as ledger
from assets.delivery.ledger.plans import PlanState
from assets.delivery.ledger.shadows import active_shadows
from assets.delivery.ledger.tables import ensure_ledger
from assets.result_texts import duration
from orchestration.cli.exit_codes import CLEAN
from orchestration.cli.facts import note, with_json
from orchestration.cli.options import All
from orchestration.cli.output import console, open_table, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_clock, warehouse_of
from resources.clock import Clock, steady, utc_now
from resources.warehouse.warehouse import Warehouse

SHOWN_PLANS = 50
WIDE = 120  # columns of a terminal that has room for every column
ONLY_IF_WIDE = frozenset({"requests", "time", "made", "kind"})


@with_json
def plans(
    plan: str = "", *, show_all: All = False, limit: int | None = None, html: Path | None = None,
    csv: Path | None = None,
) -> int:  # fmt: skip
    """List the open plans, or print one of them.

    Args:
        plan: A plan to print, by its id or its first characters; it is not made again.
        show_all: Also those that were sent, rejected or expired, or write nothing.
        limit: Records to print of the plan; all when omitted.
        html: Also write the plan as a page for reviewers to this file.
        csv: Also write it as a table: a row per record and field.
    """
    settings = MillpondSettings()
    warehouse = warehouse_of(settings)
    if plan:
        from orchestration.cli.plan_show import print_stored  # late: the workflow files load the targets

        return print_stored(warehouse, plan, limit, (html, csv))
    rows = _plans(warehouse, warehouse_clock(settings), show_all=show_all)
    note(plans=rows.to_dicts())
    if rows.is_empty():
        print_wrapped("no open plan; `millpond plan GROUP` makes one")
        print_shadowed(warehouse)
        return CLEAN
    _print_table(rows)
    for row in rows.iter_rows(named=True):
        if row["state"] == PlanState.WAITING and row["note"]:
            print_wrapped(f"{row['plan_id']}: {row['note']}")
    print_wrapped("`millpond plans PLAN` prints one, `millpond apply PLAN` sends it", "dim")
    print_shadowed(warehouse)
    return CLEAN


def print_shadowed(warehouse: Warehouse, table: str = "") -> None:
    """Print which workflows only compare, or the one that a table belongs to: nothing of them is sent."""
    with warehouse.writer(transaction=False) as con:
        for each in active_shadows(con):
            if not table or table.partition("_")[2] == each.workflow:
                print_wrapped(f"{each.sentence}; `millpond shadow report` compares", "yellow")


def _print_table(rows: pl.DataFrame) -> None:
    """Print a row for each plan; a narrow terminal has room for the names, but not for every column."""
    columns = {
        "plan": rows["plan_id"],
        "workflow": rows["workflow"],
        "state": rows["state"],
        "writes": [f"{each:,}" for each in rows["writes"]],
        "requests": [f"{each:,}" for each in rows["calls_needed"]],
        "time": ["unknown" if each is None else duration(each) for each in rows["seconds_needed"]],
        "expires": [f"{each:%m-%d %H:%M}" for each in rows["expires_at"]],
        "made": [f"{each:%m-%d %H:%M}" for each in rows["made_at"]],
        "kind": rows["kind"],
    }
    shown = [name for name in columns if console.width >= WIDE or name not in ONLY_IF_WIDE]
    table = open_table(*shown, right={"writes", "requests"})
    for cells in zip(*(columns[name] for name in shown), strict=True):
        table.add_row(*cells)
    console.print(table)


def _plans(warehouse: Warehouse, clock: Clock, *, show_all: bool) -> pl.DataFrame:
    with warehouse.writer() as con:
        ensure_ledger(con)
        ledger.expire(con, utc_now(clock), steady(clock))
    # an open plan that writes nothing needs no decision, unless a guard stopped it
    condition = "true" if show_all else "state in ('ready', 'waiting') and (writes > 0 or note is not null)"
    return warehouse.read(
        "select plan_id, workflow, concat_ws(' ', kind, left(undone_run, 8)) as kind, state, writes, calls_needed,"
        " seconds_needed, made_at, expires_at, note"
        f" from sync_plans where {condition} order by position desc nulls last limit {SHOWN_PLANS}"
    )
