"""The log of readings: their numbers, by the order in which they were written, because clocks may be set.

netsuite_reads  ->  last_reading()
"""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from resources.warehouse.tables import columns_of

READING = "_reading"
LOG = "netsuite_reads"


@dataclass(frozen=True)
class LastReading:
    """The reading that was written last.

    Attributes:
        number: Its number; 0 before the first one.
        netsuite_at: The latest time of NetSuite that any reading has, UTC, naive; None: not known.
    """

    number: int = 0
    netsuite_at: datetime | None = None


@dataclass(frozen=True)
class Reading:
    """One reading of a table.

    Attributes:
        number: Its place among all readings, by the order in which they were written.
        began_after: Number of the reading that had been written last when it began.
        netsuite_at: NetSuite's time before the first query, UTC, naive: its values are at least as new.
        read_at: When it was written, UTC, naive, by the warehouse's clock.
    """

    number: int
    began_after: int
    netsuite_at: datetime | None
    read_at: datetime


def last_reading(con: duckdb.DuckDBPyConnection) -> LastReading:
    """Return the reading that was written last."""
    if "reading" not in columns_of(con, LOG):
        return LastReading()
    number, netsuite_at = con.execute(f"select max(reading), max(netsuite_at) from {LOG}").fetchall()[0]
    return LastReading(int(number or 0), netsuite_at)
