"""Readings: when NetSuite last showed the values of each row, and which rows to read again although no date moved.

raw rows' `_reading`  ->  netsuite_reads (number, NetSuite's time)  ->  oldest_ranges(), rows_of_deleted()

A date that moves is NetSuite's own report of a change; some changes move none. So every night the rows whose values
were read longest ago are read again, and rows that refer to a record that has been deleted since they were read are
read in the next run.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

import duckdb

from assets.netsuite.extract.reading_log import LOG, READING
from assets.netsuite.extract.spool import Spool, spool_query
from assets.netsuite.record_types import RECORD_TYPES, RecordType
from resources.netsuite.pages import PAGE
from resources.warehouse.tables import columns_of, quoted


@dataclass(frozen=True)
class KeyRange:
    """Keys above `after` up to `last`: at most a page of live rows."""

    after: int
    last: int
    rows: int


def oldest_ranges(
    con: duckdb.DuckDBPyConnection, record_type: RecordType, listed: Spool, rows: int, calls: int, *, page: int = PAGE
) -> list[KeyRange]:
    """Return the ranges of keys that hold the rows whose values were read longest ago.

    Rows in between are read as well where that is cheaper than another call.

    Args:
        con: The warehouse.
        record_type: The record type.
        listed: The keys that NetSuite lists now; others could not be read.
        rows: Number of rows to cover.
        calls: Maximum number of ranges; each needs one call.
        page: Rows of one call.
    """
    live = _live(con, record_type)
    if not listed.rows or not live:
        return []
    query = _OLDEST.format(live=live, listed=spool_query([listed], quoted(record_type.query.key)))
    found = con.execute(query, {"rows": rows, "page": page, "calls": calls}).fetchall()
    return [KeyRange(int(after), int(last), int(count)) for after, last, count in found]


# a new range begins where more than a page of younger rows follows, and after a page of rows
_OLDEST = """
with placed as (
    select
        try_cast(key as bigint) as number, coalesce(reading, 0) as reading,
        row_number() over (order by try_cast(key as bigint)) as place
    from ({live}) where key in ({listed})
),
oldest as (select * from placed order by reading, number limit $rows),
spaced as (select *, place - lag(place, 1, place) over (order by number) > $page as is_far from oldest),
numbered as (select *, count_if(is_far) over (order by number) as stretch from spaced),
cut as (select *, (place - min(place) over (partition by stretch)) // $page as piece from numbered)
select min(number) - 1, max(number), max(place) - min(place) + 1
from cut
group by stretch, piece
order by min(reading), min(number)
limit $calls
"""


def rows_of_deleted(con: duckdb.DuckDBPyConnection, record_type: RecordType) -> list[str]:
    """Return the keys of rows that refer to a record that was deleted, or found missing, after they were read.

    A merge in NetSuite deletes the loser and may move its projects, contacts and sub-customers without moving dates.
    """
    has_readings = "reading" in columns_of(con, LOG)
    began = f"(select min(began_after) from {LOG} as log where log.reading = live.reading)" if has_readings else "null"
    queries = []
    for column, names in record_type.references.items():
        tables = [table for name in names for table in RECORD_TYPES[name].raw_tables]
        deleted = _rows(con, tables, "id, {reading} as reading", "is not null")
        live = _live(con, record_type, column)
        if deleted and live:
            queries.append(
                f"select key from ({live}) as live inner join ({deleted}) as gone on gone.id = live.reference"
                f" where coalesce({began}, -1) < coalesce(gone.reading, 0)"
            )
    found = con.execute(" union ".join(queries)).fetchall() if queries else []
    return sorted((row[0] for row in found), key=int)


def _live(con: duckdb.DuckDBPyConnection, record_type: RecordType, reference: str = "") -> str:
    """Return SQL for key, reading and, if wanted, a reference of each live row; blank without tables."""
    referred = f", {quoted(reference)} as reference" if reference else ""
    columns = f"{quoted(record_type.query.key)} as key, {{reading}} as reading{referred}"
    return _rows(con, record_type.raw_tables, columns, "is null")


def _rows(con: duckdb.DuckDBPyConnection, tables: Iterable[str], columns: str, deleted: str) -> str:
    """Return SQL for columns of the rows of raw tables; their reading is null in a table of an earlier version."""
    known = {table: columns_of(con, table) for table in tables}
    return " union all ".join(
        f"select {columns.format(reading=READING if READING in present else 'null::bigint')} from {quoted(table)}"
        f" where _deleted_at {deleted}"
        for table, present in known.items()
        if present
    )


def share_of(rows: int, days: float, elapsed: float, *, page: int = PAGE) -> int:
    """Return how many rows to read again now, so that the values of all are read again in time; at least a page.

    Args:
        rows: Number of rows.
        days: Days within which the values of every row are read again.
        elapsed: Days since the last share.
        page: Rows of one call.
    """
    return min(rows, max(page, ceil(rows * max(1.0, elapsed) / days)))
