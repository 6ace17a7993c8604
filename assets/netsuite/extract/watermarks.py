"""How far each NetSuite table has been read, and from where the next run reads on.

sync_watermarks  ->  Watermark  ->  .literal(…), the session-local time from which changes are asked for
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import duckdb

from resources.netsuite.client import TIMESTAMP
from resources.warehouse.tables import columns_of, ensure_table
from sql import statement

# deletions are shown in Pacific time, literals are read in the session's zone: a day covers any two zones
DELETES_OVERLAP = timedelta(hours=25)
SHARED = timedelta(days=3)  # how far apart tables may be that ask for deletions together
UNKNOWN_ZONE_OVERLAP = timedelta(hours=25)
LOCAL_TIME_OVERLAP_S = 7200  # where NetSuite does not convert times: a clock change and an hour
PROBED_WITHIN = timedelta(hours=1)  # how far the question for the zone and the run's beginning may lie apart
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

    def literal(self, zone: timedelta | None, now: datetime) -> str:
        """The session-local time since which rows may have changed.

        NetSuite reads it in its zone, with the offset of that time. Which zone that is it does not tell, and the user
        may have moved to another one since: the time is early enough for every zone whose clocks show now what the
        session's show. Clocks change at night, where an hour is told twice or does not exist: such a time is not
        asked for, but the evening before. Without a known offset, 25 hours cover every zone.

        Args:
            zone: How far the session's local time is ahead of UTC now; None when not known.
            now: When that was asked, within an hour; aware.
        """
        if zone is None or self.zone_offset_s is None:
            return (self.watermark_at - UNKNOWN_ZONE_OVERLAP).strftime(TIMESTAMP)
        since = self.watermark_at - timedelta(seconds=self.overlap_s)
        local = (since + min(zone, timedelta(seconds=self.zone_offset_s))).replace(tzinfo=None)
        if local.hour < NIGHT_ENDS_H:  # for zones whose rules have changed since ours were published
            local = local.replace(hour=0, minute=0, second=0) - STEP_BACK
        alike = zones_alike(zone, now)
        while any(may_be_later(local, each, since) for each in alike):
            local -= STEP_BACK
        return local.strftime(TIMESTAMP)

    @property
    def deletes_literal(self) -> str:
        """The time since which records may have been deleted."""
        return (self.watermark_at - DELETES_OVERLAP).strftime(TIMESTAMP)

    def deletes_literal_with(self, others: Iterable["Watermark | None"]) -> str:
        """The same for several tables that share one question; those that are far behind ask for themselves."""
        near = [each for each in others if each and self.watermark_at - each.watermark_at < SHARED]
        return min(each.deletes_literal for each in (self, *near))


@cache
def _zones() -> tuple[ZoneInfo, ...]:
    """Every zone that there is, 0.1 ms each."""
    return tuple(ZoneInfo(name) for name in sorted(available_timezones()))


def zones_alike(ahead: timedelta, now: datetime) -> list[ZoneInfo]:
    """The zones whose clocks are so far ahead of UTC.

    Args:
        ahead: What a session's clock is ahead by now.
        now: Within an hour of that; aware.
    """
    around = (now - PROBED_WITHIN, now + PROBED_WITHIN)
    return [zone for zone in _zones() if any(moment.astimezone(zone).utcoffset() == ahead for moment in around)]


def may_be_later(local: datetime, zone: ZoneInfo, moment: datetime) -> bool:
    """Whether a zone's local time is later than a moment, or may be: it is told twice there, or never."""
    read = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return len(read) > 1 or read.pop() > moment


def naive(moment: datetime) -> datetime:
    """A moment as the warehouse keeps it: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def read_watermark(con: duckdb.DuckDBPyConnection, source_table: str) -> Watermark | None:
    """The watermark of one NetSuite table; None before its first load."""
    return read_watermarks(con).get(source_table)


def read_watermarks(con: duckdb.DuckDBPyConnection) -> dict[str, Watermark]:
    """The watermark of each NetSuite table that was loaded."""
    there = columns_of(con, "sync_watermarks")
    if not there:
        return {}
    reconciled = "reconciled_at" if "reconciled_at" in there else "null::timestamp"  # warehouses that are older than it
    rows = con.execute(
        "select source_table, watermark_at, overlap_s, columns_hash, zone_offset_s, began_at, run_id,"
        f" {reconciled} from sync_watermarks"
    ).fetchall()
    return {row[0]: _watermark(*row) for row in rows}


def _watermark(  # one argument a column
    name: str,
    watermark_at: datetime,
    overlap_s: int,
    columns_hash: str,
    zone_offset_s: int | None,
    began_at: datetime,
    run_id: str,
    reconciled_at: datetime | None,
) -> Watermark:
    return Watermark(
        name,
        watermark_at.replace(tzinfo=UTC),
        overlap_s,
        columns_hash,
        zone_offset_s,
        began_at.replace(tzinfo=UTC),
        run_id,
        reconciled_at and reconciled_at.replace(tzinfo=UTC),
    )


def write_watermark(con: duckdb.DuckDBPyConnection, mark: Watermark, now: datetime) -> None:
    """Put the watermark in place of the former one, in the caller's transaction."""
    ensure_table(con, statement("ledger", "sync_watermarks"))
    con.execute("alter table sync_watermarks add column if not exists reconciled_at timestamp")
    con.execute("delete from sync_watermarks where source_table = ?", [mark.source_table])
    con.execute(
        "insert into sync_watermarks (source_table, watermark_at, overlap_s, columns_hash, zone_offset_s, began_at,"
        " run_id, updated_at, reconciled_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            mark.source_table,
            naive(mark.watermark_at),
            mark.overlap_s,
            mark.columns_hash,
            mark.zone_offset_s,
            naive(mark.began_at),
            mark.run_id,
            naive(now),
            mark.reconciled_at and naive(mark.reconciled_at),
        ],
    )
