"""Tell the whole story of one record: seen, shaped, decided, sent, answered, and what the target has now.

NetSuite id, target id, number or name  ->  find_records()  ->  explain()  ->  Story per workflow
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from assets.delivery.spec.expressions import STAGED
from resources.warehouse.tables import quoted, tables_of
from resources.warehouse.warehouse import Warehouse
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
    with warehouse.writer(transaction=False) as con:
        return _find(con, tables_of(con), text)


def _find(con: duckdb.DuckDBPyConnection, tables: AbstractSet[str], text: str) -> list[Record]:
    source, _, key = text.partition(":")
    staged = [table.removeprefix(STAGED) for table in sorted(tables)]
    custom = [each for each in staged if is_on_demand(each)]
    there = [each for each in SOURCES if each in staged and each not in custom]
    if source in (*there, *custom):
        return _search(con, [(source, f"{_columns(source)[0]} = ?", [key])])
    return (
        _numbered(con, there, text)
        or (_by_target_id(con, [*there, *custom], text) if "sync_links" in tables else [])
        or _named(con, there, text)
        or _numbered(con, custom, text)
    )


def _columns(source: str) -> tuple[str, str, tuple[str, ...]]:
    return SOURCES.get(source, CUSTOM)


def _numbered(con: duckdb.DuckDBPyConnection, sources: Sequence[str], text: str) -> list[Record]:
    # each column by itself: of one alone only a few rows are read, of both at once all
    asked: list[_Search] = []
    for source in sources:
        key, number, _ = _columns(source)
        asked.append((source, f"{key} = ?", [text]))
        asked.append((source, f"{number} in (?, ?, ?)", [text, text.upper(), text.lower()]))
    return _search(con, asked)


def _named(con: duckdb.DuckDBPyConnection, sources: Sequence[str], text: str) -> list[Record]:
    asked: list[_Search] = []
    for source in sources:
        # only e-mail addresses have the sign, nearly: each column that is not read saves a third of the time
        names = [name for name in _columns(source)[2] if (name == "email") == ("@" in text)]
        # each by itself: a column that is blank everywhere is not read at all
        asked += [(source, f"{name} is not null and lower({name}) = lower(?)", [text]) for name in names]
    return _search(con, asked)


_Search = tuple[str, str, list[str]]  # source, condition, its values


def _search(con: duckdb.DuckDBPyConnection, searches: Sequence[_Search]) -> list[Record]:
    """The records of each search, once each; all in one statement."""
    asked = {}
    for place, (source, condition, values) in enumerate(searches):
        key, number, names = _columns(source)
        shown = f"{key} as source_id, {number} as number, coalesce({', '.join((*names, number))}) as name"
        few = f"{condition} order by try_cast({key} as bigint) limit 20"
        asked[str(place)] = _Asked(STAGED + source, few, values, shown, "order by try_cast(source_id as bigint)")
    found = _rows(con, asked)
    records = (
        Record(searches[int(place)][0], str(row["source_id"]), row["number"], row["name"])
        for place, rows in found.items()
        for row in rows
    )
    return list(dict.fromkeys(records))


def _by_target_id(con: duckdb.DuckDBPyConnection, there: Sequence[str], text: str) -> list[Record]:
    links = con.execute("select distinct source, source_id from sync_links where target_id = ?", [text]).fetchall()
    return _search(con, [(source, f"{_columns(source)[0]} = ?", [key]) for source, key in links if source in there])


def explain(warehouse: Warehouse, record: Record, as_of: datetime | None = None) -> Explanation:
    """Everything that the warehouse knows of one record, now or as of a past moment (UTC).

    Decisions and attempts are kept for good. What NetSuite had, how it was shaped, the plan and what the target had
    are known for the last run only, and left out of the past.
    """
    with warehouse.writer(transaction=False) as con:
        return _explain(con, tables_of(con), record, as_of)


def find_and_explain(
    warehouse: Warehouse, text: str, as_of: datetime | None = None
) -> tuple[list[Record], Explanation | None]:
    """The records that a person may mean, and everything about it when it is one; both from one look at the warehouse."""
    with warehouse.writer(transaction=False) as con:
        tables = tables_of(con)
        records = _find(con, tables, text)
        return records, _explain(con, tables, records[0], as_of) if len(records) == 1 else None


def _explain(
    con: duckdb.DuckDBPyConnection, tables: AbstractSet[str], record: Record, as_of: datetime | None
) -> Explanation:
    workflows = _workflows(con, tables, record.source)
    asked = _asked_now(con, record, workflows) if as_of is None else _asked_then(con, record, as_of)
    found = _rows(con, {name: each for name, each in asked.items() if each.table in tables})
    asked = {f"target_now {name}": each for name, each in _asked_of_targets(found).items() if each.table in tables}
    found |= _rows(con, asked)
    seen = found.get("seen", [])
    return Explanation(record, seen[0] if seen else {}, [_story(found, each) for each in workflows], as_of)


@dataclass(frozen=True)
class _Asked:
    """Rows of one table; values are bound in the order of columns, then condition."""

    table: str
    condition: str
    values: Sequence[Any]
    columns: str = "*"
    order: str = ""


def _rows(con: duckdb.DuckDBPyConnection, asked: Mapping[str, _Asked]) -> dict[str, Rows]:
    """A few rows of each of several tables, by column name.

    One statement: each table gives its few rows from one thread, so they are read side by side (38 ms instead of 55 on
    a ledger of ten million rows). A frame would take several times as long to make.
    """
    lists = (
        f"(select list(found {each.order}) from"
        f" (select {each.columns} from {quoted(each.table)} where {each.condition}) as found)"
        for each in asked.values()
    )
    values = [value for each in asked.values() for value in each.values]
    found = con.execute(f"select {', '.join(lists)}", values).fetchall()[0] if asked else ()
    return {name: rows or [] for name, rows in zip(asked, found, strict=True)}


def workflows_of(warehouse: Warehouse, source: str) -> list[str]:
    """The workflows that shape records of this source, by name."""
    with warehouse.writer(transaction=False) as con:
        return _workflows(con, tables_of(con), source)


def _workflows(con: duckdb.DuckDBPyConnection, tables: AbstractSet[str], source: str) -> list[str]:
    if "lineage_columns" not in tables:
        return []
    rows = con.execute(
        "select distinct workflow from lineage_columns where source_table = ? order by workflow",
        [STAGED + source],
    ).fetchall()
    # a workflow that only looks something up there has a lineage, and no record of it
    return [str(row[0]) for row in rows if _shapes(con, tables, str(row[0]), source)]


def _shapes(con: duckdb.DuckDBPyConnection, tables: AbstractSet[str], workflow: str, source: str) -> bool:
    mart = f"mart_{workflow}"
    if mart not in tables:
        return True
    return bool(con.execute(f"select 1 from {quoted(mart)} where source = ? limit 1", [source]).fetchall())


# each column that is not shown spares a millisecond
_DECIDED = "workflow, action, reason_code, reason, target_id, workflow_version, from_run, from_at, to_run, to_at"
_ATTEMPTED = "workflow, action, state, code, reason, target_id, run_id, seen_at"
_SPELLS, _SENDS = "order by from_at", "order by seen_at, state <> 'intent'"


def _asked_now(con: duckdb.DuckDBPyConnection, record: Record, workflows: Sequence[str]) -> dict[str, _Asked]:
    """What is known of a record: the long tables are read once for all workflows."""
    of_record, key = "source = ? and source_id = ?", [record.source, record.source_id]
    sent, numbered = _sent(con, record)
    asked = {
        "seen": _Asked(STAGED + record.source, f"{_columns(record.source)[0]} = ?", [record.source_id]),
        "decided": _Asked("sync_decisions", sent, numbered, _DECIDED, _SPELLS),
        "attempts": _Asked("sync_attempts", sent, numbered, _ATTEMPTED, _SENDS),
        "linked": _Asked("sync_links", of_record, key),
        "pinned": _Asked("sync_pins", of_record, key),
        "address": _Asked("sync_addresses", "true", []),
    }
    for each in workflows:
        asked |= {f"{of} {each}": _Asked(f"{of}_{each}", of_record, key) for of in ("mart", "plan")}
    return asked


def _asked_then(con: duckdb.DuckDBPyConnection, record: Record, as_of: datetime) -> dict[str, _Asked]:
    """What had been decided and sent up to a moment; a decision that ended later still held."""
    sent, numbered = _sent(con, record)
    ended = ", ".join(f"case when to_at <= ? then {name} end as {name}" for name in ("to_run", "to_at"))
    decided, values = _DECIDED.replace("to_run, to_at", ended), [as_of, as_of, *numbered, as_of]
    return {
        "decided": _Asked("sync_decisions", f"{sent} and from_at <= ?", values, decided, _SPELLS),
        "attempts": _Asked("sync_attempts", f"{sent} and seen_at <= ?", [*numbered, as_of], _ATTEMPTED, _SENDS),
    }


def _asked_of_targets(found: Mapping[str, Rows]) -> dict[str, _Asked]:
    """What the target has of each record that is linked, by workflow."""
    return {
        link["workflow"]: _Asked(f"target_{link['workflow']}", "target_id = ?", [link["target_id"]])
        for link in found.get("linked", [])
        if link["target_id"]
    }


def _sent(con: duckdb.DuckDBPyConnection, record: Record) -> tuple[str, list[Any]]:
    """The condition on the long tables, and its values.

    `source_number` stands beside `source_id` there: compared for equality with a number it is read ten times as fast.
    """
    number = con.execute("select try_cast(? as bigint)", [record.source_id]).fetchall()[0][0]
    numbered = "source_number is null" if number is None else "source_number = ?"
    values = [] if number is None else [number]
    return f"{numbered} and source_id = ? and source = ?", [*values, record.source_id, record.source]


def _story(found: Mapping[str, Rows], workflow: str) -> Story:
    """One workflow's part of what was found."""

    def part(name: str) -> Rows:
        return [row for row in found.get(name, []) if row["workflow"] == workflow]

    templates = [row["template"] for row in part("address")]

    def url(target_id: str | None) -> str | None:
        return templates[0].replace("{id}", target_id) if templates and target_id else None

    linked = [{**link, "target_url": url(link["target_id"])} for link in part("linked")]
    return Story(
        workflow=workflow,
        shaped=found.get(f"mart {workflow}", []),
        planned=found.get(f"plan {workflow}", []),
        decided=part("decided"),
        attempts=part("attempts"),
        linked=linked,
        target_now=found.get(f"target_now {workflow}", []),
        pinned=part("pinned"),
    )
