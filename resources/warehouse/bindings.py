"""The accounts that a warehouse belongs to: NetSuite's, and the target's of each workflow.

first extraction, first delivery  ->  bind()  ->  sync_accounts  ->  find_conflict()  ->  another account is an error
"""

import json
from datetime import datetime

import duckdb

import sql
from resources.account import Account, describe, is_same
from resources.warehouse.tables import ensure_table, has_table, literal

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
    differing = [
        f"when {literal(name)} then {other} in ({', '.join(map(literal, others))})"
        for name, others in _differing(con).items()
        if others
    ]
    return f"not coalesce(case {one} {' '.join(differing)} end, false)" if differing else "true"


def _differing(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Return by name those whose account is another one: a sign-in that names less is not."""
    bound = con.execute(f"select name, account from {TABLE} order by name").fetchall() if has_table(con, TABLE) else []
    accounts = {name: json.loads(account) for name, account in bound}
    return {
        one: [other for other, theirs in accounts.items() if not is_same(mine, theirs)]
        for one, mine in accounts.items()
    }


def bind(con: duckdb.DuckDBPyConnection, name: str, account: Account, at: datetime, run_id: str) -> None:
    """Record the account; of one that is recorded, what its sign-in did not name and this one does."""
    bound = read_binding(con, name)
    known = {**account, **(bound or {})}
    if not account or known == bound:
        return
    ensure_table(con, sql.statement("ledger", TABLE))
    con.execute(f"delete from {TABLE} where name = ?", [name])
    con.execute(f"insert into {TABLE} values (?, ?, ?, ?)", [name, json.dumps(known), at, run_id])


def unbind(con: duckdb.DuckDBPyConnection, name: str) -> Account | None:
    """Forget the account, so that the next extraction or delivery records its own; return it."""
    bound = read_binding(con, name)
    if bound is not None:
        con.execute(f"delete from {TABLE} where name = ?", [name])
    return bound
