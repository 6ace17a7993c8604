"""Find the columns, or the table, because of which NetSuite rejects a query, whatever the words of its answer.

rejection  ->  rejected_columns()  ->  the columns that it names, else those found by halving, else the rejection itself
rejection  ->  as_missing_table()  ->  MissingTableError if every query of this table is rejected, and others are not

The texts are not documented, depend on the user's language, and may name another record's field (netsuite.md §1.5), so
a name is believed only if it is a column of the query. `doctor` and the extraction both use this module.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from resources.errors import CredentialsError, RequestRejectedError
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.errors import MissingTableError, PermissionRefusedError, UnexpectedError, UnknownColumnError

AFTER_ALL = str(10**15)  # higher than any id: the query returns nothing but still shows whether its columns exist
REJECTIONS = (RequestRejectedError, UnexpectedError)
ANY_TABLE = "select count(*) as n from dual"  # accepted wherever queries are
_FROM = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class QueriedColumns:
    """The columns of one query.

    Attributes:
        optional: Columns that may be left out, in order.
        page: Returns the SuiteQL of a page with the columns that may not be left out, and some others.
        columns_with: Returns all columns that contain an identifier.
    """

    optional: Sequence[str]
    page: Callable[[Collection[str]], str]
    columns_with: Callable[[str], Collection[str]]


def may_be_a_column(error: RequestRejectedError | UnexpectedError, query: str) -> bool:
    """Return whether a column can be the cause: it is not for a failed sign-in or a table that the query reads."""
    if isinstance(error, MissingTableError):
        return not _mentions(query, error.table)
    return not isinstance(error, CredentialsError) or isinstance(error, PermissionRefusedError)


def rejected_columns(
    client: NetSuiteClient, columns: QueriedColumns, error: RequestRejectedError | UnexpectedError
) -> list[str]:
    """Return the optional columns that are the cause of a rejection, or at least one of them.

    Raises:
        IntegrationError: They are not the cause: the rejection itself.
    """
    named = _named(columns, error)
    if named:
        return named
    if not may_be_a_column(error, columns.page(())):
        raise error
    if not accepts(client, columns, ()):
        table = _FROM.search(columns.page(()))
        raise as_missing_table(client, table[1].lower(), error) if table else error
    found = _halve(client, columns, columns.optional)
    if not found:
        raise error  # the failure has passed; the next run may succeed
    return found


def as_missing_table(
    client: NetSuiteClient, table: str, error: RequestRejectedError | UnexpectedError
) -> RequestRejectedError | UnexpectedError:
    """Return a rejection as MissingTableError, if NetSuite rejects any query of the table but not of others."""
    if not may_be_a_column(error, f"from {table}"):
        return error
    if client.accepts(f"select count(*) as n from {table}") or not client.accepts(ANY_TABLE):
        return error
    says_other = isinstance(error, MissingTableError | UnknownColumnError)  # about another table, or a column
    return MissingTableError(error.operation, table, "" if says_other else error.reason)


@contextmanager
def missing_if_rejected(client: NetSuiteClient, table: str) -> Iterator[None]:
    """Raise a rejection of the block's query of one table as MissingTableError, if it is one."""
    try:
        yield
    except REJECTIONS as error:
        raise as_missing_table(client, table, error) from error


def accepts(client: NetSuiteClient, columns: QueriedColumns, names: Collection[str]) -> bool:
    """Return whether NetSuite accepts a query with these optional columns."""
    return client.accepts(columns.page(names), [AFTER_ALL])


def _named(columns: QueriedColumns, error: RequestRejectedError | UnexpectedError) -> list[str]:
    """Return the optional columns that the rejection names; none if it names anything else too."""
    if not isinstance(error, UnknownColumnError) or (error.record and not _mentions(columns.page(()), error.record)):
        return []
    named = columns.columns_with(error.column)
    return sorted(named) if set(named) <= set(columns.optional) else []


def _mentions(query: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", query, re.IGNORECASE) is not None


def _halve(client: NetSuiteClient, columns: QueriedColumns, names: Sequence[str]) -> list[str]:
    if not names or accepts(client, columns, names):
        return []
    if len(names) == 1:
        return list(names)
    middle = len(names) // 2
    return [*_halve(client, columns, names[:middle]), *_halve(client, columns, names[middle:])]
