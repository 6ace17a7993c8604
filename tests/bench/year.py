"""Growth of the warehouse over a year: its size, and the time to publish and to query the analytics views.

`python -m tests.bench.year [--customers 100000] [--days 365] [--changes 300] [--keep-days 180]`: a sandbox is extracted
once; then each day some customers change, are added or become inactive, directly in the raw tables, and the production
code stages them, updates history, builds marts, plans and sends for two workflows, to targets that keep what they are
sent. Once a week, retention and compaction run. Time is the sandbox's, so that retention sees real days.
"""

import argparse
import resource
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import duckdb
import polars as pl
from rich.console import Console
from rich.table import Table

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import (
    TARGET_STATE_COLUMNS,
    Estimate,
    Outcome,
    SendResult,
    Target,
    TargetField,
    Verdict,
    Write,
)
from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.history import update_history
from assets.warehouse.incremental import stage_incrementally
from orchestration.clients import custom_columns
from orchestration.configuration.settings import ROOT
from orchestration.maintenance.compact import compact_warehouse
from resources.clock import utc_now
from resources.netsuite.connect import open_netsuite
from resources.sandbox.generator.seed import seed
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from sql import names, statement

WORKFLOWS = {
    "suiteprojects__customers": ("externalid", "active", 1000),
    "precoro__options": ("externalId", "enable", 1000),
}
DAY_S = 86_400.0


