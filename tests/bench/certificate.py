"""Time of a certificate beside the plan that it follows: `python -m tests.bench.certificate [--records 100000]`.

40 columns, 1 % changed, 1,000 added, 1,000 deleted, every row with a reading of NetSuite.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from assets.delivery.certificate.certify import certify
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.spec.workflow import Workflow
from resources.clock import WallClock, utc_now
from resources.warehouse.tables import ensure_table
from resources.warehouse.warehouse import Warehouse
from sql import statement
from tests.bench.plan import WORKFLOW, MemoryTarget, prepare, spec

TYPES = ("customers", "customer_subsidiaries", "addresses", "currencies", "entity_statuses")


def add_readings(warehouse: Warehouse) -> None:
    """Give every staged record a raw row with a reading, as the extraction does."""
    now = utc_now(WallClock())
    with warehouse.writer() as con:
        ensure_ledger(con)
        ensure_table(con, statement("ledger", "sync_watermarks"))
        con.execute("insert into sync_watermarks (source_table, overlap_s) values ('customer', 900)")
        con.execute(
            "create table raw_netsuite__customers as select customer_id as id, null::timestamp as _deleted_at,"
            " null::varchar as _deletion_evidence, 1::bigint as _reading from stg_netsuite__customers"
        )
        for number, name in enumerate(TYPES):
            con.execute(
                "insert into netsuite_reads (record_type, mode, reading, netsuite_at, listed)"
                " values (?, 'full', ?, ?, true)",
                [name, number + 1, now],
            )
            if name != "customers":
                con.execute(
                    f"create table raw_netsuite__{name} (id varchar, key varchar, internalid varchar,"
                    " _deleted_at timestamp, _deletion_evidence varchar, _reading bigint)"
                )


def main() -> None:
    """Make a plan and two certificates, and print their times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), records)
        warehouse, workflow = Warehouse(Path(folder)), Workflow(WORKFLOW, spec())
        wall, used = perf_counter(), process_time()
        make_plan(RunContext(warehouse, workflow, MemoryTarget(), "bench", WallClock()))
        _print("plan", records, wall, used)
        add_readings(warehouse)
        for _ in range(2):
            wall, used = perf_counter(), process_time()
            with warehouse.writer(tuned=True) as con:
                found = certify(con, workflow, key_field="externalid", run_id="bench", now=utc_now(WallClock()))
            _print("certificate", records, wall, used)
            assert found is not None
            assert found.records == records


def _print(what: str, records: int, wall: float, used: float) -> None:
    line = (
        f"{what} of {records:,} records: {perf_counter() - wall:.2f} s, {process_time() - used:.2f} s of processor time"
    )
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
