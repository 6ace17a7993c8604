"""What a plan costs: find what changed in DuckDB, decide with changes and reasons, keep the plan for every record.

`python -m tests.bench.plan [--records 100000]`: 40 columns, 1 % changed, 1,000 added, 1,000 gone; each contestant in
a process of its own, whose peak memory is the kernel's figure. Beside it pandas' aligned comparison and drt-core's
diff, which tell the differing cells and no reasons, in environments of their own under build/bench; what cannot be
installed or run says why. Ratios are to the plan. Then a run without any change: how many of its calls write.
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

from assets.delivery.mart.build import make_mart, read_target_state
from assets.delivery.plan.planner import Workflow, make_plan
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.workflow_spec import WorkflowSpec
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
from resources.clock import WallClock
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import one_source
from tests.bench import plan_peers

COLUMNS = 40
EDGE = 1_000  # added, and as many gone
FIELDS = [f"field_{number:02}" for number in range(COLUMNS - 2)]
WORKFLOW = "bench"
CACHE = Path("build/bench/plan")


@dataclass
class Paper(SimpleTarget):
    """A target that keeps what it is sent, and counts the calls that write."""

    name = "bench.Record"
    system = "bench"
    key_field = "externalid"
    active_field = "active"
    batch_size = 1000
    calls = 0
    writes = 0
    held: list[dict[str, str | None]] = field(default_factory=list)

    def fields(self) -> dict[str, TargetField]:
        """As many as the mart has."""
        return {name: TargetField(name, max_length=100) for name in ["externalid", "active", *FIELDS]}

    def estimate(self, writes: Mapping[str, int]) -> Estimate:
        """A call for a thousand."""
        return Estimate(sum(writes.values()) // 1000)

    def read(self, fields: Sequence[str]) -> pl.DataFrame:
        """What it was sent."""
        names = [*TARGET_STATE_COLUMNS, *fields]
        target_state = pl.DataFrame(
            [{name: row.get(name) for name in names} for row in self.held], schema=dict.fromkeys(names, pl.String)
        )
        return target_state.with_columns(pl.lit(value=True).alias("is_active"))

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """The same, by key."""
        return self.read(fields).filter(pl.col("external_id").is_in(external_ids))

    def send(self, batch: Sequence[Write]) -> Sent:
        """Keep it."""
        self.writes += 1
        rows = [{**write.values, "target_id": f"t{write.source_id}", "external_id": write.source_id} for write in batch]
        self.held += rows
        return Sent([Outcome(Verdict.CONFIRMED, row["target_id"]) for row in rows])


def spec() -> WorkflowSpec:
    """Customers with 40 mapped columns."""
    rows: list[dict[str, Any]] = [
        {"field": "externalid", "from": "customer_id", "locked": True},
        {"field": "active", "value": True},
        *({"field": name, "from": name} for name in FIELDS),
    ]
    return one_source(target="bench.Record", fields=rows)


def staged(records: int) -> pl.DataFrame:
    """The staging table."""
    number = pl.int_range(records, dtype=pl.Int64)
    return pl.select(
        number.cast(pl.String).alias("customer_id"),
        *(((number * (7 + place)) % 9973).cast(pl.String).alias(name) for place, name in enumerate(FIELDS)),
        pl.lit(value=False).alias("is_inactive"),
        pl.lit(value=False).alias("is_deleted"),
    )


def prepare(folder: Path, records: int) -> None:
    """Staging table, mart and target state, 1 % of it otherwise, and a link and an open spell for each record."""
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
    # the last thousand are not there yet; a thousand others have left the source
    gone = target_state.head(EDGE).with_columns(
        (pl.lit("x") + pl.col(name)).alias(name) for name in ("target_id", "external_id", "externalid")
    )
    target_state = pl.concat([target_state.head(records - EDGE), gone]).select(
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
    """Shape and fingerprint."""
    return f"{make_mart(Warehouse(folder), Workflow(WORKFLOW, spec()))} records"


def millpond(folder: Path) -> str:
    """Read, decide, guard, keep."""
    planned = make_plan(Warehouse(folder), Workflow(WORKFLOW, spec()), Paper(), run_id="bench", clock=WallClock())
    counts = dict(planned.plan.group_by("action").len().iter_rows())
    return f"{counts.get('update', 0)} changed, {counts.get('create', 0)} new, a reason for each of {planned.records}"


CONTESTANTS = {"mart": mart, "plan": millpond}
TITLES = {
    "mart": "Millpond: shape and fingerprint the mart",
    "plan": "Millpond: read, decide with reasons, keep",
    "pandas": "pandas: align and compare",
    "drt": "drt-core: compute_diff",
}


@dataclass(frozen=True)
class Timed:
    """Seconds of the work itself, peak megabytes of its process, and what it said; or why there is no number."""

    seconds: float | None
    peak_mb: float
    told: str


def timed(word: str, folder: Path) -> Timed:
    """Run one contestant in a process of its own."""
    try:
        command = _command(word, folder)
    except subprocess.CalledProcessError as error:
        return Timed(None, 0, f"cannot be installed: {_last_line(error.stderr)}")
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said)
        assert process.stdout is not None
        out = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if status:
            return Timed(None, usage.ru_maxrss / 1024, f"failed: {_last_line(said.read().decode())}")
    # what a contestant prints beside it, such as DuckDB's progress, comes before
    seconds, _, told = out.replace("\r", "\n").strip().splitlines()[-1].partition(" ")
    return Timed(float(seconds), usage.ru_maxrss / 1024, told.strip())


def _command(word: str, folder: Path) -> list[str]:
    if word in CONTESTANTS:
        return [sys.executable, "-m", __spec__.name, "--only", word, str(folder)]
    names = ["externalid", "active", *FIELDS]
    tables = [f"mart_{WORKFLOW}", f"target_{WORKFLOW}"]
    python = environment(word)
    return [str(python), "-c", plan_peers.SCRIPTS[word], str(folder / "stage.duckdb"), *tables, *names]


def environment(kind: str) -> Path:
    """The Python of a peer's environment, made once."""
    folder = CACHE / kind
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True, text=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, *plan_peers.PACKAGES[kind]], check=True, capture_output=True, text=True)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def _last_line(text: str | None) -> str:
    return ((text or "").strip().splitlines() or ["no word"])[-1]


