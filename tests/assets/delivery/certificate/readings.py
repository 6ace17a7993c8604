"""Stage records and record that NetSuite was read, as the extraction does, for a workflow of customers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from assets.delivery.ledger.certificates import Certificate, newest_certificates
from assets.netsuite.record_types import RECORD_TYPES
from resources.warehouse.tables import ensure_table
from sql import statement
from tests.assets.delivery.run_workflow import WorkflowRunner

CREATED = datetime(2026, 10, 1, 12, 0)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
TYPES = ("projects", "customers", "customer_subsidiaries", "addresses", "currencies", "entity_statuses")
OVERLAP_S = 900


def read(
    runner: WorkflowRunner,
    at: datetime,
    *rows: Mapping[str, Any],
    shown: tuple[str, ...] | None = None,
    listed: bool = True,
    below: tuple[Mapping[str, Any], ...] = (),
) -> None:
    """Stage customers and their projects, and record one reading of each record type.

    Args:
        runner: The workflow.
        at: NetSuite's time of the readings.
        rows: The customers as they are staged.
        shown: Those that NetSuite showed; None: all. The others are absent, without a deletion note.
        listed: All ids were compared.
        below: The projects as they are staged.
    """
    runner.stage(*rows, below=below)
    with runner.warehouse.writer() as con:
        for table in ("stg_netsuite__customers", "stg_netsuite__projects"):
            con.execute(f"alter table {table} add column created_at timestamp")
            con.execute(f"update {table} set created_at = ?", [CREATED])
        ensure_table(con, statement("ledger", "netsuite_reads"), statement("ledger", "sync_watermarks"))
        number = con.execute("select coalesce(max(reading), 0) from netsuite_reads").fetchall()[0][0]
        for name in TYPES:
            number += 1
            con.execute(
                "insert into netsuite_reads (run_id, record_type, mode, reading, netsuite_at, listed, calls)"
                " values ('reads', ?, 'incremental', ?, ?, ?, 1)",
                [name, number, at, listed],
            )
            con.execute("delete from sync_watermarks where source_table = ?", [RECORD_TYPES[name].table])
            con.execute(
                "insert into sync_watermarks (source_table, overlap_s) values (?, ?)",
                [RECORD_TYPES[name].table, OVERLAP_S],
            )
            for table in RECORD_TYPES[name].raw_tables:
                key = RECORD_TYPES[name].query.key
                con.execute(
                    f"create table if not exists {table} ({key} varchar, _deleted_at timestamp,"
                    " _deletion_evidence varchar, _reading bigint)"
                )
                if table == "raw_netsuite__projects":
                    con.execute(f"delete from {table}")
                    for row in below:
                        con.execute(f"insert into {table} values (?, null, null, ?)", [row["project_id"], number])
                if table == "raw_netsuite__customers":
                    con.execute(f"delete from {table}")
                    con.executemany(
                        f"insert into {table} values (?, ?, ?, ?)",
                        [
                            [row["customer_id"], *((None, None) if _is_shown(row, shown) else (at, "absent")), number]
                            for row in rows
                        ],
                    )


def _is_shown(row: Mapping[str, Any], shown: tuple[str, ...] | None) -> bool:
    return shown is None or row["customer_id"] in shown


def newest(runner: WorkflowRunner) -> Certificate:
    """Return the newest certificate."""
    with runner.warehouse.writer(transaction=False) as con:
        return newest_certificates(con)[runner.name]
