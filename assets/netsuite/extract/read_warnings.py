"""Warnings of the latest reads, for the terminal, the pages and the alerts; without what extraction loads."""

import duckdb

from resources.warehouse.tables import columns_of


def latest_warnings(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return record type and text of each warning of the latest read of each table."""
    if "warnings" not in columns_of(con, "netsuite_reads"):
        return []
    latest = "select record_type, arg_max(warnings, read_at) as texts from netsuite_reads where mode <> 'selected'"
    query = f"select record_type, unnest(texts) from ({latest} group by record_type) order by all"
    return [(record_type, text) for record_type, text in con.execute(query).fetchall()]
