"""The records that a workflow file requires of the target, derived in DuckDB from rows of NetSuite.

defs.yaml  ->  Rules.of(attributes)  ->  .select(): key, state (active, inactive or none) and fields of each record

The engine maps with Polars; this is a second reading of the same file, of the rows that DuckDB can derive. A field that
it cannot derive, such as one that refers to another workflow's records, is listed and taken from the warehouse's mart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from orchestration.certificate_check.read_outs import PREFIX, ReadOutError, columns_of, literal, quoted

STAGED = "stg_netsuite__"
MODIFIED, CREATED = "modified_at", "created_at"


@dataclass
class Rules:
    """The rules of one source of a workflow file.

    Attributes:
        source: The staging table, without its prefix.
        id_column: The staging column with NetSuite's internal id.
        dates: SQL for the dates of change and creation in NetSuite; null if the table has none.
        key: SQL for the key that the target's record has.
        derived: Target field to its SQL.
        state: SQL for what the target should have: active, inactive, or none if the file leaves it open.
        retires_deleted: Records that NetSuite deleted are to be inactive in the target.
        keeps_unselected: Records that are no longer selected, or shown, stay active in the target.
        parent: Source of the parent and the column with its id, in order of preference.
        parent_required: Nothing is required of a record without a parent.
        not_derived: Target field to the reason why it cannot be derived here.
        uncompared: Target fields that are written on creation only, or that the file does not monitor.
    """

    source: str
    id_column: str
    dates: tuple[str, str]
    key: str
    state: str
    retires_deleted: bool
    keeps_unselected: bool = True
    parent: Mapping[str, str] = field(default_factory=dict)
    parent_required: bool = False
    derived: dict[str, str] = field(default_factory=dict)
    not_derived: dict[str, str] = field(default_factory=dict)
    uncompared: set[str] = field(default_factory=set)

    @property
    def table(self) -> str:
        """The table of NetSuite's read-out."""
        return PREFIX + STAGED + self.source

    def select(self) -> str:
        """Return SQL for the record's NetSuite id, key, date of change, state, and derived fields."""
        fields = [f"{sql} as {quoted(name)}" for name, sql in self.derived.items()]
        return f"select {', '.join([*self._facts, *fields])} from {quoted(self.table)}"

    @property
    def _facts(self) -> list[str]:
        return [
            f"{literal(self.source)} as source", f"cast({quoted(self.id_column)} as varchar) as source_id",
            f"{self.key} as key", f"{self.dates[0]} as modified_at", f"{self.dates[1]} as created_at",
            f"{self.state} as state",
        ]  # fmt: skip


def rules_of(
    con: duckdb.DuckDBPyConnection, attributes: Mapping[str, Any], key_field: str, ids: Mapping[str, str]
) -> list[Rules]:
    """Return the rules of each source of a workflow file; `ids` has the column of NetSuite's internal id by source."""
    short = ("source", "select", "fields", "parent", "parent_required", "lifecycle")
    records = attributes.get("records") or [{name: attributes[name] for name in short if attributes.get(name)}]
    monitored = attributes.get("monitored_fields", "mapped")
    return [_rules(con, record, key_field, ids[str(record["source"])], monitored) for record in records]


def _rules(
    con: duckdb.DuckDBPyConnection, record: Mapping[str, Any], key_field: str, id_column: str, monitored: Any
) -> Rules:
    source = str(record["source"])
    columns = columns_of(con, f"{PREFIX}{STAGED}{source}")
    rows = [row for row in record["fields"] if row.get("active", True)]
    dates = [name if name in columns else "null::timestamp" for name in (MODIFIED, CREATED)]
    key = next(row for row in rows if row["field"] == key_field)
    key_sql, problem = _field(con, f"{PREFIX}{STAGED}{source}", key, columns)
    if problem:
        raise ReadOutError(f"the key of {source} cannot be derived: {problem}")
    lifecycle = record.get("lifecycle") or {}
    retires = lifecycle.get("deleted", "deactivate") == "deactivate" and "is_deleted" in columns
    keeps = "deactivate" not in (lifecycle.get("out_of_scope"), lifecycle.get("missing"))
    parent, required = record.get("parent") or {}, bool(record.get("parent_required"))
    state = _state(con, record, columns)
    rules = Rules(source, id_column, (dates[0], dates[1]), key_sql, state, retires, keeps, parent, required)
    for row in rows:
        is_monitored = monitored == "mapped" or row["field"] in monitored
        if row.get("on", row.get(True, "always")) == "create" or not is_monitored:
            rules.uncompared.add(row["field"])
            continue
        sql, reason = _field(con, rules.table, row, columns)
        if reason:
            rules.not_derived[row["field"]] = reason
        else:
            rules.derived[row["field"]] = sql
    return rules


