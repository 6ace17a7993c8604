"""Fingerprints of transformed records, computed by DuckDB while it stores them.

rows of Transform.apply() with the texts  ->  insert_hashed() or hashed()  ->  rows of mart_<workflow>
"""

import duckdb
import polars as pl

from resources.warehouse.tables import Arrow, quoted

HASH_VERSION = "2"  # of the fingerprints; with a new one every record differs once
HASHES = ("source_hash", "payload_hash")
_DIGESTS = ", ".join(f"'{HASH_VERSION}:' || left(md5({name}), 16) as {name}" for name in HASHES)


def insert_hashed(con: duckdb.DuckDBPyConnection, table: str, transformed: pl.DataFrame) -> None:
    """Append transformed records to a table, columns matched by name; HASHES are str in both."""
    _texts = Arrow(transformed)  # DuckDB finds it by its name
    con.execute(f"insert into {quoted(table)} by name select * replace ({_DIGESTS}) from _texts")


def hashed(con: duckdb.DuckDBPyConnection, transformed: pl.DataFrame) -> pl.DataFrame:
    """Return transformed records with their fingerprints, as a mart has them."""
    _texts = Arrow(transformed.select(HASHES))
    return transformed.with_columns(pl.DataFrame(Arrow(con.sql(f"select {_DIGESTS} from _texts"))))
