"""Route each row to its raw table: leads, prospects and customers are three stages of one NetSuite record.

searchstage (any case)  ->  raw_netsuite__customers | __leads | __prospects

If an account has no stage column, the type of the record's status decides (netsuite.md §5.1 [U]). A row whose stage is
unknown goes to raw_netsuite__customers; its stage is decided in staging, by its status, or stays unknown.
"""

from collections.abc import Mapping

from assets.netsuite.record_types import STAGES, RecordType
from assets.netsuite.suiteql_file import Query
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.tables import literal, quoted

STATUS_TYPES = "select t.key, t.entitytype from entitystatus t where t.key > ? order by t.key asc"
UNKNOWN = "null::varchar"


def raw_table_sql(record_type: RecordType, query: Query, client: NetSuiteClient) -> str:
    """Return an SQL expression for the raw table of a row; null if neither stage nor status is known."""
    if not record_type.has_stages:
        return literal(record_type.raw_tables[0])
    if "searchstage" in query.names:
        return raw_table_by_value('upper(trim("searchstage"))', STAGES)
    if "entitystatus" not in query.names:
        return UNKNOWN
    pages = client.read_keyset(STATUS_TYPES, key="key")
    stages = {row["key"]: row.get("entitytype", "").upper() for page in pages for row in page}
    tables = {key: STAGES[stage] for key, stage in stages.items() if stage in STAGES}
    return raw_table_by_value(quoted("entitystatus"), tables)


def raw_table_by_value(expression: str, names: Mapping[str, str]) -> str:
    """Return an SQL expression that maps an expression's values to raw tables, given their names by value."""
    branches = (f"when {literal(value)} then {literal(f'raw_netsuite__{name}')}" for value, name in names.items())
    return f"case {expression} {' '.join(branches)} end" if names else UNKNOWN
