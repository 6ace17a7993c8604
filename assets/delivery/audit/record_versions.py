"""One record at a past time, and who changed it: the macros of `sql/analytics` over a warehouse that has none yet.

hist_netsuite__*, hist_mart__*, hist_target__*  ->  read_versions()  ->  Versions
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from assets.delivery.audit.find import Record
from resources.warehouse.tables import has_table
from resources.warehouse.version_queries import versions_of_record_query
from sql import statement

Row = dict[str, Any]
SIDES = {"netsuite": "NetSuite", "desired": "desired", "target": "target"}  # of a row, as people read them
_VIEW, _AS_OF, _CHANGES = "record_versions", "record_as_of", "field_changes"
_READS = (
    "sync_readings",
    "sync_runs",
    "sync_decisions",
    "sync_attempts",
    "sync_links",
    "sync_forgotten",
    "lineage_columns",
)


@dataclass(frozen=True)
class Versions:
    """The known past of a record.

    Attributes:
        values: Rows of `record_as_of`, each with its workflow.
        changes: Rows of `field_changes`, each with its workflow, the oldest first.
        since: When the versions of each workflow begin, UTC.
        moment: The past moment, UTC; None: now, without values.
        of_field: The only field of interest; blank: all of them.
    """

    values: Sequence[Row] = ()
    changes: Sequence[Row] = ()
    since: Mapping[str, datetime | None] = field(default_factory=dict)
    moment: datetime | None = None
    of_field: str = ""

    def values_of(self, workflow: str) -> list[Row]:
        """Return the rows of one workflow in which any side has a value."""
        return [
            row for row in self.values if row["workflow"] == workflow and any(row[name] is not None for name in SIDES)
        ]

    def changes_of(self, workflow: str) -> list[Row]:
        """Return the changes of one workflow."""
        return [row for row in self.changes if row["workflow"] == workflow]


def read_versions(
    con: duckdb.DuckDBPyConnection,
    record: Record,
    workflows: Sequence[str],
    moment: datetime | None,
    of_field: str = "",
) -> Versions:
    """Return what is known of a record until a moment, or now."""
    values: list[Row] = []
    changes: list[Row] = []
    if not has_versions(con):
        return Versions(moment=moment, of_field=of_field)
    try:
        define_versions(con, workflows, record, past=moment is not None)
        for name in workflows:
            rows = values_as_of(con, name, record, moment) if moment is not None else []
            values += [{"workflow": name, **row} for row in rows if not of_field or row["field"] == of_field]
            changes += [
                {"workflow": name, **row} for row in field_changes(con, name, record, of_field=of_field, until=moment)
            ]
    finally:
        drop_versions(con)
    return Versions(values, changes, {name: kept_since(con, name) for name in workflows}, moment, of_field)


def differs(row: Row) -> bool:
    """Return whether the target had another value of a field than the wanted one."""
    is_field = not row["field"].startswith("(")
    return bool(is_field and row["is_read"] and row["desired_since"] and row["desired"] != row["target"])


def what_happened(row: Row) -> str:
    """Return what happened to a record as a whole; blank: one of its fields changed."""
    if row["field"] != "(record)":
        return ""
    if row["changed_by"] == "forgotten":
        return "values forgotten"
    if row["after"] is None:
        return "record gone"
    if row["changed_by"] == "our write":
        return "record created"
    if row["changed_by"] == "edit in the target":
        return "record created by someone else"
    return "record first mapped" if row["side"] == "desired" else "record first seen"


def has_versions(con: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the tables exist that the macros read."""
    return all(has_table(con, name) for name in _READS)


