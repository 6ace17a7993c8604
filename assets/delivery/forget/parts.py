"""Parts of a table, each searched in a section of its own, so that runs need not wait until a search ends.

table  ->  parts_of()  ->  a connection and the condition of the part's rows, one after the other
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import duckdb

from assets.delivery.errors import SyncError
from resources.warehouse.tables import quoted

PART_ROWS = 100_000

Sections = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]


def parts_of(sections: Sections, table: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """Yield a connection, and the condition of a part of the table's rows, in a section for each.

    Not within a transaction that writes: DuckDB gives its new rows very high row ids.

    Raises:
        SyncError: A run has made the table anew meanwhile.
    """
    begin, last = 0, None
    while last is None or begin <= last:
        with _unchanged(table), sections() as con:
            last = con.execute(f"select coalesce(max(rowid), 0) from {quoted(table)}").fetchall()[0][0]
            yield con, f"rowid >= {begin} and rowid < {begin + PART_ROWS}"
        begin += PART_ROWS


@contextmanager
def _unchanged(table: str) -> Iterator[None]:
    try:
        yield
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise SyncError(f"a run has made {table} anew while it was searched; repeat the command") from error
