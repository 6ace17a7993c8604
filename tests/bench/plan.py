"""Time and memory of a plan: prefilter in DuckDB, decide with changes and reasons, store a row for every record.

`python -m tests.bench.plan [--records 100000]`: 40 columns, 1 % changed, 1,000 added, 1,000 deleted. Each program runs
in its own process; peak memory is the kernel's figure. For comparison: pandas' aligned comparison and drt-core's diff,
which return the differing cells without reasons, in their own environments under build/bench. A program that cannot be
installed or run is listed with the reason. Ratios are relative to the plan. At the end, the number of writing calls of
a run without changes.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
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
from resources.clock import WallClock
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import one_source
from tests.bench import plan_peers

COLUMNS = 40
EDGE = 1_000  # records added, and as many deleted
FIELDS = [f"field_{number:02}" for number in range(COLUMNS - 2)]
WORKFLOW = "bench"
CACHE = Path("build/bench/plan")


@dataclass
class MemoryTarget(Target):
    """A target in memory that counts the calls that write."""

    name = "bench.Record"
    system = "bench"
    key_field = "externalid"
    active_field = "active"
    batch_size = 1000
    calls = 0
    writes = 0
    records: list[dict[str, str | None]] = field(default_factory=list)

    def fields(self) -> dict[str, TargetField]:
        """Return the fields of the mart."""
        return {name: TargetField(name, max_length=100) for name in ["externalid", "active", *FIELDS]}

    def estimate(self, writes: Mapping[str, int]) -> Estimate:
        """Count one call per thousand records."""
        return Estimate(sum(writes.values()) // 1000)

    def read(self, fields: Sequence[str]) -> pl.DataFrame:
        """Return every record."""
        names = [*TARGET_STATE_COLUMNS, *fields]
        target_state = pl.DataFrame(
            [{name: row.get(name) for name in names} for row in self.records], schema=dict.fromkeys(names, pl.String)
        )
        return target_state.with_columns(pl.lit(value=True).alias("is_active"))

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """Return records by key."""
        return self.read(fields).filter(pl.col("external_id").is_in(external_ids))

    def send(self, batch: Sequence[Write]) -> SendResult:
        """Store the records."""
        self.writes += 1
        rows = [{**write.values, "target_id": f"t{write.source_id}", "external_id": write.source_id} for write in batch]
        self.records += rows
        return SendResult([Outcome(Verdict.CONFIRMED, row["target_id"]) for row in rows])


def spec() -> WorkflowSpec:
    """Return a workflow of customers with 40 mapped columns."""
    rows: list[dict[str, Any]] = [
        {"field": "externalid", "from": "customer_id", "locked": True},
        {"field": "active", "value": True},
        *({"field": name, "from": name} for name in FIELDS),
    ]
    return one_source(target="bench.Record", fields=rows)


def staged(records: int) -> pl.DataFrame:
    """Return the staging table."""
    number = pl.int_range(records, dtype=pl.Int64)
    return pl.select(
        number.cast(pl.String).alias("customer_id"),
        *(((number * (7 + place)) % 9973).cast(pl.String).alias(name) for place, name in enumerate(FIELDS)),
        pl.lit(value=False).alias("is_inactive"),
        pl.lit(value=False).alias("is_deleted"),
    )


def prepare(folder: Path, records: int) -> None:
    """Create the staging table, the mart, a target state of which 1 % differs, and a link for each record."""
    source = staged(records)
    changed = pl.int_range(pl.len()) % 100 == 0
    target_state = source.select(
        ("t" + pl.col("customer_id")).alias("target_id"),
        pl.col("customer_id").alias("external_id"),
        pl.lit(value=True).alias("is_active"),
        *(pl.lit(None, dtype=pl.String).alias(name) for name in ("parent_id", "updated_at")),
        pl.col("customer_id").alias("externalid"),
        pl.lit("1").alias("active"),
        *(pl.col(name) for name in FIELDS[:-1]),
        pl.when(changed).then(pl.lit("old")).otherwise(FIELDS[-1]).alias(FIELDS[-1]),
    )
    # the last thousand records are new; a thousand others were deleted from the source
    deleted = target_state.head(EDGE).with_columns(
        (pl.lit("x") + pl.col(name)).alias(name) for name in ("target_id", "external_id", "externalid")
    )
    target_state = pl.concat([target_state.head(records - EDGE), deleted]).select(
        *TARGET_STATE_COLUMNS, "externalid", "active", *FIELDS
    )
    warehouse, workflow = Warehouse(folder), Workflow(WORKFLOW, spec())
    warehouse.replace("stg_netsuite__customers", source)
    warehouse.replace(workflow.target_state, target_state)
    make_mart(warehouse, workflow)
    with warehouse.writer() as con:
        con.execute(_LINKED.format(mart=workflow.mart), [workflow.name, workflow.spec.version])


_LINKED = """
insert into sync_links by name
select
    ? as workflow, source, source_id, 't' || source_id as target_id, 'external_id' as matched_by, payload_hash,
    ? as workflow_version, 'before' as run_id
