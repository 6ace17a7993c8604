"""Records that are forgotten: what comes of them is stored without personal values.

`millpond forget`  ->  sync_forgotten  ->  open_marks(): extraction, marts and target states ask before they store
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

import sql
from resources.warehouse.tables import columns_of, ensure_table, has_table, insert_row, literal, quoted

TABLE = "sync_forgotten"
STAGED = "stg"  # in `kept`: the staging table; other names are record types
TEXT = "[forgotten]"  # in place of a value in a text, and of a text that had one
HASH = "forgotten"  # in place of the fingerprint of a raw row


Row = tuple[Any, ...]  # of sync_forgotten
_COLUMNS = ("source", "source_id", "forgotten_at", "position", "decided_by", "modified", "kept", "lifted_at")


@dataclass(frozen=True)
class Mark:
    """A row of sync_forgotten that applies; see sql/ledger."""

    source: str
    source_id: str
    modified: str | None
    kept: Mapping[str, Collection[str]]
    is_lifted: bool

    def is_returned(self, modified: str | None) -> bool:
        """Return whether NetSuite sends the record again: it changed since, or a person lifted the mark."""
        return self.is_lifted or (modified is not None and (self.modified is None or modified > self.modified))


def open_marks(con: duckdb.DuckDBPyConnection, *sources: str) -> list[Mark]:
    """Return the marks that apply, of all sources or of these."""
    if not has_table(con, TABLE):
        return []
    among = f" and source in ({', '.join(map(literal, sources))})" if sources else ""
    rows = con.execute(
        f"select source, source_id, modified, kept, lifted_at is not null from {TABLE} where returned_at is null{among}"
        " order by position"
    ).fetchall()
    return [Mark(source, key, modified, json.loads(kept), lifted) for source, key, modified, kept, lifted in rows]


def mark_rows(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return the rows of the marks that apply, for `continue_marks`."""
    if not has_table(con, TABLE):
        return []
    return con.execute(f"select {', '.join(_COLUMNS)} from {TABLE} where returned_at is null").fetchall()


def continue_marks(con: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Add marks that a restored warehouse does not know; return the records, whose values it has."""
    ensure_table(con, sql.statement("ledger", TABLE))
    known = {(each.source, each.source_id) for each in open_marks(con)}
    added = [row for row in rows if row[:2] not in known]
    for row in added:
        insert_row(con, TABLE, dict(zip(_COLUMNS, row, strict=True)))
    return [(row[0], row[1]) for row in added]


def held_ids(con: duckdb.DuckDBPyConnection, source: str, staging: str, raw: Sequence[str]) -> list[str]:
    """Return the ids of a source that marts must not deliver: forgotten, or back and not staged yet."""
    if not has_table(con, TABLE):
        return []
    names = ", ".join(map(literal, raw))
    staged = (
        f"(select max(through) from stg_builds where staging_table = {literal(staging)} and raw_table in ({names}))"
        if has_table(con, "stg_builds")
        else "null"
    )
    rows = con.execute(
        f"select distinct source_id from {TABLE} where source = ?"
        f" and (returned_at is null or returned_at > coalesce({staged}, '-infinity'::timestamp)) order by source_id",
        [source],
    ).fetchall()
    return [row[0] for row in rows]


def mark_returned(
    con: duckdb.DuckDBPyConnection, source: str, source_ids: Sequence[str], extracted_at: object, seen_at: datetime
) -> None:
    """Note that the values of records are stored again."""
    con.execute(
        f"update {TABLE} set returned_at = ?, seen_at = ? where source = ? and returned_at is null"
        " and list_contains(?, source_id)",
        [extracted_at, seen_at, source, list(source_ids)],
    )


def hidden_fields(
    con: duckdb.DuckDBPyConnection, workflow: str, source: str, kept: Collection[str], fields: Collection[str]
) -> list[str]:
    """Return which of these target fields may hold a value that is to be forgotten.

    A field stays if its mapping reads nothing of the record but columns that stay; one that no mapping has any more
    does not.
    """
    known: dict[str, bool] = {}
    if has_table(con, "lineage_columns"):
        query = "select target_field, source_table, source_column from lineage_columns where workflow = ?"
        for field, table, column in con.execute(query, [workflow]).fetchall():
            is_own = table == f"stg_netsuite__{source}"
            stays = not is_own or column is None or column in kept
            known[field] = known.get(field, True) and stays
    return [name for name in fields if not known.get(name, False)]


# the target records that a source record has, or had
TARGET_IDS = """
select target_id from (
    select target_id from sync_links where workflow = $workflow and source = $source and source_id = $source_id
    union
    select target_id from sync_decisions where workflow = $workflow and source = $source and source_id = $source_id
    union
    select target_id from sync_attempts where workflow = $workflow and source = $source and source_id = $source_id
) where target_id is not null
"""


def target_ids(con: duckdb.DuckDBPyConnection, workflow: str, mark: Mark) -> list[str]:
    """Return the ids of the target records of a record."""
    values = {"workflow": workflow, "source": mark.source, "source_id": mark.source_id}
    return sorted(row[0] for row in con.execute(TARGET_IDS, values).fetchall())


def empty_target_state(con: duckdb.DuckDBPyConnection, workflow: str, table: str, own: Collection[str]) -> None:
    """Empty what a target's state shows of forgotten records, but for its own columns, in the caller's transaction."""
    for mark in open_marks(con):
        found = target_ids(con, workflow, mark)
        fields = [each for each in columns_of(con, table) if each not in own] if found else []
        hidden = hidden_fields(con, workflow, mark.source, mark.kept.get(STAGED, ()), fields)
        if hidden:
            sets = ", ".join(f"{quoted(name)} = null" for name in hidden)
            con.execute(f"update {quoted(table)} set {sets} where list_contains(?, target_id)", [found])
