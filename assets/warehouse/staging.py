"""The staging layer: our names and types, one SQL file per table; `source_tables.py` has the step that makes it.

raw_netsuite__* (DuckDB)  ->  sql/staging/<table>.sql  ->  stg_netsuite__* (DuckDB)

Dependencies, description, comments and the key check come from the SQL file. Only changed rows are written: see
`incremental.py`.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import duckdb

from assets.asset_metadata import table_metadata
from assets.netsuite.extract.raw_queries import ensure_own_columns
from assets.netsuite.record_types import record_type_of
from assets.warehouse.incremental import StagingResult, stage_incrementally
from resources.warehouse.tables import columns_of, describe_table, has_table, quoted
from sql import Statement

LAYER = "staging"
GROUP = "warehouse"
KINDS = {"duckdb", "sql"}
OWNERS = ["team:integrations"]
CHECK = "rows_and_keys"


def column_comments(definition: Statement, columns: Sequence[str]) -> dict[str, str]:
    """Return the comments of columns: from the SQL file, or standard texts for keys and custom fields."""
    comments = {
        name: "custom field, with NetSuite's type if known" for name in columns if name.startswith(("cust", "cseg"))
    }
    comments |= dict.fromkeys(definition.key, "NetSuite internal id; the key of this table")
    comments |= definition.column_comments
    return {name: comments[name] for name in columns if name in comments}


def stage_table(con: duckdb.DuckDBPyConnection, definition: Statement) -> StagingResult:
    """Bring the table up to date, in the caller's transaction; comments are written when it is rebuilt."""
    for table in definition.reads:
        ensure_own_columns(con, table)
    result = stage_incrementally(con, definition)
    if result.mode == "all rows":
        comments = column_comments(definition, list(columns_of(con, definition.name)))
        describe_table(con, definition.name, definition.description, comments.items())
    return result


def bad_keys(con: duckdb.DuckDBPyConnection, definition: Statement) -> int:
    """Return the number of rows whose key is missing or not unique."""
    key = ", ".join(map(quoted, definition.key))
    table = quoted(definition.name)
    # cheap, and nearly always true: as many distinct keys as rows (missing keys are not counted)
    if len(definition.key) == 1:
        query = f"select count(*) = count(distinct {key}) from {table}"
        if con.execute(query).fetchall()[0][0]:
            return 0
    missing = " or ".join(f"{quoted(column)} is null" for column in definition.key)
    flagged = f"select {missing} or count(*) over (partition by {key}) > 1 as is_bad from {table}"
    return int(con.execute(f"select count(*) from ({flagged}) where is_bad").fetchall()[0][0])


def row_counts(con: duckdb.DuckDBPyConnection, definition: Statement) -> tuple[int, int]:
    """Return the number of rows in the raw tables of the same record type, and in the staging table."""
    raw = record_type_of(definition.name.removeprefix("stg_netsuite__")).raw_tables
    counts = [
        int(con.execute(f"select count(*) from {quoted(table)}").fetchall()[0][0]) for table in (*raw, definition.name)
    ]
    return sum(counts[:-1]), counts[-1]


def require_reads(con: duckdb.DuckDBPyConnection, definition: Statement) -> None:
    """Raise a Failure that names the assets to materialize if tables that an SQL file reads do not exist."""
    missing = [each for each in definition.reads if not has_table(con, each)]
    if missing:
        verb, them = ("do", "them") if len(missing) > 1 else ("does", "it")
        reason = f"{definition.name} reads {', '.join(missing)}, which {verb} not exist yet; materialize {them} first"
        raise dg.Failure(reason, allow_retries=False)


def table_spec(definition: Statement, group: str = GROUP) -> dg.AssetSpec:
    """Return the asset of one SQL file."""
    reads, text = list(definition.reads), definition.description
    return dg.AssetSpec(definition.name, deps=reads, description=text, group_name=group, kinds=KINDS, owners=OWNERS)


def staging_check_spec(definition: Statement) -> dg.AssetCheckSpec:
    """Return the check of one staging table; what reads the table waits until it passes."""
    text = (
        f"Every raw row is one row here, including deleted rows, and has a key of its own. Grain: {definition.grain}."
    )
    return dg.AssetCheckSpec(CHECK, asset=definition.name, description=text)


def stage(con: duckdb.DuckDBPyConnection, definition: Statement) -> dg.MaterializeResult[Any]:
    """Bring one staging table up to date, and check it, in the caller's transaction."""
    require_reads(con, definition)
    result = stage_table(con, definition)
    name, bad_rows, (raw_rows, rows) = definition.name, bad_keys(con, definition), row_counts(con, definition)
    comments = column_comments(definition, list(columns_of(con, name)))
    metadata = table_metadata(con, name, comments, rows)
    metadata |= {"staged": result.mode, "rows_written": result.rows}
    if result.uncast:
        metadata["uncast_fields"] = dg.MetadataValue.json(list(result.uncast))
    checked = dg.AssetCheckResult(
        asset_key=name,
        check_name=CHECK,
        passed=raw_rows == rows and not bad_rows,
        description=f"{rows} rows for {raw_rows} raw rows, {bad_rows} without a key of their own",
        metadata={"raw_rows": raw_rows, "rows": rows, "bad_rows": bad_rows},
    )
    return dg.MaterializeResult(asset_key=name, metadata=metadata, check_results=[checked])
