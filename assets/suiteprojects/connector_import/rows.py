"""One row of a connector's mapping as rows of ours.

row, notation  ->  rows_of()  ->  [{field, from | sql | value, …}]; what cannot be carried over goes to `left`
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assets.delivery.spec.expressions import TODAY
from assets.suiteprojects.connector_import.names import Point, field_of, record_type_of
from assets.suiteprojects.connector_import.notation import MACROS, Branch, Form, Notation, NotationError, Part
from assets.suiteprojects.connector_import.relations import Column, RelationError, as_sql, quote
from assets.warehouse.staging_schemas import staging_schemas

ACCOUNT_CURRENCY = "NetSuite account currency"
_CONSTANT = re.compile(r"""^=?\s*(['"])(?P<text>.*)\1$""", re.DOTALL)
STAGES = {"_customer": "customer", "_lead": "lead", "_prospect": "prospect"}


@dataclass(frozen=True)
class Left:
    """What could not be carried over: where in the export, and why."""

    place: str
    why: str


class CannotCarryError(Exception):
    """This row has no equal among ours; the text says why."""


@dataclass(frozen=True)
class Group:
    """A mapping group: its names, and what its notation declares."""

    point: Point
    declared: Mapping[str, set[str]]

    def source(self, name: str, *, notation: bool = True) -> str:
        """The staging column of a source field.

        Raises:
            CannotCarryError: It is not declared, or there is no such column.
        """
        bare = name.removeprefix(f"{self.point.record}.")
        if notation and bare != "internalId":
            words = ["NS_FIELDS", *(["NS_CUSTOM_FIELDS"] if bare.startswith("cust") else [])]
            self._must_be_declared(bare, words)
        found = self.point.column(bare)
        if found is None:
            raise CannotCarryError(f"there is no column for NetSuite's `{bare}` of {self.point.record}")
        return found

    def column(self, name: str) -> Column:
        """A source field in a condition.

        Raises:
            RelationError: It cannot be used there.
        """
        try:
            found = self.source(name)
        except CannotCarryError as error:
            raise RelationError(str(error)) from error
        kind = str(staging_schemas()[f"stg_netsuite__{self.point.source}"].schema.get(found, "String"))
        shape = {"String": "text", "Boolean": "boolean"}.get(kind, "other")
        return Column(found, shape, stage if found == "stage" else str)

    def target(self, name: str, *, notation: bool = True) -> tuple[str, bool]:
        """The target field, and whether it is written once only.

        Raises:
            CannotCarryError: It is not declared, or there is no such field.
        """
        table, _, bare = name.rpartition(".")
        if table and record_type_of(table) != self.point.target:
            raise CannotCarryError(f"the target is of table `{table}`, not of {self.point.target}")
        own = self._names("OA_CUSTOM_FIELDS") | self._names("OA_CUSTOM_FIELDS_INITIAL_ONLY")
        once = self._names("OA_FIELDS_INITIAL_ONLY") | self._names("OA_CUSTOM_FIELDS_INITIAL_ONLY")
        if notation:
            known = self._names("OA_FIELDS") | once
            if bare not in known:
                raise CannotCarryError(f"`{bare}` is not declared under OA_FIELDS")
            bare = f"{bare}__c" if bare in own else bare
        found = self.point.target_field(bare)
        if found is None:
            raise CannotCarryError(f"SuiteProjects Pro's API has no field for `{bare}` of {self.point.target}")
        return found, bare.removesuffix("__c") in once or bare in once

    def _names(self, word: str) -> set[str]:
        return self.declared.get(word, set())

    def _must_be_declared(self, name: str, words: list[str]) -> None:
        for word in words:
            if name not in self._names(word) | self._names(f"{word}_INITIAL_ONLY"):
                raise CannotCarryError(f"`{name}` is not declared under {word}")


def stage(value: str) -> str:
    """A stage as we call it."""
    return STAGES.get(value, value)


def rows_of(
    group: Group,
    place: str,
    target: str,
    source: str,
    notation: Notation | None,
    flags: Mapping[str, bool],
    left: list[Left],
) -> list[dict[str, Any]]:
    """Our rows for one of theirs.

    Args:
        group: The mapping group.
        place: Where the row stands in the export.
        target: Its target, such as Customer.email; blank for a conditional.
        source: Its source, such as Customer.email or ="1".
        notation: Its advanced notation, where it has any.
        flags: active, initial_only, read_only.
        left: Takes what cannot be carried over.
    """
    made: list[dict[str, Any]] = []
    attempts: list[Any] = [] if notation else [lambda: [_plain(group, target, source)]]
    if notation:
        attempts += [lambda form=form: [_formed(group, form, target)] for form in notation.forms]
        attempts += [lambda: _conditional(group, notation.branches)] if notation.branches else []
        if not attempts and source:
            attempts = [lambda: [_plain(group, target, source)]]  # declarations only
    for attempt in attempts:
        try:
            made += attempt()
        except (CannotCarryError, RelationError, NotationError) as error:
            left.append(Left(place, str(error)))
    return [_with_flags(row, flags) for row in made]


def _with_flags(row: dict[str, Any], flags: Mapping[str, bool]) -> dict[str, Any]:
    row = {**row, **({"on": "create"} if flags["initial_only"] else {})}
    if flags["read_only"] and flags["active"]:
        return {**row, "locked": True}
    return row if flags["active"] else {**row, "active": False}


def _plain(group: Group, target: str, source: str) -> dict[str, Any]:
    """A row without notation: a field or a constant."""
    if not target.strip():
        raise CannotCarryError("the target is blank, so the row has no effect")
    if _CONSTANT.match(target.strip()):
        raise CannotCarryError("the target is a constant, so the row has no effect")
    field, once = group.target(target.strip(), notation=False)
    row: dict[str, Any] = {"field": field, **({"on": "create"} if once else {})}
    source = source.strip()
    constant = _CONSTANT.match(source)
    if constant:
        return {**row, "value": constant["text"]}
    if source == ACCOUNT_CURRENCY:
        raise CannotCarryError("`NetSuite account currency` is no field: write the currency as `value:`")
    if not source:
        raise CannotCarryError("the source is blank")
    column = group.source(source, notation=False)
    return {**row, "from": "currency_code" if (field, column) == ("currency", "currency_id") else column}


def _formed(group: Group, form: Form, target: str) -> dict[str, Any]:
    """One mapping form."""
    field, once = group.target(form.target)
    if target.strip() and group.target(target.strip(), notation=False)[0].removesuffix("__c") != field.removesuffix(
        "__c"
    ):
        raise CannotCarryError(f"the row's target is `{target}`, its notation fills `{form.target}`")
    row: dict[str, Any] = {"field": field, **({"on": "create"} if once else {})}
    if form.lookup:
        return {**row, **_lookup(group, form.lookup)}
    if form.values is not None:
        column = group.source(form.parts[0].text)
        values = {stage(key) if column == "stage" else key: value for key, value in form.values.items()}
        return {**row, "from": column, "values": values, "otherwise": "error"}
    if len(form.parts) > 1:
        return {**row, "sql": f"concat({', '.join(_sql(group, part) for part in form.parts)})"}
    (part,) = form.parts
    if part.literal:
        return {**row, "value": part.text}
    return {**row, "from": TODAY if part.text in MACROS else _currency(field, group.source(_no_macro(part.text)))}


def _currency(field: str, column: str) -> str:
    return "currency_code" if (field, column) == ("currency", "currency_id") else column


def _no_macro(name: str) -> str:
    if name.startswith("_"):
        raise CannotCarryError(f"the macro {name} is not known; there is {', '.join(sorted(MACROS))}")
    return name


def _sql(group: Group, part: Part) -> str:
    if part.literal:
        return quote(part.text)
    if part.text in MACROS:
        return f"cast({TODAY} as varchar)"
    column = group.column(_no_macro(part.text))
    return column.sql if column.kind == "text" else f"cast({column.sql} as varchar)"


def _lookup(group: Group, said: Mapping[str, str]) -> dict[str, Any]:
    record = record_type_of(said["lookup_table"])
    if record is None:
        raise CannotCarryError(f"records of `{said['lookup_table']}` cannot be looked up")
    names = {part: field_of(record, said[f"lookup_{part}"]) for part in ("by", "return")}
    for part, found in names.items():
        # a name that is no documented field is one of the account's own
        names[part] = found or f"{said[f'lookup_{part}'].removesuffix('__c')}__c"
    return {"from": group.source(said["lookup"]), "lookup": {"table": f"suiteprojects.{record}", **names}}


def _conditional(group: Group, branches: list[Branch]) -> list[dict[str, Any]]:
    """An IF block: for each target the first condition that holds decides, ELSE the rest."""
    rows: dict[str, dict[str, Any]] = {}
    cases: dict[str, list[str]] = {}
    rest: dict[str, str] = {}
    for branch in branches:
        field, once = group.target(branch.form.target)
        if branch.form.lookup or branch.form.values is not None:
            raise CannotCarryError("a look-up or a value list inside an IF block")
        parts = [_sql(group, part) for part in branch.form.parts]
        value = parts[0] if len(parts) == 1 else f"concat({', '.join(parts)})"
        rows[field] = {"field": field, **({"on": "create"} if once else {})}
        if branch.condition is None:
            rest[field] = value
        else:
            cases.setdefault(field, []).append(f"when {as_sql(branch.condition, group.column)} then {value}")
    unconditional = sorted(rest.keys() - cases.keys())
    if unconditional:
        raise CannotCarryError(f"ELSE without IF for {', '.join(unconditional)}")
    return [
        {**row, "sql": f"case {' '.join(cases[field])} else {rest.get(field, 'null')} end"}
        for field, row in rows.items()
    ]
