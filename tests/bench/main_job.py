"""Time and memory of the main job in one bench run: initial run, unchanged run, and after a simulated day.

Each run is a separate process, as an operator starts it; its peak memory is the kernel's figure for that process.
Usage: python -m tests.bench.main_job [--customers 5000] [--seed 1]
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from resources.sandbox.sandbox import Sandbox
from tests.real_companies import REAL_COMPANIES

COMMAND = [sys.executable, "-c", "from orchestration.cli.main import main; main()"]


@dataclass(frozen=True)
class Measured:
    """The measurements of one run."""

    name: str
    seconds: float
    peak_mb: float
    netsuite_calls: int
    target_calls: int
    target_writes: int


def run(home: Path, *arguments: str) -> tuple[float, float]:
    """Run `millpond …`; return seconds and peak megabytes."""
    began = perf_counter()
    process = subprocess.Popen(
        [*COMMAND, *arguments], env={**os.environ, "MILLPOND_HOME": str(home)}, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"millpond {' '.join(arguments)} failed")
    return perf_counter() - began, usage.ru_maxrss / 1024


def measured(home: Path, name: str) -> Measured:
    """Run the job of all workflows once, and count its calls."""
    before = calls(home)
    seconds, peak = run(home, "run", "all")
    after = calls(home)
    return Measured(name, seconds, peak, *(new - old for new, old in zip(after, before, strict=True)))


def calls(home: Path) -> tuple[int, int, int]:
    """Return the sandbox's number of calls to NetSuite and to the targets, and of writes to the targets."""
    sandbox = Sandbox(home / "sandbox")
    targets = sandbox.suiteprojects, sandbox.precoro
    made = sum(target.calls_made() for target in targets)
    return len(sandbox.netsuite.call_log()), made, sum(target.write_calls() for target in targets)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        companies = ["--companies", str(REAL_COMPANIES)] if REAL_COMPANIES.exists() else []
        run(home, "sandbox", "seed", "--customers", str(arguments.customers), "--seed", str(arguments.seed), *companies)
        runs = [measured(home, "initial run"), measured(home, "unchanged")]
        run(home, "sandbox", "day", "--seed", str(arguments.seed))
        runs.append(measured(home, "after one day"))
    table = Table(
        title=f"main job, {arguments.customers:,} NetSuite entities, {platform.machine()}, {os.cpu_count()} cores"
    )
    for head in ("run", "seconds", "ratio", "peak MB", "NetSuite calls", "target calls", "target writes"):
        table.add_column(head, justify="left" if head == "run" else "right")
    for each in runs:
        ratio = each.seconds / runs[0].seconds
        table.add_row(
            each.name, f"{each.seconds:.1f}", f"{ratio:.2f}", f"{each.peak_mb:.0f}",
            str(each.netsuite_calls), str(each.target_calls), str(each.target_writes),
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
