"""The history layer: every version of a record, with the time for which it was valid.

stg_netsuite__* (current)  ->  sql/history/<table>.sql  ->  hist_netsuite__* (one row per version)

One transaction closes a version and opens the next, when a value other than NetSuite's timestamp has changed. Times are
those at which NetSuite was read, so that they agree with the sync tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg
import duckdb

from assets.asset_metadata import table_metadata
from assets.warehouse.custom_types import CASTS, KEEPS
from assets.warehouse.staging import bad_keys, column_comments, require_reads
from resources.warehouse.tables import columns_of, describe_table, ensure_table, has_table, quoted
from sql import Statement, statement

LAYER = "history"
CHECK = "key_is_unique_and_not_null"
OWN_COLUMNS = {
    "valid_from": ("timestamp", "when NetSuite was first read with these values, UTC"),
    "valid_to": ("timestamp", "when NetSuite was first read with other values, UTC; null: current version"),
    "is_current": ("boolean", "whether this is the current version"),
}
TEXT, LIST = "VARCHAR", "VARCHAR[]"
_KINDS = {"BIGINT": "integer", "DOUBLE": "number", "DECIMAL(38,18)": "decimal"}  # types that lose digits of a text
_PLAIN = r"regexp_replace({}::varchar, '(\.\d*[1-9])0+$|\.0+$', '\1')"
# the texts of values as NetSuite sends them, where a cast has others
_TEXTS = {
    "BOOLEAN": "case {} when true then 'T' when false then 'F' end",
    "DOUBLE": _PLAIN,
    "DECIMAL(38,18)": _PLAIN,
    LIST: "array_to_string({}, ', ')",
}
IGNORED = ("modified_at",)  # every save in NetSuite moves it; on its own it opens no version


@dataclass(frozen=True)
class HistoryResult:
    """Number of versions that an update opened and closed."""

    opened: int = 0
    closed: int = 0


def update_history(con: duckdb.DuckDBPyConnection, definition: Statement) -> HistoryResult:
    """Open and close the versions that changed after the last update, in the caller's transaction."""
    ensure_table(con, statement("ledger", "stg_builds"))
    name, source = definition.name, definition.reads[0]
    builds = _builds(con, source)
    read_at = max((through for _, through, _ in builds if through is not None), default=None)
    is_new = not has_table(con, name)
    if not is_new and (read_at is None or builds == _builds(con, name)):
        return HistoryResult()
    con.execute(f"create or replace temp view now_rows as {definition.text}")
    if is_new:
        own = ", ".join(f"cast(null as {kind}) as {column}" for column, (kind, _) in OWN_COLUMNS.items())
        con.execute(f"create table {quoted(name)} as select *, {own} from now_rows limit 0")
    changed_columns = _follow_columns(con, definition)
    result = _merge(con, definition, read_at) if read_at else HistoryResult()  # never read: an empty table
    if is_new or changed_columns:
        describe_table(con, name, definition.description, history_comments(con, definition).items())
    con.execute("delete from stg_builds where staging_table = ?", [name])
    con.executemany("insert into stg_builds values (?, ?, ?, ?)", [[name, *build] for build in builds])
    return result


def history_comments(con: duckdb.DuckDBPyConnection, definition: Statement) -> dict[str, str]:
    """Return the comments of a history table's columns."""
    own = {name: text for name, (_, text) in OWN_COLUMNS.items()}
    staging = statement("staging", definition.reads[0])
    return column_comments(staging, list(columns_of(con, definition.name))) | own


def _builds(con: duckdb.DuckDBPyConnection, table: str) -> list[Any]:
    """Return the raw rows from which a table was made: raw_table, through, statement_hash."""
    query = "select raw_table, through, statement_hash from stg_builds where staging_table = ? order by all"
    return con.execute(query, [table]).fetchall()


