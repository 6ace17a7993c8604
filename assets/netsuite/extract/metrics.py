"""Figures of one extraction, for the operator and for the table netsuite_reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from assets.netsuite.extract.load import LoadCounts
from assets.netsuite.extract.reading_log import Reading
from assets.netsuite.extract.strategy import Mode
from assets.result_texts import counted
from resources.warehouse.tables import columns_of, ensure_table, insert_row, quoted
from sql import statement

COUNTS = ("inserted", "updated", "unchanged", "deleted", "verified", "unreported", "calls", "seconds")
EXAMPLES = 8  # NetSuite ids in a warning


@dataclass(frozen=True)
class StoredTable:
    """A raw table after a load: its rows, including deleted ones, and the types of its columns."""

    rows: int
    columns: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ExtractionReport(LoadCounts):
    """Result of one extraction.

    Attributes:
        reconciled: All ids were compared with NetSuite's.
        verified: Rows that were read again by value although nothing reported a change.
        slot_utilization: Share of the granted concurrency slots' time that calls, also those of other tables, used
            while rows were read.
        stored: Each raw table after the load.
    """

    record_type: str
    mode: Mode
    seconds: float
    calls: int
    warnings: tuple[str, ...]
    reconciled: bool
    verified: int
    slot_utilization: float
    stored: Mapping[str, StoredTable]


def stored_tables(con: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> dict[str, StoredTable]:
    """Return rows and columns of raw tables."""
    counted = {table: f"select count(*) from {quoted(table)}" for table in tables}
    return {
        table: StoredTable(int(con.execute(query).fetchall()[0][0]), columns_of(con, table))
        for table, query in counted.items()
    }


def record_read(con: duckdb.DuckDBPyConnection, run_id: str, report: ExtractionReport, reading: Reading) -> None:
    """Write one row of netsuite_reads, in the transaction that writes the rows."""
    ensure_table(con, statement("ledger", "netsuite_reads"))
    row = {
        "run_id": run_id,
        "record_type": report.record_type,
        "read_at": reading.read_at,
        "mode": report.mode,
        **{name: getattr(report, name) for name in COUNTS},
        "warnings": list(report.warnings),
        "reading": reading.number,
        "began_after": reading.began_after,
        "netsuite_at": reading.netsuite_at,
        "listed": report.reconciled,
    }
    insert_row(con, "netsuite_reads", row)


def unreported_warning(con: duckdb.DuckDBPyConnection, rows: int) -> str:
    """Return a warning that names rows of the load in progress that changed without a date."""
    keys = con.execute(
        f"select key from changes where is_unreported order by try_cast(key as bigint) limit {EXAMPLES}"
    ).fetchall()
    named = ", ".join(key for (key,) in keys) + (" …" if rows > len(keys) else "")
    return (
        f"{counted(rows, 'records')} changed without lastmodifieddate: NetSuite ids {named}; the new values were read"
    )
