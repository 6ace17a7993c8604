"""Time of a certificate, and of keeping versions, beside a plan.

`python -m tests.bench.certificate [--records 100000]`: 40 columns, 1 % changed, 1,000 added, 1,000 deleted, every row
with a reading of NetSuite. Versions of mart and target state are kept three times: of all records, then nothing has
changed, then 1 % of the records has.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from assets.delivery.certificate.certify import certify
from assets.delivery.ledger.sides import MART, TARGET
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.ledger.versions import keep_versions
from assets.delivery.mart.versions import full_reading
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
        keep_again(warehouse, workflow, records)


def keep_again(warehouse: Warehouse, workflow: Workflow, records: int) -> None:
    """Keep the versions of both tables: the first, unchanged ones, and 1 % changed; print time and bytes."""
    reading = full_reading(workflow, utc_now(WallClock()), "bench")
    for what, edits in (("first", ()), ("unchanged", ()), ("1 % changed", (MART, TARGET))):
        with warehouse.writer() as con:
            for side in edits:
                table = f"{side.table(WORKFLOW)} set field_03 = 'edited' where rowid % 100 = 7"
                con.execute(f"update {table}")
        before, wall, used = _size(warehouse), perf_counter(), process_time()
        for side in (MART, TARGET):
            with warehouse.writer() as con:
                keep_versions(con, side, reading)
        _print(f"versions of both sides, {what},", records, wall, used)
        sys.stdout.write(f"  {(_size(warehouse) - before) / 1e6:.1f} MB more\n")


def _size(warehouse: Warehouse) -> int:
    """Return the bytes of the warehouse after it was compacted."""
    return warehouse.compact()[1]


def _print(what: str, records: int, wall: float, used: float) -> None:
    line = (
        f"{what} of {records:,} records: {perf_counter() - wall:.2f} s, {process_time() - used:.2f} s of processor time"
    )
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
