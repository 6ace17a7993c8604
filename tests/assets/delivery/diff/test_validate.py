"""Records that the target would reject are quarantined."""

from dataclasses import replace
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.diff.decide import decide
from assets.delivery.diff.records import Records
from assets.delivery.diff.validate import violations
from assets.delivery.target import TargetField
from assets.suiteprojects.characters import forbidden_characters
from resources.suiteprojects.xml import illegal_character
from tests.assets.delivery.builders import OPTIONS, desired, links, mart, option_tree, target_state
from tests.assets.delivery.diff.decisions import actions, plan_rows

XML_AND_LATIN = forbidden_characters("iso8859-1")


def test_length_is_counted_in_characters() -> None:
    """Twenty characters fit into twenty, whatever their bytes."""
    assert actions(plan_rows([desired(name="é" * 20)])) == [("create", "new")]


@pytest.mark.parametrize(
    ("limit", "value", "code"),
    [
        ({"max_length": 3}, "four", "too_long"),
        ({"max_length": 3}, None, "new"),
        ({"choices": frozenset({"a", "it's"})}, "b", "not_in_list"),
        ({"choices": frozenset({"a", "it's"})}, "it's", "new"),
        ({"choices": frozenset({"a"})}, None, "new"),
        ({"choices": frozenset[str]()}, "a", "not_in_list"),
        ({"kind": "number"}, "-1.5", "new"),
        ({"kind": "number"}, "1,5", "wrong_form"),
        ({"kind": "boolean"}, "T", "wrong_form"),
        ({"kind": "date"}, "2026-11-01", "new"),
        ({"kind": "date"}, "2026-11-01 12:00:00", "new"),
        ({"kind": "date"}, "01.11.2026", "wrong_form"),
        ({"required": True}, None, "required_blank"),
        ({"forbidden": XML_AND_LATIN}, "a\x0bb", "illegal_character"),
        ({"forbidden": XML_AND_LATIN}, "line\nbreak\x00", "illegal_character"),
        ({"forbidden": XML_AND_LATIN}, "\ufffe", "illegal_character"),
        ({"forbidden": XML_AND_LATIN}, "tab\t and line\r\nbreak, é]^-", "new"),
        ({"forbidden": XML_AND_LATIN}, "first\nŁódź", "foreign_character"),
        ({"forbidden": XML_AND_LATIN}, None, "new"),
    ],
)
def test_each_limit_of_the_target_has_its_code(limit: dict[str, Any], value: str | None, code: str) -> None:
    """The reason names the field; blank values break no limit other than `required`."""
    target = replace(OPTIONS, fields={"name": TargetField("name", **limit)})

    (row,) = decide(option_tree(), target, Records(mart(desired(name=value)), target_state(), links())).to_dicts()

    assert row["reason_code"] == code
    assert row["action"] == ("create" if code == "new" else "quarantined")
    assert code == "new" or "name" in row["reason"]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=8))
def test_the_plan_finds_what_the_encoder_would_refuse(text: str) -> None:
    """In DuckDB, where the prefilter asks, and in Polars: no record is refused in the run for a character."""
    field = TargetField("name", forbidden=forbidden_characters("iso8859-1"))
    whens = [each.when for each in violations(replace(OPTIONS, fields={"name": field}), ["name"])][1:]
    frame = pl.DataFrame({"name": [text]})
    with duckdb.connect() as con:
        in_duckdb = con.execute(f"select {', '.join(whens)} from (select ? as name)", [text]).fetchone()

    refused = illegal_character(text) is not None or any(ord(letter) > 255 for letter in text)

    assert any(in_duckdb or ()) is refused
    assert any(frame.select(pl.sql_expr(when).alias(str(n)) for n, when in enumerate(whens)).row(0)) is refused