def quiet_run(records: int) -> tuple[int, int]:
    """Calls that write in a run that sends everything, and in the next one, for which nothing has changed."""
    calls = []
    with tempfile.TemporaryDirectory() as name:
        warehouse, workflow, target = Warehouse(Path(name)), Workflow(WORKFLOW, spec()), Paper()
        warehouse.replace("stg_netsuite__customers", staged(records))
        for run_id in ("first", "second"):
            before = target.writes
            make_mart(warehouse, workflow)
            read_target_state(warehouse, workflow, target, run_id=run_id, clock=WallClock())
            make_plan(warehouse, workflow, target, run_id=run_id, clock=WallClock())
            run_sync(warehouse, workflow, target, run_id=run_id, clock=WallClock())
            calls.append(target.writes - before)
    return calls[0], calls[1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--unchanged", type=int, default=100_000, help="records of the run without a change")
    parser.add_argument("--only", nargs=2, metavar=("WORD", "FOLDER"), help="one contestant, in this process")
    asked = parser.parse_args()
    if asked.only:
        word, folder = asked.only
        if word == "prepare":
            prepare(Path(folder), asked.records)
            return
        began = perf_counter()
        told = CONTESTANTS[word](Path(folder))
        sys.stdout.write(f"{perf_counter() - began:.3f} {told}")
        return
    with tempfile.TemporaryDirectory() as name:
        # in a process of its own: the kernel counts what a parent used as its children's peak
        made = [sys.executable, "-m", __spec__.name, "--only", "prepare", name, "--records", str(asked.records)]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        measured = {word: timed(word, Path(name)) for word in TITLES}
    console = Console(width=150)
    console.print(_table(asked.records, measured))
    first, second = quiet_run(asked.unchanged)
    console.print(f"{asked.unchanged:,} records: {first} writing calls in the first run, {second} in the next")


def _table(records: int, measured: dict[str, Timed]) -> Table:
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    table = Table(title=f"{records:,} records of {COLUMNS} columns; load {load}")
    for head in ("work", "seconds", "peak MB", "time ratio", "memory ratio", "told"):
        table.add_column(head, justify="left" if head in {"work", "told"} else "right")
    plan = measured["plan"]
    for word, each in measured.items():
        if each.seconds is None or plan.seconds is None:
            table.add_row(TITLES[word], "-", "-", "-", "-", each.told)
            continue
        ratios = f"{each.seconds / plan.seconds:.1f}", f"{each.peak_mb / plan.peak_mb:.1f}"
        table.add_row(TITLES[word], f"{each.seconds:.1f}", f"{each.peak_mb:.0f}", *ratios, each.told)
    return table


if __name__ == "__main__":
    main()