from {mart}
"""


def mart(folder: Path) -> str:
    """Shape and hash all records."""
    with Warehouse(folder).writer() as con:
        con.execute(f"drop table if exists mart_{WORKFLOW}")
    return mart_again(folder)


def mart_again(folder: Path) -> str:
    """Bring the mart up to date."""
    made = make_mart(Warehouse(folder), Workflow(WORKFLOW, spec()))
    return f"{made.transformed} of {made.records} records"


def plan(folder: Path) -> str:
    """Read, decide, guard, store."""
    planned = make_plan(RunContext(Warehouse(folder), Workflow(WORKFLOW, spec()), MemoryTarget(), "bench", WallClock()))
    counts = dict(planned.plan.group_by("action").len().iter_rows())
    return f"{counts.get('update', 0)} changed, {counts.get('create', 0)} new, a reason for each of {planned.records}"


PROGRAMS = {"mart": mart, "again": mart_again, "plan": plan}
TITLES = {
    "mart": "Millpond: shape and hash the mart",
    "again": "Millpond: the same, nothing changed",
    "plan": "Millpond: read, decide with reasons, store",
    "pandas": "pandas: align and compare",
    "drt": "drt-core: compute_diff",
}


@dataclass(frozen=True)
class Timed:
    """Seconds of the work, peak megabytes of its process, and its output; or the reason why there are no numbers."""

    seconds: float | None
    peak_mb: float
    remark: str


def timed(program: str, folder: Path) -> Timed:
    """Run one program in its own process."""
    try:
        command = _command(program, folder)
    except subprocess.CalledProcessError as error:
        return Timed(None, 0, f"cannot be installed: {_last_line(error.stderr)}")
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
        assert process.stdout is not None
        out = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        stderr.seek(0)
        if status:
            return Timed(None, usage.ru_maxrss / 1024, f"failed: {_last_line(stderr.read().decode())}")
    # other output, such as DuckDB's progress, comes before
    seconds, _, remark = out.replace("\r", "\n").strip().splitlines()[-1].partition(" ")
    return Timed(float(seconds), usage.ru_maxrss / 1024, remark.strip())


def _command(program: str, folder: Path) -> list[str]:
    if program in PROGRAMS:
        return [sys.executable, "-m", __spec__.name, "--only", program, str(folder)]
    names = ["externalid", "active", *FIELDS]
    tables = [f"mart_{WORKFLOW}", f"target_{WORKFLOW}"]
    python = environment(program)
    return [str(python), "-c", plan_peers.SCRIPTS[program], str(folder / "millpond.duckdb"), *tables, *names]


def environment(kind: str) -> Path:
    """Return the Python of a peer's environment, which is created once."""
    folder = CACHE / kind
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True, text=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, *plan_peers.PACKAGES[kind]], check=True, capture_output=True, text=True)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def _last_line(text: str | None) -> str:
    return ((text or "").strip().splitlines() or ["no output"])[-1]


def quiet_run(records: int) -> tuple[int, int]:
    """Return the number of writing calls of a run that sends everything, and of the next one, without changes."""
    calls = []
    with tempfile.TemporaryDirectory() as name:
        warehouse, workflow, target = Warehouse(Path(name)), Workflow(WORKFLOW, spec()), MemoryTarget()
        warehouse.replace("stg_netsuite__customers", staged(records))
        for run_id in ("first", "second"):
            before = target.writes
            make_mart(warehouse, workflow)
            run = RunContext(warehouse, workflow, target, run_id, WallClock())
            read_target_state(run)
            make_plan(run)
            run_sync(run)
            calls.append(target.writes - before)
    return calls[0], calls[1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--unchanged", type=int, default=100_000, help="records of the run without changes")
    parser.add_argument("--only", nargs=2, metavar=("PROGRAM", "FOLDER"), help="run one program in this process")
    options = parser.parse_args()
    if options.only:
        program, folder = options.only
        if program == "prepare":
            prepare(Path(folder), options.records)
            return
        began = perf_counter()
        remark = PROGRAMS[program](Path(folder))
        sys.stdout.write(f"{perf_counter() - began:.3f} {remark}")
        return
    with tempfile.TemporaryDirectory() as name:
        # in its own process: the kernel counts the memory of a parent in the peak of its children
        command = [sys.executable, "-m", __spec__.name, "--only", "prepare", name, "--records", str(options.records)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        measured = {program: timed(program, Path(name)) for program in TITLES}
    console = Console(width=150)
    console.print(_table(options.records, measured))
    first, second = quiet_run(options.unchanged)
    console.print(f"{options.unchanged:,} records: {first} writing calls in the first run, {second} in the next one")


def _table(records: int, measured: dict[str, Timed]) -> Table:
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    table = Table(title=f"{records:,} records of {COLUMNS} columns; load {load}")
    for head in ("work", "seconds", "peak MB", "time ratio", "memory ratio", "remark"):
        table.add_column(head, justify="left" if head in {"work", "remark"} else "right")
    ours = measured["plan"]
    for program, each in measured.items():
        if each.seconds is None or ours.seconds is None:
            table.add_row(TITLES[program], "-", "-", "-", "-", each.remark)
            continue
        ratios = f"{each.seconds / ours.seconds:.1f}", f"{each.peak_mb / ours.peak_mb:.1f}"
        table.add_row(TITLES[program], f"{each.seconds:.1f}", f"{each.peak_mb:.0f}", *ratios, each.remark)
    return table


if __name__ == "__main__":
    main()
