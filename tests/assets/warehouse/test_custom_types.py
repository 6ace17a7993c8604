"""Typed custom fields hold the values that NetSuite sent, digit by digit."""

from dataclasses import replace
from decimal import Decimal

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.spec.expressions import canonical
from assets.warehouse.custom_types import cast_custom_fields
from resources.warehouse.tables import read_frame
from sql import statement

DIGITS = st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,20})?", fullmatch=True)
SCIENTIFIC = st.from_regex(r"-?[1-9](\.[0-9]{1,6})?[eE]([+-]?[0-9]|[+-]?1[0-2])", fullmatch=True)
WHOLE = st.integers(-(10**25), 10**25).map(str)


def staged(kind: str, values: list[str]) -> tuple[str, list[str | None]]:
    """Stage a field of one kind; return its type, and its values as targets get them."""
    definition = replace(statement("staging", "stg_netsuite__customers"), text="select * from raw_netsuite__customers")
    with duckdb.connect() as con:
        con.execute("create table raw_netsuite__customers (custentity_n varchar)")
        con.executemany("insert into raw_netsuite__customers values (?)", [[value] for value in values])
        table = read_frame(con, cast_custom_fields(con, definition, {"custentity_n": kind}).statement.text)
    return str(table["custentity_n"].dtype), table.select(
        canonical(pl.col("custentity_n"), table)
    ).to_series().to_list()


@pytest.mark.parametrize(
    ("kind", "values", "dtype", "expected"),
    [
        ("integer", ["9007199254740993", "-5"], "Int64", ["9007199254740993", "-5"]),
        ("integer", ["1.5", "2"], "Float64", ["1.5", "2"]),
        ("integer", ["1E+2"], "Float64", ["100"]),
        ("integer", ["9223372036854775808", "7"], "Decimal(precision=38, scale=18)", ["9223372036854775808", "7"]),
        ("number", ["1.5", "", "-0.25", "100"], "Float64", ["1.5", None, "-0.25", "100"]),
        ("number", ["1e-7", "1e16"], "Float64", ["0.0000001", "10000000000000000"]),
        ("number", ["1E+22"], "String", ["10000000000000000000000"]),
        ("number", ["99999999999999.99", "1.5"], "Decimal(precision=38, scale=18)", ["99999999999999.99", "1.5"]),
        (
            "number",
            ["12345678901234567.89", "2E3"],
            "Decimal(precision=38, scale=18)",
            ["12345678901234567.89", "2000"],
        ),
        ("number", ["123456789012345678901234567890.5", "1e3"], "String", ["123456789012345678901234567890.5", "1000"]),
        ("number", ["12 %", "1.5"], "String", ["12 %", "1.5"]),
        ("number", ["NaN", "1"], "String", ["NaN", "1"]),
    ],
)
def test_a_number_has_the_narrowest_type_that_keeps_every_digit(
    kind: str, values: list[str], dtype: str, expected: list[str | None]
) -> None:
    """The catalog's type is a proposal; the values decide."""
    assert staged(kind, values) == (dtype, expected)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(["integer", "number"]), values=st.lists(st.one_of(DIGITS, SCIENTIFIC, WHOLE), min_size=1))
def test_numbers_keep_their_digits_on_the_way_to_a_target(kind: str, values: list[str]) -> None:
    """No digit is lost, added or rounded, and none is in scientific notation."""
    _, texts = staged(kind, values)

    assert [Decimal(text or "NaN") for text in texts] == [Decimal(value) for value in values]
    assert not any("e" in (text or "").lower() for text in texts)
