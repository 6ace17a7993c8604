"""A snapshot that may be handed out: personal values are masked or left empty, everything else is as it is.

stage.duckdb  ->  every table without its personal values  ->  a new file, with the same comments, views and macros

Which columns are personal is known from their names in the staging layer; target fields follow by `lineage_columns`.
Tables that hold values as they came (raw) or as they were sent (payloads, images) are not handed out at all.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import duckdb

from resources.warehouse.backend import literal
from resources.warehouse.tables import columns_of, has_table, quoted
from resources.warehouse.warehouse import Copy

Personal = Literal["show", "mask", "empty"]

# of people, or written freely; of a company the street and the telephone count too: a small one is a person's
PERSONAL = frozenset(
    [
        "salutation",
        "first_name",
        "middle_name",
        "last_name",
        "email",
        "phone",
        "mobile_phone",
        "fax",
        "url",
        "comments",
        "title",
        "record_name",
        "address_line1",
        "address_line2",
        "address_line3",
        "zip",
    ]
)
NAMES = frozenset({"company_name", "alt_name", "entity_number", "external_id"})  # personal when it is a person
CUSTOM = ("custentity", "custrecord", "custitem")  # nobody knows what is in them
LAYERS = ("stg_netsuite__", "hist_netsuite__", "mart_", "target_")
LEDGER = frozenset(
    [
        "sync_runs",
        "netsuite_reads",
        "sync_plans",
        "sync_decisions",
        "sync_attempts",
        "sync_links",
        "sync_holds",
        "sync_picks",
        "sync_quirks",
        "sync_pins",
        "sync_addresses",
        "sync_watermarks",
        "stg_builds",
        "lineage_columns",
    ]
)
FREE_TEXT = {
    "sync_attempts": ("image", "reason"),
    "sync_plans": ("note", "decided_by"),
    "sync_runs": ("note",),
    "sync_pins": ("decided_by", "note"),
}


def masked_copy(personal: Personal) -> Copy:
    """What writes such a copy into an attached database; for `Warehouse`."""
    return lambda con, into: copy_masked(con, personal, into)


def copy_masked(con: duckdb.DuckDBPyConnection, personal: Personal, into: str) -> None:
    """Copy what may be handed out into another attached database, comments included.

    Args:
        con: With the warehouse in use.
        personal: "mask" puts a token in place of a value, the same one for the same value within this file; "empty"
            puts nothing; "show" copies every table as it is.
        into: Name of the attached database.
    """
    salt = secrets.token_hex(16)  # tokens cannot be looked up in a list of names, nor compared between two files
    fields = _fields(con)
    tables = con.execute("select table_name, comment from duckdb_tables() where database_name = 'stage'").fetchall()
    for name, comment in tables:
        workflow = name.partition("_")[2]
        may = name.startswith(LAYERS) or name in LEDGER or (name.startswith("sync_") and workflow in fields)
        if not may and personal != "show":
            continue
        shown = _Shown(name, columns_of(con, name), fields.get(workflow, {}), personal, salt)
        target = f"{quoted(into)}.{quoted(name)}"
        con.execute(f"create table {target} as select {shown.columns} from {quoted(name)}")
        con.execute(f"comment on table {target} is {literal(comment or '')}")
        comments = con.execute(
            "select column_name, comment from duckdb_columns()"
            " where database_name = 'stage' and table_name = ? and comment is not null",
            [name],
        ).fetchall()
        for column, text in comments:
            con.execute(f"comment on column {target}.{quoted(column)} is {literal(text)}")


def _fields(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, bool]]:
    """Each workflow's target fields, and whether they may be shown: they come from columns, and none is personal."""
    found: dict[str, dict[str, bool]] = {}
    if has_table(con, "lineage_columns"):
        rows = con.execute("select workflow, target_field, source_column from lineage_columns").fetchall()
        for workflow, field, column in rows:
            told = found.setdefault(workflow, {})
            told[field] = told.get(field, True) and column is not None and not _is_personal(column)
    return found


def _is_personal(column: str) -> bool:
    return column in PERSONAL or column in NAMES or column.startswith(CUSTOM)


@dataclass(frozen=True)
class _Shown:
    """How the columns of one table are handed out."""

    table: str
    there: Mapping[str, str]
    fields: Mapping[str, bool]
    personal: Personal
    salt: str

    @property
    def columns(self) -> str:
        """The list of a select."""
        return ", ".join(f"{self._shown(column)} as {quoted(column)}" for column in self.there)

    def _shown(self, column: str) -> str:
        plain = quoted(column)
        if self.personal == "show":
            return plain
        if column in FREE_TEXT.get(self.table, ()):
            return self._empty(column)
        if self.table.startswith(("stg_", "hist_")):
            return self._staged(column)
        if self.table.startswith(("mart_", "target_")):
            return plain if self.fields.get(column, True) else self._hidden(column)
        # a refusal in the target's words may quote what was refused
        if column == "reason" and "reason_code" in self.there:
            return f"case when not starts_with(reason_code, 'rejected') then {plain} end"
        return plain

    def _staged(self, column: str) -> str:
        plain = quoted(column)
        if column in PERSONAL or column.startswith(CUSTOM):
            return self._hidden(column)
        if column in NAMES and "first_name" in self.there:
            person = "is_person" if "is_person" in self.there else "true"
            return f"case when {person} then {self._hidden(column)} else {plain} end"
        return plain

    def _hidden(self, column: str) -> str:
        if self.personal == "empty" or self.there[column] != "VARCHAR":
            return self._empty(column)
        plain = quoted(column)
        return f"case when {plain} is not null then 'hidden ' || left(sha256({literal(self.salt)} || {plain}), 12) end"

    def _empty(self, column: str) -> str:
        return f"cast(null as {self.there[column]})"
