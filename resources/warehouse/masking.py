"""Copy the warehouse's tables without personal values: masked or empty, everything else unchanged.

warehouse  ->  tables without their personal values  ->  a new file, with the same comments

The names of the staging columns say which are personal; target fields follow through `lineage_columns`. Tables of
values as received (raw) or as sent (payloads, images) are not copied at all.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import duckdb

from resources.warehouse.column_classes import NAMES, class_of
from resources.warehouse.snapshot import TableCopy
from resources.warehouse.tables import columns_of, has_table, literal, quoted
from resources.warehouse.version_queries import own_columns

Personal = Literal["show", "mask", "empty"]

VERSIONS = ("hist_mart__", "hist_target__")
LAYERS = ("stg_netsuite__", "hist_netsuite__", "mart_", "target_", *VERSIONS)
LEDGER = frozenset({
    "sync_runs", "netsuite_reads", "sync_plans", "sync_decisions", "sync_attempts", "sync_links", "sync_undo_holds",
    "sync_import_selection", "sync_normalizations", "sync_manual_links", "sync_record_urls", "sync_watermarks",
    "stg_builds", "lineage_columns", "schema_version", "sync_ignored", "sync_inputs", "sync_readings",
    "sync_shadow_periods", "sync_shadow_nights", "sync_shadow_differences", "sync_forgotten",
})  # fmt: skip
# condition for decisions whose reason quotes a value of the record: the target's own words, or one of ours
QUOTING = ("value_not_in_list", "not_looked_up")
QUOTES_A_VALUE = f"(starts_with(reason_code, 'rejected') or reason_code in {QUOTING})"
FREE_TEXT = {
    "sync_attempts": ("image", "reason", "replaced"),
    "sync_plans": ("note", "decided_by"),
    "sync_runs": ("note",),
    "sync_manual_links": ("decided_by", "note"),
    "sync_ignored": ("decided_by", "note"),
    "sync_forgotten": ("decided_by",),
    "sync_shadow_periods": ("started_by", "stopped_by", "off_by", "note"),
    "sync_shadow_differences": ("wanted_hash", "found_hash", "accepted_by", "accepted_note"),
    "sync_links": ("value_hashes",),  # of single values: whoever has a list of names could look them up
}


def masked_copy(personal: Personal) -> TableCopy:
    """Return a function that copies the tables into an attached database; see `copy_masked`."""
    return lambda con, into: copy_masked(con, personal, into)


def copy_masked(con: duckdb.DuckDBPyConnection, personal: Personal, into: str) -> None:
    """Copy the tables that analysts may see into another attached database, comments included.

    Args:
        con: With the warehouse in use.
        personal: "mask" replaces a personal value by a token, the same for equal values within one file; "empty" by
            null; "show" copies every table unchanged.
        into: Name of the attached database.
    """
    salt = secrets.token_hex(16)  # tokens cannot be looked up in a list of names, nor compared between two files
    fields = visible_fields(con)
    tables = con.execute("select table_name, comment from duckdb_tables() where database_name = 'warehouse'").fetchall()
    for name, comment in tables:
        workflow = name.partition("_")[2]
        is_copied = name.startswith(LAYERS) or name in LEDGER or (name.startswith("sync_") and workflow in fields)
        if not is_copied and personal != "show":
            continue
        visible = visible_columns(con, name, fields) if name.startswith(VERSIONS) else fields.get(workflow, {})
        masked = _MaskedTable(name, columns_of(con, name), visible, personal, salt)
        copy = f"{quoted(into)}.{quoted(name)}"
        con.execute(f"create table {copy} as select {masked.columns} from {quoted(name)}")
        con.execute(f"comment on table {copy} is {literal(comment or '')}")
        comments = con.execute(
            "select column_name, comment from duckdb_columns()"
            " where database_name = 'warehouse' and table_name = ? and comment is not null",
            [name],
        ).fetchall()
        for column, text in comments:
            con.execute(f"comment on column {copy}.{quoted(column)} is {literal(text)}")


def visible_fields(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, bool]]:
    """Return each workflow's target fields; True for those that derive from columns of which none is personal."""
    visible: dict[str, dict[str, bool]] = {}
    if has_table(con, "lineage_columns"):
        rows = con.execute("select workflow, target_field, source_column from lineage_columns").fetchall()
        for workflow, field, column in rows:
            fields = visible.setdefault(workflow, {})
            fields[field] = fields.get(field, True) and column is not None and not is_personal(column)
    return visible


def visible_columns(
    con: duckdb.DuckDBPyConnection, name: str, fields: Mapping[str, Mapping[str, bool]]
) -> dict[str, bool]:
    """Return which columns of a table of versions show no personal value, by any mapping since its first version."""
    own, workflow = own_columns(name), name.removeprefix(VERSIONS[0]).removeprefix(VERSIONS[1])
    mapped, personal = dict(fields.get(workflow, {})), set[str]()
    query = "select distinct fields, personal from sync_readings where workflow = ? and fields is not null"
    for names, hidden in con.execute(query, [workflow]).fetchall():
        mapped = {**dict.fromkeys(json.loads(names), True), **mapped}
        personal.update(json.loads(hidden))
    shown = {field for field, is_shown in mapped.items() if is_shown} - personal
    return {column: column in own or column in shown for column in columns_of(con, name)}


def is_personal(column: str) -> bool:
    """Return whether a staging column may hold a personal value, of some records at least."""
    return class_of(column) == "personal"


@dataclass(frozen=True)
class _MaskedTable:
    """The select list that copies one table."""

    name: str
    types: Mapping[str, str]
    visible_fields: Mapping[str, bool]
    personal: Personal
    salt: str

    @property
    def columns(self) -> str:
        """Return the select list."""
        return ", ".join(f"{self._value(column)} as {quoted(column)}" for column in self.types)

    def _value(self, column: str) -> str:
        plain = quoted(column)
        if self.personal == "show":
            return plain
        if column in FREE_TEXT.get(self.name, ()) or column == "version_hash":  # whoever knows the rest could guess
            return self._empty(column)
        if self.name.startswith(("stg_", "hist_netsuite__")):
            return self._staged_value(column)
        if column == "reason" and "reason_code" in self.types:
            return f"case when not {QUOTES_A_VALUE} then {plain} end"
        if self.name.startswith(("mart_", "target_", *VERSIONS)) and not self.visible_fields.get(column, True):
            return self._hidden(column)
        # a fingerprint of few values: whoever has a list of names could find them
        return self._token(column) if column.endswith("_hash") else plain

    def _staged_value(self, column: str) -> str:
        plain = quoted(column)
        if class_of(column, is_person=False) == "personal":
            return self._hidden(column)
        if column in NAMES and is_personal(column) and "first_name" in self.types:
            person = "is_person" if "is_person" in self.types else "true"
            return f"case when {person} then {self._hidden(column)} else {plain} end"
        return plain

    def _hidden(self, column: str) -> str:
        if self.personal == "empty" or self.types[column] != "VARCHAR":
            return self._empty(column)
        return self._token(column)

    def _token(self, column: str) -> str:
        plain = f"{quoted(column)}::varchar"
        return f"case when {plain} is not null then 'hidden ' || left(sha256({literal(self.salt)} || {plain}), 12) end"

    def _empty(self, column: str) -> str:
        return f"cast(null as {self.types[column]})"
