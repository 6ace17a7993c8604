"""The ledger's tables: create them, replace rows by key.

sql/ledger/*.sql  ->  ensure_ledger()  ->  sync_*, lineage_columns, netsuite_reads
"""

import duckdb
import polars as pl

import sql
from resources.warehouse.tables import ensure_table, insert_frame, tables_of

LEDGER_TABLES = (
    "sync_runs", "sync_plans", "sync_decisions", "sync_attempts", "sync_links", "sync_undo_holds",
    "sync_normalizations", "sync_import_selection", "sync_manual_links", "sync_record_urls", "lineage_columns",
    "netsuite_reads", "sync_inputs", "sync_restores", "sync_ignored", "sync_certificates", "sync_unverified",
    "sync_readings",
    "sync_shadow_periods", "sync_shadow_nights", "sync_shadow_records", "sync_shadow_differences",
    "sync_events", "sync_chain", "sync_checkpoints", "sync_forgotten",
)  # fmt: skip


def ensure_ledger(con: duckdb.DuckDBPyConnection) -> None:
    """Create missing ledger tables, with their comments; new columns are a migration (`orchestration/upgrade`)."""
    known = tables_of(con)  # one list instead of a question per table: a run ensures them dozens of times
    ensure_table(con, *(sql.statement("ledger", name) for name in LEDGER_TABLES if name not in known))


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
