"""What one extraction tells an operator, and what of it is kept: netsuite_reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb

from assets.netsuite.extract.load import Counts
from assets.netsuite.extract.strategy import Mode
from assets.netsuite.extract.watermarks import naive
from resources.warehouse.tables import ensure_table
from sql import statement


@dataclass(frozen=True)
class ExtractReport:
    """What one extraction did; inserted + updated + unchanged is what was read.

    Attributes:
        reconciled: Whether all ids were compared with NetSuite's.
        lanes_used: Share of the granted calls' time that calls were under way, while rows were being read.
    """

    record_type: str
    mode: Mode
    read: int
    inserted: int
    updated: int
    unchanged: int
    moved: int
    deleted: int
    seconds: float
    calls: int
    rows: Mapping[str, int]
    warnings: tuple[str, ...]
    reconciled: bool = False
    lanes_used: float = 0.0


def keep_read(
    con: duckdb.DuckDBPyConnection, run_id: str, record_type: str, mode: Mode, counts: Counts,
    *, calls: int, seconds: float, now: datetime,
) -> None:  # fmt: skip
    """Write down what a reading took, in the transaction that writes its rows."""
    ensure_table(con, statement("ledger", "netsuite_reads"))
    row = run_id, record_type, naive(now), mode, counts.inserted, counts.updated, counts.unchanged, counts.deleted
    con.execute("insert into netsuite_reads values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [*row, calls, seconds])
