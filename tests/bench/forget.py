"""Time to forget one record of many: `python -m tests.bench.forget [--records 100000]`.

A warehouse in which every record was planned with 40 columns, created, decided and sealed; no reports, queues or logs.
"""

import argparse
import os
import tempfile
from pathlib import Path

from assets.delivery.forget.erase import Decision
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.spec.workflow import Workflow
from orchestration.configuration.settings import MillpondSettings
from orchestration.forgetting.perform import forget_record, plan_forgetting
from orchestration.ledger_sealing import seal_ledger
from resources.clock import WallClock, utc_now
from resources.warehouse.warehouse import Warehouse
from tests.bench.ledger import add_run, timed
from tests.bench.plan import WORKFLOW, MemoryTarget, prepare, spec


def _add_personal(warehouse: Warehouse) -> None:
    """Give each record values of a person."""
    with warehouse.writer() as con:
        for name in ("first_name", "last_name", "email", "phone", "comments"):
            con.execute(f"alter table stg_netsuite__customers add column {name} varchar")
            con.execute(f"update stg_netsuite__customers set {name} = '{name} of ' || customer_id")


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as name:
        os.environ["MILLPOND_HOME"], os.environ["MILLPOND_MODE"] = name, "live"
        settings, folder = MillpondSettings(), Path(name) / "warehouse"
        folder.mkdir()
        prepare(folder, records)
        warehouse, workflow = Warehouse(folder), Workflow(WORKFLOW, spec())
        _add_personal(warehouse)
        run = RunContext(warehouse, workflow, MemoryTarget(), "bench", WallClock())
        timed(f"plan of {records:,} records", lambda: make_plan(run))
        add_run(warehouse, "first", records)
        seal_ledger(warehouse)
        key = str(warehouse.read("select min(customer_id) as key from stg_netsuite__customers").item())
        decision = Decision("bench", utc_now(WallClock()), "bench")
        timed("dry run", lambda: plan_forgetting(settings, "customers", key, decision))
        timed("forget one record", lambda: forget_record(settings, [workflow], "customers", key, decision))
        timed("compaction alone", warehouse.compact)
        timed("snapshot alone", warehouse.publish)


if __name__ == "__main__":
    main()
