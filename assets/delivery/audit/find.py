"""Find a NetSuite record by what people know of it: NetSuite id, number, name, or the target's id."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import duckdb

from assets.delivery.audit.batch_query import RowQuery, read_rows
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.warehouse.record_names import CUSTOM_RECORD, RECORD_NAMES, named_records, names_of, plain_text
from resources.warehouse.tables import tables_of
from resources.warehouse.warehouse import Warehouse
from sql import is_on_demand

# staging tables that can be searched: key, number shown to people, columns that may hold the name
SOURCES = {
    "customers": ("customer_id", "entity_number", ("company_name", "alt_name", "email")),
    "projects": ("project_id", "entity_number", ("project_name",)),
    "contacts": ("contact_id", "entity_number", ("email",)),
    "service_items": ("item_id", "item_number", ("display_name",)),
}
LIMIT = 20  # matches per search
SIMILAR, SIMILARITY = 3, 0.9  # suggestions for a misspelled name, and how alike the name or a word of it is, of 1

Search = tuple[str, str, list[str]]  # source, condition, bound values


@dataclass(frozen=True)
class Record:
    """One NetSuite record."""

    source: str
    source_id: str
    number: str | None
    name: str | None


def find_records(warehouse: Warehouse, text: str, *, partial: bool = False) -> list[Record]:
    """Return the NetSuite records that a text may mean; with `partial`, else those whose number or name is like it.

    An exact NetSuite id or number wins over a target's id, and that over a name; customers, projects and contacts win
    over custom records, and these over classifications: `departments:12` means the department where 12 is a customer.
    """
    with warehouse.writer(transaction=False) as con:
        tables = tables_of(con)
        return search_records(con, tables, text) or (
            search_partly(con, text) or search_similar(con, text) if partial else []
        )


def search_partly(con: duckdb.DuckDBPyConnection, text: str) -> list[Record]:
    """Return the first records whose number or name contains a text, in any case and with or without accents.

    Several spaces count as one, as pages show them. E-mail addresses are not searched: a part of one, such as its
    domain, would name a person to whoever tries.
    """
    if not text.strip():
        return []
    rows = con.execute(_PARTS.format(named=named_records(con)), [text, LIMIT]).fetchall()
    return [Record(*row) for row in rows]


_PARTS = f"""
with
sought as (select {plain_text("?")} as part),
plain as (
    select *, {plain_text("name")} as plain_name, {plain_text("number")} as plain_number from ({{named}})
)
select source, source_id, number, name from plain, sought
where contains(plain_name, part) or contains(plain_number, part)
order by starts_with(plain_name, part) desc, source, try_cast(source_id as bigint), source_id
limit ?
"""


def search_similar(con: duckdb.DuckDBPyConnection, text: str) -> list[Record]:
    """Return the records whose name, or a word of it, is spelled most like a text."""
    if not text.strip():
        return []
    rows = con.execute(_SIMILAR.format(named=named_records(con)), [text, SIMILARITY, SIMILAR]).fetchall()
    return [Record(*row) for row in rows]


_SIMILAR = f"""
with
sought as (select {plain_text("?")} as text),
plain as (select *, {plain_text("name")} as plain_name from ({{named}})),
scored as (
    select *, list_max([jaro_winkler_similarity(word, text)
        for word in list_append(string_split(plain_name, ' '), plain_name)]) as similarity
    from plain, sought
)
select source, source_id, number, name from scored
where similarity >= ?
order by similarity desc, source, try_cast(source_id as bigint), source_id
limit ?
"""


def search_records(con: duckdb.DuckDBPyConnection, tables: AbstractSet[str], text: str) -> list[Record]:
    """Return the same over an open warehouse that has these tables."""
    source, _, key = text.partition(":")
    staged = [table.removeprefix(STAGING_PREFIX) for table in sorted(tables)]
    custom = [each for each in staged if is_on_demand(each)]
    known = [each for each in SOURCES if each in staged and each not in custom]
    classes = [each for each in RECORD_NAMES if each in staged and each not in SOURCES]
    if source in (*known, *classes, *custom):
        return _search(con, [(source, f"{search_columns(source)[0]} = ?", [key])])
    has_links = "sync_links" in tables
    return (
        _by_number(con, known, text)
        or (_by_target_id(con, [*known, *custom], text) if has_links else [])
        or _by_name(con, known, text)
        or _by_number(con, custom, text)
        or _by_number(con, classes, text)
        or (_by_target_id(con, classes, text) if has_links else [])
        or _by_name(con, classes, text)
    )


def search_columns(source: str) -> tuple[str, str, tuple[str, ...]]:
    """Return a source's key, number and name columns."""
    key, number, name = RECORD_NAMES.get(source, CUSTOM_RECORD)
    return SOURCES.get(source) or (key, number, () if name == number else (name,))


def _by_number(con: duckdb.DuckDBPyConnection, sources: Sequence[str], text: str) -> list[Record]:
    # one search a column: DuckDB skips most row groups for one column, and none for two joined with `or`
    searches: list[Search] = []
    for source in sources:
        key, number, _ = search_columns(source)
        searches.append((source, f"{key} = ?", [text]))
        searches.append((source, f"{number} in (?, ?, ?)", [text, text.upper(), text.lower()]))
    return _search(con, searches)


def _by_target_id(con: duckdb.DuckDBPyConnection, sources: Sequence[str], text: str) -> list[Record]:
    links = con.execute("select distinct source, source_id from sync_links where target_id = ?", [text]).fetchall()
    return _search(
        con, [(source, f"{search_columns(source)[0]} = ?", [key]) for source, key in links if source in sources]
    )


def _by_name(con: duckdb.DuckDBPyConnection, sources: Sequence[str], text: str) -> list[Record]:
    # e-mail columns only for a text with @, the others only for one without: a column less saves a third of the time
    return _search(
        con,
        [
            (source, f"{name} is not null and lower({name}) = lower(?)", [text])
            for source in sources
            for name in search_columns(source)[2]
            if (name == "email") == ("@" in text)
        ],
    )


def _search(con: duckdb.DuckDBPyConnection, searches: Sequence[Search]) -> list[Record]:
    """Return the records of all searches, each record once, with its name as on every page."""
    queries = {}
    for position, (source, condition, values) in enumerate(searches):
        key, number, _ = search_columns(source)
        columns = f"{key} as source_id, {number} as number"
        limited = f"{condition} order by try_cast({key} as bigint) limit {LIMIT}"
        order = "order by try_cast(source_id as bigint)"
        queries[str(position)] = RowQuery(STAGING_PREFIX + source, limited, values, columns, order)
    found = {
        (searches[int(position)][0], str(row["source_id"])): row["number"]
        for position, rows in read_rows(con, queries).items()
        for row in rows
    }
    called = names_of(con, found)
    return [Record(*key, number, called.get(key)) for key, number in found.items()]
