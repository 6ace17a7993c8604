"""What a year does to the warehouse: its size, how long publishing takes, how long the ready questions take.

`python -m tests.bench.year [--customers 100000] [--days 365] [--changes 300] [--keep-days 180]`: a sandbox is read once
for real; then each day some customers change, a few come and a few become inactive, right in the raw tables, and the
real code stages, keeps history, shapes, plans and sends for two workflows, to targets that keep what they are sent.
A night each week thins and compacts. Time is the sandbox's, so a day is a day for retention as well.
"""

import argparse
import resource
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter

import duckdb
import polars as pl
from rich.console import Console
from rich.table import Table

from assets.delivery.component.component import load_workflow
from assets.delivery.mart.build import make_mart, read_target_state
from assets.delivery.plan.planner import Workflow, make_plan
from assets.delivery.send.apply import run_sync
from assets.delivery.target import (
    TARGET_STATE_COLUMNS,
    Estimate,
    Outcome,
    Sent,
    SimpleTarget,
    TargetField,
    Verdict,
    Write,
)
from assets.netsuite.extract.extract import ExtractionSettings, extract
from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.history import keep
from assets.warehouse.incremental import stage
from orchestration.definitions import _custom_columns
from orchestration.maintenance.compact import compact_warehouse
from orchestration.settings import ROOT
from resources.netsuite.resource import open_netsuite
from resources.sandbox.generator.seed import seed
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from sql import names, statement

WORKFLOWS = {
    "suiteprojects__customers": ("externalid", "active", 1000),
    "precoro__options": ("externalId", "enable", 1000),
}
# a day's run reads and sends at six, then the day goes by
DAY_S = 86_400.0


