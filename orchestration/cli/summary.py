"""Print the results of runs and plans: summary, unsent records, and a plan's rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rich.table import Table

from assets.delivery.audit.damaged import damage_of
from assets.delivery.ledger.runs import COUNT_COLUMNS
from assets.delivery.ledger.sealing import unseal
from assets.delivery.target import HELD
from assets.netsuite.extract.read_warnings import latest_warnings
from assets.result_texts import PREVIEW_ROWS, change_text, duration
from orchestration.cli.output import console, open_table, print_line
from resources.encryption import Cipher, EncryptionError
from resources.warehouse.tables import quoted
from resources.warehouse.warehouse import Warehouse

SHOWN_RECORDS = 10
# nothing was sent for these records and someone must look at them; blocked records resolve by themselves
NEEDS_ATTENTION = ("quarantined", "ambiguous", "failed")


def print_summary(warehouse: Warehouse, run_id: str) -> None:
    """Print a row per workflow, the accounts, and what a person should know about the run."""
    if not warehouse.has("sync_runs"):
        return
    rows = warehouse.read("select * from sync_runs where run_id = ? order by started_at, workflow", [run_id]).to_dicts()
    if not rows:
        return
    only_planned = all(row["plan_id"] is None for row in rows)
    # a line of its own: rich breaks a title that is wider than its table
    print_line(f"run {run_id[:8]}: planned, nothing was sent" if only_planned else f"run {run_id[:8]}", "italic")
    console.print(_summary_table(rows, only_planned=only_planned))
    for account in dict.fromkeys(row["account"] for row in rows if row["account"]):
        workflows = ", ".join(row["workflow"] for row in rows if row["account"] == account)
        print_line(f"account {account}: {workflows}", "dim")
    for row in rows:
        if row["note"]:
            print_line(f"{row['workflow']} stopped: {row['note']}", "yellow")
    _print_warnings(warehouse, [row["workflow"] for row in rows])


def _summary_table(rows: Sequence[Mapping[str, Any]], *, only_planned: bool) -> Table:
    """A row per workflow: state, records by action, calls, seconds."""
    table = open_table("workflow", "state", "records", "calls", "seconds", right={"records", "calls", "seconds"})
    words = {name: action.value if only_planned else name for action, name in COUNT_COLUMNS.items()}
    for row in rows:
        counts = "\n".join(f"{row[name]:,} {word:<11}" for name, word in words.items() if row[name])
        seconds = "·" if row["seconds"] is None or only_planned else f"{row['seconds']:.1f}"
        table.add_row(row["workflow"], row["state"], counts or f"{'none':<11}", f"{row['calls'] or 0:,}", seconds)
    return table


def _print_warnings(warehouse: Warehouse, workflows: Sequence[str]) -> None:
    """Print what the latest reads of NetSuite and of the targets could not read as it should be."""
    with warehouse.writer(transaction=False) as con:
        warnings = latest_warnings(con)
        damaged = {workflow: damage_of(con, workflow) for workflow in workflows}
    for workflow, damage in damaged.items():
        if damage:
            print_line(f"{workflow}: {damage}", "yellow")
    for record_type, text in warnings:
        print_line(f"NetSuite {record_type}: {text}", "yellow")


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
        left = "" if plan["calls_left"] is None else f" ({plan['calls_left']:,} left today)"
        print_line(
            f"records to write: {plan['writes']:,}; requests: {plan['calls_needed']:,}{left};"
            f" time: {duration(plan['seconds_needed'])}; `millpond apply {plan_id}` sends it until"
            f" {plan['expires_at']:%Y-%m-%d %H:%M} UTC"
        )
    _print_changes(warehouse, table_name, plan_id, values=values)


def _print_changes(warehouse: Warehouse, table_name: str, plan_id: str, *, values: bool) -> None:
    """Print the first records of a plan: what it would write before what is held back."""
    changed = warehouse.read(
        f"select source, source_id, action, changes, reason, payload from {table_name}"
        " where plan_id = ? and (action not in ('unchanged', 'skipped', 'create') or reason_code = 'conflict')"
        f" order by action in {HELD}, source, try_cast(source_id as bigint)",
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
