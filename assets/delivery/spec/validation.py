"""Check a workflow file against the staging tables before anything runs.

WorkflowSpec, staging tables without rows  ->  mismatches()  ->  location in the file, problem and fix
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import polars as pl

from assets.delivery.errors import MappingError
from assets.delivery.spec.expressions import TODAY, parse
from assets.delivery.spec.field_mapping import FieldRow, Lookup
from assets.delivery.spec.policies import Select
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import key_column
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.spec.yaml_file import Problem, below
from assets.netsuite.suiteql_file import is_custom_field

Texts = Iterator[str]  # problems of one value

ANY_CUSTOM_FIELD = ("custentity_any", "custrecord_any", "custitem_any", "cseg_any")  # one stands for all of its kind
UNCHECKED_TABLES = ("target_", "mart_", "raw_", "map_")  # their columns are only known when the mart is made


@dataclass(frozen=True)
class Schemas:
    """Everything that a workflow file can name.

    Attributes:
        tables: Staging tables by name, with their columns and types, without rows.
        may_have: Whether the target may have a field of this name.
        may_look_up: Whether a record type of the target system, such as suiteprojects.User, may have a column.
        excluded_by: Whether a field of the target holds what another one holds as well: each would undo the other.
    """

    tables: Mapping[str, pl.DataFrame]
    may_have: Callable[[str], bool]
    may_look_up: Callable[[str, str], bool]
    excluded_by: Callable[[str, str], bool] = lambda _field, _other: False


def mismatches(spec: WorkflowSpec, schemas: Schemas) -> Iterator[Problem]:
    """Return the names in the file that do not exist and the expressions that do not fit."""
    for number, record in enumerate(spec.records):
        above = () if spec.source else ("records", number)
        yield from below(above, _of_record(record, spec, schemas))
        yield from below(above, _of_lookups(record, schemas))
        yield from below(above, _excluded_fields(record, spec, schemas))
        if spec.forbid_duplicate_fields:
            yield from below(above, duplicate_fields(record))


def duplicate_fields(record: RecordMap) -> Iterator[Problem]:
    """Return the active rows that have no effect, because a later one maps the same field."""
    last = {row.field: number for number, row in enumerate(record.fields) if row.active}
    for number, row in enumerate(record.fields):
        if row.active and last[row.field] != number:
            text = f"more than one active row maps `{row.field}`, and only the last one counts; keep one of them"
            yield ("fields", number, "field"), text


def _excluded_fields(record: RecordMap, spec: WorkflowSpec, schemas: Schemas) -> Iterator[Problem]:
    for number, row in enumerate(record.fields):
        others = [name for name in spec.target_fields if row.active and schemas.excluded_by(row.field, name)]
        if others:
            text = f"`{row.field}` holds what {_quoted(others)} holds as well, and each would undo the other"
            yield ("fields", number, "field"), f"{text}; keep one of them"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _of_lookups(record: RecordMap, schemas: Schemas) -> Iterator[Problem]:
    for number, row in enumerate(record.fields):
        if row.lookup is not None and row.active:
            for depth, each in enumerate(row.lookup.chain):
                yield from below(("fields", number, "lookup", *["then"] * depth), _of_lookup(each, schemas))


def _of_lookup(lookup: Lookup, schemas: Schemas) -> Iterator[Problem]:
    name, tables = lookup.table, schemas.tables
    for part, column in (("by", lookup.by), ("return", lookup.return_)):
        if name in tables:
            yield from _at(part, _column(column, tables[name]))
        elif "." in name and not schemas.may_look_up(name, column):
            yield (part,), f"`{name}` has no `{column}`; correct the spelling of either"
    if name not in tables and "." not in name and not name.startswith(UNCHECKED_TABLES):
        yield ("table",), f"no table `{name}`; {_suggestion(name, tables)}"


def _of_record(record: RecordMap, spec: WorkflowSpec, schemas: Schemas) -> Iterator[Problem]:
    try:
        key_column(record.source)
    except MappingError as error:
        yield ("source",), str(error)
        return
    table = schemas.tables[record.table].with_columns(pl.lit(None, dtype=pl.Date).alias(TODAY))
    for number, row in enumerate(record.fields):
        if row.active:
            yield from below(("fields", number), _of_row(row, table, schemas, spec.target))
    for source, column in (record.parent or {}).items():
        if source not in {each.source for each in spec.records} and not spec.needs:
            text = f"no source `{source}` in this file; add the workflow that delivers these parents to `needs`"
            yield ("parent", source), text
        yield from below(("parent",), _at(source, _column(column, table)))
    yield from below(("select",), _of_select(record.select, table))


def _of_row(row: FieldRow, table: pl.DataFrame, schemas: Schemas, target: str) -> Iterator[Problem]:
    if not schemas.may_have(row.field):
        yield ("field",), f"the target has no field `{row.field}`; `millpond fields {target}` lists its fields"
    if row.from_ is not None:
        yield from _at("from", _column(row.from_, table))
    if row.sql is not None:
        yield from _at("sql", _expression(row.sql, table))


def _of_select(select: Select, table: pl.DataFrame) -> Iterator[Problem]:
    if select.stages:
        yield from _at("stages", _column("stage", table))
    if select.subsidiary:
        yield from _at("subsidiary", _column("subsidiary_id", table))
    if select.require_flag:
        yield from _at("require_flag", _column(select.require_flag, table))
    if select.where:
        yield from _at("where", _condition(select.where, table))


def _at(key: str, texts: Texts) -> Iterator[Problem]:
    return (((key,), text) for text in texts)


def _column(name: str, table: pl.DataFrame) -> Texts:
    """Return the problem of a column name; whether a custom field exists is only known to NetSuite."""
    prefixes = tuple(each.partition("_")[0] for each in ANY_CUSTOM_FIELD if each in table.columns)
    if name not in table.columns and not (is_custom_field(name) and name.startswith(prefixes)):
        yield f"no column `{name}`; {_suggestion(name, table.columns)}"


def _suggestion(name: str, known: Iterable[str]) -> str:
    similar = get_close_matches(name, [*known], 3) or sorted(known)
    return f"did you mean {', '.join(similar)}?"


def _expression(text: str, table: pl.DataFrame) -> Texts:
    """Return the problems of an SQL expression: its syntax, its columns, its types."""
    try:
        columns = sorted(set(parse(text).meta.root_names()))
    except MappingError as error:
        yield str(error)
        return
    unknown = [problem for name in columns for problem in _column(name, table)]
    yield from unknown
    if unknown:
        return
    try:
        _type_of(text, table)
    except pl.exceptions.PolarsError as error:
        yield f"`{text}` does not fit the table: {error}"


def _condition(text: str, table: pl.DataFrame) -> Texts:
    problems = list(_expression(text, table))
    yield from problems
    if not problems and (kind := _type_of(text, table)) not in {pl.Boolean, pl.Null}:
        yield f"`{text}` is {kind}, not a condition; compare it with a value"


def _type_of(text: str, table: pl.DataFrame) -> pl.DataType:
    expression = parse(text)
    missing = set(expression.meta.root_names()) - set(table.columns)
    custom = [pl.lit(None).alias(name) for name in missing]  # custom fields of any type: accounts differ
    return table.with_columns(custom).select(expression.alias("value")).schema["value"]
