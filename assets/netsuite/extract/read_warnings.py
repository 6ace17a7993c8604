"""Warnings of the latest reads, for the terminal, the pages and the alerts; without what extraction loads."""

import duckdb

from resources.warehouse.tables import columns_of


def latest_warnings(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return record type and text of each warning of the latest read of each table."""
    columns = columns_of(con, "netsuite_reads")
    if "warnings" not in columns:
        return []
    # reads of early versions have no number
    order = "reading desc nulls last, read_at desc" if "reading" in columns else "read_at desc"
    latest = (
        "select record_type, warnings from netsuite_reads where mode <> 'selected'"
        f" qualify row_number() over (partition by record_type order by {order}) = 1"
    )
    query = f"select record_type, unnest(warnings) from ({latest}) order by all"
    return [(record_type, text) for record_type, text in con.execute(query).fetchall()]
