"""The number and the name of every NetSuite record, as people know it.

staging tables  ->  named_records()  ->  a query: source, source_id, number, name
"""

import duckdb

from resources.warehouse.tables import columns_of, literal, quoted, tables_of

PREFIX = "stg_netsuite__"
CUSTOMER_NAME = (  # as in the shipped workflow files
    "case when is_person then coalesce(nullif(concat_ws(' ', first_name, last_name), ''), alt_name, company_name)"
    " else coalesce(company_name, alt_name, nullif(concat_ws(' ', first_name, last_name), '')) end"
)
# source -> key, number, name; custom records have the columns of CUSTOM_RECORD
RECORD_NAMES = {
    "customers": (
        "customer_id",
        "entity_number",
        CUSTOMER_NAME,
    ),
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


def named_records(con: duckdb.DuckDBPyConnection) -> str:
    """Return a query for source, source_id, number and name of every record that was read."""
    parts = []
    for table in sorted(each for each in tables_of(con) if each.startswith(PREFIX)):
        source = table.removeprefix(PREFIX)
        key, number, name = RECORD_NAMES.get(source, CUSTOM_RECORD)
        columns = columns_of(con, table)
        if key not in columns:
            continue  # a table that no workflow delivers, such as currencies
        missing = [f"null as {each}" for each in NAME_PARTS if each not in columns]
        parts.append(
            f"select {literal(source)} as source, {key} as source_id, cast({number} as varchar) as number,"
            f" coalesce({name}, cast({number} as varchar)) as name"
            f" from (select *{''.join(f', {each}' for each in missing)} from {quoted(table)})"
        )
    return " union all ".join(parts) or NO_NAMES
