"""Peak memory of every step for customers with long texts; each step runs in a process of its own.

`python -m tests.bench.memory [--customers 10000 --length 4000] [--long 3:30000] [--memory-mb 512]`: a first run and one
after every text was changed. The figure is the kernel's, and includes Python, DuckDB, Polars, and the stand-ins, which
answer in the same process.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

from rich.console import Console

from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES
from assets.suiteprojects.target import SuiteProjectsTarget
from assets.warehouse.history import update_history
from assets.warehouse.staging import stage_table
from resources.netsuite.connect import open_netsuite
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.masking import masked_copy
from resources.warehouse.warehouse import MEMORY_MB, Warehouse
from sql import names, statement
from tests.assets.delivery.builders import suite_customers

LIMIT_MB = 700
SEND_LIMIT_MB = 900  # with the values before and after, and the stand-in of the target, which reads and answers here
WORKFLOW = Workflow("customers", suite_customers({"field": "notes", "from": "comments"}))


def fill(folder: Path, customers: int, length: int, long: tuple[int, int]) -> None:
    """Add customers with comments of a length; every n-th has a longer one."""
    every, longer = long
    rows = (
        {
            "id": key, "entityid": f"C{key}", "companyname": f"Company {key}", "searchstage": "Customer",
            "isinactive": False, "comments": text(key, longer if every and key % every == 0 else length),
        }
        for key in range(1001, 1001 + customers)
    )  # fmt: skip
    Sandbox(folder).netsuite.insert("customer", rows)


def text(key: int, length: int) -> str:
    """Return a text of this length that does not compress to nothing."""
    return "".join(f"{key * place % 9973:04} " for place in range(1, length // 5 + 1))


class Steps:
    """The steps of a run, over one folder."""

    def __init__(self, folder: Path, memory_mb: int) -> None:
        self._sandbox = Sandbox(folder)
        copy = masked_copy("mask")
        self._warehouse = Warehouse(folder / "warehouse", memory_mb=memory_mb)
        self._masked = Warehouse(folder / "warehouse", copy=copy, memory_mb=memory_mb)
        self._settings = ExtractionSettings(memory_mb=memory_mb // 2)

    def extract(self) -> None:
        """Read all tables of NetSuite in full."""
        with open_netsuite(sandbox=str(self._sandbox.folder)) as client:
            for record_type in RECORD_TYPES:
                extract(self._warehouse, client, record_type, self._settings, run_id="run", full=True)

    def stage(self) -> None:
        """Build every staging table."""
        for name in names("staging"):
            with self._warehouse.writer() as con:
                stage_table(con, statement("staging", name))

    def history(self) -> None:
        """Bring every history table up to date."""
        for name in names("history"):
            with self._warehouse.writer() as con:
                update_history(con, statement("history", name))

    def edit(self) -> None:
        """Change every comment in NetSuite."""
        self._sandbox.clock.sleep(3600)
        for row in self._sandbox.netsuite.rows("customer"):
            self._sandbox.netsuite.update("customer", row["id"], comments=f"{row['comments'] or ''}x")

    def mart(self) -> None:
        """Make the mart."""
        make_mart(self._warehouse, WORKFLOW)

    def _deliver(self, step: Callable[[RunContext], object]) -> None:
        with open_suiteprojects(sandbox=str(self._sandbox.folder)) as client:
            target = SuiteProjectsTarget(client, "Customer")
            step(RunContext(self._warehouse, WORKFLOW, target, "run", self._sandbox.clock))

    def target_state(self) -> None:
        """Read the target."""
        self._deliver(read_target_state)

    def plan(self) -> None:
        """Make a plan."""
        self._deliver(make_plan)

    def send(self) -> None:
        """Send it."""
        self._deliver(run_sync)

    def publish(self) -> None:
        """Publish the warehouse."""
        self._warehouse.publish()

    def publish_masked(self) -> None:
        """Publish it without personal values, table by table."""
        self._masked.publish()


FIRST = ("extract", "stage", "history", "mart", "target_state", "plan", "send", "publish", "publish_masked")
AGAIN = ("edit", *FIRST)


def peak_mb(folder: Path, step: str, memory_mb: int) -> int:
    """Run one step in a process of its own and return its peak memory in megabytes."""
    command = [sys.executable, "-m", "tests.bench.memory", "--step", step, str(folder), str(memory_mb)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{step}: {done.stderr.strip()[-2000:]}")
    return int(done.stdout.split()[-1])


def measure(folder: Path, memory_mb: int, report: Callable[[str, int, float], None]) -> Mapping[str, int]:
    """Run every step, twice; return the higher peak of each."""
    peaks: dict[str, int] = {}
    for step in (*FIRST, *AGAIN):
        began = perf_counter()
        peak = peak_mb(folder, step, memory_mb)
        report(step, peak, perf_counter() - began)
        peaks[step] = max(peak, peaks.get(step, 0))
    return peaks


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--length", type=int, default=4_000)
    parser.add_argument("--long", default="0:0", help="every n-th customer has this length, such as 3:30000")
    parser.add_argument("--memory-mb", type=int, default=MEMORY_MB)
    parser.add_argument("--step", nargs=3)
    given = parser.parse_args()
    if given.step:
        step, folder, memory_mb = given.step
        getattr(Steps(Path(folder), int(memory_mb)), step)()
        sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}\n")
        return 0
    every, _, longer = given.long.partition(":")
    with tempfile.TemporaryDirectory() as name:
        fill(Path(name), given.customers, given.length, (int(every), int(longer or 0)))
        console = Console()
        peaks = measure(
            Path(name), given.memory_mb, lambda *row: console.print(f"{row[0]:15}{row[1]:6} MB{row[2]:7.1f} s")
        )
        console.print(f"highest: {max(peaks.values())} MB; the limit is {LIMIT_MB} MB, of send {SEND_LIMIT_MB} MB")
    return 1 if too_high(peaks) else 0


def too_high(peaks: Mapping[str, int]) -> dict[str, int]:
    """Return the steps whose peak is not below their limit, with it."""
    limits = {"send": SEND_LIMIT_MB}
    return {step: peak for step, peak in peaks.items() if peak >= limits.get(step, LIMIT_MB)}


if __name__ == "__main__":
    sys.exit(main())
