"""A cell of a CSV file is never evaluated, and a number stays one."""

import pytest

from resources.spreadsheet import cell


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"), ("-cmd|'/c calc'!A0", "'-cmd|'/c calc'!A0"), ("-1+1", "'-1+1"), ("+49 30 1", "'+49 30 1"),
        ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"), (-5, "-5"), ("-12.50", "-12.50"), ("Acme", "Acme"), (None, ""),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_evaluate_is_shown(value: object, shown: str) -> None:
    """A negative number is no formula."""
    assert cell(value) == shown
