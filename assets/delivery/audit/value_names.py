"""Names behind the target's ids: of a node, a parent, another record, or of what a value list or lookup replaced.

fields and values  ->  names_of_values()  ->  Names, for plans on the terminal, in files and in the console
"""

from collections.abc import Iterable, Mapping, Sequence

import duckdb

from assets.delivery.schemas import PARENT
from assets.delivery.spec.field_mapping import FieldRow, Lookup
from assets.delivery.spec.workflow import Workflow
from assets.warehouse.record_names import names_of
from resources.warehouse.tables import columns_of, quoted

NAME = "name"  # of every target's records that have parents
Given = Iterable[tuple[str, str | None]]  # field, value


class Names:
    """The names of target records, by the field that holds the id."""

    def __init__(
        self,
        found: Mapping[tuple[str, str], str],
        places: Mapping[str, Sequence[str]],
        replaced: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        """Use the names of records by workflow and target id, and what was replaced by field and value."""
        self._found, self._places, self._replaced = found, places, replaced or {}

    def of(self, field: str, value: str | None) -> str:
        """Return the name behind a value; blank if the field holds no id, or the record is not known."""
        if not value:
            return ""
        names = (self._found.get((workflow, value)) for workflow in self._places.get(field, ()))
        return next((name for name in names if name), "") or self._replaced.get((field, value), "")


def places_of(workflow: Workflow) -> dict[str, Sequence[str]]:
    """Return the workflows whose target ids a field holds, by field."""
    references = {row.field: (row.reference,) for row in _rows(workflow) if row.reference}
    return {**references, PARENT: (workflow.name, *workflow.spec.upstream)}


def names_of_values(con: duckdb.DuckDBPyConnection, workflow: Workflow, values: Given) -> Names:
    """Return the names behind the ids among these fields and values."""
    places, given = places_of(workflow), [(field, value) for field, value in values if value]
    sought = {(name, value) for field, value in given for name in places.get(field, ())}
    replaced = {**_parents(con, workflow, given), **_replaced(con, workflow, given)}
    if not sought:
        return Names({}, places, replaced)
    links = con.execute(
        _LINKS, {"workflows": [name for name, _ in sought], "ids": [value for _, value in sought]}
    ).fetchall()
    names = names_of(con, {(source, source_id) for _, _, source, source_id in links})
    found = {(name, target_id): names.get((source, source_id)) for name, target_id, source, source_id in links}
    return Names({place: name for place, name in found.items() if name}, places, replaced)


def _parents(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, given: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Return the names that the target has of parents: one that a person made is no NetSuite record."""
    ids = [value for field, value in given if field == PARENT]
    if not ids or NAME not in columns_of(con, workflow.target_state):
        return {}
    query = f"select target_id, {NAME} from {quoted(workflow.target_state)} where list_contains(?, target_id)"
    return {(PARENT, target_id): name or "" for target_id, name in con.execute(query, [ids]).fetchall()}


def _rows(workflow: Workflow) -> list[FieldRow]:
    return [row for record in workflow.spec.records for row in record.rows]


def _replaced(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, given: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Return what value lists and lookups replaced by an id, where that is one text; a name needs no other name."""
    found: dict[tuple[str, str], str] = {}
    for row in _rows(workflow):
        ids = [value for field, value in given if field == row.field and value.isdecimal()]
        texts = _listed(row.values) if row.values else {}
        if ids and row.lookup:
            texts = _looked_up(con, row.lookup.chain[-1], ids)
        found |= {(row.field, each): texts[each] for each in ids if not texts.get(each, "0").isdecimal()}
    return found


def _listed(values: Mapping[str, str]) -> dict[str, str]:
    """Return the only text that a value list replaces by a value, by that value."""
    listed = list(values.values())
    return {value: text for text, value in values.items() if listed.count(value) == 1}


def _looked_up(con: duckdb.DuckDBPyConnection, lookup: Lookup, ids: Sequence[str]) -> dict[str, str]:
    """Return the only text that a lookup in a table of the warehouse replaces by an id, by that id."""
    if {lookup.by, lookup.return_} - columns_of(con, lookup.table).keys():
        return {}  # records of the target system are not kept
    by, value, table = (quoted(name) for name in (lookup.by, lookup.return_, lookup.table))
    query = (
        f"select cast({value} as varchar) as value, min(cast({by} as varchar)) from {table}"
        f" where list_contains(?, cast({value} as varchar)) group by value having count(distinct {by}) = 1"
    )
    return dict(con.execute(query, [list(ids)]).fetchall())


_LINKS = """
select workflow, target_id, source, source_id from sync_links
join (select unnest($workflows) as workflow, unnest($ids) as target_id) as sought using (workflow, target_id)
order by all
"""