@dataclass
class MemoryTarget(Target):
    """A target in memory, which keeps what it is sent."""

    workflow: Workflow
    key_field: str
    active_field: str
    batch_size: int
    calls: int = 0
    records: dict[str, dict[str, str | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name, self.system = self.workflow.spec.target, self.workflow.spec.system

    def fields(self) -> dict[str, TargetField]:
        """Return the mapped fields."""
        return {name: TargetField(name, max_length=256) for name in self.workflow.spec.target_fields}

    def estimate(self, writes: Mapping[str, int]) -> Estimate:
        """Return one call per batch."""
        return Estimate(sum(writes.values()) // self.batch_size)

    def read(self, fields: Sequence[str]) -> pl.DataFrame:
        """Return the records it was sent."""
        self.calls += 1
        columns = [*TARGET_STATE_COLUMNS, *fields]
        rows = {name: [row.get(name) for row in self.records.values()] for name in columns}
        target_state = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))
        active = pl.col(self.active_field) == "1" if self.active_field in columns else pl.lit(value=True)
        return target_state.with_columns(active.alias("is_active"))

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """Return records by external id."""
        return self.read(fields).filter(pl.col("external_id").is_in(external_ids))

    def send(self, batch: Sequence[Write]) -> SendResult:
        """Keep the records of a batch."""
        self.calls += 1
        for write in batch:
            key = write.target_id or f"{write.source[0]}{write.source_id}"
            row = self.records.setdefault(key, {"target_id": key, "external_id": write.values.get(self.key_field)})
            row.update(write.values)
            if write.parent_id is not None:
                row["parent_id"] = write.parent_id
        ids = [write.target_id or f"{write.source[0]}{write.source_id}" for write in batch]
        return SendResult([Outcome(Verdict.CONFIRMED, target_id) for target_id in ids])


class Year:
    """A warehouse that is changed day by day."""

    def __init__(self, folder: Path, customers: int) -> None:
        self.sandbox = Sandbox(folder / "sandbox")
        self.clock = self.sandbox.clock
        self.warehouse = Warehouse(folder / "warehouse")
        seed(self.sandbox, customers=customers)
        files = [ROOT / "orchestration" / "workflows" / name / "defs.yaml" for name in WORKFLOWS]
        self.targets = [MemoryTarget(load_workflow(file), *WORKFLOWS[file.parent.name]) for file in files]
        settings = ExtractionSettings(
            custom_columns={
                source: tuple(fields)
                for source, fields in custom_columns([each.workflow for each in self.targets]).items()
            }
        )
        with open_netsuite(sandbox=str(self.sandbox.folder)) as client:
            for record_type in RECORD_TYPES:
                extract(self.warehouse, client, record_type, settings, run_id="day 0")

    def change(self, number: int, changes: int) -> None:
        """Change one day's records: edits, and 1 % as many conversions and inactivations."""
        now = utc_now(self.clock)
        with self.warehouse.writer() as con:
            for table, share in (("customers", 0.8), ("prospects", 0.1), ("leads", 0.1)):
                con.execute(
                    f"update raw_netsuite__{table} set phone = ?, companyname = left(companyname, 60) || ' ' || ?,"
                    " isinactive = if(hash(id, ?) % 100 = 0, 'T', isinactive), _extracted_at = ?, _run_id = ?"
                    f" where id in (select id from raw_netsuite__{table} using sample {int(changes * share)} rows)",
                    [f"+46 {number:08}", f"v{number}", number, now, f"day {number}"],
                )
            moved = "(select id from raw_netsuite__leads order by hash(id, ?) limit ?)"
            values = [number, changes // 100]
            con.execute(
                f"insert into raw_netsuite__customers by name select * replace (?::timestamp as _extracted_at)"
                f" from raw_netsuite__leads where id in {moved}",
                [now, *values],
            )
            con.execute(f"delete from raw_netsuite__leads where id in {moved}", values)

    def run(self, number: int) -> None:
        """Run a day's pipeline, from staging to the targets' responses."""
        run_id = f"day {number}"
        for name in names("staging"):
            with self.warehouse.writer() as con:
                stage_incrementally(con, statement("staging", name))
        for name in names("history"):
            with self.warehouse.writer() as con:
                update_history(con, statement("history", name))
        for target in self.targets:
            make_mart(self.warehouse, target.workflow, clock=self.clock)
            read_target_state(RunContext(self.warehouse, target.workflow, target, run_id, self.clock))
            made = make_plan(RunContext(self.warehouse, target.workflow, target, run_id, self.clock))
            approved = made.plan_id if made.tripped else ""
            run_sync(RunContext(self.warehouse, target.workflow, target, run_id, self.clock), plan_id=approved)

    def query_views(self) -> dict[str, float]:
        """Return the seconds to query each view of the published snapshot, the median of three."""
        seconds = {}
        with duckdb.connect(str(self.warehouse.snapshot), read_only=True) as con:
            views = con.execute("select view_name from duckdb_views() where not internal order by 1").fetchall()
            for (name,) in views:
                seconds[name] = statistics.median(_seconds(con, f"from {name}") for _ in range(3))
        return seconds


def _seconds(con: duckdb.DuckDBPyConnection, query: str) -> float:
    began = perf_counter()
    con.execute(f"create or replace temp table _rows as {query}")  # Python objects would take longer than the query
    return perf_counter() - began


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


def _timed(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def main() -> None:
    """Run the year and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--keep-days", type=int, default=180)
    options = parser.parse_args()
    console, began = Console(width=110), perf_counter()
    table = Table(
        "day", "warehouse MB", "snapshot MB", "day's run s", "publish s", "compact s", "versions", "decisions", "sends"
    )
    with tempfile.TemporaryDirectory() as folder:
        year = Year(Path(folder), options.customers)
        compact_s = 0.0
        for number in range(options.days + 1):
            if number:
                year.change(number, options.changes)
            run_s = _timed(lambda: year.run(number))  # noqa: B023 - called at once
            if number and number % 7 == 0:
                compact_s = _timed(
                    lambda: compact_warehouse(year.warehouse, keep_days=options.keep_days, clock=year.clock)
                )
            if number % max(1, options.days // 8) == 0 or number == options.days:
                publish_s = _timed(year.warehouse.publish)
                counts = (
                    year.warehouse.read(f"select count(*) as n from {name}")["n"][0]
                    for name in ("hist_netsuite__customers", "sync_decisions", "sync_attempts")
                )
                sizes = (_megabytes(path) for path in (year.warehouse.file, year.warehouse.snapshot))
                figures = (*(f"{size:,.1f}" for size in sizes), f"{run_s:.2f}", f"{publish_s:.2f}", f"{compact_s:.2f}")
                row = (str(number), *figures, *(f"{count:,}" for count in counts))
                table.add_row(*row)
                console.print(f"day {'  '.join(row)}  ({perf_counter() - began:.0f} s)", highlight=False)
            year.clock.sleep(DAY_S)
        console.print(table)
        views = Table("view", "seconds")
        for name, seconds in year.query_views().items():
            views.add_row(name, f"{seconds:.3f}")
        console.print(views)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(
        f"{options.customers:,} customers, {options.changes:,} changes per day, {options.days} days,"
        f" {options.keep_days} kept; {perf_counter() - began:,.0f} s in total, peak memory {peak:,.0f} MB"
    )


if __name__ == "__main__":
    main()
