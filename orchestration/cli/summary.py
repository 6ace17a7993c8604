"""Print the results of runs and plans: summary, unsent records, and a plan's rows."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from rich.table import Table

from assets.asset_metadata import PREVIEW_ROWS, duration
from assets.delivery.ledger.runs import COUNT_COLUMNS
from assets.delivery.ledger.sealing import unseal
from assets.netsuite.extract.metrics import latest_warnings
from orchestration.cli.output import console, print_line
from resources.encryption import Cipher, EncryptionError
from resources.warehouse.tables import quoted
from resources.warehouse.warehouse import Warehouse

COUNTS = list(COUNT_COLUMNS.values())
SHOWN_RECORDS = 10
# nothing was sent for these records and someone must look at them; blocked records resolve by themselves
NEEDS_ATTENTION = ("quarantined", "ambiguous", "failed")


def print_summary(warehouse: Warehouse, run_id: str) -> None:
    """Print a table with a column per workflow: state, counts per action, calls, seconds."""
    if not warehouse.has("sync_runs"):
        return
    rows = warehouse.read("select * from sync_runs where run_id = ? order by started_at, workflow", [run_id]).to_dicts()
    if not rows:
        return
    only_planned = all(row["plan_id"] is None for row in rows)
    # a line of its own: rich breaks a title that is wider than its table
    print_line(f"run {run_id[:8]}: planned, nothing was sent" if only_planned else f"run {run_id[:8]}", "italic")
    table = Table()
    table.add_column("")
    for row in rows:
        table.add_column(row["workflow"], justify="right")
    table.add_row("state", *(str(row["state"]) for row in rows), end_section=True)
    for action, name in COUNT_COLUMNS.items():
        label = action.value if only_planned else name
        table.add_row(label, *(_number(row[name]) for row in rows), end_section=name == COUNTS[-1])
    table.add_row("calls", *(_number(row["calls"]) for row in rows))
    if not only_planned:
        table.add_row("seconds", *("·" if row["seconds"] is None else f"{row['seconds']:.1f}" for row in rows))
    console.print(table)
    for account in dict.fromkeys(row["account"] for row in rows if row["account"]):
        workflows = ", ".join(row["workflow"] for row in rows if row["account"] == account)
        print_line(f"account {account}: {workflows}", "dim")
    for row in rows:
        if row["note"]:
            print_line(f"{row['workflow']} stopped: {row['note']}", "yellow")
    with warehouse.writer(transaction=False) as con:
        warnings = latest_warnings(con)
    for record_type, text in warnings:
        print_line(f"NetSuite {record_type}: {text}", "yellow")


def _number(value: Any) -> str:
    return f"{value:,}" if value else "·"


def workflows_of_run(warehouse: Warehouse, run_id: str) -> list[str]:
    """Return the workflows of a run, in the order in which they started."""
    if not warehouse.has("sync_runs"):
        return []
    rows = warehouse.read("select workflow from sync_runs where run_id = ? order by started_at", [run_id])
    return [str(name) for name in rows["workflow"]]


def print_unsent(warehouse: Warehouse, workflow: str) -> None:
    """Print the records that need attention, by id and reason."""
    if not warehouse.has("sync_decisions"):
        return
    unsent = warehouse.read(
        "select source, source_id, action, reason from sync_decisions where workflow = ? and to_run is null"
        f" and action in {NEEDS_ATTENTION} order by action, source, try_cast(source_id as bigint)",
        [workflow],
    )
    if unsent.height:
        print_line(f"{workflow}: records that need attention: {unsent.height} (`millpond explain ID`)", "bold")
    for row in unsent.head(SHOWN_RECORDS).iter_rows(named=True):
        print_line(f"  {row['source']} {row['source_id']}: {row['action']}, {row['reason']}")
    if unsent.height > SHOWN_RECORDS:
        print_line(f"  … and {unsent.height - SHOWN_RECORDS} more")


def print_plan(warehouse: Warehouse, workflow: str, *, plan_id: str = "", values: bool = True) -> None:
    """Print counts by action and reason, the cost of sending, and the first records with their changes.

    Args:
        warehouse: The warehouse.
        workflow: The workflow.
        plan_id: The plan; the workflow's newest when blank.
        values: Whether values are printed, or only field names.
    """
    found = warehouse.read(
        "select plan_id, state, writes, calls_needed, seconds_needed, calls_left, expires_at from sync_plans"
        " where workflow = ? and (plan_id = ? or ? = '') order by position desc nulls last limit 1",
        [workflow, plan_id, plan_id],
    ).to_dicts()
    if not found:
        return
    (plan,) = found
    table_name, plan_id = quoted(f"plan_{workflow}"), plan["plan_id"]
    counts = warehouse.read(
        f"select action, reason_code, count(*) as records from {table_name} where plan_id = ?"
        " group by all order by action, records desc",
        [plan_id],
    )
    print_line(f"plan {plan_id} of {workflow}", "italic")
    table = Table("action", "reason", "records")
    for action, code, records in counts.iter_rows():
        table.add_row(action, code or "", f"{records:,}")
    console.print(table)
    if plan["writes"]:
        left = "" if plan["calls_left"] is None else f" of {plan['calls_left']:,} left today"
        print_line(
            f"{plan['writes']:,} records to write, {plan['calls_needed']:,} requests{left},"
            f" {duration(plan['seconds_needed'])}; `millpond apply {plan_id}` sends it until"
            f" {plan['expires_at']:%Y-%m-%d %H:%M} UTC"
        )
    _print_changes(warehouse, table_name, plan_id, values=values)


def _print_changes(warehouse: Warehouse, table_name: str, plan_id: str, *, values: bool) -> None:
    changed = warehouse.read(
        f"select source, source_id, action, changes, reason, payload from {table_name}"
        " where plan_id = ? and (action not in ('unchanged', 'skipped', 'create') or reason_code = 'conflict')"
        " order by source, try_cast(source_id as bigint)",
        [plan_id],
    )
    for row in _decrypted(warehouse, changed.head(PREVIEW_ROWS)).iter_rows(named=True):
        print_line(f"{row['source']} {row['source_id']}: {row['action']}, {row['reason']}")
        for change in row["changes"] or []:
            print_line(f"    {change_text(change) if values else change['field']}", "dim")
    if changed.height > PREVIEW_ROWS:
        print_line(f"… and {changed.height - PREVIEW_ROWS} more")


def _decrypted(warehouse: Warehouse, rows: pl.DataFrame) -> pl.DataFrame:
    """Plan rows with their values; without the key, only with the names of changed fields."""
    try:
        return unseal(rows, Cipher(warehouse.encryption_key))
    except EncryptionError:
        return rows


def change_text(change: Mapping[str, str | None]) -> str:
    """Return one change as text; an encrypted one has neither value."""
    if change["before"] is None and change["after"] is None:
        return f"{change['field']}: encrypted"
    return f"{change['field']}: {change['before'] or '∅'} → {change['after'] or '∅'}"