@dataclass
class Shelf(SimpleTarget):
    """A target that keeps what it is sent as a frame."""

    workflow: Workflow
    key_field: str
    active_field: str
    batch_size: int
    calls: int = 0
    held: dict[str, dict[str, str | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name, self.system = self.workflow.spec.target, self.workflow.spec.system

    def fields(self) -> dict[str, TargetField]:
        """Those that are mapped."""
        return {name: TargetField(name, max_length=256) for name in self.workflow.spec.columns}

    def estimate(self, writes: dict[str, int]) -> Estimate:
        """A call for each batch."""
        return Estimate(sum(writes.values()) // self.batch_size)

    def read(self, fields: list[str]) -> pl.DataFrame:
        """What it was sent."""
        self.calls += 1
        columns = [*TARGET_STATE_COLUMNS, *fields]
        rows = {name: [row.get(name) for row in self.held.values()] for name in columns}
        target_state = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))
        active = pl.col(self.active_field) == "1" if self.active_field in columns else pl.lit(value=True)
        return target_state.with_columns(active.alias("is_active"))

    def find(self, external_ids: list[str], fields: list[str]) -> pl.DataFrame:
        """The same, by key."""
        return self.read(fields).filter(pl.col("external_id").is_in(external_ids))

    def send(self, batch: list[Write]) -> Sent:
        """Keep it."""
        self.calls += 1
        for write in batch:
            key = write.target_id or f"{write.source[0]}{write.source_id}"
            row = self.held.setdefault(key, {"target_id": key, "external_id": write.values.get(self.key_field)})
            row.update(write.values)
            if write.parent_id is not None:
                row["parent_id"] = write.parent_id
        ids = [write.target_id or f"{write.source[0]}{write.source_id}" for write in batch]
        return Sent([Outcome(Verdict.CONFIRMED, target_id) for target_id in ids])


class Year:
    """A warehouse, and the days that go by."""

    def __init__(self, folder: Path, customers: int) -> None:
        self.sandbox = Sandbox(folder / "sandbox")
        self.clock, self.dice = self.sandbox.clock, Random(1)
        self.warehouse = Warehouse(folder / "warehouse")
        seed(self.sandbox, customers=customers)
        files = [ROOT / "orchestration" / "workflows" / name / "defs.yaml" for name in WORKFLOWS]
        self.targets = [Shelf(load_workflow(file), *WORKFLOWS[file.parent.name]) for file in files]
        asked = ExtractionSettings(custom_columns=_custom_columns([target.workflow for target in self.targets]))
        with open_netsuite(sandbox=str(self.sandbox.folder)) as client:
            for record_type in RECORD_TYPES:
                extract(self.warehouse, client, record_type, asked, run_id="day 0")

    def change(self, number: int, changes: int) -> None:
        """A day in NetSuite: edits, a conversion for each hundred of them, as many inactivations."""
        now = self.clock.now().replace(tzinfo=None)
        with self.warehouse.writer() as con:
            for table, share in (("customers", 0.8), ("prospects", 0.1), ("leads", 0.1)):
                con.execute(
                    f"update raw_netsuite__{table} set phone = ?, companyname = left(companyname, 60) || ' ' || ?,"
                    " isinactive = if(hash(id, ?) % 100 = 0, 'T', isinactive), _extracted_at = ?, _run_id = ?"
                    f" where id in (select id from raw_netsuite__{table} using sample {int(changes * share)} rows)",
                    [f"+46 {number:08}", f"v{number}", number, now, f"day {number}"],
                )
            moved = "(select id from raw_netsuite__leads order by hash(id, ?) limit ?)"
            asked = [number, changes // 100]
            con.execute(
                f"insert into raw_netsuite__customers by name select * replace (?::timestamp as _extracted_at)"
                f" from raw_netsuite__leads where id in {moved}",
                [now, *asked],
            )
            con.execute(f"delete from raw_netsuite__leads where id in {moved}", asked)

    def run(self, number: int) -> None:
        """What a day's run does, from staging to the answer."""
        run_id = f"day {number}"
        for name in names("staging"):
            with self.warehouse.writer() as con:
                stage(con, statement("staging", name))
        for name in names("history"):
            with self.warehouse.writer() as con:
                keep(con, statement("history", name))
        for target in self.targets:
            make_mart(self.warehouse, target.workflow, clock=self.clock)
            read_target_state(self.warehouse, target.workflow, target, run_id=run_id, clock=self.clock)
            made = make_plan(self.warehouse, target.workflow, target, run_id=run_id, clock=self.clock)
            released = made.plan_id if made.tripped else ""
            run_sync(self.warehouse, target.workflow, target, run_id=run_id, clock=self.clock, plan_id=released)

    def questions(self) -> dict[str, float]:
        """Seconds of each ready question over the published snapshot, the median of three."""
        took = {}
        with duckdb.connect(str(self.warehouse.snapshot), read_only=True) as con:
            views = con.execute("select view_name from duckdb_views() where not internal order by 1").fetchall()
            for (name,) in views:
                took[name] = statistics.median(_seconds(con, f"from {name}") for _ in range(3))
        return took


def _seconds(con: duckdb.DuckDBPyConnection, query: str) -> float:
    began = perf_counter()
    con.execute(query).fetchall()
    return perf_counter() - began


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


def _timed(what: object) -> float:
    began = perf_counter()
    what()  # type: ignore[operator]
    return perf_counter() - began


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--keep-days", type=int, default=180)
    asked = parser.parse_args()
    console, began = Console(width=110), perf_counter()
    table = Table(
        "day", "warehouse MB", "snapshot MB", "day's run s", "publish s", "compact s", "versions", "spells", "sends"
    )
    with tempfile.TemporaryDirectory() as folder:
        year = Year(Path(folder), asked.customers)
        compact = 0.0
        for number in range(asked.days + 1):
            if number:
                year.change(number, asked.changes)
            took = _timed(lambda: year.run(number))  # noqa: B023 - called at once
            if number and number % 7 == 0:
                compact = _timed(lambda: compact_warehouse(year.warehouse, keep_days=asked.keep_days, clock=year.clock))
            if number % max(1, asked.days // 8) == 0 or number == asked.days:
                publish = _timed(year.warehouse.publish)
                counts = (
                    year.warehouse.read(f"select count(*) as n from {name}")["n"][0]
                    for name in ("hist_netsuite__customers", "sync_decisions", "sync_attempts")
                )
                sizes = (_megabytes(path) for path in (year.warehouse.stage, year.warehouse.snapshot))
                figures = (*(f"{size:,.1f}" for size in sizes), f"{took:.2f}", f"{publish:.2f}", f"{compact:.2f}")
                row = (str(number), *figures, *(f"{count:,}" for count in counts))
                table.add_row(*row)
                console.print(f"day {'  '.join(row)}  ({perf_counter() - began:.0f} s)", highlight=False)
            year.clock.sleep(DAY_S)
        console.print(table)
        questions = Table("question", "seconds")
        for name, seconds in year.questions().items():
            questions.add_row(name, f"{seconds:.3f}")
        console.print(questions)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(
        f"{asked.customers:,} customers, {asked.changes:,} changes a day, {asked.days} days, {asked.keep_days} kept;"
        f" {perf_counter() - began:,.0f} s in all, {peak:,.0f} MB at most"
    )


if __name__ == "__main__":
    main()
