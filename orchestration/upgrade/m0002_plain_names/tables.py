"""The warehouse's tables, columns and stored values, in one transaction of the caller.

warehouse of 0.1  ->  convert_tables()  ->  the same rows under the names of 0.2
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress

import duckdb
import polars as pl

from assets.delivery.ledger.attempts import owner_of
from assets.delivery.ledger.sealing import seal as sealed_again
from assets.delivery.ledger.sealing import signature, unseal
from assets.result_texts import counted
from orchestration.configuration.secret_settings import secret_value
from orchestration.upgrade.errors import UpgradeError
from orchestration.upgrade.m0002_plain_names.names import (
    ADDED_COLUMNS,
    ANSWER_KEYS,
    COLUMNS,
    NEW_STATE,
    OLD_STATE,
    TABLES,
    UNDO,
    VALUES,
)
from orchestration.upgrade.m0002_plain_names.reasons import NOTES, REASONS, renewed
from resources.encryption import PREFIX, Cipher, EncryptionError
from resources.warehouse.tables import columns_of, ensure_table, has_table, insert_frame, quoted, read_frame, tables_of
from sql import names
from sql import statement as definition_of

# the columns of a plan that its checksum covers, in 0.1 as in 0.2
CHECKED = (
    "source", "source_id", "action", "reason_code", "reason", "target_id", "matched_by", "parent_source",
    "parent_source_id", "parent_target_id", "level", "changes", "payload", "payload_hash", "source_hash",
)  # fmt: skip

_OTHER_KEY = "not encrypted with the key that MILLPOND_ENCRYPTION_KEY has"
_GO_BACK = "if another key did it and is not lost, go back to 0.1 (docs/upgrade.md), and upgrade with `KEY,THAT_KEY`"


def convert_tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Rename tables, columns and values; return what was done, one line each.

    Tables change before rows: DuckDB does not alter a table that the same transaction has written to.

    Raises:
        UpgradeError: Values are encrypted and no key is set; they could never be used under the new names.
    """
    _require_key(con)
    _drop_analytics(con)
    approved = dict(_intact_plans(con))
    lines = [*_rename_tables(con), *_rename_columns(con)]
    _add_columns(con)
    # which views read; they fill with the next runs
    ensure_table(con, *(definition_of("ledger", name) for name in ("sync_readings", "sync_ignored")))
    lines += _rename_values(con)
    _split_undo_kind(con)
    _rename_answers(con)
    _rename_in_lineage(con)
    _renew_texts(con)
    return [*lines, *_bind_images(con), *_renew_checksums(con, approved)]


def _require_key(con: duckdb.DuckDBPyConnection) -> None:
    """Raise UpgradeError if something is encrypted and no key is set: a shell may lack the service's settings."""
    if Cipher(secret_value("MILLPOND_ENCRYPTION_KEY")).has_key:
        return
    for column, tables in {"payload": _tables(con, "plan_"), "image": _tables(con, "sync_attempts")}.items():
        for table in tables:
            encrypted = f"select count(*) from {quoted(table)} where starts_with({column}, ?)"
            if column in columns_of(con, table) and con.execute(encrypted, [PREFIX]).fetchall()[0][0]:
                raise UpgradeError(
                    f"{table} has encrypted values, and no key is set: set MILLPOND_ENCRYPTION_KEY to the key that"
                    " MILLPOND_SEAL_KEY had, and run again: the upgrade continues. If that key is lost, set a new one:"
                    " plans that wait cannot be sent, and earlier runs not be undone, without it"
                )


def _drop_analytics(con: duckdb.DuckDBPyConnection) -> None:
    """Drop views and macros, which name old columns; they are created again from `sql/analytics`."""
    found = con.execute(
        "select view_name, 'view' from duckdb_views() where database_name = current_database() and not internal"
        " union all select function_name, 'macro table' from duckdb_functions()"
        " where database_name = current_database() and not internal and function_type = 'table_macro'"
    ).fetchall()
    for name, kind in found:
        if name in names("analytics"):
            con.execute(f"drop {kind} {quoted(name)}")


