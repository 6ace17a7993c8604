"""The time that retention counts its days back from: a clock that is ahead makes nothing old.

the machine's time, netsuite_reads  ->  counted_from()  ->  the cuts of retention
"""

from datetime import UTC, datetime

import duckdb

from assets.netsuite.extract.reading_log import last_reading
from resources.warehouse.warehouse import Warehouse, WarehouseError


def counted_from(warehouse: Warehouse, now: datetime) -> datetime:
    """Return `now`, or NetSuite's time at the last reading if that is earlier.

    What this machine's clock calls old may be of yesterday; NetSuite's time is another machine's. Where nothing was
    read, or the warehouse cannot be read, it is `now`.
    """
    if not warehouse.exists():
        return now
    try:
        with warehouse.writer(transaction=False) as con:
            known = last_reading(con).netsuite_at
    except (WarehouseError, duckdb.Error):
        return now
    return now if known is None else min(now, known.replace(tzinfo=UTC) if now.tzinfo else known)
