"""What is in the warehouse: every table, view and macro with its meaning, columns, origin and size.

comments and headers  ->  read_dictionary()  ->  [Entry, …]  ->  `millpond tables`, or a page
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import duckdb

from resources.warehouse.tables import has_table, quoted
from sql import FOLDER, names, statement

Kind = Literal["table", "view", "macro"]

# in the order in which data goes; what has no place of its own comes last
LAYERS = {
    "raw_": "NetSuite's records as they came",
    "stg_": "Our names and types",
    "hist_": "Every version",
    "mart_": "What targets should hold",
    "selection_": "What an import may create",
    "target_": "What targets hold",
    "plan_": "What would be done",
    "candidates_": "What could be imported, and what could not",
    "sync_": "What was decided and sent",
    "tree_": "What targets hold, as a tree",
    "": "Questions that are ready to ask, and where things come from",
}


@dataclass(frozen=True)
class Column:
    """One column; `origin` are the columns that its values come from."""

    name: str
    kind: str
    meaning: str
    origin: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One table, view or macro.

    Attributes:
        call: How it is asked: its name, for a macro with its parameters.
        meaning: Its comment, grain and notes included.
        reads: The tables that it is made of.
        rows: Of a table.
    """

    name: str
    kind: Kind
    call: str
    meaning: str
    reads: tuple[str, ...]
    rows: int | None = None
    columns: Sequence[Column] = field(default_factory=list)

    @property
    def layer(self) -> str:
        """The prefix that it is listed under."""
        return next(prefix for prefix in LAYERS if self.name.startswith(prefix))


def read_dictionary(con: duckdb.DuckDBPyConnection) -> list[Entry]:
    """Everything that an analyst can ask, by layer and name."""
    origins = _origins(con)
    columns: dict[str, list[Column]] = {}
    for table, name, kind, comment in con.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns()"
        " where database_name = current_database() and not internal order by column_index"
    ).fetchall():
        origin = origins.get((table, name), ())
        columns.setdefault(table, []).append(Column(name, _plain(kind), comment or "", origin))
    tables = con.execute(
        "select table_name, comment, 'table' from duckdb_tables() where database_name = current_database()"
        " union all"
        " select view_name, comment, 'view' from duckdb_views()"
        " where database_name = current_database() and not internal"
    ).fetchall()
    entries = [_entry(con, name, comment or "", kind, columns[name], origins) for name, comment, kind in tables]
    order = list(LAYERS)
    return sorted([*entries, *_macros(con)], key=lambda entry: (order.index(entry.layer), entry.name))


def _entry(
    con: duckdb.DuckDBPyConnection,
    name: str,
    comment: str,
    kind: Kind,
    columns: Sequence[Column],
    origins: Mapping[tuple[str, str], tuple[str, ...]],
) -> Entry:
    rows = None
    if kind == "table":
        rows = int(con.execute(f"select count(*) from {quoted(name)}").fetchall()[0][0])
    from_fields = {each.partition(".")[0] for (table, _), found in origins.items() if table == name for each in found}
    return Entry(name, kind, name, comment, _reads().get(name, tuple(sorted(from_fields))), rows, columns)


def _macros(con: duckdb.DuckDBPyConnection) -> Iterable[Entry]:
    rows = con.execute(
        "select function_name, parameters, comment from duckdb_functions() where function_type = 'table_macro'"
        " and not internal and database_name = current_database()"
    ).fetchall()
    for name, parameters, comment in rows:
        yield Entry(name, "macro", f"{name}({', '.join(parameters)})", comment or "", _reads().get(name, ()))


def _origins(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], tuple[str, ...]]:
    """Staging columns that each target field of a mart comes from, by table and field."""
    found: dict[tuple[str, str], list[str]] = {}
    if has_table(con, "lineage_columns"):
        for workflow, field_name, table, column in con.execute(
            "select distinct workflow, target_field, source_table, source_column from lineage_columns"
            " where source_column is not null order by all"
        ).fetchall():
            found.setdefault((f"mart_{workflow}", field_name), []).append(f"{table}.{column}")
    return {key: tuple(origin) for key, origin in found.items()}


@cache
def _reads() -> Mapping[str, tuple[str, ...]]:
    """The tables that each SQL file says it reads."""
    layers = [
        folder.name
        for folder in FOLDER.iterdir()
        if folder.is_dir() and folder.name not in {"extract", "incremental_keys"}
    ]
    found = {name: statement(layer, name).reads for layer in layers for name in names(layer)}
    return {name: tuple(each for each in reads if each != "nothing") for name, reads in found.items()}


def _plain(kind: str) -> str:
    """A type as a person reads it: what a list of structs holds stands in the comment."""
    return "list of structs" if kind.startswith("STRUCT") and kind.endswith("[]") else kind.lower()


def page(entries: Sequence[Entry]) -> str:
    """All of it as Markdown, without row counts: those belong to one warehouse."""
    lines = ["# Tables", "", "Made by `millpond tables --page`; a test compares it with what a run makes.", "",
             "![The tables and how they come from each other](TABLES.svg)", ""]  # fmt: skip
    shown: set[str] = set()
    for entry in entries:
        if entry.layer not in shown:
            shown.add(entry.layer)
            lines += [f"## {LAYERS[entry.layer]}", ""]
        lines += [f"### {entry.call}", "", *(part for part in entry.meaning.splitlines()), ""]
        if entry.reads:
            lines += [f"Reads {', '.join(f'`{each}`' for each in entry.reads)}.", ""]
        if entry.columns:
            lines += ["| column | type | meaning |", "|---|---|---|"]
            lines += [f"| `{each.name}` | {each.kind} | {_meaning(each)} |" for each in entry.columns] + [""]
    return "\n".join(lines).rstrip() + "\n"


def _meaning(column: Column) -> str:
    origin = f"; from {', '.join(f'`{each}`' for each in column.origin)}" if column.origin else ""
    return (column.meaning + origin).removeprefix("; ").replace("|", "\\|")
