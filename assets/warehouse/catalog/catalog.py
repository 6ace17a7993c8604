"""The catalog of the warehouse: every table, view and macro with its comment, columns, origin and size.

comments and SQL headers  ->  read_catalog()  ->  [Entry, …]  ->  `millpond tables`, or a Markdown page
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import duckdb

from resources.warehouse.tables import has_table, quoted
from sql import FOLDER, names, statement

# by prefix, in the direction of the data; everything else comes last
LAYERS = {
    "raw_": "NetSuite records as extracted",
    "stg_": "Typed and renamed records",
    "hist_": "All versions",
    "mart_": "Desired target records",
    "selection_": "Records that an import may create",
    "target_": "Target state",
    "plan_": "Plans",
    "candidates_": "Import candidates",
    "sync_": "Decisions and results",
    "tree_": "Target state as a tree",
    "": "Analytics and lineage",
}


@dataclass(frozen=True)
class Column:
    """One column; `origin` lists the columns from which its values come."""

    name: str
    kind: str
    meaning: str
    origin: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One table, view or macro.

    Attributes:
        call: How to query it: its name and, for a macro, its parameters.
        meaning: Its comment, including grain and notes.
        reads: The tables from which it is made.
        rows: Row count; of tables only.
    """

    name: str
    kind: Literal["table", "view", "macro"]
    call: str
    meaning: str
    reads: tuple[str, ...]
    rows: int | None = None
    columns: Sequence[Column] = field(default_factory=list)

    @property
    def layer(self) -> str:
        """The prefix in `LAYERS` under which it is listed."""
        return next(prefix for prefix in LAYERS if self.name.startswith(prefix))


def read_catalog(con: duckdb.DuckDBPyConnection) -> list[Entry]:
    """Return everything that an analyst can query, by layer and name."""
    origins = _origins(con)
    columns: dict[str, list[Column]] = {}
    for table, name, kind, comment in con.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns()"
        " where database_name = current_database() and not internal order by column_index"
    ).fetchall():
        column = Column(name, _readable(kind), comment or "", origins.get(table, {}).get(name, ()))
        columns.setdefault(table, []).append(column)
    entries = []
    for name, comment, kind, parameters in con.execute(
        "select table_name, comment, 'table', null from duckdb_tables() where database_name = current_database()"
        " union all select view_name, comment, 'view', null from duckdb_views()"
        " where database_name = current_database() and not internal"
        " union all select function_name, comment, 'macro', array_to_string(parameters, ', ') from duckdb_functions()"
        " where database_name = current_database() and not internal and function_type = 'table_macro'"
    ).fetchall():
        rows = None
        if kind == "table":
            rows = int(con.execute(f"select count(*) from {quoted(name)}").fetchall()[0][0])
        lineage = {each.partition(".")[0] for origin in origins.get(name, {}).values() for each in origin}
        reads = _reads().get(name, tuple(sorted(lineage)))
        call = f"{name}({parameters})" if kind == "macro" else name
        entries.append(Entry(name, kind, call, comment or "", reads, rows, columns.get(name, [])))
    order = list(LAYERS)
    return sorted(entries, key=lambda entry: (order.index(entry.layer), entry.name))


def _origins(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the staging columns from which each field of a mart comes, by table and field."""
    origins: dict[str, dict[str, tuple[str, ...]]] = {}
    if has_table(con, "lineage_columns"):
        for workflow, field_name, columns in con.execute(
            "select workflow, target_field, list_sort(list(distinct source_table || '.' || source_column))"
            " from lineage_columns where source_column is not null group by all order by all"
        ).fetchall():
            origins.setdefault(f"mart_{workflow}", {})[field_name] = tuple(columns)
    return origins


@cache
def _reads() -> Mapping[str, tuple[str, ...]]:
    """Return the tables that each SQL file reads, by the table that it makes."""
    layers = [
        folder.name
        for folder in FOLDER.iterdir()
        if folder.is_dir() and folder.name not in {"extract", "incremental_keys"}
    ]
    reads = {name: statement(layer, name).reads for layer in layers for name in names(layer)}
    return {name: tuple(each for each in tables if each != "nothing") for name, tables in reads.items()}


def _readable(kind: str) -> str:
    """Return a type for people; the fields of a list of structs are in the column's comment."""
    return "list of structs" if kind.startswith("STRUCT") and kind.endswith("[]") else kind.lower()


def page(entries: Sequence[Entry], diagram: str) -> str:
    """Return the catalog as a Markdown page with a Mermaid diagram, without row counts: they belong to a warehouse."""
    lines = ["# Tables", "", "Generated by `millpond tables --page FILE`; a test compares it with the tables of a run.",
             "", "```mermaid", diagram.rstrip(), "```", ""]  # fmt: skip
    layer = None
    for entry in entries:
        if entry.layer != layer:
            layer = entry.layer
            lines += [f"## {LAYERS[layer]}", ""]
        lines += [f"### {entry.call}", "", *entry.meaning.splitlines(), ""]
        if entry.reads:
            lines += [f"Reads {', '.join(f'`{each}`' for each in entry.reads)}.", ""]
        if entry.columns:
            lines += ["| column | type | meaning |", "|---|---|---|"]
            lines += [f"| `{each.name}` | {each.kind} | {_meaning(each)} |" for each in entry.columns] + [""]
    return "\n".join(lines).rstrip() + "\n"


def _meaning(column: Column) -> str:
    origin = f"; from {', '.join(f'`{each}`' for each in column.origin)}" if column.origin else ""
    return (column.meaning + origin).removeprefix("; ").replace("|", "\\|")
