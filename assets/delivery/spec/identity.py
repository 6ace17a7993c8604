"""The rows of a record's key: from NetSuite's internal id alone, locked, and the only ones for their field.

record map, the target's key field  ->  identity_problems()  ->  location in the file, problem and fix
"""

from collections.abc import Iterator

from assets.delivery.errors import MappingError
from assets.delivery.spec.expressions import parse
from assets.delivery.spec.field_mapping import FieldRow
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import key_column
from assets.delivery.spec.yaml_file import Problem


def identity_problems(record: RecordMap, key_field: str) -> Iterator[Problem]:
    """Yield what would give a record another key than NetSuite's internal id, or another record the same one."""
    locked = {row.field for row in record.fields if row.locked} | {key_field}
    seen = set[str]()
    for number, row in enumerate(record.fields):
        if not row.active or row.field not in locked:
            continue
        if row.field in seen:
            yield (
                ("fields", number, "field"),
                f"`{row.field}` has a locked row, which no other row overrides; remove it",
            )
        elif row.field == key_field:
            yield from ((("fields", number, *place), text) for place, text in _key_problems(row, record.source))
        seen.add(row.field)


def _key_problems(row: FieldRow, source: str) -> Iterator[Problem]:
    try:
        key = key_column(source)
        read = {row.from_} if row.sql is None else set(parse(row.sql).meta.root_names())
    except MappingError:
        return  # reported with its own place
    if not row.locked:
        yield (), f"the row of `{row.field}` carries the record's key; add `locked: true`"
    if read != {key} or row.values is not None or row.lookup or row.reference:
        text = f"`{row.field}` is the key, so it is made of NetSuite's internal id alone: `from: {key}`, or SQL with it"
        yield (), text
