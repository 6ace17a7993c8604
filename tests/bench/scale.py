"""Growth of time and memory on several machines, with more records and with more accounts in parallel.

`python -m tests.bench.scale [--records 10000 100000 1000000] [--accounts 1 2 4] [--each 10000]`: a lake in an object
store (moto, slower than a real one) with its catalog in PostgreSQL; 12 mapped columns, 1 % changed.
Each account has its own warehouse and process, whose peak memory is the kernel's figure. The measured steps are stage
(write the staging table), mart, plan and publish. `--file` also measures one DuckDB file.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns, perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

from assets.delivery.mart.build import make_mart
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import TARGET_STATE_COLUMNS
from resources.clock import WallClock
from resources.warehouse.ducklake import DuckLakeSettings
from resources.warehouse.open import open_warehouse
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import one_source
from tests.bench.plan import MemoryTarget
from tests.scale.services import Services, services

FIELDS = [f"field_{number:02}" for number in range(10)]
STEPS = ("stage", "mart", "plan", "publish")
WORKFLOW = "bench"


def work(warehouse: Warehouse, records: int) -> dict[str, float]:
    """Do one account's steps from staging to the snapshot; return the seconds of each."""
    rows: list[dict[str, Any]] = [
        {"field": "externalid", "from": "customer_id", "locked": True},
        {"field": "active", "value": True},
        *({"field": name, "from": name} for name in FIELDS),
    ]
    workflow = Workflow(WORKFLOW, one_source(target="bench.Record", fields=rows))
    values = ", ".join(f"((i * {7 + place}) % 9973)::varchar as {name}" for place, name in enumerate(FIELDS))
    target_state = ", ".join(
        ["'t' || customer_id as target_id", "customer_id as external_id", "true as is_active"]
        + [f"null::varchar as {name}" for name in list(TARGET_STATE_COLUMNS)[3:]]
        + ["customer_id as externalid", "'1' as active", *FIELDS[:-1]]
        + [f"if(customer_id::bigint % 100 = 0, 'old', {FIELDS[-1]}) as {FIELDS[-1]}"]
    )

    def stage() -> None:
        with warehouse.writer(tuned=True) as con:
            con.execute(
                f"create or replace table stg_netsuite__customers as select i::varchar as customer_id, {values},"
                f" false as is_inactive, false as is_deleted from range({records}) as r(i)"
            )
            con.execute(
                f"create or replace table {workflow.target_state} as select {target_state} from stg_netsuite__customers"
            )

    steps = {
        "stage": stage,
        "mart": lambda: make_mart(warehouse, workflow),
        "plan": lambda: make_plan(RunContext(warehouse, workflow, MemoryTarget(), "bench", WallClock())),
        "publish": warehouse.publish,
    }
    return {name: _seconds(step) for name, step in steps.items()}


def _seconds(step: Any) -> float:
    began = perf_counter()
    step()
    return perf_counter() - began


@dataclass(frozen=True)
class Measured:
    """Parallel accounts: total seconds, the slowest of each step, the largest process."""

    wall: float
    steps: dict[str, float]
    peak_mb: float


def measure(stores: Services | None, accounts: int, records: int) -> Measured:
    """Start one process per account, and wait for all."""
    began, running = perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(accounts):
            schema = f"bench_{monotonic_ns()}_{number}"
            lake_arguments = [stores.catalog, schema, stores.endpoint] if stores else []
            command = [sys.executable, "-W", "ignore", "-m", "tests.bench.scale", "--child", f"{folder}/{number}"]
            running.append(
                subprocess.Popen(
                    [*command, str(records), *lake_arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
            )
        results, peaks = [], []
        for process in running:
            assert process.stdout
            results.append(json.loads(process.stdout.read() or "null"))
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            peaks.append(usage.ru_maxrss / 1024)
    if not all(results):
        sys.exit(f"{records:,} records for {accounts} accounts: failed")
    return Measured(perf_counter() - began, {name: max(each[name] for each in results) for name in STEPS}, max(peaks))


def child(arguments: Sequence[str]) -> None:
    """Measure one account, and print the result as JSON."""
    folder, records, *lake_arguments = arguments
    lake = None
    if lake_arguments:
        catalog, schema, endpoint = lake_arguments
        lake = DuckLakeSettings(catalog, f"s3://warehouse/{schema}", schema, endpoint, key="key", secret="secret")
    print(json.dumps(work(open_warehouse(Path(folder), ducklake=lake), int(records))))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs="+", default=[])
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--accounts", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--each", type=int, default=10_000)
    parser.add_argument("--file", action="store_true")
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the services end with this process
    console = Console(width=110)
    table = Table("warehouse", "accounts", "records each", "wall s", *(f"{name} s" for name in STEPS), "peak MB")

    def add(kind: str, stores: Services | None, accounts: int, records: int) -> None:
        done = measure(stores, accounts, records)
        steps = (f"{done.steps[name]:.1f}" for name in STEPS)
        table.add_row(kind, str(accounts), f"{records:,}", f"{done.wall:.1f}", *steps, f"{done.peak_mb:,.0f}")
        console.print(f"{kind}, {accounts} x {records:,}: {done.wall:.1f} s", highlight=False)

    with services() as stores:
        for records in arguments.records:
            add("lake", stores, 1, records)
            if arguments.file:
                add("file", None, 1, records)
        for accounts in arguments.accounts:
            add("lake", stores, accounts, arguments.each)
    console.print(table)
    console.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", highlight=False)


if __name__ == "__main__":
    main()
