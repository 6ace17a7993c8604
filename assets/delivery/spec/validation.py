"""Hold a workflow file against the staging tables before anything runs.

WorkflowSpec, staging tables without rows  ->  mismatches()  ->  (where in the file, what is wrong and the mend)
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches

import polars as pl

from assets.delivery.spec.expressions import TODAY, MappingError, key_column, parse
from assets.delivery.spec.field_mapping import FieldRow, LookUp
from assets.delivery.spec.workflow_spec import RecordMap, WorkflowSpec
from assets.netsuite.suiteql_file import is_custom_field

Place = tuple[str | int, ...]
Mismatch = tuple[Place, str]

STANDS_FOR_ALL = (
    "custentity_any",
    "custrecord_any",
    "custitem_any",
)  # a table with such a column passes custom fields of that kind on
PASSED_ON = ("target_", "mart_", "raw_", "map_")  # tables whose columns are known when the mart is made


def mismatches(
    spec: WorkflowSpec,
    tables: Mapping[str, pl.DataFrame],
    known: Callable[[str], bool],
    has: Callable[[str, str], bool] = lambda _table, _column: False,
) -> list[Mismatch]:
    """Names that do not exist and expressions that do not fit.

    Args:
        spec: What the file says.
        tables: Staging tables by name, with their columns and types; rows are not looked at.
        known: Whether the target may have a field of this name.
        has: Whether records of the target's system, such as suiteprojects.User, may have a column of this name.

    Returns:
        The place in the file, as keys and list positions, and what is wrong there.
    """
    found = []
    sources = [record.source for record in spec.records]
    for number, record in enumerate(spec.records):
        above: Place = () if spec.source else ("records", number)
        found += [((*above, *place), text) for place, text in _of_record(record, sources, tables, known, spec.needs)]
        found += [((*above, *place), text) for place, text in _of_lookups(record, tables, has)]
        if spec.strict_mapping:
            found += [((*above, *place), text) for place, text in overridden(record)]
    return found


def overridden(record: RecordMap) -> Iterator[Mismatch]:
    """Active rows that have no effect, because a later one fills the same field."""
    last = {row.field: number for number, row in enumerate(record.fields) if row.active}
    for number, row in enumerate(record.fields):
        if row.active and last[row.field] != number:
            text = f"target `{row.field}` is used by more than one row, and only the last one counts; keep one"
            yield ("fields", number, "field"), text


def _of_lookups(
    record: RecordMap, tables: Mapping[str, pl.DataFrame], has: Callable[[str, str], bool]
) -> Iterator[Mismatch]:
    for number, row in enumerate(record.fields):
        if row.lookup is None or not row.active:
            continue
        place: Place = ("fields", number)
        for each in row.lookup.chain:
            place = (*place, "lookup" if each is row.lookup else "then")
            yield from (((*place, part), text) for part, text in _of_lookup(each, tables, has))


def _of_lookup(
    lookup: LookUp, tables: Mapping[str, pl.DataFrame], has: Callable[[str, str], bool]
) -> Iterator[tuple[str, str]]:
    name = lookup.table
    for part, column in (("by", lookup.by), ("return", lookup.return_)):
        if name in tables:
            yield from ((part, text) for text in _column(column, tables[name]))
        elif "." in name and not has(name, column):
            yield part, f"`{name}` has no `{column}`; correct the spelling of either"
    if name not in tables and "." not in name and not name.startswith(PASSED_ON):
        near = get_close_matches(name, tables, 3) or sorted(tables)
        yield "table", f"no table `{name}`; did you mean {', '.join(near)}?"


def _of_record(
    record: RecordMap,
    sources: list[str],
    tables: Mapping[str, pl.DataFrame],
    known: Callable[[str], bool],
    needs: list[str],
) -> Iterator[Mismatch]:
    try:
        key_column(record.source)
    except MappingError as error:
        yield ("source",), str(error)
        return
    table = tables[record.table].with_columns(pl.lit(None, dtype=pl.Date).alias(TODAY))
    for number, row in enumerate(record.fields):
        if row.active:
            yield from ((("fields", number, part), text) for part, text in _of_row(row, table, known))
    for source, column in (record.parent or {}).items():
        if source not in sources and not needs:
            text = f"no source `{source}` in this file; name the workflow that delivers these parents in `needs`"
            yield ("parent", source), text
        yield from ((("parent", source), text) for text in _column(column, table))
    yield from ((("select", part), text) for part, text in _of_select(record, table))


def _of_row(row: FieldRow, table: pl.DataFrame, known: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    if not known(row.field):
        yield "field", f"the target has no field `{row.field}`; correct its spelling"
    if row.from_ is not None:
        yield from (("from", text) for text in _column(row.from_, table))
    if row.sql is not None:
        yield from (("sql", text) for text in _expression(row.sql, table))


def _of_select(record: RecordMap, table: pl.DataFrame) -> Iterator[tuple[str, str]]:
    select = record.select
    if select.stages:
        yield from (("stages", text) for text in _column("stage", table))
    if select.subsidiary:
        yield from (("subsidiary", text) for text in _column("subsidiary_id", table))
    if select.require_flag:
        yield from (("require_flag", text) for text in _column(select.require_flag, table))
    if select.where:
        yield from (("where", text) for text in _expression(select.where, table, kind=pl.Boolean))


def _column(name: str, table: pl.DataFrame) -> Iterator[str]:
    """What is wrong with one column's name; a custom field is looked for in NetSuite, not here."""
    kinds = [each.partition("_")[0] for each in STANDS_FOR_ALL if each in table.columns]
    if name in table.columns or (is_custom_field(name) and name.startswith(tuple(kinds))):
        return
    near = get_close_matches(name, table.columns, 3) or sorted(table.columns)
    yield f"no column `{name}`; did you mean {', '.join(near)}?"


def _expression(text: str, table: pl.DataFrame, kind: pl.DataType | type[pl.DataType] | None = None) -> Iterator[str]:
    """What is wrong with one SQL expression: its syntax, its columns, its types."""
    try:
        parsed = parse(text, "")
    except MappingError as error:
        yield str(error).removeprefix(": ")
        return
    read = sorted(set(parsed.meta.root_names()))
    unknown = [problem for name in read for problem in _column(name, table)]
    yield from unknown
    if unknown:
        return
    custom = [pl.lit(None).alias(name) for name in read if name not in table.columns]  # of any type: accounts differ
    try:
        shown = table.with_columns(custom).select(parsed.alias("value")).schema["value"]
    except pl.exceptions.PolarsError as error:
        yield f"`{text}` does not fit the table: {error}"
        return
    if kind is not None and shown not in {kind, pl.Null}:
        yield f"`{text}` is {shown}, not a condition; compare it with something"
