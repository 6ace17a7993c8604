"""Print the results of a run: a row per workflow, what a person should know, and what it holds back."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import duckdb
import polars as pl
from rich.table import Table

from assets.delivery.audit.damaged import damage_of
from assets.delivery.audit.held_back import cause_texts, held_and_ignored, held_back, held_records, without_values
from assets.delivery.ledger.runs import counted_words
from assets.delivery.schemas import KEY, SourceKey, keys_frame
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import Action
from assets.netsuite.extract.read_warnings import latest_warnings
from assets.result_texts import counted
from orchestration.cli.facts import note
from orchestration.cli.output import console, open_table, print_line, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_clock
from resources.clock import utc_now
from resources.warehouse.masking import QUOTING
from resources.warehouse.tables import has_table, read_frame
from resources.warehouse.warehouse import Warehouse

SHOWN_RECORDS = 10
# nothing was sent for these records and someone must look at them; blocked records resolve by themselves
NEEDS_ATTENTION = (Action.QUARANTINED.value, Action.AMBIGUOUS.value, Action.FAILED.value)


def print_summary(warehouse: Warehouse, run_id: str) -> None:
    """Print a row per workflow, the accounts, and what a person should know about the run."""
    if not warehouse.has("sync_runs"):
        return
    query = "select * from sync_runs where run_id = ? order by coalesce(read_position, position), workflow"
    rows = warehouse.read(query, [run_id]).to_dicts()
    if not rows:
        return
    note(runs=rows)
    only_planned = all(row["plan_id"] is None for row in rows)
    # a line of its own: rich breaks a title that is wider than its table
    print_line(f"run {run_id[:8]}: planned, nothing was sent" if only_planned else f"run {run_id[:8]}", "italic")
    console.print(_summary_table(rows))
    for account in dict.fromkeys(row["account"] for row in rows if row["account"]):
        workflows = ", ".join(row["workflow"] for row in rows if row["account"] == account)
        print_wrapped(f"account {account}: {workflows}", "dim")
    for row in rows:
        if row["note"]:
            # what the day's quota stops goes on by itself
            stopped = f"{row['deferred']:,} " if row["deferred"] else "stopped: "
            print_wrapped(f"{row['workflow']}: {stopped}{row['note']}", "yellow")
    _print_warnings(warehouse, [row["workflow"] for row in rows])


def _summary_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row per workflow: state, records by action, calls, seconds."""
    table = open_table("workflow", "state", "records", "calls", "seconds", right={"records", "calls", "seconds"})
    for row in rows:
        is_planned = row["plan_id"] is None
        words = counted_words(is_planned=is_planned)
        counts = "\n".join(f"{row[name]:,} {word:<11}" for name, word in words.items() if row[name])
        seconds = "·" if row["seconds"] is None or is_planned else f"{row['seconds']:.1f}"
        table.add_row(row["workflow"], row["state"], counts or f"{'none':<11}", f"{row['calls'] or 0:,}", seconds)
    return table


def _print_warnings(warehouse: Warehouse, workflows: Sequence[str]) -> None:
    """Print what the latest reads of NetSuite and of the targets could not read as it should be."""
    with warehouse.writer(transaction=False) as con:
        warnings = latest_warnings(con)
        damaged = {workflow: damage_of(con, workflow) for workflow in workflows}
    for workflow, damage in damaged.items():
        if damage:
            print_wrapped(f"{workflow}: {damage}", "yellow")
    for record_type, text in warnings:
        print_wrapped(f"NetSuite {record_type}: {text}", "yellow")


def workflows_of_run(warehouse: Warehouse, run_id: str) -> list[str]:
    """Return the workflows of a run, in the order in which they started."""
    if not warehouse.has("sync_runs"):
        return []
    query = "select workflow from sync_runs where run_id = ? order by coalesce(read_position, position)"
    rows = warehouse.read(query, [run_id])
    return [str(name) for name in rows["workflow"]]


