"""NetSuite's time as of which the values of all records that a workflow reads were read.

raw rows' readings, netsuite_reads, sync_watermarks  ->  read_sources()  ->  through, evidence per record type, gaps

A time is that of the oldest reading of a row that NetSuite shows; a row that appeared without a date is found only when
all ids are listed, so the last listing bounds it as well. NetSuite may show a change some time after its date, which is
what the overlap of two reads is for: so much earlier is the time that can be claimed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from assets.delivery.audit.verification import read_types, readings_of
from assets.delivery.ledger.restores import has_unstaged_rows
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.reading_log import LOG
from assets.netsuite.record_types import RecordType, record_type_of
from assets.result_texts import counted
from resources.warehouse.tables import columns_of, has_table
from sql import statement

NEVER = "no reading of their values is known"
UNLISTED = "their ids were never listed completely"
HIDDEN = "not shown by NetSuite, without a deletion note"
MISSING = "missing"  # mode of a reading: the account has no such table


@dataclass(frozen=True)
class TypeReading:
    """The readings of one record type.

    Attributes:
        rows: Rows that NetSuite showed last.
        absent: Rows that it no longer shows, without a deletion note.
        oldest_reading: The reading of the row that was read longest ago; None without rows.
        oldest_at: NetSuite's time of that reading; None if that is not known.
        listed_reading: The last reading that compared all ids.
        listed_at: NetSuite's time of that.
        run_id: The run that listed them.
        reason: Why there is no time; blank if there is.
    """

    record_type: str
    rows: int
    absent: int
    oldest_reading: int | None
    oldest_at: datetime | None
    listed_reading: int | None
    listed_at: datetime | None
    run_id: str | None
    calls: int | None
    reason: str = ""

    @property
    def through(self) -> datetime | None:
        """NetSuite's time as of which all of its records were read; None if that is not known."""
        known = [self.oldest_at, self.listed_at] if self.rows else [self.listed_at]
        return None if self.reason or None in known else min(each for each in known if each)

    @property
    def facts(self) -> dict[str, Any]:
        """The attributes, times as text."""
        return {name: str(value) if isinstance(value, datetime) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Sources:
    """The readings that a workflow depends on; `frozen` says why nothing can be verified that was not before."""

    types: Sequence[TypeReading]
    overlap_s: int
    frozen: str = ""

    @property
    def through(self) -> datetime | None:
        """NetSuite's time as of which everything was read; None if that is not known."""
        known = [each.through for each in self.types]
        found = [each for each in known if each is not None]
        return min(found) - timedelta(seconds=self.overlap_s) if found and len(found) == len(known) else None

    @property
    def limit(self) -> str:
        """The record type that bounds the time, and why."""
        unknown = next((each for each in self.types if each.through is None), None)
        if unknown:
            return f"{unknown.record_type}: {unknown.reason}"
        oldest = min(self.types, key=lambda each: each.through or datetime.max)  # noqa: DTZ901 - as the warehouse's times
        what = "all ids were last listed" if oldest.through == oldest.listed_at else "a row was last read"
        return f"{oldest.record_type}: {what} at {oldest.through} UTC, less an overlap of {self.overlap_s} s"


def read_sources(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> Sources:
    """Return what was read of the records of a workflow and of those that it looks up."""
    own = {record_type_of(record.source).name for record in workflow.spec.records}
    found = [_read_type(con, each) for each in read_types(workflow)]
    hidden = [
        each
        for each in found
        if each.absent and each.record_type not in own and not record_type_of(each.record_type).parent
    ]
    overlap = con.execute("select max(overlap_s) from sync_watermarks").fetchall()[0][0]
    frozen = "; ".join(f"{counted(each.absent, 'rows')} of {each.record_type} ({HIDDEN})" for each in hidden)
    return Sources(found, int(overlap or 0), frozen)


def is_outdated(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> bool:
    """Return whether rows were read that the staging tables of a workflow do not have yet."""
    return any(
        has_unstaged_rows(con, table, raw)
        for table in _staging_tables(workflow)
        for raw in statement("staging", table).reads
        if has_table(con, raw)
    )


def _staging_tables(workflow: Workflow) -> Iterator[str]:
    tables = [record.table for record in workflow.spec.records] + [each.table for each in workflow.spec.lookups]
    yield from dict.fromkeys(table for table in tables if table.startswith(STAGING_PREFIX))


def _read_type(con: duckdb.DuckDBPyConnection, record_type: RecordType) -> TypeReading:
    tables = [table for table in record_type.raw_tables if has_table(con, table)]
    shown = " union all ".join(readings_of(con, record_type, table) for table in tables)
    log = LOG if "netsuite_at" in columns_of(con, LOG) else ""
    if not tables or not log:
        return TypeReading(record_type.name, 0, 0, None, None, None, None, None, None, NEVER)
    rows, absent, unknown, oldest, oldest_at = con.execute(_OLDEST.format(shown=shown, log=log)).fetchall()[0]
    listed = con.execute(_LISTED.format(log=log, listed=_was_listed(con)), [record_type.name]).fetchall()
    number, at, run_id, calls = listed[0] if listed else (None, None, None, None)
    reason = NEVER if unknown else UNLISTED if at is None else ""
    return TypeReading(record_type.name, int(rows), int(absent), oldest, oldest_at, number, at, run_id, calls, reason)


def _was_listed(con: duckdb.DuckDBPyConnection) -> str:
    whole = f"mode in ('full', 'full_table', '{MISSING}')"
    # a row that could not be read leaves even a full read incomplete; reads of early versions do not say
    return f"(coalesce(listed, {whole}) or mode = '{MISSING}')" if "listed" in columns_of(con, LOG) else whole


_OLDEST = """
with log as (select reading, min(netsuite_at) as netsuite_at from {log} where reading is not null group by reading),
dated as (select is_gone, reading, netsuite_at from ({shown}) left join log using (reading))
select
    count(*) filter (not is_gone), count(*) filter (is_gone), count(*) filter (not is_gone and netsuite_at is null),
    arg_min(reading, netsuite_at) filter (not is_gone), min(netsuite_at) filter (not is_gone)
from dated
"""
_LISTED = """
select reading, netsuite_at, run_id, calls from {log}
where record_type = ? and netsuite_at is not null and {listed} order by reading desc limit 1
"""
