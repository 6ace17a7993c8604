"""Tell the whole story of one record: seen, shaped, decided, sent, answered, and what the target has now.

NetSuite id, target id, number or name  ->  find_records()  ->  explain()  ->  Story per workflow
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from resources.warehouse import Warehouse, has_table, quoted, read_frame

Rows = Sequence[dict[str, Any]]

# staging tables that a person asks about: table, key, columns that may hold the name
SOURCES = {
    "customers": ("stg_netsuite__customers", "customer_id", ("company_name", "alt_name", "entity_number", "email")),
    "projects": ("stg_netsuite__projects", "project_id", ("project_name", "entity_number")),
    "contacts": ("stg_netsuite__contacts", "contact_id", ("entity_number", "email")),
}


@dataclass(frozen=True)
class Record:
    """One NetSuite record."""

    source: str
    source_id: str
    number: str | None
    name: str | None


@dataclass(frozen=True)
class Story:
    """What one workflow did about one record, in the order in which it happened."""

    workflow: str
    shaped: Rows
    planned: Rows
    decided: Rows
    attempts: Rows
    linked: Rows
    target_now: Rows
    pinned: Rows = ()  # what a person decided about which record it is


@dataclass(frozen=True)
class Explanation:
    """A record as NetSuite sent it and its stories; `as_of` is the past moment that they are told for, UTC."""

    record: Record
    seen: dict[str, Any]
    stories: Sequence[Story]
    as_of: datetime | None = None


def find_records(warehouse: Warehouse, text: str) -> list[Record]:
    """The NetSuite records that a person may mean: by NetSuite id, number, name or a target's id.

    An exact NetSuite id or number wins over names.
    """
    with warehouse.writer(transaction=False) as con:
        found = [record for source in SOURCES for record in _search(con, source, text)]
        exact = [record for record in found if text in {record.source_id, record.number}]
        return exact or found or _by_target_id(con, text)


def _search(con: duckdb.DuckDBPyConnection, source: str, text: str) -> list[Record]:
    if source not in SOURCES or not has_table(con, SOURCES[source][0]):
        return []
    table, key, names = SOURCES[source]
    named = " or ".join(f"lower({quoted(name)}) = lower(?)" for name in names)
    rows = con.execute(
        f"select {key}, entity_number, coalesce({', '.join(names)}) from {table}"
        f" where {key} = ? or {named} order by try_cast({key} as bigint) limit 20",
        [text] * (1 + len(names)),
    ).fetchall()
    return [Record(source, str(source_id), number, name) for source_id, number, name in rows]


def _by_target_id(con: duckdb.DuckDBPyConnection, text: str) -> list[Record]:
    if not has_table(con, "sync_links"):
        return []
    links = con.execute("select distinct source, source_id from sync_links where target_id = ?", [text]).fetchall()
    found = [(record, key) for source, key in links for record in _search(con, source, key)]
    return [record for record, key in found if record.source_id == key]


def explain(warehouse: Warehouse, record: Record, as_of: datetime | None = None) -> Explanation:
    """Everything that the pond knows of one record, now or as of a past moment (UTC).

    Decisions and attempts are kept for good. What NetSuite had, how it was shaped, the plan and what the target had
    are known for the last run only, and left out of the past.
    """
    with warehouse.writer(transaction=False) as con:
        if as_of is not None:
            told = [_past_story(con, workflow, record, as_of) for workflow in _workflows(con, record.source)]
            return Explanation(record, {}, told, as_of)
        table, key, _ = SOURCES[record.source]
        seen = read_frame(con, f"select * from {table} where {key} = ?", [record.source_id]).to_dicts()
        stories = [_story(con, workflow, record) for workflow in _workflows(con, record.source)]
    return Explanation(record, seen[0] if seen else {}, stories)


def workflows_of(warehouse: Warehouse, source: str) -> list[str]:
    """The workflows that shape records of this source, by name."""
    with warehouse.writer(transaction=False) as con:
        return _workflows(con, source)


def _workflows(con: duckdb.DuckDBPyConnection, source: str) -> list[str]:
    if not has_table(con, "lineage_columns"):
        return []
    rows = con.execute(
        "select distinct workflow from lineage_columns where source_table = ? order by workflow",
        [SOURCES[source][0]],
    ).fetchall()
    # a workflow that only looks something up there has a lineage, and no record of it
    return [str(row[0]) for row in rows if _shapes(con, str(row[0]), source)]


def _shapes(con: duckdb.DuckDBPyConnection, workflow: str, source: str) -> bool:
    mart = f"mart_{workflow}"
    if not has_table(con, mart):
        return True
    return bool(con.execute(f"select 1 from {quoted(mart)} where source = ? limit 1", [source]).fetchall())


def _past_story(con: duckdb.DuckDBPyConnection, workflow: str, record: Record, as_of: datetime) -> Story:
    """What had been decided and sent up to a moment; a decision that ended later still held."""
    values: list[Any] = [record.source, record.source_id, workflow, as_of]
    decided, attempts = [], []
    if has_table(con, "sync_decisions"):
        decided = read_frame(con, _DECIDED, [as_of, as_of, *values]).to_dicts()
    if has_table(con, "sync_attempts"):
        attempts = read_frame(con, _ATTEMPTED, values).to_dicts()
    return Story(workflow, shaped=[], planned=[], decided=decided, attempts=attempts, linked=[], target_now=[])


_DECIDED = """
select
    * replace (
        case when to_at <= ? then to_run end as to_run,
        case when to_at <= ? then to_at end as to_at
    )
from sync_decisions
where source = ? and source_id = ? and workflow = ? and from_at <= ?
order by from_at
"""
_ATTEMPTED = """
select * from sync_attempts
where source = ? and source_id = ? and workflow = ? and seen_at <= ?
order by seen_at, state <> 'intent'
"""


def _story(con: duckdb.DuckDBPyConnection, workflow: str, record: Record) -> Story:
    key = [record.source, record.source_id]
    of_record = "where source = ? and source_id = ?"
    of_workflow = f"{of_record} and workflow = ?"

    def rows(table: str, condition: str, values: list[Any], order: str = "") -> Rows:
        if not has_table(con, table):
            return []
        return read_frame(con, f"select * from {quoted(table)} {condition} {order}", values).to_dicts()

    linked = rows("sync_links", of_workflow, [*key, workflow])
    target_id = linked[0]["target_id"] if linked else None
    address = rows("sync_addresses", "where workflow = ?", [workflow])
    for link in linked:
        link["target_url"] = address[0]["template"].replace("{id}", link["target_id"]) if address else None
    return Story(
        workflow=workflow,
        shaped=rows(f"mart_{workflow}", of_record, key),
        planned=rows(f"plan_{workflow}", of_record, key),
        decided=rows("sync_decisions", of_workflow, [*key, workflow], "order by from_at"),
        attempts=rows("sync_attempts", of_workflow, [*key, workflow], "order by seen_at, state <> 'intent'"),
        linked=linked,
        target_now=rows(f"twin_{workflow}", "where target_id = ?", [target_id]) if target_id else [],
        pinned=rows("sync_pins", of_workflow, [*key, workflow]),
    )
