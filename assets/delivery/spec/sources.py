"""The NetSuite records that a workflow can read: staging tables and their keys."""

from assets.delivery.errors import MappingError
from assets.result_texts import did_you_mean
from sql import SERVICE_ITEMS, is_on_demand

STAGING_PREFIX = "stg_netsuite__"

KEY_COLUMNS = {
    "customers": "customer_id",
    "projects": "project_id",
    "contacts": "contact_id",
    "subsidiaries": "subsidiary_id",
    "departments": "department_id",
    "classifications": "classification_id",
    "locations": "location_id",
}


def key_column(source: str) -> str:
    """Return the key column of a source's staging table; MappingError if there is no such source."""
    if is_on_demand(source):
        return "item_id" if source == SERVICE_ITEMS else "record_id"
    if source not in KEY_COLUMNS:
        known = ", ".join((*KEY_COLUMNS, SERVICE_ITEMS))
        raise MappingError(
            f"no source `{source}`; {did_you_mean(source, KEY_COLUMNS)}known are {known}, customrecord_<type> in lower"
            " case for custom records and customlist_<name> for custom lists"
        )
    return KEY_COLUMNS[source]
