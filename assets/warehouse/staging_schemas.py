"""The staging tables without rows, made from the SQL files alone, to validate workflow files before a run.

sql/extract (columns)  ->  empty raw_netsuite__*  ->  sql/staging  ->  empty stg_netsuite__*
"""

from collections.abc import Mapping
from functools import cache

import polars as pl

from assets.netsuite.extract.raw_queries import OWN_COLUMNS
from assets.netsuite.record_types import RECORD_TYPES, record_type_of
from resources.warehouse.connection import connect
from resources.warehouse.tables import quoted, read_frame
from sql import names, statement

# placeholders: a staging table that has one of them passes custom fields of that kind on
CUSTOM = ("custentity_any", "custrecord_any", "custitem_any", "cseg_any")


@cache
def staging_schemas(*on_demand: str) -> Mapping[str, pl.DataFrame]:
    """Return every staging table by name, types on demand included, with its columns and types and no rows."""
    with connect() as con:
        for record_type in (*RECORD_TYPES.values(), *map(record_type_of, on_demand)):
            columns = dict.fromkeys((*record_type.query.names, *CUSTOM), "varchar")
            columns |= {name: kind for name, (kind, _) in OWN_COLUMNS.items()}
            listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
            for table in record_type.raw_tables:
                con.execute(f"create table {quoted(table)} ({listed})")
        tables = [*names("staging"), *(f"stg_netsuite__{name}" for name in on_demand)]
        return {name: read_frame(con, statement("staging", name).text) for name in tables}
