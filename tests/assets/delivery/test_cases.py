"""Case tables."""

import polars as pl

from assets.delivery.cases import ALWAYS, Case, first_match, set_where

NUMBERS = pl.DataFrame({"number": [1, 2, None], "text": ["a", "b", "c"]})


def test_the_first_case_that_applies_decides() -> None:
    """A null condition counts as false; codes may be null, and reasons may be expressions."""
    cases = [
        Case(pl.col("number") == 1, "one", "code", pl.format("is {}", "number")),
        Case(pl.col("number") >= 1, "more", None, "at least 1"),
    ]

    action, code, reason = first_match(cases, Case(ALWAYS, "other", None, "none"))

    rows = NUMBERS.select(action.alias("action"), code.alias("code"), reason.alias("reason")).rows()
    assert rows == [("one", "code", "is 1"), ("more", None, "at least 1"), ("other", None, "none")]


def test_values_are_set_together_and_keep_their_types() -> None:
    """An expression sees the values from before."""
    frame = set_where(NUMBERS, pl.col("number") == 1, number=7, text=pl.format("was {}", "number"))

    assert frame.rows() == [(7, "was 1"), (2, "b"), (None, "c")]
    assert frame.schema == NUMBERS.schema
