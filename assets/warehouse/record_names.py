"""The number and the name of every NetSuite record, as people know it.

staging tables  ->  named_records()  ->  a query: source, source_id, number, name        names_of()  ->  some names
"""

from collections.abc import Iterable

import duckdb

from resources.warehouse.tables import columns_of, literal, quoted, tables_of

PREFIX = "stg_netsuite__"
CUSTOMER_NAME = (  # as in the shipped workflow files
    "case when is_person then coalesce(nullif(concat_ws(' ', first_name, last_name), ''), alt_name, company_name)"
    " else coalesce(company_name, alt_name, nullif(concat_ws(' ', first_name, last_name), '')) end"
)
# source -> key, number, name; custom records have the columns of CUSTOM_RECORD
RECORD_NAMES = {
    "customers": ("customer_id", "entity_number", CUSTOMER_NAME),
    "projects": ("project_id", "entity_number", "project_name"),
    "contacts": ("contact_id", "entity_number", "nullif(concat_ws(' ', first_name, last_name), '')"),
    "departments": ("department_id", "department_id", "full_name"),
    "classifications": ("classification_id", "classification_id", "full_name"),
    "locations": ("location_id", "location_id", "full_name"),
    "subsidiaries": ("subsidiary_id", "subsidiary_id", "full_name"),
    "service_items": ("item_id", "item_number", "display_name"),
}
CUSTOM_RECORD = ("record_id", "record_name", "record_name")
NO_NAMES = "select '' as source, '' as source_id, '' as number, '' as name limit 0"
NAME_PARTS = ("first_name", "last_name", "is_person")  # columns that a table may lack


def plain_text(value: str) -> str:
    """Return SQL for a text, itself SQL, as people type it: in lower case, without accents, several spaces as one."""
    return rf"trim(regexp_replace(lower(strip_accents(coalesce({value}, ''))), '[\s\pZ]+', ' ', 'g'))"


def named_records(con: duckdb.DuckDBPyConnection) -> str:
    """Return a query for source, source_id, number and name of every record that was read."""
    tables = sorted(each for each in tables_of(con) if each.startswith(PREFIX))
    return " union all ".join(filter(None, (_named(con, each.removeprefix(PREFIX)) for each in tables))) or NO_NAMES


def named_record(con: duckdb.DuckDBPyConnection, source: str, source_id: str) -> tuple[str, str, str, str] | None:
    """Return source, source_id, number and name of one record; None if it was never read."""
    named = _named(con, source, "(?)")
    rows = con.execute(named, [source_id]).fetchall() if named else []
    return rows[0] if rows else None


def names_of(con: duckdb.DuckDBPyConnection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
    """Return the names of some records by source and id, as far as they were read: faster than to name all."""
    ids: dict[str, set[str]] = {}
    for source, source_id in keys:
        ids.setdefault(source, set()).add(source_id)
    found: dict[tuple[str, str], str | None] = {}
    for source, those in sorted(ids.items()):
        named = _named(con, source, "(select unnest($ids))")
        if named:
            rows = con.execute(f"select source_id, any_value(name) from ({named}) group by all", {"ids": sorted(those)})
            found |= {(source, source_id): name for source_id, name in rows.fetchall()}
    return found


def _named(con: duckdb.DuckDBPyConnection, source: str, ids: str = "") -> str:
    """Return the query for one source, or for some of its ids; blank if no workflow delivers it, such as currencies."""
    table = PREFIX + source
    key, number, name = RECORD_NAMES.get(source, CUSTOM_RECORD)
    columns = columns_of(con, table)
    if key not in columns:
        return ""
    missing = "".join(f", null as {each}" for each in NAME_PARTS if each not in columns)
    return (
        f"select {literal(source)} as source, {key} as source_id, cast({number} as varchar) as number,"
        f" coalesce({name}, cast({number} as varchar)) as name"
        f" from (select *{missing} from {quoted(table)}{f' where {key} in {ids}' if ids else ''})"
    )
