"""Rows that make NetSuite fail on any page that contains them: found by halving, left out.

a page fails  ->  its keys, which can be read  ->  find_unreadable()  ->  the keys of the rows that fail alone

Only for record types whose rows are records of their own: without a row of a child table, or of a list, the values of
other records would count as blank. The rows stay as they were read before, the watermark stays where it is, so that the
next run reads them again, and so do the last listing of all ids and with it the certificate.
"""

from collections.abc import Sequence

from assets.netsuite.record_types import RecordType
from assets.netsuite.suiteql_file import Query
from resources.errors import ContractError, CredentialsError, IntegrationError, RequestRejectedError
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.errors import MissingTableError, UnexpectedError, UnknownColumnError
from resources.netsuite.pages import int_key
from resources.netsuite.rejected_columns import AFTER_ALL

PAGE_ERRORS = (RequestRejectedError, UnexpectedError, ContractError)
MAX_ROWS = 20  # in one read; if more fail, something else is wrong
_OTHER_CAUSES = (CredentialsError, MissingTableError, UnknownColumnError)


def may_be_a_row(record_type: RecordType, error: IntegrationError) -> bool:
    """Return whether one row can be the cause of an error, and can be left out."""
    is_record = bool(record_type.modified) and not record_type.parent
    return is_record and not isinstance(error, _OTHER_CAUSES)


def find_unreadable(
    client: NetSuiteClient, query: Query, conditions: Sequence[str], params: Sequence[str], after: str
) -> list[str]:
    """Return the keys of a page's rows that fail alone, while others can be read; none if they are not the cause.

    Args:
        client: NetSuite.
        query: The query of the table.
        conditions: SuiteQL conditions of the page.
        params: Their values.
        after: The key after which the page begins.
    """
    try:
        rows = client.suiteql(query.ids(conditions), (*params, after))
        pending = [[str(int_key(row, query.key)) for row in rows]]
    except PAGE_ERRORS:
        return []
    found: list[str] = []
    while pending and len(found) <= MAX_ROWS:
        keys = pending.pop()
        if not keys or _can_be_read(client, query, keys):
            continue
        middle = len(keys) // 2
        found += keys if len(keys) == 1 else []
        pending += [keys[middle:], keys[:middle]] if len(keys) > 1 else []
    if len(found) > MAX_ROWS or not client.accepts(query.page(), [AFTER_ALL]):
        return []
    return [key for key in found if not _can_be_read(client, query, [key])]


def _can_be_read(client: NetSuiteClient, query: Query, keys: Sequence[str]) -> bool:
    condition = f"{query.key_expression} in ({', '.join('?' * len(keys))})"
    return client.accepts(query.page([condition]), (*keys, str(int(keys[0]) - 1)), parsed=True)
