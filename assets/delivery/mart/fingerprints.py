"""Fingerprints of records, computed by DuckDB while it reads and stores them.

staging table  ->  source_digest()  ->  Transform.apply()  ->  rows with the text of their mapped values  ->
    insert_hashed() or hashed()  ->  rows of mart_<workflow>
"""

from collections.abc import Iterable

import duckdb
import polars as pl

from resources.warehouse.tables import Arrow, quoted

HASH_VERSION = "2"  # of the fingerprints; with a new one every record differs once


def _digest(text: str) -> str:
    return f"'{HASH_VERSION}:' || left(md5({text}), 16)"


_PAYLOAD = f"{_digest('payload_hash')} as payload_hash"


def source_digest(columns: Iterable[str]) -> str:
    """Return the expression of `source_hash`: a fingerprint of these columns of a staging table.

    Its text is a JSON array, so that no two lists of values have the same one, whatever characters they contain.
    """
    return _digest(f"to_json([{', '.join(f'cast({quoted(name)} as varchar)' for name in columns)}])")


def insert_hashed(con: duckdb.DuckDBPyConnection, table: str, transformed: pl.DataFrame) -> None:
    """Append transformed records to a table, columns matched by name; payload_hash is the text to hash."""
    if transformed.is_empty():  # see `replace_table`
        return
    _texts = Arrow(transformed)  # DuckDB finds it by its name
    con.execute(f"insert into {quoted(table)} by name select * replace ({_PAYLOAD}) from _texts")


def hashed(con: duckdb.DuckDBPyConnection, transformed: pl.DataFrame) -> pl.DataFrame:
    """Return transformed records with their fingerprints, as a mart has them."""
    _texts = Arrow(transformed.select("payload_hash"))
    return transformed.with_columns(pl.DataFrame(Arrow(con.sql(f"select {_PAYLOAD} from _texts"))))