def print_held_back(warehouse: Warehouse, workflow: Workflow, workflows: Mapping[str, Workflow], run_id: str) -> int:
    """Print what a workflow holds back after a run: what needs attention by record, what is blocked by root cause.

    If a guard stopped the run, this is what its plan decided.

    Returns:
        The number of records that need attention since this run, or for another reason than before it.
    """
    with warehouse.writer(transaction=False) as con:
        plans = _open_plan(con, workflow.name, run_id)
        held = held_records(con, [workflow], workflows, plans, utc_now(warehouse_clock(MillpondSettings())))
        new = new_decisions(con, workflow.name, run_id)
    is_new = pl.col("since").is_null() if plans else pl.col("is_new").fill_null(value=False)
    held = held.join(new, on=KEY, how="left", maintain_order="left").with_columns(is_new.alias("is_new"))
    if warehouse.hides_personal:
        held = without_values(held)
    unsent = held.filter(pl.col("action").is_in(NEEDS_ATTENTION))
    _note(held, unsent)
    if unsent.height:
        text = f"{workflow.name}: records that need attention: {unsent.height:,} (`millpond explain ID`)"
        print_wrapped(text, "bold")
    # the new ones first: a terminal shows the beginning
    for row in unsent.sort("is_new", descending=True, maintain_order=True).head(SHOWN_RECORDS).iter_rows(named=True):
        _print_record(row)
    if unsent.height > SHOWN_RECORDS:
        print_line(f"  … and {unsent.height - SHOWN_RECORDS:,} more")
    _print_blocked(workflow, held)
    return int(unsent["is_new"].sum())


def print_named(
    warehouse: Warehouse,
    workflow: Workflow,
    workflows: Mapping[str, Workflow],
    run_id: str,
    keys: Collection[SourceKey],
) -> int:
    """Print which records of a selection a workflow holds back, ignored ones too, and return their number."""
    with warehouse.writer(transaction=False) as con:
        every = held_and_ignored(con, [workflow], workflows, {}, utc_now(warehouse_clock(MillpondSettings())))
        new = new_decisions(con, workflow.name, run_id)
    every = every.join(new, on=KEY, how="left", maintain_order="left").with_columns(
        pl.col("is_new").fill_null(value=False)
    )
    named, others = every.join(keys_frame(keys), on=KEY, how="semi"), every.join(keys_frame(keys), on=KEY, how="anti")
    if warehouse.hides_personal:
        named = without_values(named)
    _note(named, named)
    if named.height:
        print_wrapped(
            f"{workflow.name}: {named.height:,} of {counted(len(keys), 'records')} held back (`millpond explain ID`)",
            "bold",
        )
    for row in named.iter_rows(named=True):
        _print_record(row)
    _print_blocked(workflow, named)
    waiting = others.filter(pl.col("ignored_until").is_null()).height
    if waiting:
        text = f"{waiting:,} other {'record is' if waiting == 1 else 'records are'} held back"
        print_wrapped(f"{workflow.name}: {text}; `millpond plan {workflow.name}` lists the causes", "dim")
    return named.height


def _note(held: pl.DataFrame, unsent: pl.DataFrame) -> None:
    kept = ("workflow", *KEY, "name", "action", "reason_code", "reason", "since", "is_new")
    note(needs_attention=unsent.select(kept).to_dicts(), held_back=held_back(held).to_dicts())


def _print_record(row: Mapping[str, Any]) -> None:
    """Print a record that is held back: into a pipe, which may be a scheduler's log, without names and values."""
    name = f"  {row['name']}" if row["name"] and console.is_terminal else ""
    mark = "new: " if row["is_new"] else ""
    reason = row["reason"] if console.is_terminal or row["reason_code"] not in QUOTING else row["reason_code"]
    print_wrapped(f"{row['source']} {row['source_id']}{name}: {mark}{row['action']}, {reason}", indent=2)


def _print_blocked(workflow: Workflow, held: pl.DataFrame) -> None:
    """Print the causes of records that wait for others."""
    blocked = held.filter(pl.col("action") == Action.BLOCKED)
    for cause in cause_texts(held_back(blocked)):
        print_wrapped(f"{workflow.name}: {cause}")


def _open_plan(con: duckdb.DuckDBPyConnection, workflow: str, run_id: str) -> dict[str, str]:
    """Return the plan of a workflow that a run made and did not send, by the workflow; empty if there is none."""
    if not has_table(con, "sync_plans"):  # the first run failed before its first plan
        return {}
    query = (
        "select workflow, plan_id from sync_plans"
        " where made_by = ? and workflow = ? and state in ('ready', 'waiting') order by position"
    )
    return dict(con.execute(query, [run_id, workflow]).fetchall())


def new_decisions(con: duckdb.DuckDBPyConnection, workflow: str, run_id: str) -> pl.DataFrame:
    """Return the records on which a run decided differently from the run before: KEY and is_new."""
    if not has_table(con, "sync_decisions"):
        return pl.DataFrame(schema={**dict.fromkeys(KEY, pl.String), "is_new": pl.Boolean})
    return read_frame(
        con,
        "select source, source_id, true as is_new from sync_decisions where workflow = ? and from_run = ?"
        " and to_run is null",
        [workflow, run_id],
    )
