"""The views and macros of `sql/analytics` in a warehouse or in a copy of it.

sql/analytics, the tables that exist  ->  add_analytics()  ->  views, macros, their comments
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress

import duckdb

from resources.warehouse.tables import describe_table, literal, quoted, tables_of
from resources.warehouse.workflow_queries import expanded
from sql import Statement, names, statement

_VERSION = "analytics_version"  # macro that returns what the views were made from, and what was made
# columns of tables and views, parameters of macros, and comments; DuckDB writes a view's text in another way once the
# file was opened again
_PRESENT = f"""
select table_name, column_name, data_type from duckdb_columns()
where database_name = current_database() and not internal
union all
select view_name, 'comment', comment from duckdb_views() where database_name = current_database() and not internal
union all
select function_name, array_to_string(parameters, ', '), comment from duckdb_functions()
where database_name = current_database() and not internal and function_name <> '{_VERSION}'
order by all
"""


def add_analytics(con: duckdb.DuckDBPyConnection) -> None:
    """Create the views and macros of `sql/analytics` whose tables exist; outside a transaction, as one may fail.

    Without a change of the tables' columns, of the files, and of the views and macros that are there, nothing is
    written: to write them takes three quarters of a second.
    """
    kind = con.execute("select type from duckdb_databases() where database_name = current_database()").fetchall()
    is_ducklake = kind[0][0] == "ducklake"
    known = con.execute(
        "select macro_definition from duckdb_functions() where database_name = current_database() and not internal"
        f" and function_name = '{_VERSION}'"
    ).fetchall()
    if not is_ducklake and known == [(literal(_version(con)),)]:
        return
    for name in _create(con):
        if is_ducklake:  # keeps no comments on macros and on columns of views; the published file does
            continue
        definition = _definition(name)
        if definition.text.startswith("create or replace macro"):
            con.execute(f"comment on macro table {quoted(name)} is {literal(definition.description)}")
        else:
            describe_table(con, name, definition.description, definition.column_comments.items())
    if not is_ducklake:
        con.execute(f"create or replace macro {_VERSION}() as {literal(_version(con))}")


def _create(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Create each view and macro whose tables exist, and yield its name."""
    tables = tables_of(con)
    for definition in map(_definition, analytics_in_order()):
        if tables.issuperset(definition.reads):
            with suppress(duckdb.BinderException):  # a table of an older version has other columns; skip this view only
                con.execute(expanded(con, definition.text))
                tables.add(definition.name)
                yield definition.name


def analytics_in_order() -> list[str]:
    """Return the names of the views and macros, those that read another one last."""
    every = names("analytics")
    return sorted(every, key=lambda name: not set(every).isdisjoint(_definition(name).reads))


def _definition(name: str) -> Statement:
    return statement("analytics", name)


def _version(con: duckdb.DuckDBPyConnection) -> str:
    """Return a fingerprint of the files, and of the tables, views and macros that are there."""
    tables, every = tables_of(con), list(map(_definition, analytics_in_order()))
    # what lacks a table is not created, and its parts cannot be expanded
    files = [(each, expanded(con, each.text)) for each in every if tables.issuperset(each.reads)]
    present = con.execute(_PRESENT).fetchall()
    return hashlib.blake2b(repr((files, present)).encode(), digest_size=16).hexdigest()
