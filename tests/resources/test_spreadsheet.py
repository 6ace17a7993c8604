"""A cell of a CSV file is never evaluated, and a number stays one."""

import csv
import io

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.spreadsheet import cell, cells_of, from_cells

WIDE = "\uff1d"  # a wide equals sign
HOSTILE = st.text(f"=+-@{WIDE}'; \t\r\n\"a1", max_size=12)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"), ("-cmd|'/c calc'!A0", "'-cmd|'/c calc'!A0"), ("-1+1", "'-1+1"), ("+49 30 1", "'+49 30 1"),
        ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"), (-5, "-5"), ("-12.50", "-12.50"), ("Acme", "Acme"), (None, ""),
        ("Acme;=1+1;", "Acme;'=1+1;"), ("Acme; +1", "Acme; '+1"), ("Acme\n=1", "Acme\n'=1"), ("  =1", "'  =1"),
        (f"{WIDE}1", f"'{WIDE}1"), ("a=b-c@d", "a=b-c@d"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_evaluate_is_shown(value: object, shown: str) -> None:
    """A negative number is no formula."""
    assert cell(value) == shown


@settings(max_examples=60, deadline=None)
@given(name=HOSTILE, separator=st.sampled_from(",;\t"))
def test_no_cell_is_a_formula_whatever_separates_cells(name: str, separator: str) -> None:
    """A program with another decimal mark splits the same file elsewhere."""
    text = io.StringIO()
    csv.writer(text).writerow(["1", cell(name), "x"])
    for row in csv.reader(io.StringIO(text.getvalue(), newline=""), delimiter=separator):
        for each in row:
            assert not each.lstrip(" ").startswith(tuple(f"=+@{WIDE}")), row


@settings(max_examples=4, deadline=None)
@given(names=st.lists(HOSTILE, min_size=20, max_size=60))
def test_an_export_is_read_back_as_it_was(names: list[str]) -> None:
    """An auditor's program hashes the texts."""
    with duckdb.connect() as con:
        con.execute("create table given as select unnest($names) as name", {"names": names})
        con.execute(f"create table cells as {cells_of('select rowid, name from given')}")
        assert con.execute(from_cells("cells")).fetchall() == [(str(row), name) for row, name in enumerate(names)]
