"""What a person reads on the terminal about a run: summary, what is held back, a plan's rows, problems."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from assets.asset_metadata import PREVIEW_ROWS, duration
from assets.delivery.ledger.ledger import COUNTED
from assets.delivery.ledger.plans import PlanError, Seal
from resources.warehouse.tables import quoted
from resources.warehouse.warehouse import Warehouse

COUNTS = list(COUNTED.values())
SHOWN_RECORDS = 10
# what a person must look at: nothing was sent for these records; blocked ones go by themselves
HELD = ("quarantined", "ambiguous", "failed")


def print_problems(problems: Sequence[str], console: Console) -> None:
    """Each problem on its own line, as it is."""
    for problem in dict.fromkeys(problems):
        console.print(f"✗ {problem}", style="red", markup=False, highlight=False, soft_wrap=True)


def print_summary(warehouse: Warehouse, run_id: str, console: Console) -> None:
    """One row per workflow: what was done, calls made, seconds."""
    if not warehouse.has("sync_runs"):
        return
    rows = warehouse.read("select * from sync_runs where run_id = ? order by started_at, workflow", [run_id]).to_dicts()
    if not rows:
        return
    only_planned = all(row["plan_id"] is None for row in rows)
    title = f"run {run_id[:8]}: planned, nothing was sent" if only_planned else f"run {run_id[:8]}"
    _print_line(title, console, style="italic")  # a table would break a title that is wider than itself
    table = Table()
    table.add_column("")
    for row in rows:
        table.add_column(row["workflow"], justify="right")
    table.add_row("state", *(str(row["state"]) for row in rows), end_section=True)
    for action, name in COUNTED.items():
        label = action.value if only_planned else name
        table.add_row(label, *(_number(row[name]) for row in rows), end_section=name == COUNTS[-1])
    table.add_row("calls", *(_number(row["calls"]) for row in rows))
    if not only_planned:
        table.add_row("seconds", *("·" if row["seconds"] is None else f"{row['seconds']:.1f}" for row in rows))
    console.print(table)
    for account in dict.fromkeys(row["account"] for row in rows if row["account"]):
        of = ", ".join(row["workflow"] for row in rows if row["account"] == account)
        _print_line(f"account {account}: {of}", console, style="dim")
    for row in rows:
        if row["note"]:
            console.print(f"{row['workflow']} stopped: {row['note']}", style="yellow", markup=False, soft_wrap=True)


def _number(value: Any) -> str:
    return f"{value:,}" if value else "·"


def _workflows_of(warehouse: Warehouse, run_id: str) -> list[str]:
    if not warehouse.has("sync_runs"):
        return []
    rows = warehouse.read("select workflow from sync_runs where run_id = ? order by started_at", [run_id])
    return [str(name) for name in rows["workflow"]]


def print_held(warehouse: Warehouse, workflow: str, console: Console) -> None:
    """Records for which nothing could be sent, by id and reason."""
    if not warehouse.has("sync_decisions"):
        return
    held = warehouse.read(
        "select source, source_id, action, reason from sync_decisions where workflow = ? and to_run is null"
        f" and action in {HELD} order by action, source, try_cast(source_id as bigint)",
        [workflow],
    )
    if held.height:
        console.print(
            f"{workflow}: {held.height} to look at; `millpond explain ID` tells the story of one", style="bold"
        )
    for row in held.head(SHOWN_RECORDS).iter_rows(named=True):
        _print_line(f"  {row['source']} {row['source_id']}: {row['action']}, {row['reason']}", console)
    if held.height > SHOWN_RECORDS:
        _print_line(f"  … and {held.height - SHOWN_RECORDS} more", console)


def _print_line(line: str, console: Console, style: str = "") -> None:
    """One line as it is; into a pipe it is never broken."""
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def print_plan(
    warehouse: Warehouse, workflow: str, console: Console, *, plan_id: str = "", values: bool = True
) -> None:
    """Counts by action and reason, what sending takes, then the first records with what would change.

    Without a plan id it is the newest plan of the workflow; without values only the fields are named.
    """
    plan = quoted(f"plan_{workflow}")
    known = warehouse.read(
        "select plan_id, state, writes, calls_needed, seconds_needed, calls_left, expires_at from sync_plans"
        " where workflow = ? and (plan_id = ? or ? = '') order by made_at desc limit 1",
        [workflow, plan_id, plan_id],
    ).to_dicts()
    if not known:
        return
    plan_id = known[0]["plan_id"]
    counts = warehouse.read(
        f"select action, reason_code, count(*) as records from {plan} where plan_id = ?"
        " group by all order by action, records desc",
        [plan_id],
    )
    _print_line(f"plan {plan_id} of {workflow}", console, style="italic")
    table = Table("action", "reason", "records")
    for action, code, records in counts.iter_rows():
        table.add_row(action, code or "", f"{records:,}")
    console.print(table)
    if known[0]["writes"]:
        takes, left = duration(known[0]["seconds_needed"]), known[0]["calls_left"]
        of = "" if left is None else f" of {left:,} that are left today"
        _print_line(
            f"{known[0]['writes']:,} records to write, {known[0]['calls_needed']:,} requests{of}, {takes};"
            f" `millpond apply {plan_id}` sends it until {known[0]['expires_at']:%Y-%m-%d %H:%M} UTC",
            console,
        )
    first = warehouse.read(
        f"select source, source_id, action, changes, reason, payload from {plan}"
        " where plan_id = ? and (action not in ('unchanged', 'skipped', 'create') or reason_code = 'conflict')"
        " order by source, try_cast(source_id as bigint)",
        [plan_id],
    )
    for row in _opened(warehouse, first.head(PREVIEW_ROWS)).iter_rows(named=True):
        _print_line(f"{row['source']} {row['source_id']}: {row['action']}, {row['reason']}", console)
        for change in row["changes"] or []:
            _print_line(f"    {change_text(change) if values else change['field']}", console, style="dim")
    if first.height > PREVIEW_ROWS:
        _print_line(f"… and {first.height - PREVIEW_ROWS} more", console)


def _opened(warehouse: Warehouse, rows: pl.DataFrame) -> pl.DataFrame:
    """Plan rows with their values, for who has the key; the others see which fields change."""
    try:
        return Seal(warehouse.seal_key).open(rows)
    except PlanError:
        return rows


def change_text(change: Mapping[str, str | None]) -> str:
    """One change as a person reads it; a sealed one has neither value."""
    if change["before"] is None and change["after"] is None:
        return f"{change['field']}: sealed"
    return f"{change['field']}: {change['before'] or '∅'} → {change['after'] or '∅'}"