def _tables(con: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """Return the tables of a name, or of a prefix that ends with `_`, that exist."""
    return sorted(each for each in tables_of(con) if each == name or (name.endswith("_") and each.startswith(name)))


def _rename_tables(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    states = {old: NEW_STATE + old.removeprefix(OLD_STATE) for old in _tables(con, OLD_STATE)}
    renamed = {old: new for old, new in {**TABLES, **states}.items() if has_table(con, old)}
    for old, new in renamed.items():
        con.execute(f"alter table {quoted(old)} rename to {quoted(new)}")
    yield from (f"table {old} -> {new}" for old, new in TABLES.items() if old in renamed)
    if states:
        yield f"{counted(len(states), 'tables')} {OLD_STATE}<workflow> -> {NEW_STATE}<workflow>"


def _rename_columns(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for name, columns in COLUMNS.items():
        for table in _tables(con, name):
            present = columns_of(con, table)
            for old, new in columns.items():
                if old in present:
                    con.execute(f"alter table {quoted(table)} rename {quoted(old)} to {quoted(new)}")
                    yield f"column {table}.{old} -> {new}"


def _add_columns(con: duckdb.DuckDBPyConnection) -> None:
    """Add columns, all of them before any is filled: see `convert_tables`."""
    filled = []
    for table, columns in ADDED_COLUMNS.items():
        present = columns_of(con, table)
        for name, (kind, value) in columns.items():
            if present and name not in present:
                con.execute(f"alter table {table} add column {name} {kind}")
                filled += [f"update {table} set {name} = {value}"] if value != "null" else []
    for statement in filled:
        con.execute(statement)


def _rename_values(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for value in VALUES:
        for table in _tables(con, value.table):
            rows = _update(con, table, value.column, value.old, value.new)
            if rows:
                yield f"value {table}.{value.column} {value.old} -> {value.new}: {counted(rows, 'rows')}"


def _update(con: duckdb.DuckDBPyConnection, table: str, column: str, old: str, new: str) -> int:
    if column not in columns_of(con, table):
        return 0
    statement = f"update {quoted(table)} set {quoted(column)} = ? where {quoted(column)} = ?"
    return int(con.execute(statement, [new, old]).fetchall()[0][0])


def _split_undo_kind(con: duckdb.DuckDBPyConnection) -> None:
    if has_table(con, "sync_plans"):
        con.execute(
            f"update sync_plans set kind = '{UNDO}', undone_run = substr(kind, {len(UNDO) + 2})"
            f" where starts_with(kind, '{UNDO} ')"
        )


def _rename_answers(con: duckdb.DuckDBPyConnection) -> None:
    """Rename the keys of what is known about the account's columns, so that no run has to find it out again."""
    if not has_table(con, "netsuite_capabilities"):
        return
    for name, text in con.execute("select capability, answer from netsuite_capabilities").fetchall():
        answer = json.loads(text)
        if isinstance(answer, dict) and answer.keys() & ANSWER_KEYS.keys():
            renamed = {ANSWER_KEYS.get(key, key): value for key, value in answer.items()}
            con.execute("update netsuite_capabilities set answer = ? where capability = ?", [json.dumps(renamed), name])


def _rename_in_lineage(con: duckdb.DuckDBPyConnection) -> None:
    if has_table(con, "lineage_columns"):
        for column in ("source_table", "expression"):
            con.execute(
                rf"update lineage_columns set {column} = regexp_replace({column}, '\b{OLD_STATE}', '{NEW_STATE}', 'g')"
                rf" where regexp_matches({column}, '\b{OLD_STATE}')"
            )


def _renew_texts(con: duckdb.DuckDBPyConnection) -> None:
    prefixes = ("mart_", "plan_", "sync_", "selection_", "candidates_")
    for table in [each for prefix in prefixes for each in _tables(con, prefix)]:
        columns = columns_of(con, table)
        for column, texts in {"reason": REASONS, "why_not": REASONS, "note": NOTES}.items():
            if column in columns and table != "sync_manual_links":  # a person's own note
                _renew_text(con, table, column, texts)


def _renew_text(con: duckdb.DuckDBPyConnection, table: str, column: str, texts: tuple[tuple[str, str], ...]) -> None:
    """Rewrite a column by its distinct texts, which are far fewer than its rows."""
    con.execute(
        "create or replace temp table _renewed as"
        f" select old, new from (select old, {renewed('old', texts)} as new from"
        f" (select distinct {column} as old from {quoted(table)} where {column} is not null)) where new <> old"
    )
    con.execute(f"update {quoted(table)} set {column} = new from _renewed where {column} = old")


def _bind_images(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Encrypt before-images again, each for the send that it belongs to; those of an unknown key stay as they are."""
    cipher = Cipher(secret_value("MILLPOND_ENCRYPTION_KEY"))
    if not cipher.has_key or not has_table(con, "sync_attempts"):
        return
    names = "attempt_id, source, source_id, action, target_id, image"
    rows = read_frame(con, f"select {names} from sync_attempts where starts_with(image, ?)", [PREFIX])
    bound = []
    for row in rows.iter_rows(named=True):
        with suppress(EncryptionError):
            bound.append((row["image"], cipher.encrypt(cipher.decrypt(row["image"]), of=owner_of(row))))
    con.execute("create or replace temp table _bound (before varchar, after varchar)")
    insert_frame(con, "_bound", pl.DataFrame(bound, schema={"before": pl.String, "after": pl.String}, orient="row"))
    con.execute("update sync_attempts set image = after from _bound where image = before")
    if unread := rows.height - len(bound):
        yield f"{counted(unread, 'before-images')}: {_OTHER_KEY}: what was sent cannot be undone; {_GO_BACK}"


def _intact_plans(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """Yield (plan, workflow) of the open plans whose rows are still those that were approved or may be."""
    if not has_table(con, "sync_plans"):
        return
    for plan_id, workflow, seal in con.execute(
        "select plan_id, workflow, seal from sync_plans where state in ('made', 'waiting')"
    ).fetchall():
        if has_table(con, f"plan_{workflow}") and _checksum(con, workflow, plan_id) == seal:
            yield plan_id, workflow


def _renew_checksums(con: duckdb.DuckDBPyConnection, approved: Mapping[str, str]) -> Iterator[str]:
    """Give open plans the checksum of their renamed rows; a plan that was modified before keeps its wrong one."""
    for plan_id, workflow in approved.items():
        try:
            _sign(con, workflow, plan_id)
        except EncryptionError:
            yield f"plan {plan_id} of {workflow}: {_OTHER_KEY}: it cannot be sent; make a new one, or {_GO_BACK}"
        else:
            yield f"plan {plan_id} of {workflow}: can still be sent as it was made"


def _sign(con: duckdb.DuckDBPyConnection, workflow: str, plan_id: str) -> None:
    """Encrypt and sign a plan as 0.2 does; EncryptionError if the key is not known, and it stays as it is."""
    cipher, table = Cipher(secret_value("MILLPOND_ENCRYPTION_KEY")), quoted(f"plan_{workflow}")
    rows = read_frame(con, f"select * from {table} where plan_id = ?", [plan_id])
    sealed = sealed_again(unseal(rows, cipher), cipher)
    con.execute(f"delete from {table} where plan_id = ?", [plan_id])
    insert_frame(con, table.strip('"'), sealed)
    stored = read_frame(con, "select * from sync_plans where plan_id = ?", [plan_id]).row(0, named=True)
    con.execute("update sync_plans set checksum = ? where plan_id = ?", [signature(sealed, stored, cipher), plan_id])


def _checksum(con: duckdb.DuckDBPyConnection, workflow: str, plan_id: str) -> str:
    plan = read_frame(con, f"select * from {quoted(f'plan_{workflow}')} where plan_id = ?", [plan_id])
    digest = hashlib.sha256()
    writing = plan.filter(pl.col("payload").is_not_null()).select(CHECKED).sort("source", "source_id")
    for part in writing.iter_slices(50_000):
        rows = part.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        digest.update("\n".join(rows.to_list()).encode())
    return digest.hexdigest()[:32]
