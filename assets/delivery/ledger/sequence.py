"""The ledger's sequence: which of two rows was written first, whatever the machines' clocks show.

last_position(), next_position()  ->  position columns of sync_runs, sync_plans, sync_attempts and sync_decisions

Positions are shared by these tables, so rows of different tables compare as well. The warehouse has one writer at a
time, so reading the last position and writing the next one cannot interleave.
"""

import duckdb

# the columns with positions, and the times that stand for them in rows of earlier versions
POSITIONS = {
    ("sync_attempts", "position"): "seen_at",
    ("sync_plans", "position"): "made_at",
    ("sync_runs", "position"): "coalesce(finished_at, started_at)",
    ("sync_runs", "read_position"): "started_at",
    ("sync_decisions", "from_position"): "from_at",
}

_LAST = "select coalesce(max(last), 0) from ({})".format(
    " union all ".join(f"select max({column}) as last from {table}" for table, column in POSITIONS)
)


def last_position(con: duckdb.DuckDBPyConnection) -> int:
    """Return the position of the row that was written last; 0 before the first one."""
    return int(con.execute(_LAST).fetchall()[0][0])


def next_position(con: duckdb.DuckDBPyConnection) -> int:
    """Return a position after every row that was written; the caller writes it in the open transaction."""
    return last_position(con) + 1


def number_earlier_rows(con: duckdb.DuckDBPyConnection, table: str, column: str) -> None:
    """Order the rows of an earlier version by their times, in microseconds; the sequence continues from there."""
    con.execute(f"update {table} set {column} = epoch_us({POSITIONS[table, column]}) where {column} is null")
