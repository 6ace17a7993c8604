"""Texts agree with their numbers."""

import pytest

from assets.result_texts import counted, named


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(1, "customers", "1 customer"), (2000, "customers", "2,000 customers"), (1, "names", "1 name")],
)
def test_a_number_and_its_noun_agree(number: int, noun: str, text: str) -> None:
    """One is singular."""
    assert counted(number, noun) == text


@pytest.mark.parametrize(("names", "text"), [(["a"], "column a"), (["a", "b"], "columns a, b")])
def test_names_and_their_noun_agree(names: list[str], text: str) -> None:
    """As in `the table has no columns a, b`."""
    assert named("column", names) == text
