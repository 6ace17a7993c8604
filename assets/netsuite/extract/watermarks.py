"""Watermarks: the time up to which each NetSuite table was read, and from which the next run reads.

sync_watermarks  ->  Watermark  ->  .changed_from(…), a time in the session's time zone
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from resources.netsuite.client import TIMESTAMP
from resources.time_zones import time_zones
from resources.warehouse.tables import ensure_table, has_table, insert_row, read_frame
from sql import statement

# deletions are shown in Pacific time and literals are read in the session's zone: a day covers any two zones
DELETIONS_OVERLAP = timedelta(hours=25)
SHARED = timedelta(days=3)  # watermarks at most this far apart share one query for deletions
UNKNOWN_ZONE_OVERLAP = timedelta(hours=25)
LOCAL_TIME_OVERLAP_S = 7200  # if NetSuite does not convert times: one clock change and an hour
PROBED_WITHIN = timedelta(hours=1)  # longest time between the start of a run and its query for the zone
STEP_BACK = timedelta(minutes=30)
NIGHT_ENDS_H = 4  # clocks change between midnight and four, local time


@dataclass(frozen=True)
class Watermark:
    """One row of `sync_watermarks`; times are aware and in UTC."""

    source_table: str
    watermark_at: datetime
    overlap_s: int
    columns_hash: str
    zone_offset_s: int | None
    began_at: datetime
    run_id: str
    reconciled_at: datetime | None = None

    def changed_from(self, zone: timedelta | None, now: datetime) -> str:
        """Return the session-local time from which rows may have changed, as a SuiteQL literal.

        NetSuite reads the literal in the session's zone, with that zone's offset at that time. It does not say which
        zone that is, and the user may have changed it, so the time is early enough for every zone whose clocks now
        show the session's time. Clocks change at night, when an hour exists twice or not at all: such a time is
        replaced by the evening before. Without a known offset, 25 hours cover every zone.

        Args:
            zone: How far the session's local time is ahead of UTC now; None if unknown.
            now: Time of that query, within an hour; aware.
        """
        if zone is None or self.zone_offset_s is None:
            return (self.watermark_at - UNKNOWN_ZONE_OVERLAP).strftime(TIMESTAMP)
        since = self.watermark_at - timedelta(seconds=self.overlap_s)
        local = (since + min(zone, timedelta(seconds=self.zone_offset_s))).replace(tzinfo=None)
        if local.hour < NIGHT_ENDS_H:  # also for zones whose rules have changed after our tz data was published
            local = local.replace(hour=0, minute=0, second=0) - STEP_BACK
        candidates = zones_at_offset(zone, now)
        while any(may_be_later(local, each, since) for each in candidates):
            local -= STEP_BACK
        return local.strftime(TIMESTAMP)

    def reported_from(self, columns_hash: str) -> str:
        """Return the date of change, in UTC, from which changes are asked for; blank if the columns have changed."""
        if columns_hash != self.columns_hash:
            return ""
        return (self.watermark_at - timedelta(seconds=self.overlap_s)).strftime(TIMESTAMP)

    @property
    def deleted_from(self) -> str:
        """The time from which records may have been deleted, as a SuiteQL literal."""
        return (self.watermark_at - DELETIONS_OVERLAP).strftime(TIMESTAMP)

    def shared_deleted_from(self, others: Iterable["Watermark | None"]) -> str:
        """The same for several tables that share one query; tables that are far behind query for themselves."""
        near = [each for each in others if each and self.watermark_at - each.watermark_at < SHARED]
        return min(each.deleted_from for each in (self, *near))


@cache
def _zones() -> tuple[ZoneInfo, ...]:
    """Every known zone; loading takes 0.1 ms each."""
    return tuple(ZoneInfo(name) for name in sorted(time_zones()))


def zones_at_offset(ahead: timedelta, now: datetime) -> list[ZoneInfo]:
    """Return the zones whose clocks are this far ahead of UTC within an hour of `now` (aware)."""
    around = (now - PROBED_WITHIN, now + PROBED_WITHIN)
    return [zone for zone in _zones() if any(moment.astimezone(zone).utcoffset() == ahead for moment in around)]


def may_be_later(local: datetime, zone: ZoneInfo, moment: datetime) -> bool:
    """Return whether a zone's local time is later than a moment, or ambiguous: it exists there twice or not at all."""
    readings = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return len(readings) > 1 or readings.pop() > moment


def naive_utc(moment: datetime) -> datetime:
    """Convert an aware time to naive UTC, as the warehouse's timestamps are."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def read_watermarks(con: duckdb.DuckDBPyConnection) -> dict[str, Watermark]:
    """Return the watermark of each NetSuite table that has been loaded."""
    if not has_table(con, "sync_watermarks"):
        return {}
    rows = read_frame(con, "select * from sync_watermarks").rows(named=True)
    return {row["source_table"]: Watermark(*(_aware(row.get(each.name)) for each in fields(Watermark))) for row in rows}


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def write_watermark(con: duckdb.DuckDBPyConnection, watermark: Watermark, now: datetime) -> None:
    """Replace the table's watermark, in the caller's transaction."""
    ensure_table(con, statement("ledger", "sync_watermarks"))
    # early versions lack the column
    con.execute("alter table sync_watermarks add column if not exists reconciled_at timestamp")
    con.execute("delete from sync_watermarks where source_table = ?", [watermark.source_table])
    row = {**asdict(watermark), "updated_at": now}
    naive = {name: naive_utc(value) if isinstance(value, datetime) else value for name, value in row.items()}
    insert_row(con, "sync_watermarks", naive)
