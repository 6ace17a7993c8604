"""Time to seal, verify and export the ledger: `python -m tests.bench.ledger [--records 100000]`.

A first run that creates every record, a run that changes 1 %, and one that changes nothing; beside them the plan of as
many records with 40 columns, which each run makes.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from time import perf_counter, process_time

from assets.delivery.chain.export import Export, export_ledger
from assets.delivery.ledger.sequence import next_position
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.spec.workflow import Workflow
from orchestration.ledger_check import verify_ledger
from orchestration.ledger_sealing import seal_ledger
from resources.clock import WallClock
from resources.warehouse.warehouse import Warehouse
from tests.bench.plan import WORKFLOW, MemoryTarget, prepare, spec

IMAGE = '[{"field": "name", "before": null, "after": "Company " }, {"field": "street", "after": "A long street 1"}]'
_ATTEMPTS = """
insert into sync_attempts by name
select 'a' || $run || '-' || i as attempt_id, state, $run as run_id, 'bench' as workflow, 'customers' as source,
    i::varchar as source_id, i as source_number, 'create' as action, 'version' as workflow_version,
    if(state = 'intent', $image, null) as image, '' as code, '' as reason, md5(i::varchar) as payload_hash,
    timestamp '2026-11-16 06:00:00' as seen_at, $place + row_number() over (order by i, state desc) - 1 as position
from range(1, $records + 1) as r(i) cross join (values ('intent'), ('confirmed')) as s(state)
"""
_DECISIONS = """
insert into sync_decisions by name
select 'bench' as workflow, 'customers' as source, i::varchar as source_id, i as source_number, 'create' as action,
    'new' as reason_code, 'not in the target' as reason, 'version' as workflow_version, $run as from_run,
    timestamp '2026-11-16 06:00:00' as from_at, $place as from_position
from range(1, $records + 1) as r(i)
"""


def add_run(warehouse: Warehouse, run: str, records: int) -> None:
    """Write what a run sends and decides about the first records."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        values = {"run": run, "records": records, "place": next_position(con)}
        con.execute(_ATTEMPTS, {**values, "image": IMAGE})
        ended = "update sync_decisions set to_run = ?, to_at = ? where to_run is null and source_number <= ?"
        con.execute(ended, [run, datetime(2026, 11, 16), records])  # noqa: DTZ001 - as the warehouse's times
        con.execute(_DECISIONS, {**values, "place": next_position(con)})


def timed(what: str, act: Callable[[], object]) -> None:
    """Print what an act takes."""
    wall, used = perf_counter(), process_time()
    act()
    sys.stdout.write(f"{what}: {perf_counter() - wall:.2f} s, {process_time() - used:.2f} s of processor time\n")
    sys.stdout.flush()


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, records)
        warehouse, workflow = Warehouse(folder), Workflow(WORKFLOW, spec())
        run = RunContext(warehouse, workflow, MemoryTarget(), "bench", WallClock())
        timed(f"plan of {records:,} records", lambda: make_plan(run))
        add_run(warehouse, "first", records)
        timed(f"seal a first run, {3 * records:,} rows", lambda: seal_ledger(warehouse))
        add_run(warehouse, "second", records // 100)
        timed(f"seal a run with 1 % changes, {4 * records // 100:,} rows", lambda: seal_ledger(warehouse))
        timed("seal a run without changes", lambda: seal_ledger(warehouse))
        timed("verify", lambda: _check(warehouse))
        timed("export as Parquet", lambda: _export(warehouse, folder / "export"))


def _check(warehouse: Warehouse) -> None:
    found = verify_ledger(warehouse)
    assert found.is_whole, found.problems


def _export(warehouse: Warehouse, folder: Path) -> None:
    with warehouse.writer(transaction=False, tuned=True) as con:
        export_ledger(con, Export(date.min, date.max, "parquet"), folder, datetime(2026, 11, 16))  # noqa: DTZ001 - as above


if __name__ == "__main__":
    main()
