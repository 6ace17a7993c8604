"""Which raw table a row goes to: leads, prospects and customers are three stages of one NetSuite record.

searchstage (any case)  ->  raw_netsuite__customers | __leads | __prospects

Where an account has no stage column, the kind of the record's status tells (netsuite.md §5.1 [U]).
"""

import polars as pl

from assets.netsuite.load import TABLE
from assets.netsuite.reading import Reading
from assets.netsuite.things import STAGES
from resources.netsuite.client import NetSuiteClient

STATUS_KINDS = "select t.key, t.entitytype from entitystatus t where t.key > ? order by t.key asc"


def with_tables(frame: pl.DataFrame, reading: Reading, client: NetSuiteClient) -> pl.DataFrame:
    """The frame with `_table`, the raw table of each row; rows without a known stage are taken for customers."""
    if not reading.thing.split:
        return frame.with_columns(pl.lit(reading.thing.raw_tables[0]).alias(TABLE))
    stage = _stage(frame, client).str.to_uppercase().replace_strict(dict(STAGES), default=None)
    unknown = stage.null_count()
    if unknown:
        reading.warnings.append(f"{unknown} rows have no known stage and are taken for customers")
    table = "raw_netsuite__" + stage.fill_null(STAGES["CUSTOMER"])
    return frame.with_columns(table.alias(TABLE))


def _stage(frame: pl.DataFrame, client: NetSuiteClient) -> pl.Series:
    if "searchstage" in frame.columns:
        return frame["searchstage"]
    if "entitystatus" not in frame.columns:
        return pl.Series([None] * frame.height, dtype=pl.String)
    pages = client.read_keyset(STATUS_KINDS, key="key")
    kinds = {row["key"]: row.get("entitytype") for page in pages for row in page}
    return frame["entitystatus"].replace_strict(kinds, default=None, return_dtype=pl.String)