def _state(con: duckdb.DuckDBPyConnection, record: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """Return SQL for what the target should have: active, inactive, or none if the file leaves it open."""
    select, lifecycle = record.get("select") or {}, record.get("lifecycle") or {}
    ends = [
        f"coalesce({column}, false)"
        for column, name in (("is_deleted", "deleted"), ("is_inactive", "inactive"))
        if column in columns and lifecycle.get(name, "deactivate") == "deactivate"
    ]
    left = [f"coalesce({column}, false)" for column in ("is_deleted", "is_inactive", "is_missing") if column in columns]
    inside = ["true"]
    if stages := select.get("stages"):
        included = ", ".join(literal(name) for name, choice in stages.items() if choice == "include")
        inside.append(f"stage in ({included or 'null'})")
    if flag := select.get("require_flag"):
        inside.append(f"lower(cast({quoted(flag)} as varchar)) in ('t', 'true')")
    if subsidiary := select.get("subsidiary"):
        inside.append(_in_subsidiary(columns, str(subsidiary), primary=select.get("subsidiary_scope") == "primary"))
    if where := select.get("where"):
        inside.append(f"({where})" if _is_valid(con, f"{PREFIX}{STAGED}{record['source']}", where) else "null")
    return (
        f"case when {' or '.join(ends or ['false'])} then 'inactive' when {' or '.join(left or ['false'])} then 'none'"
        f" when {' and '.join(inside)} then 'active' else 'none' end"
    )


def _in_subsidiary(columns: Mapping[str, str], subsidiary: str, *, primary: bool) -> str:
    own = f"subsidiary_id = {literal(subsidiary)}" if "subsidiary_id" in columns else "null"
    if primary or "subsidiary_ids" not in columns:
        return own
    return f"coalesce(list_contains(subsidiary_ids, {literal(subsidiary)}), {own})"


def _field(
    con: duckdb.DuckDBPyConnection, table: str, row: Mapping[str, Any], columns: Mapping[str, str]
) -> tuple[str, str]:
    """Return a field's SQL, or the reason why it is not derived."""
    if "value" in row:
        return _constant(row["value"]), ""
    if origin := row.get("reference") or (row.get("lookup") or {}).get("table"):
        return "", f"its value is looked up in {origin}"
    given = quoted(str(row["from"])) if "from" in row else f"({row['sql']})"
    if "_today" in given:
        return "", "changes with the date"
    if "from" in row and row["from"] not in columns:
        return "", f"the read-out has no column {row['from']}"
    if not _is_valid(con, table, given):
        return "", "its expression is none of DuckDB's"
    text = _text(con, table, given)
    values = row.get("values")
    return (_mapped(text, values, str(row.get("on_unmapped", "error"))) if values else text), ""


def _mapped(text: str, values: Mapping[Any, Any], otherwise: str) -> str:
    cases = " ".join(f"when {_constant(given)} then {_constant(sent)}" for given, sent in values.items())
    flags = " ".join(
        f"when {literal(flag)} then {_constant(values[name])}"
        for flag, name in (("1", "T"), ("0", "F"))
        if name in values
    )
    return f"case {text} {cases} {flags} else {text if otherwise == 'keep' else 'null'} end"


def _constant(value: Any) -> str:
    return literal({True: "1", False: "0"}[value] if isinstance(value, bool) else str(value))


def _text(con: duckdb.DuckDBPyConnection, table: str, given: str) -> str:
    """Return SQL for a value as text: a check box as 1 or 0, 42 rather than 42.0, blank as null."""
    kind = con.execute(f"describe select {given} as value from {quoted(table)}").fetchall()[0][1]
    text = f"cast({given} as varchar)"
    if kind == "BOOLEAN":
        text = f"cast(cast({given} as integer) as varchar)"
    elif kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        text = f"regexp_replace(regexp_replace({text}, '(\\.[0-9]*?)0+$', '\\1'), '\\.$', '')"
    elif kind == "TIMESTAMP":
        text = f"strftime({given}, '%Y-%m-%d %H:%M:%S')"
    elif kind.endswith("[]"):
        text = f"array_to_string({given}, ', ')"
    return f"nullif(case when trim({text}) = '' then null else {text} end, '')"


def _is_valid(con: duckdb.DuckDBPyConnection, table: str, expression: str) -> bool:
    try:
        con.execute(f"describe select {expression} as value from {quoted(table)}")
    except duckdb.Error:
        return False
    return True


def unknown_fields(rules: Sequence[Rules]) -> dict[str, str]:
    """Return the fields that are not derived, and why."""
    return {name: reason for each in rules for name, reason in each.not_derived.items()}