def _follow_columns(con: duckdb.DuckDBPyConnection, definition: Statement) -> Sequence[str]:
    """Add new columns, filled in the current versions, and new types: neither is a new version.

    A column becomes text if its new type cannot hold the value of a version: what was read stays as it was.
    """
    table, key = quoted(definition.name), quoted(definition.key[0])
    before = columns_of(con, definition.name)
    now = {row[0]: row[1] for row in con.execute("describe now_rows").fetchall()}
    added = [name for name in now if name not in before]
    for name in added:
        con.execute(f"alter table {table} add column {quoted(name)} {now[name]}")
    changed = [name for name, kind in now.items() if name in before and before[name] != kind]
    if kept := [name for name in changed if not _holds_all(con, table, name, before[name], now[name])]:
        texts = ", ".join(f"{_recast(quoted(name), now[name], TEXT)} as {quoted(name)}" for name in kept)
        con.execute(f"create or replace temp view now_rows as select * replace ({texts}) from ({definition.text})")
        now |= dict.fromkeys(kept, TEXT)
    retyped = [name for name in changed if before[name] != now[name]]
    if retyped:  # DuckLake can only widen a type, so the table is recreated
        casts = ", ".join(f"{_recast(quoted(name), before[name], now[name])} as {quoted(name)}" for name in retyped)
        con.execute(f"create or replace table {table} as select * replace ({casts}) from {table}")
    if added:
        values = ", ".join(f"{quoted(name)} = now_rows.{quoted(name)}" for name in added)
        con.execute(f"update {table} set {values} from now_rows where now_rows.{key} = {table}.{key} and is_current")
    return [*added, *retyped]


def _holds_all(con: duckdb.DuckDBPyConnection, table: str, name: str, before: str, now: str) -> bool:
    """Return whether a new type of a column holds the value of every version."""
    recast = _recast(quoted(name), before, now)
    held = f"{_recast(f'({recast})', now, before)} = {quoted(name)}"
    if before == TEXT:  # a text may have several forms, such as of a flag or a number
        held = KEEPS[_KINDS[now]].format(quoted(name)) if now in _KINDS else f"{recast} is not null"
    value = f"nullif({quoted(name)}, '')" if before == TEXT else quoted(name)
    query = f"select count(*) = 0 from {table} where {value} is not null and ({held}) is not true"
    return bool(con.execute(query).fetchall()[0][0])


def _recast(value: str, before: str, now: str) -> str:
    """Return SQL for a value, itself SQL, in its new type; null if it does not fit."""
    if (before, now) == (TEXT, LIST):  # a multi-select whose type was seen later
        return CASTS["references"].format(value)
    if now == TEXT and before in _TEXTS:
        return _TEXTS[before].format(value)
    return f"try_cast({value} as {now})"


def _merge(con: duckdb.DuckDBPyConnection, definition: Statement, read_at: datetime) -> HistoryResult:
    """Close the versions that ended and open those that began at `read_at`."""
    table, key = quoted(definition.name), quoted(definition.key[0])
    columns = [row[0] for row in con.execute("describe now_rows").fetchall()]
    compared = [quoted(name) for name in columns if name not in IGNORED]
    differs = " or ".join(f"now.{name} is distinct from old.{name}" for name in compared)
    con.execute(
        f"create or replace temp table changed_versions as select coalesce(now.{key}, old.{key}) as key,"
        f" old.{key} is not null as ends, now.{key} is not null as begins from now_rows as now full join"
        f" (from {table} where is_current) as old on now.{key} = old.{key}"
        f" where now.{key} is null or old.{key} is null or {differs}"
    )
    ending = f"is_current and {key} in (select key from changed_versions where ends)"
    # a version of the same read: the staging SQL has changed, not the record
    con.execute(f"delete from {table} where {ending} and valid_from >= ?", [read_at])
    con.execute(f"update {table} set valid_to = ?, is_current = false where {ending}", [read_at])
    con.execute(
        f"insert into {table} by name select now.*, cast(? as timestamp) as valid_from, null as valid_to,"
        f" true as is_current from now_rows as now where {key} in (select key from changed_versions where begins)",
        [read_at],
    )
    counts = con.execute("select count(*) filter (begins), count(*) filter (ends) from changed_versions").fetchall()[0]
    return HistoryResult(*map(int, counts))


def history_check_spec(definition: Statement) -> dg.AssetCheckSpec:
    """Return the check of one history table; what reads the table waits until it passes."""
    return dg.AssetCheckSpec(CHECK, asset=definition.name, description=f"Grain: {definition.grain}.")


def add_versions(con: duckdb.DuckDBPyConnection, definition: Statement) -> dg.MaterializeResult[Any]:
    """Bring one history table up to date, and check it, in the caller's transaction."""
    require_reads(con, definition)
    result = update_history(con, definition)
    bad_rows = bad_keys(con, definition) if result.opened else 0
    metadata = table_metadata(con, definition.name, history_comments(con, definition))
    metadata |= {"versions_opened": result.opened, "versions_closed": result.closed}
    checked = dg.AssetCheckResult(
        asset_key=definition.name,
        check_name=CHECK,
        passed=not bad_rows,
        description=f"{bad_rows} rows without a key of their own",
        metadata={"bad_rows": bad_rows},
    )
    return dg.MaterializeResult(asset_key=definition.name, metadata=metadata, check_results=[checked])