def define_versions(
    con: duckdb.DuckDBPyConnection, workflows: Iterable[str], record: Record, *, past: bool = True
) -> None:
    """Define the macros for this connection, over the versions of one record, which are copied.

    Each macro reads the versions several times; to plan that over the view, with a map of all columns for each table,
    takes longer than all else. So do its scans of the ledger, of which the record's rows are copied as well.
    `drop_versions` ends it: the connection is used again, for other records and for other warehouses.
    """
    own = {"source": record.source, "source_id": record.source_id}
    for name, query in _OF_LEDGER.items():
        con.execute(f"create or replace temp table {_COPIES[name]} as {query} {_OF_RECORD}", own)
    ids = [target_id for (target_id,) in con.execute(_TARGET_IDS, own).fetchall()]
    view = statement("analytics", _VIEW).text.replace("create or replace view", "create or replace temp table", 1)
    versions = versions_of_record_query(con, workflows, record.source)
    con.execute(view.replace("{versions}", versions), {**own, "target_ids": ids})
    for name in (_CHANGES, *((_AS_OF,) if past else ())):
        text = statement("analytics", name).text.replace("create or replace ", "create or replace temp ", 1)
        for table, copy in _COPIES.items():
            text = re.sub(rf"\b{table}\b", f"temp.{copy}", text)
        con.execute(text)


# the columns that the macros read of the large ledger tables
_RECORD = "workflow, source, source_number, source_id"
_OF_LEDGER = {
    "sync_decisions": f"select {_RECORD}, target_id, from_position from sync_decisions",
    "sync_attempts": f"select {_RECORD}, attempt_id, position, state, run_id, seen_at from sync_attempts",
}
_COPIES = {"sync_decisions": "record_decisions", "sync_attempts": "record_attempts"}
_OF_RECORD = (
    "where source_number is not distinct from try_cast($source_id as bigint) and source = $source"
    " and source_id = $source_id"
)
# the target's records that it is or was
_TARGET_IDS = """
select target_id from temp.record_decisions where target_id is not null
union select target_id from sync_links where source = $source and source_id = $source_id and target_id is not null
"""


def drop_versions(con: duckdb.DuckDBPyConnection) -> None:
    """Drop what `define_versions` defined, so that the warehouse's own view and macros count again."""
    for name in (_CHANGES, _AS_OF):
        con.execute(f"drop macro table if exists temp.{name}")
    for name in (_VIEW, *_COPIES.values()):
        con.execute(f"drop table if exists temp.{name}")


def values_as_of(con: duckdb.DuckDBPyConnection, workflow: str, record: Record, moment: datetime) -> list[Row]:
    """Return the rows of `record_as_of` for one record, those of fields of the target first."""
    query = (
        "select * from temp.record_as_of(?, ?, ?::timestamp) where source = ? order by starts_with(field, '('), field"
    )
    return _rows(con, query, [workflow, record.source_id, moment, record.source])


def field_changes(
    con: duckdb.DuckDBPyConnection, workflow: str, record: Record, *, of_field: str = "", until: datetime | None = None
) -> list[Row]:
    """Return the rows of `field_changes` for one record, the oldest first.

    Args:
        con: A connection with `define_versions`.
        workflow: The workflow.
        record: The record.
        of_field: A field of the target; blank: all of them, and what happened to the whole record.
        until: The last moment, UTC.
    """
    query = (
        "select row_number() over () as place, * from temp.field_changes(?, ?, field_name := ?)"
        " where source = ? and (?::timestamp is null or changed_at <= ?::timestamp or from_position <= (select"
        " max(position) from sync_readings where workflow = ? and read_at <= ?::timestamp)) order by place"
    )
    values = [workflow, record.source_id, of_field or None, record.source, until, until, workflow, until]
    rows = _rows(con, query, values)
    return [{name: value for name, value in row.items() if name != "place"} for row in rows]


def _rows(con: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any]) -> list[Row]:
    """Return rows by column name; for a frame DuckDB would bind the macro twice, which takes a third of the time."""
    cursor = con.execute(query, list(values))
    names = [each[0] for each in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def kept_since(con: duckdb.DuckDBPyConnection, workflow: str) -> datetime | None:
    """Return the time of the oldest reading of a workflow of which versions are kept."""
    query = "select min(read_at) from sync_readings where workflow = ?"
    found: Sequence[tuple[datetime | None]] = con.execute(query, [workflow]).fetchall()
    return found[0][0]
