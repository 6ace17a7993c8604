"""The staging layer: our names and types, one SQL file per table.

raw_netsuite__* (DuckDB)  ->  sql/staging/<table>.sql  ->  stg_netsuite__* (DuckDB)

Dependencies, description, comments and the key's check come from the SQL file itself. Only what changed is written: see
`incremental.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import duckdb

from assets.failures import RETRY, dagster_failure
from assets.netsuite.record_types import record_type_of
from assets.warehouse.incremental import Staged, stage
from resources.warehouse.tables import columns_of, describe_table, has_table, quoted
from resources.warehouse.warehouse import Warehouse
from sql import Statement, names, statement

LAYER = "staging"
GROUP = "warehouse"
KINDS = {"duckdb", "sql"}
OWNERS = ["team:integrations"]
KEY_CHECK = "key_is_unique_and_not_null"
ROWS_CHECK = "no_row_is_lost"


def column_comments(of: Statement, columns: Sequence[str]) -> dict[str, str]:
    """What each column means: the comment beside it in the SQL; keys and custom fields have standing texts."""
    written = of.column_comments
    standing = {
        name: "custom field; its type is NetSuite's, where that is told" for name in columns if name.startswith("cust")
    }
    standing |= dict.fromkeys(of.key, "NetSuite internal id; the key of this table")
    return {name: text for name in columns if (text := written.get(name) or standing.get(name))}


def build(con: duckdb.DuckDBPyConnection, of: Statement) -> Staged:
    """Bring the table up to date, in the caller's transaction; its comments are written when it is made anew."""
    staged = stage(con, of)
    if staged.mode == "all rows":
        comments = column_comments(of, list(columns_of(con, of.name)))
        describe_table(con, of.name, of.description, comments.items())
    return staged


def duplicate_keys(con: duckdb.DuckDBPyConnection, of: Statement) -> int:
    """Rows whose key is missing or not the only one of its kind."""
    key = ", ".join(map(quoted, of.key))
    # cheap, and nearly always the answer: as many different keys as rows (a missing key is not counted as one)
    same = f"select count(*) = count(distinct ({key})) from {quoted(of.name)}" if len(of.key) == 1 else "select false"
    if con.execute(same).fetchall()[0][0]:
        return 0
    missing = " or ".join(f"{quoted(column)} is null" for column in of.key)
    judged = f"select {missing} or count(*) over (partition by {key}) > 1 as is_bad from {quoted(of.name)}"
    query = f"select count(*) from ({judged}) where is_bad"
    return int(con.execute(query).fetchall()[0][0])


def row_counts(con: duckdb.DuckDBPyConnection, of: Statement) -> tuple[int, int]:
    """Rows of the raw tables of the same thing, and rows of the staging table."""
    raw = record_type_of(of.name.removeprefix("stg_netsuite__")).raw_tables
    counts = [int(con.execute(f"select count(*) from {quoted(table)}").fetchall()[0][0]) for table in (*raw, of.name)]
    return sum(counts[:-1]), counts[-1]


def sql_table(name: str) -> dg.AssetsDefinition:
    """The asset of one SQL file."""
    of = statement(LAYER, name)

    @dg.asset(
        name=name,
        deps=list(of.reads),
        description=of.description,
        group_name=GROUP,
        kinds=KINDS,
        owners=OWNERS,
        retry_policy=RETRY,
        pool="duckdb",
        check_specs=[
            dg.AssetCheckSpec(KEY_CHECK, asset=name, blocking=True, description=f"Grain: {of.grain}."),
            dg.AssetCheckSpec(
                ROWS_CHECK, asset=name, blocking=True, description="Every raw row is one row here, deleted ones too."
            ),
        ],
    )
    def table(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
        with dagster_failure(), warehouse.writer() as con:
            missing = [each for each in of.reads if not has_table(con, each)]
            if missing:
                reason = f"{name} reads {', '.join(missing)}, which were never extracted; materialize them first"
                raise dg.Failure(reason, allow_retries=False)
            staged = build(con, of)
            bad_keys = duplicate_keys(con, of)
            raw_rows, rows = row_counts(con, of)
            comments = column_comments(of, list(columns_of(con, of.name)))
            metadata = table_metadata(con, of.name, comments, rows)
            metadata |= {"staged": staged.mode, "rows_written": staged.rows}
            if staged.unfit:
                metadata["stay_text"] = dg.MetadataValue.json(list(staged.unfit))
        return dg.MaterializeResult(
            metadata=metadata,
            check_results=[
                dg.AssetCheckResult(check_name=KEY_CHECK, passed=bad_keys == 0, metadata={"bad_rows": bad_keys}),
                dg.AssetCheckResult(
                    check_name=ROWS_CHECK, passed=raw_rows == rows, metadata={"raw_rows": raw_rows, "rows": rows}
                ),
            ],
        )

    return table


def table_metadata(con: duckdb.DuckDBPyConnection, name: str, comments: Mapping[str, str], rows: int) -> dict[str, Any]:
    """What the UI shows of a table: its rows, its columns with their meaning, its name."""
    there = columns_of(con, name)
    columns = [dg.TableColumn(column, kind, description=comments.get(column)) for column, kind in there.items()]
    return {
        "dagster/row_count": rows,
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/table_name": name,
    }


STAGING_ASSETS: Mapping[str, dg.AssetsDefinition] = {name: sql_table(name) for name in names(LAYER)}
