"""The warehouse of a renamed workflow: its tables, and its rows in the ledger.

open transaction  ->  rename_in_warehouse()  ->  tables, links, history, attempts, holds, plans under the new name
"""

from collections.abc import Iterator, Mapping

import duckdb

from assets.delivery.ledger.plans import OPEN_STATES
from assets.delivery.ledger.sealing import opened, signature
from orchestration.renaming.references import LAYERS, new_names, pattern
from resources.encryption import Cipher, EncryptionError
from resources.warehouse.bindings import TABLE as ACCOUNTS
from resources.warehouse.tables import columns_of, has_table, quoted, read_frame, tables_of

# tables that hold NetSuite's or the target's records: a column of theirs is no workflow's name
_RECORDS = ("raw_", "stg_", "hist_", *(f"{layer}_" for layer in LAYERS if layer != "sync"))
VERSION = "workflow_version"
Versions = Mapping[str, tuple[str, str]]  # workflow to the fingerprints of its file before and after


def traces(con: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """Return the tables that are named after a workflow, or have rows of it."""
    own = [f"{layer}_{name}" for layer in LAYERS if has_table(con, f"{layer}_{name}")]
    rows = [table for table, column in _places(con) if _has(con, table, column, name)]
    return [*own, *rows]


def rename_in_warehouse(
    con: duckdb.DuckDBPyConnection, old: str, new: str, versions: Versions, cipher: Cipher
) -> Iterator[str]:
    """Rename a workflow; what has the new name already stays. Yields a line for each thing to know.

    Tables change before rows: DuckDB does not alter a table that the same transaction has written to.

    Args:
        con: An open transaction.
        old: The name so far.
        new: The new name.
        versions: The workflows, by their new names, whose files change with the name.
        cipher: The encryption of plans.
    """
    intact = dict(_open_plans(con, old, cipher))
    for layer in LAYERS:
        if has_table(con, f"{layer}_{old}"):
            con.execute(f"alter table {quoted(f'{layer}_{old}')} rename to {quoted(f'{layer}_{new}')}")
            yield f"table {layer}_{old} -> {layer}_{new}"
    for table, column in _places(con):
        for before, after in new_names(old, new).items():
            con.execute(f"update {quoted(table)} set {column} = ? where {column} = ?", [after, before])
    _rename_in_texts(con, old, new)
    _renew_versions(con, versions)
    for plan_id, is_intact in intact.items():
        if is_intact:
            _sign(con, plan_id, f"plan_{new}", cipher)
        else:
            yield f"! plan {plan_id} cannot be verified, so it cannot be sent; make a new one"


def _places(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return the tables and columns that hold workflows' names, or those of their tables."""
    found = _columns(con, "workflow", "table_name", "source_table")
    return [*found, (ACCOUNTS, "name")] if has_table(con, ACCOUNTS) else found


def _columns(con: duckdb.DuckDBPyConnection, *names: str) -> list[tuple[str, str]]:
    """Return the ledger's tables that have columns of these names."""
    tables = sorted(each for each in tables_of(con) if not each.startswith(_RECORDS) and _is_table(con, each))
    return [(table, name) for table in tables for name in names if name in columns_of(con, table)]


def _is_table(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    query = "select 1 from duckdb_tables() where database_name = current_database() and table_name = ?"
    return bool(con.execute(query, [name]).fetchall())


def _has(con: duckdb.DuckDBPyConnection, table: str, column: str, name: str) -> bool:
    return bool(con.execute(f"select 1 from {quoted(table)} where {column} = ? limit 1", [name]).fetchall())


def _rename_in_texts(con: duckdb.DuckDBPyConnection, old: str, new: str) -> None:
    """Rename in our own reasons, so that the next run decides the same, and in mapping rows."""
    found, text = pattern(old), rf"\1{new}\2"
    for table, column in _columns(con, "reason", "expression"):
        if table != "sync_attempts":  # whose reasons are the target's words
            con.execute(
                f"update {quoted(table)} set {column} = regexp_replace({column}, ?, ?, 'g')"
                f" where regexp_matches({column}, ?)",
                [found, text, found],
            )


def _renew_versions(con: duckdb.DuckDBPyConnection, versions: Versions) -> None:
    """Replace the fingerprints of files that change with the name: no one edited them."""
    ledger = [table for table, column in _places(con) if column == "workflow" and VERSION in columns_of(con, table)]
    for workflow, (before, after) in versions.items():
        for table in ledger:
            statement = f"update {quoted(table)} set {VERSION} = ? where workflow = ? and {VERSION} = ?"
            con.execute(statement, [after, workflow, before])
        own = f"plan_{workflow}"
        if has_table(con, own):
            con.execute(f"update {quoted(own)} set {VERSION} = ? where {VERSION} = ?", [after, before])


def _open_plans(con: duckdb.DuckDBPyConnection, workflow: str, cipher: Cipher) -> Iterator[tuple[str, bool]]:
    """Yield the plans that can still be sent, and whether they are as they were stored."""
    if not has_table(con, "sync_plans") or not has_table(con, f"plan_{workflow}"):
        return
    query = "select * from sync_plans where workflow = ? and state in (?, ?)"
    for stored in read_frame(con, query, [workflow, *OPEN_STATES]).iter_rows(named=True):
        rows = read_frame(con, f"select * from {quoted(f'plan_{workflow}')} where plan_id = ?", [stored["plan_id"]])
        try:
            opened(rows, stored, cipher)
        except EncryptionError:
            yield stored["plan_id"], False
        else:
            yield stored["plan_id"], True


def _sign(con: duckdb.DuckDBPyConnection, plan_id: str, table: str, cipher: Cipher) -> None:
    """Sign a plan that was intact under the new name, which its signature covers."""
    stored = read_frame(con, "select * from sync_plans where plan_id = ?", [plan_id]).row(0, named=True)
    rows = read_frame(con, f"select * from {quoted(table)} where plan_id = ?", [plan_id])
    con.execute("update sync_plans set checksum = ? where plan_id = ?", [signature(rows, stored, cipher), plan_id])
