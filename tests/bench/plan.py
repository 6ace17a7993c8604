"""What a plan costs: read desired and actual from DuckDB, decide with changes and reasons, keep the plan.

`python -m tests.bench.plan [--records 100000]`: 40 columns, 1 % changed, 1,000 added, 1,000 gone; each contestant in
a process of its own, whose peak memory is the kernel's figure. Beside it: pandas' aligned comparison and drt's
compute_diff, which tell the differing cells and no reasons, where those packages are installed.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from assets.delivery.planning import Workflow, make_mart, make_plan
from assets.delivery.spec import WorkflowSpec
from assets.delivery.target import TWIN_COLUMNS, Estimate, TargetField
from resources.clock import WallClock
from resources.warehouse import Warehouse
from tests.assets.delivery.builders import one_source

COLUMNS = 40
EDGE = 1_000  # added, and as many gone
FIELDS = [f"field_{number:02}" for number in range(COLUMNS - 2)]
WORKFLOW = "bench"


@dataclass
class Paper:
    """A target that only tells its fields: nothing is sent."""

    name = "bench.Record"
    system = "bench"
    key_field = "externalid"
    active_field = "active"
    batch_size = 1000
    calls = 0

    def fields(self) -> dict[str, TargetField]:
        """As many as the mart has."""
        return {name: TargetField(name, max_length=100) for name in ["externalid", "active", *FIELDS]}

    def estimate(self, writes: dict[str, int]) -> Estimate:
        """A call for a thousand."""
        return Estimate(sum(writes.values()) // 1000)


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
    """Staging table and twin, 1 % of it otherwise, and a link for each record."""
    source = staged(records)
    changed = pl.int_range(pl.len()) % 100 == 0
    twin = source.select(
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
    gone = twin.head(EDGE).with_columns(
        (pl.lit("x") + pl.col(name)).alias(name) for name in ("target_id", "external_id", "externalid")
    )
    twin = pl.concat([twin.head(records - EDGE), gone]).select(*TWIN_COLUMNS, "externalid", "active", *FIELDS)
    pond, workflow = Warehouse(folder), Workflow(WORKFLOW, spec())
    pond.replace("stg_netsuite__customers", source)
    pond.replace(workflow.twin, twin)


def mart(folder: Path) -> None:
    """Shape and fingerprint."""
    make_mart(Warehouse(folder), Workflow(WORKFLOW, spec()))


def millpond(folder: Path) -> None:
    """Read, decide, guard, keep."""
    planned = make_plan(Warehouse(folder), Workflow(WORKFLOW, spec()), Paper(), run_id="bench", clock=WallClock())  # type: ignore[arg-type]
    sys.stderr.write(f"{dict(planned.looked.group_by('action').len().iter_rows())}\n")


def _both(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    pond, names = Warehouse(folder), ["externalid", "active", *FIELDS]
    return pond.table(f"mart_{WORKFLOW}").select(names), pond.table(f"twin_{WORKFLOW}").select(names)


def pandas(folder: Path) -> None:
    """Align by key, compare every cell."""
    left, right = (pl_frame(frame) for frame in _both(folder))
    right = right.reindex(left.index)
    differs = left.ne(right)
    sys.stderr.write(f"{int(differs.any(axis=1).sum())} rows differ\n")


def pl_frame(frame: pl.DataFrame) -> Any:
    """A pandas frame by key, without pyarrow."""
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]

    return pd.DataFrame({name: frame[name].to_list() for name in frame.columns}).set_index("externalid")


def drt(folder: Path) -> None:
    """drt-core's diff of the rows that go out with those of the last time."""
    from drt.engine.diff import compute_diff  # type: ignore[import-not-found,unused-ignore]

    left, right = _both(folder)
    sys.stderr.write(f"{compute_diff(left.to_dicts(), right.to_dicts(), ['externalid'])}"[:200] + "\n")


CONTESTANTS = {
    "mart: shape and fingerprint": ("mart", mart, ""),
    "plan: read, decide with reasons, keep": ("plan", millpond, ""),
    "pandas: align and compare": ("pandas", pandas, "pandas"),
    "drt-core: compute_diff": ("drt", drt, "drt"),
}


def timed(word: str, folder: Path) -> tuple[float, float] | None:
    """Seconds of the work itself, and peak megabytes of its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", __spec__.name, "--only", word, str(folder)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    return None if status else (float(told), usage.ru_maxrss / 1024)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--only", nargs=2, metavar=("WORD", "FOLDER"), help="one contestant, in this process")
    asked = parser.parse_args()
    if asked.only:
        word, folder = asked.only
        work = next(work for name, work, _ in CONTESTANTS.values() if name == word)
        began = perf_counter()
        work(Path(folder))
        sys.stdout.write(f"{perf_counter() - began:.3f}")
        return
    table = Table(title=f"{asked.records:,} records of {COLUMNS} columns")
    for head in ("work", "seconds", "peak MB"):
        table.add_column(head, justify="left" if head == "work" else "right")
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), asked.records)
        for title, (word, _, needs) in CONTESTANTS.items():
            if needs and importlib.util.find_spec(needs) is None:
                table.add_row(title, "not installed", "")
                continue
            result = timed(word, Path(name))
            table.add_row(title, *(f"{each:.1f}" if place == 0 else f"{each:.0f}" for place, each in enumerate(result))
                          if result else ("failed", ""))  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
