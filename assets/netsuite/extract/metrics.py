"""Figures of one extraction, for the operator and for the table netsuite_reads."""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from assets.netsuite.extract.load import LoadCounts
from assets.netsuite.extract.strategy import Mode
from assets.netsuite.extract.watermarks import naive_utc
from resources.warehouse.tables import columns_of, ensure_table
from sql import statement


@dataclass(frozen=True, kw_only=True)
class ExtractionReport(LoadCounts):
    """Result of one extraction.

    Attributes:
        reconciled: All ids were compared with NetSuite's.
        slot_utilization: Share of the granted concurrency slots' time that calls used while rows were read.
    """

    record_type: str
    mode: Mode
    seconds: float
    calls: int
    warnings: tuple[str, ...]
    reconciled: bool
    slot_utilization: float


def record_read(con: duckdb.DuckDBPyConnection, run_id: str, report: ExtractionReport, now: datetime) -> None:
    """Write one row of netsuite_reads, in the transaction that writes the rows."""
    ensure_table(con, statement("ledger", "netsuite_reads"))
    counts = [report.inserted, report.updated, report.unchanged, report.deleted, report.calls, report.seconds]
    row = [run_id, report.record_type, naive_utc(now), report.mode, *counts, list(report.warnings)]
    con.execute("insert into netsuite_reads values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def latest_warnings(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return record type and text of each warning of the latest read of each table."""
    if "warnings" not in columns_of(con, "netsuite_reads"):
        return []
    latest = "select record_type, arg_max(warnings, read_at) as texts from netsuite_reads where mode <> 'selected'"
    query = f"select record_type, unnest(texts) from ({latest} group by record_type) order by all"
    return [(record_type, text) for record_type, text in con.execute(query).fetchall()]
