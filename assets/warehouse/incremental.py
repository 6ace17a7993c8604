"""Bring a staging table up to date: the rows that changed, or all of them.

stg_builds (raw rows staged so far)  ->  new_netsuite__* (raw rows written later)  ->
    sql/incremental_keys/<table>.sql (keys)  ->  delete and insert these keys, by the same select as a full build

Raw rows carry a later timestamp than all rows before them (see assets/netsuite/extract/load.py), so no overlap is
needed. Tables without a file in sql/incremental_keys are small: they are rebuilt when anything they read has changed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import duckdb

from assets.warehouse.custom_types import cast_custom_fields, custom_field_types
from resources.warehouse.tables import columns_of, ensure_table, has_table, quoted
from sql import Statement, names, statement

KEYS_LAYER = "incremental_keys"
MIN_ROWS = 1000  # up to so many changed keys are always staged by key
MAX_SHARE = 0.1  # if more than this share of the rows changed, all are staged again

Stamps = Mapping[str, datetime | None]  # latest `_extracted_at` by raw table


@dataclass(frozen=True)
class StagingResult:
    """Result of an update: how it was done and the rows written.

    Attributes:
        uncast: Custom fields that stay text, see `custom_types.py`.
    """

    mode: Literal["unchanged", "changed rows", "all rows"]
    rows: int
    uncast: tuple[str, ...] = ()


def stage_incrementally(con: duckdb.DuckDBPyConnection, definition: Statement) -> StagingResult:
    """Bring the table to the state of a full build, in the caller's transaction; comments are not written."""
    ensure_table(con, statement("ledger", "stg_builds"))
    latest = {table: _latest(con, table) for table in definition.reads}
    types = custom_field_types(con, definition)
    version = _version(definition, types)
    staged = _staged(con, definition, version)
    if staged == latest and _columns(con, definition).keys() == columns_of(con, definition.name).keys():
        return StagingResult("unchanged", 0)
    cast = cast_custom_fields(con, definition, types)
    definition = cast.statement
    result = None
    if staged is not None and _columns(con, definition) == columns_of(con, definition.name):
        result = _stage_changes(con, definition, staged, latest)
    if result is None:
        con.execute(f"create or replace table {quoted(definition.name)} as {definition.text}")
        result = StagingResult("all rows", _count(con, f"select count(*) from {quoted(definition.name)}"))
    con.execute("delete from stg_builds where staging_table = ?", [definition.name])
    for table, through in latest.items():
        con.execute("insert into stg_builds values (?, ?, ?, ?)", [definition.name, table, through, version])
    return replace(result, uncast=cast.uncast)


def _staged(con: duckdb.DuckDBPyConnection, definition: Statement, version: str) -> Stamps | None:
    """Return which raw rows are staged; None if the table must be rebuilt."""
    rows = con.execute(
        "select raw_table, through from stg_builds where staging_table = ? and statement_hash = ?",
        [definition.name, version],
    ).fetchall()
    staged: dict[str, datetime | None] = dict(rows)
    return staged if staged.keys() == set(definition.reads) and has_table(con, definition.name) else None


def _columns(con: duckdb.DuckDBPyConnection, definition: Statement) -> dict[str, str]:
    """Return names and types of the statement's columns, without running it."""
    return {row[0]: row[1] for row in con.execute(f"describe {definition.text}").fetchall()}


def _stage_changes(
    con: duckdb.DuckDBPyConnection, definition: Statement, staged: Stamps, latest: Stamps
) -> StagingResult | None:
    """Stage what changed; return None if the table must be rebuilt."""
    table = quoted(definition.name)
    if definition.name not in names(KEYS_LAYER):
        return None
    for raw_table, through in staged.items():
        now = latest[raw_table]
        if through is not None and (now is None or now < through):
            return None  # the raw table was recreated
        since = "" if through is None else f"where _extracted_at > timestamp '{through}'"
        new = quoted(raw_table.replace("raw_", "new_", 1))
        con.execute(f"create or replace temp view {new} as select * from {quoted(raw_table)} {since}")
    keys = statement(KEYS_LAYER, definition.name).text
    con.execute(f"create or replace temp table changed_keys as select distinct * from ({keys}) as keys (key)")
    count = _count(con, "select count(*) from changed_keys")
    if count > max(MIN_ROWS, MAX_SHARE * _count(con, f"select count(*) from {table}")):
        return None
    changed = f"{quoted(definition.key[0])} in (select key from changed_keys)"
    con.execute(f"delete from {table} where {changed}")
    con.execute(f"insert into {table} by name select * from ({definition.text}) where {changed}")
    return StagingResult("changed rows", count)


def _latest(con: duckdb.DuckDBPyConnection, table: str) -> datetime | None:
    latest: datetime | None = con.execute(f"select max(_extracted_at) from {quoted(table)}").fetchall()[0][0]
    return latest


def _version(definition: Statement, types: Mapping[str, str]) -> str:
    """Return a hash of the statement and the types of its custom fields."""
    text = "\n".join((definition.text, *(f"{name} {kind}" for name, kind in types.items())))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(con.execute(query).fetchall()[0][0])
