"""Sections of a search: one for each table, so that runs need not wait until the whole search ends.

sections, table  ->  searching()  ->  a connection
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import duckdb

from assets.delivery.errors import SyncError

Sections = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]


@contextmanager
def searching(sections: Sections, table: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to search one table.

    Raises:
        SyncError: A run has rebuilt it since the search began.
    """
    try:
        with sections() as con:
            yield con
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise SyncError(f"a run rebuilt {table} during the search; repeat the command") from error
