"""Tell the whole story of one record: seen, shaped, decided, sent, answered, and what the target has now.

NetSuite id, target id, number or name  ->  find_records()  ->  explain()  ->  Story per workflow
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from assets.delivery.mapping import STAGED
from resources.warehouse import Warehouse, has_table, quoted, tables_of
from sql import is_on_demand

Rows = Sequence[dict[str, Any]]

# staging tables that a person asks about: key, number that people see, columns that may hold the name
SOURCES = {
    "customers": ("customer_id", "entity_number", ("company_name", "alt_name", "email")),
    "projects": ("project_id", "entity_number", ("project_name",)),
    "contacts": ("contact_id", "entity_number", ("email",)),
    "service_items": ("item_id", "item_number", ("display_name",)),
}
CUSTOM = ("record_id", "record_name", ())  # of each type of custom record


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
    """The NetSuite records that a person may mean: by NetSuite id, number, a target's id or name.

    What is exact wins: an id or number over a target's id, and that over names, for which whole columns are read.
    Custom records have ids of their own: `customrecord_region:12` names one where 12 is a customer.
    """
    source, _, key = text.partition(":")
    with warehouse.writer(transaction=False) as con:
        tables = tables_of(con)
        staged = [table.removeprefix(STAGED) for table in sorted(tables)]
        custom = [each for each in staged if is_on_demand(each)]
        there = [each for each in SOURCES if each in staged and each not in custom]
        if source in (*there, *custom):
            return _search(con, source, f"{_columns(source)[0]} = ?", [key])
        return (
            [record for each in there for record in _numbered(con, each, text)]
            or (_by_target_id(con, [*there, *custom], text) if "sync_links" in tables else [])
            or [record for each in there for record in _named(con, each, text)]
            or [record for each in custom for record in _numbered(con, each, text)]
        )


def _columns(source: str) -> tuple[str, str, tuple[str, ...]]:
    return SOURCES.get(source, CUSTOM)


def _numbered(con: duckdb.DuckDBPyConnection, source: str, text: str) -> list[Record]:
    # one after the other: of each alone only a few rows are read, of both at once all
    key, number, _ = _columns(source)
    known = _search(con, source, f"{key} = ?", [text])
    spelled = [text, text.upper(), text.lower()]
    numbered = _search(con, source, f"{number} in (?, ?, ?)", spelled)
    return list(dict.fromkeys([*known, *numbered]))


def _named(con: duckdb.DuckDBPyConnection, source: str, text: str) -> list[Record]:
    # only e-mail addresses have the sign, nearly: each column that is not read saves a third of the time
    names = [name for name in _columns(source)[2] if (name == "email") == ("@" in text)] or ["entity_number"]
    # each by itself: a column that is blank everywhere is not read at all
    asked = (f"{quoted(name)} is not null and lower({quoted(name)}) = lower(?)" for name in names)
    return list(dict.fromkeys(record for condition in asked for record in _search(con, source, condition, [text])))


def _search(con: duckdb.DuckDBPyConnection, source: str, condition: str, values: list[str]) -> list[Record]:
    key, number, names = _columns(source)
    rows = con.execute(
        f"select {key}, {number}, coalesce({', '.join((*names, number))}) from {quoted(STAGED + source)}"
        f" where {condition} order by try_cast({key} as bigint) limit 20",
        values,
    ).fetchall()
    return [Record(source, str(source_id), number, name) for source_id, number, name in rows]


def _by_target_id(con: duckdb.DuckDBPyConnection, there: Sequence[str], text: str) -> list[Record]:
    links = con.execute("select distinct source, source_id from sync_links where target_id = ?", [text]).fetchall()
    return [
        record
        for source, source_id in links
        if source in there
        for record in _search(con, source, f"{_columns(source)[0]} = ?", [source_id])
    ]


def explain(warehouse: Warehouse, record: Record, as_of: datetime | None = None) -> Explanation:
    """Everything that the pond knows of one record, now or as of a past moment (UTC).

    Decisions and attempts are kept for good. What NetSuite had, how it was shaped, the plan and what the target had
    are known for the last run only, and left out of the past.
    """
    with warehouse.writer(transaction=False) as con:
        tables = tables_of(con)
        if as_of is not None:
            told = [_past_story(con, tables, each, record, as_of) for each in _workflows(con, tables, record.source)]
            return Explanation(record, {}, told, as_of)
        key = _columns(record.source)[0]
        seen = _rows(con, f"from {quoted(STAGED + record.source)} where {key} = ?", [record.source_id])
        stories = [_story(con, tables, workflow, record) for workflow in _workflows(con, tables, record.source)]
    return Explanation(record, seen[0] if seen else {}, stories)


def _rows(con: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    """A few rows by column name; a frame takes several times as long to make."""
    found = con.execute(query, list(values))
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def workflows_of(warehouse: Warehouse, source: str) -> list[str]:
    """The workflows that shape records of this source, by name."""
    with warehouse.writer(transaction=False) as con:
        return _workflows(con, tables_of(con), source)


def _workflows(con: duckdb.DuckDBPyConnection, tables: Container[str], source: str) -> list[str]:
    if "lineage_columns" not in tables:
        return []
    rows = con.execute(
        "select distinct workflow from lineage_columns where source_table = ? order by workflow",
        [STAGED + source],
    ).fetchall()
    # a workflow that only looks something up there has a lineage, and no record of it
    return [str(row[0]) for row in rows if _shapes(con, str(row[0]), source)]


def _shapes(con: duckdb.DuckDBPyConnection, workflow: str, source: str) -> bool:
    mart = f"mart_{workflow}"
    if not has_table(con, mart):
        return True
    return bool(con.execute(f"select 1 from {quoted(mart)} where source = ? limit 1", [source]).fetchall())


def _past_story(
    con: duckdb.DuckDBPyConnection, tables: Container[str], workflow: str, record: Record, as_of: datetime
) -> Story:
    """What had been decided and sent up to a moment; a decision that ended later still held."""
    sent, values = _sent(con, workflow, record)
    decided: Rows = []
    attempts: Rows = []
    if "sync_decisions" in tables:
        decided = _rows(con, _DECIDED.format(sent), [as_of, as_of, *values, as_of])
    if "sync_attempts" in tables:
        attempts = _rows(con, _ATTEMPTED.format(sent), [*values, as_of])
    return Story(workflow, shaped=[], planned=[], decided=decided, attempts=attempts, linked=[], target_now=[])


def _sent(con: duckdb.DuckDBPyConnection, workflow: str, record: Record) -> tuple[str, list[Any]]:
    """The condition on the long tables, and its values.

    `source_number` stands beside `source_id` there: compared for equality with a number it is read ten times as fast.
    """
    number = con.execute("select try_cast(? as bigint)", [record.source_id]).fetchall()[0][0]
    numbered = "source_number is null" if number is None else "source_number = ?"
    values = [] if number is None else [number]
    return (
        f"{numbered} and source_id = ? and source = ? and workflow = ?",
        [*values, record.source_id, record.source, workflow],
    )


_DECIDED = """
select
    * replace (
        case when to_at <= ? then to_run end as to_run,
        case when to_at <= ? then to_at end as to_at
    )
