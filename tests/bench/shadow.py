"""Time of a comparison in shadow mode beside its plan: `python -m tests.bench.shadow [--records 100000]`.

40 columns, 1 % changed, 1,000 added, 1,000 deleted; first without causes, then with a field that differs throughout.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from assets.delivery.ledger.shadows import Shadow, begin_shadow
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.shadow.compare import compare_shadowed
from assets.delivery.shadow.report import read_parity
from assets.delivery.spec.workflow import Workflow
from resources.clock import WallClock, utc_now
from resources.warehouse.warehouse import Warehouse
from tests.bench.plan import FIELDS, WORKFLOW, MemoryTarget, prepare, spec


def main() -> None:
    """Make a plan and three comparisons, and print their times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), records)
        warehouse, workflow = Warehouse(Path(folder)), Workflow(WORKFLOW, spec())
        run = RunContext(warehouse, workflow, MemoryTarget(), "bench", WallClock())
        with warehouse.writer() as con:
            begin_shadow(con, Shadow(WORKFLOW, 0, "the connector", None, "bench", utc_now(WallClock())))
        wall, used = perf_counter(), process_time()
        planned = make_plan(run)
        _print("plan", records, wall, used)
        for what in ("first comparison", "second comparison", "comparison with a field that differs throughout"):
            if what.endswith("throughout"):
                with warehouse.writer() as con:
                    con.execute(f"update target_{WORKFLOW} set {FIELDS[3]} = 'x' || target_id")
            wall, used = perf_counter(), process_time()
            row = compare_shadowed(run, planned.plan_id)
            _print(what, records, wall, used)
            assert row is not None
        wall, used = perf_counter(), process_time()
        with warehouse.writer(transaction=False) as con:
            parity = read_parity(con, WORKFLOW)
        _print("report", records, wall, used)
        assert parity is not None
        sys.stdout.write(f"{parity.summary}\n")


def _print(what: str, records: int, wall: float, used: float) -> None:
    line = (
        f"{what} of {records:,} records: {perf_counter() - wall:.2f} s, {process_time() - used:.2f} s of processor time"
    )
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
