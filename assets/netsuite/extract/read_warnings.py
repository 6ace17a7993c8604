"""Warnings of the latest reads, for the terminal, the pages and the alerts; without what extraction loads."""

from typing import Final

import duckdb

from resources.warehouse.tables import columns_of, has_table

ABSENT: Final = "no longer shown, without a deletion note"  # part of the warning about such records


def unsolved_warnings(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return the latest warnings without those of absent records about which workflows decide.

    Those that a workflow holds have a reason code and an alert of their own. Of others, such as records that were
    deactivated as `lifecycle.missing` says, nothing is left to be done, although NetSuite will never show them again.
    Records that are only looked up, such as departments, have no decisions.
    """
    query = "select distinct source from sync_decisions where to_run is null"
    decided = {row[0] for row in con.execute(query).fetchall()} if has_table(con, "sync_decisions") else set()
    return [(name, text) for name, text in latest_warnings(con) if ABSENT not in text or name not in decided]


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
