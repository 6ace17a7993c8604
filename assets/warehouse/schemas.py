"""The staging tables without rows, made from the SQL files alone: what a workflow file is held against before a run.

sql/extract (columns)  ->  empty raw_netsuite__*  ->  sql/staging  ->  empty stg_netsuite__*
"""

from collections.abc import Mapping
from functools import cache

import duckdb
import polars as pl

from assets.netsuite.load import OWN_COLUMNS
from assets.netsuite.things import THINGS
from resources.warehouse import quoted, read_frame
from sql import names, statement

# stands for any custom field: a staging table that shows it passes custom fields on
CUSTOM = "custentity_any"


@cache
def staging_schemas() -> Mapping[str, pl.DataFrame]:
    """Every staging table by name, with its columns and types and no row."""
    with duckdb.connect() as con:
        for thing in THINGS.values():
            columns = {**dict.fromkeys((*thing.query.names, CUSTOM), "varchar")}
            columns |= {name: kind for name, (kind, _) in OWN_COLUMNS.items()}
            listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
            for table in thing.raw_tables:
                con.execute(f"create table {quoted(table)} ({listed})")
        return {name: read_frame(con, statement("staging", name).text) for name in names("staging")}
