"""Fingerprints of source columns differ whenever a value does, whichever characters the values contain."""

import duckdb
import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from assets.delivery.mart.fingerprints import insert_hashed, source_digest
from resources.warehouse.connection import connect

VALUES = st.none() | st.text(st.sampled_from(["a", "\x1e", "\x1f", ",", '"', "\\", "-", "1", "[", "]"]), max_size=3)
ROWS = st.tuples(VALUES, VALUES, VALUES)


def digest(row: tuple[str | None, ...]) -> str:
    """Return the fingerprint of a row."""
    query = f"select {source_digest(['a', 'b', 'c'])} from (values (?, ?, ?)) as staged (a, b, c)"
    return str(duckdb.execute(query, list(row)).fetchall()[0][0])


@given(ROWS, ROWS)
@example(("a", None, None), (None, "a", None))
@example(("a\x1fa", "a", None), ("a", "a\x1fa", None))
@example((None, "", "a"), ("", None, "a"))
@example(("\x1e", "a", "a"), (None, "a", "a"))
@example(("null", "a", "a"), (None, "a", "a"))
def test_two_rows_have_one_fingerprint_only_if_their_values_are_the_same(
    first: tuple[str | None, ...], second: tuple[str | None, ...]
) -> None:
    """A value that moves to the column beside it, or becomes blank, is a change."""
    assert (digest(first) == digest(second)) == (first == second)


def test_an_empty_part_between_large_ones_costs_no_row() -> None:
    """A record type without rows stands before the others; DuckDB 1.5 would lose what is inserted after it."""
    with connect() as con:
        con.execute("create table mart (payload_hash varchar)")
        con.execute("begin")
        for rows in (0, 122_880, 10):
            insert_hashed(con, "mart", pl.select(payload_hash=pl.int_range(rows).cast(pl.String)))
        con.execute("commit")

        assert con.execute("select count(*) from mart").fetchall() == [(122_890,)]