from sync_decisions
where {} and from_at <= ?
order by from_at
"""
_ATTEMPTED = """
select * from sync_attempts
where {} and seen_at <= ?
order by seen_at, state <> 'intent'
"""


def _story(con: duckdb.DuckDBPyConnection, tables: Container[str], workflow: str, record: Record) -> Story:
    key = [record.source, record.source_id]
    of_record = "where source = ? and source_id = ?"
    sent, numbered = _sent(con, workflow, record)

    def rows(table: str, condition: str, values: list[Any], order: str = "") -> Rows:
        if table not in tables:
            return []
        return _rows(con, f"from {quoted(table)} {condition} {order}", values)

    linked = rows("sync_links", f"{of_record} and workflow = ?", [*key, workflow])
    target_id = linked[0]["target_id"] if linked else None
    address = rows("sync_addresses", "where workflow = ?", [workflow])
    for link in linked:
        link["target_url"] = address[0]["template"].replace("{id}", link["target_id"]) if address else None
    return Story(
        workflow=workflow,
        shaped=rows(f"mart_{workflow}", of_record, key),
        planned=rows(f"plan_{workflow}", of_record, key),
        decided=rows("sync_decisions", f"where {sent}", numbered, "order by from_at"),
        attempts=rows("sync_attempts", f"where {sent}", numbered, "order by seen_at, state <> 'intent'"),
        linked=linked,
        target_now=rows(f"twin_{workflow}", "where target_id = ?", [target_id]) if target_id else [],
        pinned=rows("sync_pins", f"{of_record} and workflow = ?", [*key, workflow]),
    )
