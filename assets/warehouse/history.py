"""The history layer: each version of a record, with the time for which it held.

stg_netsuite__* (as it is now)  ->  sql/history/<table>.sql  ->  hist_netsuite__* (as it was, version by version)

A version is closed and a new one begun in one transaction, when a value other than NetSuite's time stamp has changed.
Times are those of the reading, so that they agree with what the sync tables tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg
import duckdb

from assets.failures import RETRY, dagster_failure
from assets.warehouse.custom_types import CASTS
from assets.warehouse.staging import KEY_CHECK, KINDS, OWNERS, column_comments, duplicate_keys, table_metadata
from resources.warehouse.tables import columns_of, describe_table, ensure_table, has_table, quoted
from resources.warehouse.warehouse import Warehouse
from sql import Statement, names, statement

LAYER = "history"
OWN_COLUMNS = {
    "valid_from": ("timestamp", "since when the record was so, as far as readings tell, UTC"),
    "valid_to": ("timestamp", "until when, UTC; null: still so"),
    "is_current": ("boolean", "whether it is still so"),
}
QUIET = ("modified_at",)  # NetSuite moves it at every save; alone it makes no version


@dataclass(frozen=True)
class Kept:
    """What was done: versions begun, and versions closed."""

    begun: int = 0
    closed: int = 0


def keep(con: duckdb.DuckDBPyConnection, of: Statement) -> Kept:
    """Add the versions that began since the last time, in the caller's transaction."""
    ensure_table(con, statement("ledger", "stg_builds"))
    follows, at = _follows(con, of)
    is_new = not has_table(con, of.name)
    if not is_new and (at is None or follows == _followed(con, of)):
        return Kept()
    con.execute(f"create or replace temp view now_rows as {of.text}")
    if is_new:
        own = ", ".join(f"cast(null as {kind}) as {name}" for name, (kind, _) in OWN_COLUMNS.items())
        con.execute(f"create table {quoted(of.name)} as select *, {own} from now_rows limit 0")
    other = _follow_columns(con, of)
    kept = _merge(con, of, at) if at else Kept()  # nothing was ever read: an empty table that others may name
    if is_new or other:
        describe_table(con, of.name, of.description, _comments(con, of).items())
    con.execute("delete from stg_builds where staging_table = ?", [of.name])
    con.executemany("insert into stg_builds values (?, ?, ?, ?)", [[of.name, *row] for row in follows])
    return kept


def _comments(con: duckdb.DuckDBPyConnection, of: Statement) -> dict[str, str]:
    own = {name: text for name, (_, text) in OWN_COLUMNS.items()}
    return column_comments(statement("staging", of.reads[0]), list(columns_of(con, of.name))) | own


def _follows(con: duckdb.DuckDBPyConnection, of: Statement) -> tuple[list[Any], datetime | None]:
    """What the staging table was made of, and when that was read from NetSuite."""
    rows = con.execute(
        "select raw_table, through, statement_hash from stg_builds where staging_table = ? order by all", [of.reads[0]]
    ).fetchall()
    return rows, max((row[1] for row in rows if row[1] is not None), default=None)


def _followed(con: duckdb.DuckDBPyConnection, of: Statement) -> list[Any]:
    return con.execute(
        "select raw_table, through, statement_hash from stg_builds where staging_table = ? order by all", [of.name]
    ).fetchall()


def _follow_columns(con: duckdb.DuckDBPyConnection, of: Statement) -> Sequence[str]:
    """Take over new columns and types. What is true now was true of the open versions: a column is no change."""
    table, key = quoted(of.name), quoted(of.key[0])
    there = columns_of(con, of.name)
    now = {row[0]: row[1] for row in con.execute("describe now_rows").fetchall()}
    added = [name for name in now if name not in there]
    for name in added:
        con.execute(f"alter table {table} add column {quoted(name)} {now[name]}")
    retyped = [name for name, kind in now.items() if name in there and there[name] != kind]
    if retyped:  # DuckLake changes a type only to a wider one, so the table is made anew
        shown = ", ".join(f"{_retyped(name, there[name], now[name])} as {quoted(name)}" for name in retyped)
        con.execute(f"create or replace table {table} as select * replace ({shown}) from {table}")
    if added or retyped:
        values = ", ".join(f"{quoted(name)} = now_rows.{quoted(name)}" for name in (*added, *retyped))
        con.execute(f"update {table} set {values} from now_rows where now_rows.{key} = {table}.{key} and is_current")
    return [*added, *retyped]


def _retyped(name: str, before: str, now: str) -> str:
    """What a value is in its new type; null where it cannot be shown."""
    if (before, now) == ("VARCHAR", "VARCHAR[]"):  # a multi-select whose kind was told later
        return CASTS["references"].format(quoted(name))
    return f"try_cast({quoted(name)} as {now})"


def _merge(con: duckdb.DuckDBPyConnection, of: Statement, at: datetime) -> Kept:
    """Close the versions that are no longer so, and begin those that are so now."""
    table, key = quoted(of.name), quoted(of.key[0])
    columns = [row[0] for row in con.execute("describe now_rows").fetchall()]
    compared = [name for name in columns if name not in QUIET]
    is_other = " or ".join(f"now.{quoted(name)} is distinct from old.{quoted(name)}" for name in compared)
    con.execute(
        f"create or replace temp table other_keys as select coalesce(now.{key}, old.{key}) as key,"
        f" old.{key} is not null as is_old, now.{key} is not null as is_now from now_rows as now full join"
        f" (from {table} where is_current) as old on now.{key} = old.{key}"
        f" where now.{key} is null or old.{key} is null or {is_other}"
    )
    chosen = f"is_current and {key} in (select key from other_keys where is_old)"
    # read at the same time as the version before it: the staging select has changed, not the record
    con.execute(f"delete from {table} where {chosen} and valid_from >= ?", [at])
    con.execute(f"update {table} set valid_to = ?, is_current = false where {chosen}", [at])
    con.execute(
        f"insert into {table} by name select now.*, cast(? as timestamp) as valid_from, null as valid_to,"
        f" true as is_current from now_rows as now where {key} in (select key from other_keys where is_now)",
        [at],
    )
    counts = con.execute("select count(*) filter (is_now), count(*) filter (is_old) from other_keys").fetchall()[0]
    return Kept(*map(int, counts))


def history_table(name: str) -> dg.AssetsDefinition:
    """The asset of one SQL file."""
    of = statement(LAYER, name)

    @dg.asset(
        name=name,
        deps=list(of.reads),
        description=of.description,
        group_name=LAYER,
        kinds=KINDS,
        owners=OWNERS,
        retry_policy=RETRY,
        pool="duckdb",
        check_specs=[dg.AssetCheckSpec(KEY_CHECK, asset=name, blocking=True, description=f"Grain: {of.grain}.")],
    )
    def table(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
        with dagster_failure(), warehouse.writer() as con:
            kept = keep(con, of)
            bad_keys = duplicate_keys(con, of) if kept.begun else 0
            rows = int(con.execute(f"select count(*) from {quoted(name)}").fetchall()[0][0])
            metadata = table_metadata(con, name, _comments(con, of), rows)
            metadata |= {"versions_begun": kept.begun, "versions_closed": kept.closed}
        return dg.MaterializeResult(
            metadata=metadata,
            check_results=[
                dg.AssetCheckResult(check_name=KEY_CHECK, passed=bad_keys == 0, metadata={"bad_rows": bad_keys})
            ],
        )

    return table


HISTORY_ASSETS: Mapping[str, dg.AssetsDefinition] = {name: history_table(name) for name in names(LAYER)}
