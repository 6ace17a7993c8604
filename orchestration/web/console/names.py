"""Names behind the target's ids: of a hierarchy node, a parent, or another record that a field refers to.

changed fields of a page  ->  names_behind()  ->  Names
"""

from collections.abc import Iterable, Mapping, Sequence

import duckdb

from assets.delivery.audit.plan_review import PlannedWrite
from assets.delivery.schemas import PARENT
from assets.delivery.spec.workflow import Workflow
from assets.warehouse.record_names import named_records


class Names:
    """The names of target records, by the field that holds the id."""

    def __init__(self, found: Mapping[tuple[str, str], str], places: Mapping[str, Sequence[str]]) -> None:
        self._found, self._places = found, places

    def of(self, field: str, value: str | None) -> str:
        """Return the name behind a value; blank if the field holds no id, or the record is not known."""
        if not value:
            return ""
        names = (self._found.get((workflow, value)) for workflow in self._places.get(field, ()))
        return next((name for name in names if name), "")


def places_of(workflow: Workflow) -> dict[str, Sequence[str]]:
    """Return the workflows whose target ids a field holds, by field."""
    rows = [row for record in workflow.spec.records for row in record.rows]
    references = {row.field: (row.reference,) for row in rows if row.reference}
    return {**references, PARENT: (workflow.name, *workflow.spec.upstream)}


def names_behind(con: duckdb.DuckDBPyConnection, workflow: Workflow, writes: Iterable[PlannedWrite]) -> Names:
    """Return the names behind the ids in these records."""
    fields = [each for write in writes for each in write.fields]
    return names_of_values(
        con, workflow, [(each.field, value) for each in fields for value in (each.before, each.after)]
    )


def names_of_values(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, values: Iterable[tuple[str, str | None]]
) -> Names:
    """Return the names behind the ids among these fields and values."""
    places = places_of(workflow)
    sought = {(name, value) for field, value in values if value for name in places.get(field, ())}
    if not sought:
        return Names({}, places)
    rows = con.execute(
        _NAMES.format(named=named_records(con)),
        {"workflows": [name for name, _ in sought], "ids": [value for _, value in sought]},
    ).fetchall()
    return Names({(workflow, target_id): name for workflow, target_id, name in rows}, places)


_NAMES = """
select link.workflow, link.target_id, any_value(named.name)
from sync_links as link
join (select unnest($workflows) as workflow, unnest($ids) as target_id) as sought using (workflow, target_id)
join ({named}) as named using (source, source_id)
group by all
"""
