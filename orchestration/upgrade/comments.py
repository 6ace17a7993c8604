"""Comments of tables that runs do not rewrite: they name columns and commands, so they follow the version."""

from collections.abc import Iterator, Mapping

import duckdb

from assets.delivery.ledger.plans import PLAN_DESCRIPTION
from assets.delivery.plan.keep import STAMP_COMMENTS
from assets.delivery.schemas import PLAN_COMMENTS
from assets.netsuite.extract.raw_queries import raw_comments
from assets.netsuite.record_types import RECORD_TYPES, record_type_of
from assets.warehouse.history import history_comments
from resources.warehouse.tables import columns_of, describe_table, tables_of
from sql import is_on_demand, names, statement

RAW, PLAN = "raw_netsuite__", "plan_"


def renew_comments(con: duckdb.DuckDBPyConnection) -> None:
    """Write the comments of the ledger, of plans, and of the raw and history tables."""
    tables = tables_of(con)
    for name, description, comments in [*_ledger(), *_history(con), *_raw(tables), *_plans(tables)]:
        if name in tables:
            present = columns_of(con, name)
            describe_table(con, name, description, [each for each in comments.items() if each[0] in present])


Described = Iterator[tuple[str, str, Mapping[str, str]]]


def _ledger() -> Described:
    for name in names("ledger"):
        definition = statement("ledger", name)
        yield name, definition.description, definition.column_comments


def _history(con: duckdb.DuckDBPyConnection) -> Described:
    for name in names("history"):
        definition = statement("history", name)
        yield name, definition.description, history_comments(con, definition)


def _raw(tables: set[str]) -> Described:
    on_demand = [name for table in tables if is_on_demand(name := table.removeprefix(RAW))]
    for record_type in [*RECORD_TYPES.values(), *map(record_type_of, on_demand)]:
        for table in record_type.raw_tables:
            query = record_type.query
            yield table, query.statement.description, raw_comments(query)


def _plans(tables: set[str]) -> Described:
    for table in tables:
        if table.startswith(PLAN):
            yield table, PLAN_DESCRIPTION, {**PLAN_COMMENTS, **STAMP_COMMENTS}
