"""Evidence of a comparison: which of a workflow's NetSuite records were read by value, when, and which were not.

raw rows' readings + netsuite_reads + netsuite_capabilities  ->  read_verification()  ->  time, rows, columns, reasons

A record that was not read again may have changed without a date; a column that NetSuite does not show keeps its last
value. Nothing is claimed of either.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from assets.delivery.diff.compared_fields import unowned_fields
from assets.delivery.errors import PlanError
from assets.delivery.ledger.freshness import require_current
from assets.delivery.spec.expressions import date_dependent_fields, source_columns
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.capabilities import missing_columns
from assets.netsuite.extract.raw_queries import ABSENT, EVIDENCE
from assets.netsuite.extract.reading_log import LOG, READING
from assets.netsuite.record_types import RECORD_TYPES, RecordType, record_type_of
from assets.result_texts import counted
from assets.warehouse.column_sources import derived_columns
from resources.warehouse.tables import columns_of, has_table, quoted
from sql import Statement, statement

EXAMPLES = 8  # NetSuite ids shown per reason
GRACE_DAYS = 1  # a night may begin late
ANOTHER_RUN = "(another run)"  # whichever run made the mart, it is compared with its sources
NEVER, GONE, UNREAD = (
    "no reading of their values is known",
    "no longer shown by NetSuite, without a deletion note",
    "never read",
)
NOT_SHOWN = "not shown by NetSuite to this role"
CALENDAR, CREATION = "changes with the date, is sent with other changes", "is written on creation only"


@dataclass(frozen=True)
class UnverifiedRows:
    """Rows of one record type whose values are not known to be NetSuite's, for one reason."""

    record_type: str
    reason: str
    rows: int
    examples: Sequence[str] = ()

    def __str__(self) -> str:
        count = f"{counted(self.rows, 'rows')} of " if self.rows else ""
        return f"{count}{self.record_type} ({self.reason})"


_Rows = tuple[list[UnverifiedRows], list[datetime | None]]  # of a record type: not verified, oldest readings


@dataclass(frozen=True)
class Verification:
    """Readings of a workflow's sources.

    Attributes:
        through: NetSuite's time through which the values of every row were read, UTC: the oldest reading of a row; None
            if a row was never read by value.
        rows: Rows that are not verified.
        columns: Why a column is not verified, by `record type.column`.
        uncompared: Why a field is not compared with the target, by field: the workflow file says so.
        outdated: Why mart or target state are not what was read last; blank if they are.
    """

    through: datetime | None = None
    rows: Sequence[UnverifiedRows] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    uncompared: Mapping[str, str] = field(default_factory=dict)
    outdated: str = ""

    @property
    def is_complete(self) -> bool:
        """Every row and column was read by value, and both sides are current."""
        return self.through is not None and not (self.rows or self.columns or self.outdated)

    @property
    def gaps(self) -> list[str]:
        """Parts that are not verified, each with its reason."""
        columns = [f"column {name} ({reason})" for name, reason in sorted(self.columns.items())]
        return [*map(str, self.rows), *columns, *([self.outdated] if self.outdated else [])]


def read_verification(con: duckdb.DuckDBPyConnection, workflow: Workflow, verify_days: float) -> Verification:
    """Return what was read by value of a workflow's sources."""
    types = {each.name: each for each in read_types(workflow)}
    latest = _latest_time(con)
    unverified, oldest = list[UnverifiedRows](), list[datetime | None]()
    for record_type in types.values():
        found, first = _rows_of(con, record_type, latest, verify_days)
        unverified += found
        oldest += first
    dated = [each for each in oldest if each is not None]
    return Verification(
        through=min(dated) if dated and len(dated) == len(oldest) else None,
        rows=unverified,
        columns=hidden_columns(con, workflow),
        uncompared=uncompared_fields(workflow),
        outdated=_outdated(con, workflow),
    )


def read_types(workflow: Workflow) -> list[RecordType]:
    """Return the record types that a workflow reads, its own and those that it looks up."""
    types = {each.name: each for definition in _definitions(workflow) for each in _record_types(definition)}
    return list(types.values())


