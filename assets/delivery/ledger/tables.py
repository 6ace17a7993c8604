"""The ledger's tables: create them, add columns of later versions, replace rows by key.

sql/ledger/*.sql  ->  ensure_ledger()  ->  sync_*, lineage_columns, netsuite_reads
"""

import duckdb
import polars as pl

import sql
from assets.delivery.ledger.sequence import POSITIONS, number_earlier_rows
from resources.warehouse.tables import columns_of, describe_table, ensure_table, insert_frame

LEDGER_TABLES = (
    "sync_runs", "sync_plans", "sync_decisions", "sync_attempts", "sync_links", "sync_undo_holds",
    "sync_normalizations", "sync_import_selection", "sync_manual_links", "sync_record_urls", "lineage_columns",
    "netsuite_reads", "sync_inputs",
)  # fmt: skip

# columns that warehouses of earlier versions lack
ADDED_COLUMNS = {
    "sync_plans": {"calls_left": "bigint", "decided_by": "varchar", "undone_run": "varchar", "position": "bigint"},
    "sync_runs": {
        "account": "varchar",
        "calls_left": "bigint",
        "deferred": "bigint",
        "position": "bigint",
        "read_position": "bigint",
    },
    "sync_attempts": {"existing_ids": "varchar", "parent_target_id": "varchar", "position": "bigint"},
    "sync_decisions": {"from_position": "bigint"},
    "sync_links": {"value_hashes": "varchar"},
    "netsuite_reads": {"warnings": "varchar[]"},
}


def ensure_ledger(con: duckdb.DuckDBPyConnection) -> None:
    """Create missing ledger tables and columns, with their comments."""
    ensure_table(con, *(sql.statement("ledger", name) for name in LEDGER_TABLES))
    for table, columns in ADDED_COLUMNS.items():
        missing = columns.keys() - columns_of(con, table).keys()
        for name in sorted(missing):
            con.execute(f"alter table {table} add column {name} {columns[name]}")
            if (table, name) in POSITIONS:
                number_earlier_rows(con, table, name)
        if missing:
            definition = sql.statement("ledger", table)
            describe_table(con, table, definition.description, definition.column_comments.items())


def upsert(con: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame) -> None:
    """Insert or replace rows of a table whose key is workflow, source and source_id."""
    if rows.is_empty():
        return
    incoming = f"_incoming_{table}"
    con.execute(f"create or replace temp table {incoming} as select * from {table} limit 0")
    insert_frame(con, incoming, rows)
    con.execute(
        f"delete from {table} using {incoming} as incoming where {table}.workflow = incoming.workflow"
        f" and {table}.source = incoming.source and {table}.source_id = incoming.source_id"
    )
    con.execute(f"insert into {table} by name select * from {incoming}")
