"""Put a warehouse back to an earlier copy of its file, as `millpond restore` does, while the target stays as it is."""

import shutil
from datetime import datetime
from pathlib import Path

from assets.delivery.ledger.restores import RAW_PREFIX, record_restore
from assets.netsuite.record_types import RECORD_TYPES
from resources.warehouse.warehouse import Warehouse
from sql import statement
from tests.assets.delivery.run_workflow import WorkflowRunner

BACKUP_AT = datetime(2026, 11, 1, 3, 0)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC


def back_up(runner: WorkflowRunner) -> Path:
    """Copy the warehouse's file."""
    copy = runner.warehouse.folder.with_name("backup.duckdb")
    with runner.warehouse.writer(transaction=False) as con:
        con.execute("checkpoint warehouse")
    shutil.copy(runner.warehouse.file, copy)
    return copy


def restore(runner: WorkflowRunner, copy: Path) -> None:
    """Put the copy back, and record that."""
    runner.warehouse = Warehouse(runner.warehouse.folder)
    shutil.copy(copy, runner.warehouse.file)
    with runner.warehouse.writer() as con:
        record_restore(con, f"restore {copy.name}", runner.context("").now, BACKUP_AT, "before-restore")


def read_netsuite(runner: WorkflowRunner, *changed_projects: str) -> None:
    """Record that NetSuite was read, as the extraction does: these tests stage records themselves."""
    types = {each.name for each in RECORD_TYPES.values()}
    names = ("stg_netsuite__customers", "stg_netsuite__projects")
    assert all(each.startswith(RAW_PREFIX) for name in names for each in statement("staging", name).reads)
    with runner.warehouse.writer() as con:
        last = con.execute("select coalesce(max(reading), 0) from netsuite_reads").fetchall()[0][0]
        con.executemany(
            "insert into netsuite_reads (record_type, mode, reading, run_id) values (?, 'incremental', ?, 'reads')",
            [(name, last + 1) for name in sorted(types)],
        )
        con.execute("create or replace table raw_netsuite__projects (id varchar, _run_id varchar)")
        con.executemany(
            "insert into raw_netsuite__projects values (?, 'reads')", [[each] for each in (*changed_projects, "")]
        )
