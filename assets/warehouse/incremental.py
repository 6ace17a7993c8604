"""Brings a staging table up to date: the rows that changed, or all of them.

stg_builds (how far it follows)  ->  new_netsuite__* (raw rows written since)  ->
    sql/incremental_keys/<table>.sql (keys)  ->  delete and insert these keys, from the same select as ever

The time stamp of a raw row is later than that of every row that was there before (see
assets/netsuite/extract/load.py), so "written since" needs no overlap. Tables without a file in sql/incremental_keys are
small: they are rebuilt when anything that they read has changed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import duckdb

from assets.warehouse.custom_types import custom_kinds, typed
from resources.warehouse.tables import columns_of, ensure_table, has_table, quoted
from sql import Statement, names, statement

CHANGED = "incremental_keys"
FEW = 1000  # changed keys that are never too many
MANY = 0.1  # when more than this share of the rows changed, all are staged anew


@dataclass(frozen=True)
class Staged:
    """What was done: `rows` of them were written."""

    mode: Literal["unchanged", "changed rows", "all rows"]
    rows: int
    unfit: tuple[str, ...] = ()  # custom fields that stay text, see `custom_types.py`


def stage(con: duckdb.DuckDBPyConnection, of: Statement) -> Staged:
    """Bring the table up to date, in the caller's transaction; a full build from the raw tables would be the same.

    Comments are not written here.
    """
    ensure_table(con, statement("ledger", "stg_builds"))
    latest = {table: _latest(con, table) for table in of.reads}
    kinds = custom_kinds(con, of)
    version = _hash(of, kinds)
    known = _known(con, of, version)
    if known == latest and _columns(con, of).keys() == columns_of(con, of.name).keys():
        return Staged("unchanged", 0)
    with_types = typed(con, of, kinds)
    of = with_types.statement
    done = (
        _changed(con, of, known, latest)
        if known is not None and _columns(con, of) == columns_of(con, of.name)
        else None
    )
    if done is None:
        con.execute(f"create or replace table {quoted(of.name)} as {of.text}")
        done = Staged("all rows", _count(con, f"select count(*) from {quoted(of.name)}"))
    _note(con, of, latest, version)
    return replace(done, unfit=with_types.unfit)


def _known(con: duckdb.DuckDBPyConnection, of: Statement, version: str) -> Mapping[str, datetime | None] | None:
    """How far the table follows each raw table; None when it must be made anew."""
    rows = con.execute(
        "select raw_table, through from stg_builds where staging_table = ? and statement_hash = ?", [of.name, version]
    ).fetchall()
    known: dict[str, datetime | None] = dict(rows)
    return known if known.keys() == set(of.reads) and has_table(con, of.name) else None


def _columns(con: duckdb.DuckDBPyConnection, of: Statement) -> dict[str, str]:
    """Names and types of what a statement selects; it is bound, not run."""
    return {row[0]: row[1] for row in con.execute(f"describe {of.text}").fetchall()}


def _changed(
    con: duckdb.DuckDBPyConnection,
    of: Statement,
    known: Mapping[str, datetime | None],
    latest: Mapping[str, datetime | None],
) -> Staged | None:
    """Stage what changed; None when the table must be made anew."""
    for table, through in known.items():
        now = latest[table]
        if through is not None and (now is None or now < through):
            return None  # the raw table was made anew
        since = "" if through is None else f"where _extracted_at > timestamp '{through}'"
        new = quoted(table.replace("raw_", "new_", 1))
        con.execute(f"create or replace temp view {new} as select * from {quoted(table)} {since}")
    if of.name not in names(CHANGED):
        return None
    con.execute(f"create or replace temp table changed_keys as select distinct * from ({_keys(of)}) as keys (key)")
    count = _count(con, "select count(*) from changed_keys")
    if count > max(FEW, MANY * _count(con, f"select count(*) from {quoted(of.name)}")):
        return None
    chosen = f"{quoted(of.key[0])} in (select key from changed_keys)"
    con.execute(f"delete from {quoted(of.name)} where {chosen}")
    con.execute(f"insert into {quoted(of.name)} by name select * from ({of.text}) where {chosen}")
    return Staged("changed rows", count)


def _keys(of: Statement) -> str:
    return statement(CHANGED, of.name).text


def _latest(con: duckdb.DuckDBPyConnection, table: str) -> datetime | None:
    latest: datetime | None = con.execute(f"select max(_extracted_at) from {quoted(table)}").fetchall()[0][0]
    return latest


def _note(con: duckdb.DuckDBPyConnection, of: Statement, latest: Mapping[str, datetime | None], version: str) -> None:
    con.execute("delete from stg_builds where staging_table = ?", [of.name])
    for table, through in latest.items():
        con.execute("insert into stg_builds values (?, ?, ?, ?)", [of.name, table, through, version])


def _hash(of: Statement, kinds: Mapping[str, str]) -> str:
    """A fingerprint of the statement, and of the kinds of its custom fields."""
    text = "\n".join((of.text, *(f"{name} {kind}" for name, kind in kinds.items())))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(con.execute(query).fetchall()[0][0])
