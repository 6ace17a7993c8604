"""The ledger's sequence: which of two rows was written first, whatever the machines' clocks show.

last_position(), next_position()  ->  position columns of sync_runs, sync_plans, sync_attempts …

Positions are shared by these tables, so rows of different tables compare as well. The warehouse has one writer at a
time, so reading the last position and writing the next one cannot interleave.
"""

import duckdb

POSITIONS = (
    ("sync_attempts", "position"),
    ("sync_plans", "position"),
    ("sync_runs", "position"),
    ("sync_runs", "read_position"),
    ("sync_decisions", "from_position"),
    ("sync_certificates", "position"),
    ("sync_readings", "position"),
    ("sync_events", "position"),
)

_LAST = "select coalesce(max(last), 0) from ({})".format(
    " union all ".join(f"select max({column}) as last from {table}" for table, column in POSITIONS)
)


def last_position(con: duckdb.DuckDBPyConnection) -> int:
    """Return the position of the row that was written last; 0 before the first one."""
    return int(con.execute(_LAST).fetchall()[0][0])


def next_position(con: duckdb.DuckDBPyConnection) -> int:
    """Return a position after every row that was written; the caller writes it in the open transaction."""
    return last_position(con) + 1
