"""Columns that NetSuite never leaves blank: where a value became blank, the role lost access to the field.

incoming, raw_netsuite__*  ->  require_never_blank()  ->  nothing is loaded, so no inactive record counts as active
"""

from collections.abc import Sequence

import duckdb

from resources.errors import ContractError
from resources.warehouse.tables import columns_of, quoted

NEVER_BLANK = ("isinactive", "lastmodifieddate")


def require_never_blank(con: duckdb.DuckDBPyConnection, name: str, key: str, tables: Sequence[str]) -> None:
    """Check the rows of the view `incoming` against those that the raw tables have.

    Raises:
        ContractError: Rows had a value in such a column and have none now.
    """
    read = {row[0] for row in con.execute("describe incoming").fetchall()}
    for column in (each for each in NEVER_BLANK if each in read):
        blank = f"select {quoted(key)} from incoming where coalesce(trim({quoted(column)}), '') = ''"
        if not con.execute(f"{blank} limit 1").fetchall():
            continue
        lost = sum(
            con.execute(
                f"select count(*) from {quoted(table)} where trim({quoted(column)}) <> ''"
                f" and {quoted(key)} in ({blank})"
            ).fetchall()[0][0]
            for table in tables
            if column in columns_of(con, table)
        )
        if lost:
            reason = (
                f"{lost} rows no longer show {column}, which NetSuite never leaves blank; give the role access to the"
                " field. Nothing was changed"
            )
            raise ContractError("netsuite", f"load {name}", reason)
