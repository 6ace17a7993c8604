"""The accounts that a warehouse belongs to: NetSuite's, and the target's of each workflow.

first extraction, first delivery  ->  bind()  ->  sync_accounts  ->  find_conflict()  ->  another account is an error
"""

import json
from datetime import datetime

import duckdb

import sql
from resources.account import Account, describe, is_same
from resources.warehouse.tables import ensure_table, has_table

NETSUITE = "netsuite"
TABLE = "sync_accounts"


def read_binding(con: duckdb.DuckDBPyConnection, name: str) -> Account | None:
    """Return the account of NetSuite or of a workflow; None before the first extraction or delivery."""
    if not has_table(con, TABLE):
        return None
    rows = con.execute(f"select account from {TABLE} where name = ?", [name]).fetchall()
    return dict(json.loads(rows[0][0])) if rows else None


def find_conflict(con: duckdb.DuckDBPyConnection, name: str, account: Account) -> str:
    """Return why this account must not be used, and the way out; blank if it may be."""
    bound = read_binding(con, name)
    if bound is None or is_same(bound, account):
        return ""
    subject = "this warehouse was read from" if name == NETSUITE else "its records were sent to"
    return (
        f"{subject} {describe(bound)}, but the settings name {describe(account)}; correct the settings, set"
        f" MILLPOND_HOME to a new folder for this account, or run `millpond rebind {name}`"
    )


def of_same_account(con: duckdb.DuckDBPyConnection, one: str, other: str) -> str:
    """Return the SQL condition that two workflows, given as SQL, deliver to one account, as far as that is known."""
    if not has_table(con, TABLE):
        return "true"
    first, second = (f"(select account from {TABLE} where name = {name})" for name in (one, other))
    return f"coalesce({first} = {second}, true)"


def bind(con: duckdb.DuckDBPyConnection, name: str, account: Account, at: datetime, run_id: str) -> None:
    """Record the account, unless one is recorded."""
    if account and read_binding(con, name) is None:
        ensure_table(con, sql.statement("ledger", TABLE))
        con.execute(f"insert into {TABLE} values (?, ?, ?, ?)", [name, json.dumps(dict(account)), at, run_id])


def unbind(con: duckdb.DuckDBPyConnection, name: str) -> Account | None:
    """Forget the account, so that the next extraction or delivery records its own; return it."""
    bound = read_binding(con, name)
    if bound is not None:
        con.execute(f"delete from {TABLE} where name = ?", [name])
    return bound
