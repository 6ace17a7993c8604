"""The names of the parents that a record moves between: an id says nothing to a reader.

changes of a plan  ->  with_parent_names()  ->  the same changes, `EMEA (12)` instead of `12`
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from assets.warehouse.record_names import named_records
from resources.warehouse.tables import columns_of, quoted

PARENT = "(parent)"  # name of the parent among the changed fields
NAME = "name"  # of every target's records that have parents
Row = dict[str, Any]


def with_parent_names(con: duckdb.DuckDBPyConnection, workflow: str, rows: Sequence[Row]) -> list[Row]:
    """Return rows of a plan without `parent_source` and `parent_source_id`, and with names of parents in `changes`."""
    moved = [row for row in rows if any(change["field"] == PARENT for change in row["changes"] or ())]
    names = _names(con, workflow, moved) if moved else {}
    planned = _planned(con, moved) if moved else {}
    found = []
    for row in rows:
        kept = {name: value for name, value in row.items() if not name.startswith("parent_source")}
        above = planned.get((row["parent_source"], row["parent_source_id"]), "")
        changes = [_named(change, names, above) for change in row["changes"] or ()]
        found.append({**kept, "changes": changes})
    return found


def _named(change: Mapping[str, Any], names: Mapping[str, str], above: str) -> Mapping[str, Any]:
    if change["field"] != PARENT:
        return change
    before, after = change["before"], change["after"]
    becomes = above or names.get(after or "", "")  # a parent may be yet to be created
    return {"field": PARENT, "before": _shown(before, names.get(before or "", "")), "after": _shown(after, becomes)}


def _shown(value: str | None, name: str) -> str | None:
    return f"{name} ({value})" if name and value else name or value


def _ids(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        for change in row["changes"]:
            if change["field"] == PARENT:
                yield from filter(None, (change["before"], change["after"]))


def _names(con: duckdb.DuckDBPyConnection, workflow: str, rows: Sequence[Row]) -> dict[str, str]:
    """Return the names of the parents by target id: NetSuite's, else those that the target has."""
    ids, table = sorted(set(_ids(rows))), f"target_{workflow}"
    sources = sorted({row["parent_source"] for row in rows if row["parent_source"]})
    names: dict[str, str] = {}
    if NAME in columns_of(con, table):
        query = (
            f"select target_id, {NAME} from {quoted(table)} where list_contains(?, target_id) and {NAME} is not null"
        )
        names = dict(con.execute(query, [ids]).fetchall())
    query = (
        f"select link.target_id, any_value(named.name) from sync_links as link join ({named_records(con)}) as named"
        " using (source, source_id) where list_contains($ids, link.target_id)"
        " and (link.workflow = $workflow or list_contains($sources, link.source)) group by all"
    )
    return {**names, **dict(con.execute(query, {"ids": ids, "workflow": workflow, "sources": sources}).fetchall())}


def _planned(con: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """Return the names of the parents that the records will have."""
    sources = sorted({row["parent_source"] for row in rows if row["parent_source"]})
    keys = sorted({row["parent_source_id"] for row in rows if row["parent_source_id"]})
    query = (
        f"select source, source_id, name from ({named_records(con)}) where list_contains(?, source)"
        " and list_contains(?, cast(source_id as varchar))"
    )
    found = con.execute(query, [sources, keys]).fetchall()
    return {(source, str(source_id)): name for source, source_id, name in found}
