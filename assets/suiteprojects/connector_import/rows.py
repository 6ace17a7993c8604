"""Convert one row of a connector's mapping into rows of a workflow file: `{field, from | sql | value, …}`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from assets.delivery.spec.expressions import TODAY
from assets.suiteprojects.connector_import.conditions import ConditionError, as_sql
from assets.suiteprojects.connector_import.export_file import MappingRow
from assets.suiteprojects.connector_import.group import Group, NotConvertibleError, stage
from assets.suiteprojects.connector_import.names import field_of, record_type_of
from assets.suiteprojects.connector_import.notation import MACROS, Branch, Form, Notation, NotationError, Part
from assets.suiteprojects.connector_import.references import Row, is_netsuite_id, is_parent, is_reference
from resources.suiteprojects.dictionary import RECORD_TYPES
from resources.warehouse.tables import literal

ACCOUNT_CURRENCY = "NetSuite account currency"
_CONSTANT = re.compile(r"""^=?\s*(['"])(?P<text>.*)\1$""", re.DOTALL)


@dataclass(frozen=True)
class NotConverted:
    """A part of the export that was not converted."""

    place: str
    reason: str


def convert_row(group: Group, row: MappingRow, notation: Notation | None, problems: list[NotConverted]) -> list[Row]:
    """Return the rows for one row of the export; `problems` receives what cannot be converted."""
    converted: list[Row] = []
    for convert in _conversions(group, row, notation if row.notation else None):
        try:
            converted += convert()
        except (NotConvertibleError, ConditionError, NotationError) as error:
            problems.append(NotConverted(row.place, str(error)))
    return [_with_flags(each, row.flags, group.point.key) for each in converted]


def _conversions(group: Group, row: MappingRow, notation: Notation | None) -> list[Callable[[], list[Row]]]:
    """Return a conversion for each form and for the IF block, so that an error affects that part alone."""
    conversions = [partial(_form_rows, group, form, row.target) for form in notation.forms] if notation else []
    if notation and notation.branches:
        return [*conversions, partial(_conditional_rows, group, notation.branches)]
    if not conversions and (row.source or not notation):
        return [partial(_plain_rows, group, row.target.strip(), row.source.strip())]
    return [*conversions]


def _with_flags(row: Row, flags: Mapping[str, bool], key: str) -> Row:
    row = {**row, **({"on": "create"} if flags["initial_only"] else {})}
    if flags["read_only"] and flags["active"] and row.get("from") == key:
        return {**row, "locked": True}
    return row if flags["active"] else {**row, "active": False}


def _plain_rows(group: Group, target: str, source: str) -> list[Row]:
    """Convert a row without notation: a field or a constant."""
    if not target:
        raise NotConvertibleError("the target is blank, so the row has no effect")
    if _CONSTANT.match(target):
        raise NotConvertibleError("the target is a constant, so the row has no effect")
    row = group.target_row(target, notation=False)
    constant = _CONSTANT.match(source)
    if constant:
        return [{**row, "value": constant["text"]}]
    if source == ACCOUNT_CURRENCY:
        raise NotConvertibleError("`NetSuite account currency` is not a field; set the currency with `value:`")
    if not source:
        raise NotConvertibleError("the source is blank")
    return [{**row, "from": _source_column(group, row, group.source(source, notation=False))}]


def _form_rows(group: Group, form: Form, target: str) -> list[Row]:
    """Convert one mapping form."""
    row = group.target_row(form.target)
    if target.strip():
        declared = group.target_row(target.strip(), notation=False)["field"]
        if declared.removesuffix("__c") != row["field"].removesuffix("__c"):
            raise NotConvertibleError(f"the row's target is `{target}`, but its notation sets `{form.target}`")
    if form.lookup:
        return [{**row, **_lookup(group, form.lookup)}]
    if form.values is not None:
        column = group.source(form.parts[0].text)
        values = {stage(key) if column == "stage" else key: value for key, value in form.values.items()}
        return [{**row, "from": column, "values": values, "on_unmapped": "error"}]
    if len(form.parts) > 1:
        return [{**row, "sql": _concatenation(group, row, form.parts)}]
    (part,) = form.parts
    if part.literal:
        return [{**row, "value": part.text}]
    column = TODAY if part.text in MACROS else group.source(_field_name(part.text))
    return [{**row, "from": _source_column(group, row, column)}]


def _source_column(group: Group, row: Row, column: str) -> str:
    """Return the column whose value is sent.

    Raises:
        NotConvertibleError: It holds NetSuite's id of a record, and the field takes an id of the target.
    """
    if is_reference(row["field"]) and is_netsuite_id(column) and not is_parent(group.point, {**row, "from": column}):
        raise NotConvertibleError(
            f"`{row['field']}` takes an id of SuiteProjects Pro, and `{column}` is NetSuite's id; use a lookup"
        )
    return "currency_code" if (row["field"], column) == ("currency", "currency_id") else column


def _field_name(name: str) -> str:
    if name.startswith("_"):
        raise NotConvertibleError(f"the macro {name} is not supported; only {', '.join(sorted(MACROS))} is")
    return name


def _concatenation(group: Group, row: Row, parts: tuple[Part, ...]) -> str:
    """Return the SQL of a source's parts."""
    sql = [_sql(group, row, part) for part in parts]
    return sql[0] if len(sql) == 1 else f"concat({', '.join(sql)})"


def _sql(group: Group, row: Row, part: Part) -> str:
    if part.literal:
        return literal(part.text)
    if part.text in MACROS:
        return f"cast({TODAY} as varchar)"
    column = group.column(_field_name(part.text))
    _source_column(group, {**row, "sql": part.text}, column.sql)
    return column.text


def _lookup(group: Group, lookup: Mapping[str, str]) -> Row:
    record = record_type_of(lookup["lookup_table"])
    if record is None:
        raise NotConvertibleError(f"lookups in `{lookup['lookup_table']}` are not supported")
    # a name that is not a documented field is a custom field; ids are read, though no workflow writes them
    documented = RECORD_TYPES[record].flat
    names = {
        part: name if name in documented else field_of(record, name) or f"{name.removesuffix('__c')}__c"
        for part in ("by", "return")
        for name in [lookup[f"lookup_{part}"]]
    }
    return {"from": group.source(lookup["lookup"]), "lookup": {"table": f"suiteprojects.{record}", **names}}


def _conditional_rows(group: Group, branches: list[Branch]) -> list[Row]:
    """Convert an IF block: for each target the first true condition decides, ELSE the rest."""
    rows: dict[str, Row] = {}
    cases: dict[str, list[str]] = {}
    default: dict[str, str] = {}
    for branch in branches:
        row = group.target_row(branch.form.target)
        if branch.form.lookup or branch.form.values is not None:
            raise NotConvertibleError("a lookup or a value list inside an IF block is not supported")
        field, value = row["field"], _concatenation(group, row, branch.form.parts)
        rows[field] = row
        if branch.condition is None:
            default[field] = value
        else:
            cases.setdefault(field, []).append(f"when {as_sql(branch.condition, group.column)} then {value}")
    unconditional = sorted(default.keys() - cases.keys())
    if unconditional:
        raise NotConvertibleError(f"ELSE without IF for {', '.join(unconditional)}")
    return [
        {**row, "sql": f"case {' '.join(cases[field])} else {default.get(field, 'null')} end"}
        for field, row in rows.items()
    ]