def hidden_columns(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> dict[str, str]:
    """Return the columns that a workflow reads and that NetSuite does not show, each with the reason."""
    definitions = _definitions(workflow)
    return {name: NOT_SHOWN for definition in definitions for name in _hidden_columns(con, workflow, definition)}


def uncompared_fields(workflow: Workflow) -> dict[str, str]:
    """Return the fields that are not compared with the target, and why."""
    return dict(_uncompared(workflow))


def _definitions(workflow: Workflow) -> list[Statement]:
    tables = [record.table for record in workflow.spec.records] + [each.table for each in workflow.spec.lookups]
    staged = dict.fromkeys(table for table in tables if table.startswith(STAGING_PREFIX))
    return [statement("staging", table) for table in staged]


def _record_types(definition: Statement) -> Iterator[RecordType]:
    """Yield the record types from which a staging table is made."""
    own = record_type_of(definition.name.removeprefix(STAGING_PREFIX))
    yield from (each for each in (own, *RECORD_TYPES.values()) if set(each.raw_tables) & set(definition.reads))


def _latest_time(con: duckdb.DuckDBPyConnection) -> datetime | None:
    if "netsuite_at" not in columns_of(con, LOG):
        return None
    latest: datetime | None = con.execute(f"select max(netsuite_at) from {LOG}").fetchall()[0][0]
    return latest


def _rows_of(con: duckdb.DuckDBPyConnection, record_type: RecordType, latest: datetime | None, days: float) -> _Rows:
    """Return a record type's unverified rows, and the oldest reading of its rows; none without rows."""
    tables = [table for table in record_type.raw_tables if has_table(con, table)]
    if not tables or not _was_read(con, record_type):
        return [UnverifiedRows(record_type.name, UNREAD, 0)], [None]
    rows = " union all ".join(readings_of(con, record_type, table) for table in tables)
    old = "read longest ago, and not read again (MILLPOND_VERIFY_DAYS=0)" if not days else f"not read for {days:g} days"
    query = _UNVERIFIED.format(
        rows=rows, log=LOG if latest else "(select null::bigint as reading, null as netsuite_at)"
    )
    values = {"latest": latest, "days": days + GRACE_DAYS, "never": NEVER, "gone": GONE, "old": old}
    found = con.execute(query, values).fetchall()
    unverified = [UnverifiedRows(record_type.name, reason, count, ids) for reason, count, _, ids in found if reason]
    return unverified, [oldest for reason, _, oldest, _ in found if reason != GONE]


_UNVERIFIED = f"""
with log as (select reading, min(netsuite_at) as netsuite_at from {{log}} where reading is not null group by reading),
dated as (
    select key, netsuite_at, case
        when is_gone then $gone
        when netsuite_at is null then $never
        when netsuite_at < $latest::timestamp - to_seconds(86400 * $days::double) then $old
    end as reason
    from ({{rows}}) left join log using (reading)
)
select
    reason, count(*), case when count(netsuite_at) = count(*) then min(netsuite_at) end,
    list(key order by try_cast(key as bigint)) filter (reason is not null)[:{EXAMPLES}]
from dated group by reason order by reason
"""


def readings_of(con: duckdb.DuckDBPyConnection, record_type: RecordType, table: str) -> str:
    """Return SQL for key, reading and disappearance of the rows that are not known to be deleted."""
    columns = columns_of(con, table)
    reading = READING if READING in columns else "null::bigint"
    absent = f"coalesce({EVIDENCE} = '{ABSENT}', false)" if EVIDENCE in columns else "false"
    return (
        f"select {quoted(record_type.query.key)} as key, {reading} as reading, _deleted_at is not null as is_gone"
        f" from {quoted(table)} where _deleted_at is null or {absent}"
    )


def _was_read(con: duckdb.DuckDBPyConnection, record_type: RecordType) -> bool:
    query = "select 1 from sync_watermarks where source_table = ?"
    return has_table(con, "sync_watermarks") and bool(con.execute(query, [record_type.table]).fetchall())


def _hidden_columns(con: duckdb.DuckDBPyConnection, workflow: Workflow, definition: Statement) -> Iterator[str]:
    """Yield the columns that a workflow reads from a staging table and that NetSuite does not show."""
    source = definition.name.removeprefix(STAGING_PREFIX)
    hidden = {name for each in _record_types(definition) for name in missing_columns(con, each.name)}
    if hidden:
        affected = derived_columns(con, definition.text, hidden)
        yield from (f"{source}.{name}" for name in sorted(affected & _columns_read(workflow, definition.name)))


def _columns_read(workflow: Workflow, table: str) -> set[str]:
    read = {
        name for each in workflow.spec.records if each.table == table for name in source_columns(each, workflow.name)
    }
    return read | {name for each in workflow.spec.lookups if each.table == table for name in (each.by, each.return_)}


def _uncompared(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """Yield the fields that are not compared with the target, and why."""
    sources = {record.source for record in workflow.spec.records}
    for name, unmapped in unowned_fields(workflow.spec).items():
        if sources <= set(unmapped):
            yield name, CREATION
    for name in date_dependent_fields(workflow.spec):
        yield name, CALENDAR


def _outdated(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> str:
    try:
        require_current(con, workflow, ANOTHER_RUN)
    except PlanError as error:
        return str(error)
    return ""
