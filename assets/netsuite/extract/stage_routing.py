"""Which raw table a row goes to: leads, prospects and customers are three stages of one NetSuite record.

searchstage (any case)  ->  raw_netsuite__customers | __leads | __prospects

Where an account has no stage column, the kind of the record's status tells (netsuite.md §5.1 [U]).
"""

from collections.abc import Mapping

from assets.netsuite.record_types import STAGES, RecordType
from assets.netsuite.suiteql_file import Query
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.backend import literal
from resources.warehouse.tables import quoted

STATUS_KINDS = "select t.key, t.entitytype from entitystatus t where t.key > ? order by t.key asc"
NOT_TOLD = "null::varchar"


def table_sql(record_type: RecordType, query: Query, client: NetSuiteClient) -> str:
    """SQL over a row for its raw table; null where neither stage nor status tells it."""
    if not record_type.split:
        return literal(record_type.raw_tables[0])
    if "searchstage" in query.names:
        return by_value('upper("searchstage")', STAGES)
    if "entitystatus" not in query.names:
        return NOT_TOLD
    pages = client.read_keyset(STATUS_KINDS, key="key")
    kinds = {row["key"]: row.get("entitytype", "").upper() for page in pages for row in page}
    return by_value(quoted("entitystatus"), {key: STAGES[kind] for key, kind in kinds.items() if kind in STAGES})


def by_value(expression: str, names: Mapping[str, str]) -> str:
    """SQL for the raw table that an expression's value names."""
    branches = (f"when {literal(value)} then {literal(f'raw_netsuite__{name}')}" for value, name in names.items())
    return f"case {expression} {' '.join(branches)} end" if names else NOT_TOLD
